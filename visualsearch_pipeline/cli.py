"""The command line: a thin face.

Exit codes: 0 all done, 1 error, 2 usage or settings, 3 done with failed items, 4 still pending, 5 stopped by the
budget; as usual in a shell, 130 after Ctrl-C, and 141 when whoever reads the output has closed it.
"""

import os
import sys
from typing import Annotated

import typer
from typer.core import TyperGroup

import visualsearch_pipeline
from visualsearch_pipeline.commands import (
    image_commands,
    import_commands,
    pipeline_commands,
    query_commands,
    sandbox_commands,
    table_commands,
    upkeep_commands,
    webhook_commands,
)
from visualsearch_pipeline.commands.console import err, out
from visualsearch_pipeline.commands.exit_codes import (
    ERROR,
    EXIT_CODES,
    INTERRUPTED,
    OUTPUT_CLOSED,
    STOPPED_BY_BUDGET,
    USAGE,
)


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


app = typer.Typer(
    name="visualsearch",
    cls=_Commands,
    help="Turn footage into SQL: upload it, search it with saved queries, read the hits in DuckDB.",
    epilog=EXIT_CODES,
    no_args_is_help=True,
    add_completion=False,
    # A traceback with local variables could show the key.
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    rich_markup_mode="markdown",
)
# Help lists them in this order. A group without a name puts its commands beside the others.
for _group in (
    pipeline_commands,
    table_commands,
    query_commands,
    import_commands,
    image_commands,
    upkeep_commands,
    sandbox_commands,
    webhook_commands,
):
    app.add_typer(_group.app)


@app.callback(invoke_without_command=True)
def _main(
    *,
    version: Annotated[bool, typer.Option("--version", help="Show the version and exit.", is_eager=True)] = False,
) -> None:
    if version:
        out.print(f"visualsearch {visualsearch_pipeline.__version__}", highlight=False)
        raise typer.Exit


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
    from visualsearch_pipeline.webhooks.errors import CannotListen

    return isinstance(error, RunFailed | SandboxStartError | CannotListen)


def _message_of(error: Exception) -> str:
    if isinstance(error, OSError):
        return f"cannot use {error.filename}: {error.strerror}. Mend its permissions or make room, and try again."
    return str(error)


if __name__ == "__main__":
    main()
