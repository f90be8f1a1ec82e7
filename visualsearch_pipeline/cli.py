"""The command line: a thin face.

Exit codes: 0 all done, 1 error, 2 usage or settings, 3 done with failed items, 4 still pending, 5 stopped by the
budget; as usual in a shell, 130 after Ctrl-C, and 141 when whoever reads the output has closed it.
"""

import os
import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer
from rich.console import Console
from typer.core import TyperGroup

import visualsearch_pipeline

if TYPE_CHECKING:
    from visualsearch_pipeline.pipeline.status import Status

ALL_DONE: Final = 0
ERROR: Final = 1
USAGE: Final = 2
DONE_WITH_FAILURES: Final = 3
STILL_PENDING: Final = 4
STOPPED_BY_BUDGET: Final = 5
INTERRUPTED: Final = 130
OUTPUT_CLOSED: Final = 141

_EXIT_CODES: Final = (
    "Exit codes: 0 all done, 1 error, 2 usage or settings, 3 done with failed items, 4 still pending, "
    "5 stopped by the budget."
)
_PLAIN_EXIT_CODES: Final = "Exit codes: 0 done, 1 error, 2 usage or settings."


class _Ended(Exception):  # noqa: N818  says what happened
    """A command was ended from outside.

    Attributes:
        code: The exit code that a shell expects.
    """

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


class _Commands(TyperGroup):
    """The commands; what ends them from outside is kept from typer, whose words and codes for it change by version."""

    def invoke(self, ctx: typer.Context) -> object:  # type: ignore[override]  # the base's type moved between versions
        try:
            answer: object = super().invoke(ctx)
            sys.stdout.flush()
        except KeyboardInterrupt as error:
            raise _Ended(INTERRUPTED) from error
        except BrokenPipeError as error:
            raise _Ended(OUTPUT_CLOSED) from error
        return answer


class _Medium(StrEnum):
    """What a text can be looked for in, as an option's choices."""

    CLIPS = "clips"
    AUDIO = "audio"
    CAPTIONS = "captions"


app = typer.Typer(
    name="visualsearch",
    cls=_Commands,
    help="Turn footage into SQL: upload it, search it with saved queries, read the hits in DuckDB.",
    epilog=_EXIT_CODES,
    no_args_is_help=True,
    add_completion=False,
    # A traceback with local variables could show the key.
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    rich_markup_mode="markdown",
)


class _Console(Console):
    """A console whose reader may go away, as `head` does: that is told to the shell, and to nobody else."""

    def on_broken_pipe(self) -> None:
        """Leave it to `main`."""
        raise BrokenPipeError


out = _Console()
err = _Console(stderr=True)

ConfigOption = Annotated[
    Path | None,
    typer.Option(
        "--config",
        "-c",
        help="Settings file; default: $VISUALSEARCH_CONFIG, else ./visualsearch.yaml.",
        show_default=False,
    ),
]
DEMO_FOLDER: Final = Path("visualsearch-demo")


@app.callback(invoke_without_command=True)
def _main(
    *,
    version: Annotated[bool, typer.Option("--version", help="Show the version and exit.", is_eager=True)] = False,
) -> None:
    if version:
        out.print(f"visualsearch {visualsearch_pipeline.__version__}", highlight=False)
        raise typer.Exit


@app.command(epilog=f"Example: `visualsearch run --wait --timeout 3600`\n\n{_EXIT_CODES}")
def run(
    *,
    config: ConfigOption = None,
    wait: Annotated[bool, typer.Option("--wait", help="Go on until everything is indexed and published.")] = False,
    timeout: Annotated[
        float | None, typer.Option("--timeout", min=0, help="With --wait: stop waiting after this many seconds.")
    ] = None,
) -> None:
    """Do everything that is pending: upload, search, archive, publish."""
    from visualsearch_pipeline.settings import load_settings, read_api_key
    from visualsearch_pipeline.terminal import print_status
    from visualsearch_pipeline.workflow import run_pending

    settings = load_settings(config)
    _check_api_key(read_api_key())
    status = run_pending(settings, console=err, wait=wait, timeout_seconds=timeout)
    print_status(out, status)
    raise typer.Exit(exit_code(status))


@app.command(epilog=f"Example: `visualsearch status --config demo/visualsearch.yaml`\n\n{_EXIT_CODES}")
def status(*, config: ConfigOption = None) -> None:
    """Show counts by state, and each failed item with its reason. Makes no call."""
    from visualsearch_pipeline.settings import load_settings
    from visualsearch_pipeline.terminal import print_status
    from visualsearch_pipeline.workflow import current_status

    found = current_status(load_settings(config))
    print_status(out, found)
    raise typer.Exit(exit_code(found))


@app.command(epilog=f"Example: `visualsearch plan --no-look`\n\n{_PLAIN_EXIT_CODES}")
def plan(
    *,
    config: ConfigOption = None,
    look: Annotated[
        bool, typer.Option("--look/--no-look", help="List the source first, and look into files that are new.")
    ] = True,
) -> None:
    """Show what a run would do, cost and take. Makes no call."""
    from visualsearch_pipeline.commands.plan import forecast_run, print_forecast
    from visualsearch_pipeline.settings import load_settings

    settings = load_settings(config)
    print_forecast(out, forecast_run(settings, console=err, look=look), settings=settings)


@app.command(epilog=f"Example: `visualsearch reconcile --adopt`\n\n{_EXIT_CODES}")
def reconcile(
    *,
    config: ConfigOption = None,
    adopt: Annotated[
        bool, typer.Option("--adopt", help="Bind unknown entries that carry our hash tag to the files in the source.")
    ] = False,
    by_download: Annotated[
        bool,
        typer.Option("--by-download", help="With --adopt: also download and hash entries of a fitting size. Costs."),
    ] = False,
    reupload_missing: Annotated[
        bool, typer.Option("--reupload-missing", help="Queue again what is not in the library any more.")
    ] = False,
) -> None:
    """Compare ledger and library. Changes neither unless asked to."""
    from visualsearch_pipeline.commands.reconcile import print_agreement, reconcile_library
    from visualsearch_pipeline.settings import load_settings, read_api_key

    settings = load_settings(config)
    _check_api_key(read_api_key())
    if by_download and not adopt:
        raise typer.BadParameter("goes with --adopt", param_hint="--by-download")
    report = reconcile_library(
        settings, console=err, adopt=adopt, by_download=by_download, reupload_missing=reupload_missing
    )
    print_agreement(out, report)
    raise typer.Exit(DONE_WITH_FAILURES if report.left else ALL_DONE)


@app.command(epilog=f"Example: `visualsearch doctor --config demo/visualsearch.yaml`\n\n{_PLAIN_EXIT_CODES}")
def doctor(*, config: ConfigOption = None) -> None:
    """Check settings, key, scope, limits, clock, disk and versions. Costs nothing."""
    from visualsearch_pipeline.commands.doctor import examine

    raise typer.Exit(ALL_DONE if examine(config, console=out) else ERROR)


@app.command(epilog=f'Example: `visualsearch sql "from hits where score > 0.8 limit 10"`\n\n{_PLAIN_EXIT_CODES}')
def sql(
    statement: Annotated[str, typer.Argument(help="The question, in DuckDB's SQL.")],
    *,
    config: ConfigOption = None,
    csv: Annotated[bool, typer.Option("--csv", help="Comma-separated values instead of a table.")] = False,
) -> None:
    """Ask the published tables. They are opened read-only."""
    from visualsearch_pipeline.settings import load_settings
    from visualsearch_pipeline.terminal import print_rows
    from visualsearch_pipeline.warehouse import query

    answer = query(load_settings(config).database_path, statement)
    if csv:
        answer.table.to_pandas().to_csv(sys.stdout, index=False)
        return
    print_rows(out, answer.columns, answer.rows)


@app.command(epilog=f'Example: `visualsearch export "from hits where score > 0.8" best.csv`\n\n{_PLAIN_EXIT_CODES}')
def export(
    source: Annotated[str, typer.Argument(help="A table, a view, or one question in DuckDB's SQL.")],
    destination: Annotated[Path, typer.Argument(help="The file; its ending says what kind: .csv, .parquet, .jsonl.")],
    *,
    config: ConfigOption = None,
) -> None:
    """Write a table, or the answer to a question, into a file."""
    from visualsearch_pipeline.settings import load_settings
    from visualsearch_pipeline.terminal import print_line, size
    from visualsearch_pipeline.warehouse import export

    written = export(load_settings(config).database_path, source, destination)
    print_line(out, f"{written.path}: {written.row_count} rows, {size(written.size_bytes)}")


@app.command(epilog=f"Example: `visualsearch report --to ./report`\n\n{_PLAIN_EXIT_CODES}")
def report(
    *,
    config: ConfigOption = None,
    to: Annotated[
        Path | None, typer.Option("--to", help="The report's folder; default: report in the state folder.")
    ] = None,
) -> None:
    """Write a page that shows the hits, to be opened in a browser, offline."""
    from visualsearch_pipeline.report import write_report
    from visualsearch_pipeline.settings import load_settings
    from visualsearch_pipeline.terminal import print_line

    settings = load_settings(config)
    written = write_report(settings.database_path, to or settings.report_path, archive_root=settings.archive_root)
    print_line(out, f"{written.path}: {written.hits} of {written.hits_total} hits, {written.pictures} with a picture")


queries = typer.Typer(
    name="queries", help="Check, show and try saved queries.", no_args_is_help=True, epilog=_PLAIN_EXIT_CODES
)
app.add_typer(queries)


@queries.command("check", epilog=f"Example: `visualsearch queries check`\n\n{_PLAIN_EXIT_CODES}")
def queries_check(*, config: ConfigOption = None) -> None:
    """Name every mistake in the query files, with file and line. Makes no call."""
    from visualsearch_pipeline.commands.queries import check
    from visualsearch_pipeline.settings import load_settings

    raise typer.Exit(ALL_DONE if check(load_settings(config), console=out) else USAGE)


@queries.command("show", epilog=f"Example: `visualsearch queries show street.red_truck`\n\n{_PLAIN_EXIT_CODES}")
def queries_show(
    name: Annotated[str, typer.Argument(help="A query set, or one query of it: street, street.red_truck.")],
    *,
    config: ConfigOption = None,
) -> None:
    """Show what a query set asks, of how many videos it was answered, and what it found. Makes no call."""
    from visualsearch_pipeline.commands.queries import show
    from visualsearch_pipeline.settings import load_settings

    show(load_settings(config), name, console=out)


@queries.command("try", epilog=f'Example: `visualsearch queries try "a red truck at night"`\n\n{_PLAIN_EXIT_CODES}')
def queries_try(
    question: Annotated[str, typer.Argument(help="A text, or a saved query's name: street.red_truck.")],
    *,
    config: ConfigOption = None,
    medium: Annotated[_Medium, typer.Option("--in", help="Where to look for a text.")] = _Medium.CLIPS,
    video_no: Annotated[
        str | None, typer.Option("--video", help="For an image within a video: its video_no.", show_default=False)
    ] = None,
) -> None:
    """Ask once, now, without storing anything. Costs one search."""
    from visualsearch_pipeline.commands.queries import try_once
    from visualsearch_pipeline.settings import load_settings

    try_once(load_settings(config), question, medium=medium.value, video_no=video_no, console=out, progress_console=err)


@app.command(epilog=f"Example: `visualsearch sandbox --port 8750 --state ./sandbox`\n\n{_PLAIN_EXIT_CODES}")
def sandbox(
    *,
    state: Annotated[Path, typer.Option("--state", help="Folder that keeps the library; made if missing.")],
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="Port to listen on; 0 takes a free one.")] = 0,
    dialect: Annotated[
        str, typer.Option("--dialect", help="Generation of the API: live-2025, spring-2026 or openapi.")
    ] = "spring-2026",
    indexing_seconds: Annotated[float, typer.Option("--indexing-seconds", min=0, help="From upload to ready.")] = 2.0,
    admin: Annotated[bool, typer.Option("--admin", help="Answer under /_sandbox: clock, faults, journal.")] = False,
) -> None:
    """Run the local server that speaks the API, until Ctrl-C."""
    from visualsearch_pipeline.sandbox import Dialect, SandboxConfig, serve

    try:
        spoken = Dialect(dialect)
    except ValueError:
        raise typer.BadParameter(f"{dialect!r} is none of {', '.join(Dialect)}", param_hint="--dialect") from None
    serve(SandboxConfig(state_dir=state, port=port, dialect=spoken, indexing_seconds=indexing_seconds, admin=admin))


@app.command(epilog=f"Example: `visualsearch demo --media ~/Movies`\n\n{_EXIT_CODES}")
def demo(
    *,
    folder: Annotated[
        Path | None,
        typer.Option(
            "--folder",
            help="Where the demo lives; delete it to begin anew. "
            "Default: ./visualsearch-demo, with --media ./visualsearch-demo-NAME.",
            show_default=False,
        ),
    ] = None,
    media: Annotated[
        Path | None, typer.Option("--media", help="Your own footage instead of generated clips; it is only read.")
    ] = None,
    timeout: Annotated[float, typer.Option("--timeout", min=1, help="Stop waiting after this many seconds.")] = 600,
) -> None:
    """Make sample clips, start the sandbox, and run everything to the end."""
    from visualsearch_pipeline.demo.running import run_demo

    if folder is None:
        folder = DEMO_FOLDER if media is None else Path(f"{DEMO_FOLDER}-{media.absolute().name}")
    status = run_demo(folder, media=media, out=out, err=err, timeout_seconds=timeout)
    raise typer.Exit(exit_code(status))


@app.command(epilog=f"Example: `visualsearch dev --port 3000`\n\n{_PLAIN_EXIT_CODES}")
def dev(
    *,
    folder: Annotated[Path, typer.Option("--folder", help="Where the demo lives.")] = DEMO_FOLDER,
    port: Annotated[int, typer.Option("--port", min=1, max=65535, help="Port of the Dagster UI.")] = 3000,
) -> None:
    """Start the sandbox and the Dagster UI together on the demo's data, until Ctrl-C."""
    from visualsearch_pipeline.demo.running import run_dev

    raise typer.Exit(run_dev(folder, ui_port=port, err=err))


def _check_api_key(key: str) -> None:
    """Refuse a key that cannot be right before anything begins."""
    from visualsearch_pipeline.api import InvalidInput
    from visualsearch_pipeline.api.api_key import ApiKey
    from visualsearch_pipeline.settings import API_KEY_VARIABLE, SettingsError

    try:
        ApiKey(key)
    except InvalidInput as error:
        raise SettingsError(f"{API_KEY_VARIABLE}: {error}") from None  # whose own frames know the key


def exit_code(status: "Status") -> int:
    """The exit code that says how things stand."""
    if status.budget_stops:
        return STOPPED_BY_BUDGET
    if not status.is_done:
        return STILL_PENDING
    return DONE_WITH_FAILURES if status.has_failures else ALL_DONE


def main() -> None:
    """Run the command line. What a person can mend is told without a traceback."""
    # Read by Dagster when it is imported; people who run a command did not ask to be counted.
    os.environ.setdefault("DAGSTER_DISABLE_TELEMETRY", "true")
    try:
        app()
    except _Ended as end:
        if end.code == INTERRUPTED:
            err.print("interrupted; what was done is kept, and the next run goes on from there")
        else:
            # Whoever read our output has seen enough. Nothing is left to be said, not even at exit.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(end.code)
    except Exception as error:
        code = _code_of(error)
        if code is None:
            raise
        from visualsearch_pipeline.terminal import print_error

        print_error(err, _message_of(error))
        sys.exit(code)


def _code_of(error: Exception) -> int | None:
    """The exit code of an error that people can mend; None for one that is ours, which keeps its traceback."""
    from visualsearch_pipeline.pipeline.errors import BudgetExceeded
    from visualsearch_pipeline.settings import SettingsError

    if isinstance(error, SettingsError):
        return USAGE
    if isinstance(error, BudgetExceeded):
        return STOPPED_BY_BUDGET
    return ERROR if _is_expected(error) else None


def _is_expected(error: Exception) -> bool:
    from visualsearch_pipeline.workflow import EXPECTED_ERRORS

    # A file or folder that cannot be used: full, forbidden, of the wrong kind.
    if isinstance(error, EXPECTED_ERRORS) or (isinstance(error, OSError) and error.filename is not None):
        return True
    # These two come last, since knowing them takes Dagster and a web server.
    from visualsearch_pipeline.orchestration.execution import RunFailed
    from visualsearch_pipeline.sandbox import SandboxStartError

    return isinstance(error, RunFailed | SandboxStartError)


def _message_of(error: Exception) -> str:
    if isinstance(error, OSError):
        return f"cannot use {error.filename}: {error.strerror}. Mend its permissions or make room, and try again."
    return str(error)


if __name__ == "__main__":
    main()
