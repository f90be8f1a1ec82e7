"""`visualsearch run | status | plan | reconcile | doctor`: the work, and what there is to know about it."""

from typing import Annotated

import typer

from visualsearch_pipeline.commands.console import err, out
from visualsearch_pipeline.commands.exit_codes import (
    ALL_DONE,
    DONE_WITH_FAILURES,
    ERROR,
    EXIT_CODES,
    PLAIN_EXIT_CODES,
    exit_code,
)
from visualsearch_pipeline.commands.options import ConfigOption, check_api_key

app = typer.Typer()


@app.command(epilog=f"Example: `visualsearch run --wait --timeout 3600`\n\n{EXIT_CODES}")
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
    check_api_key(read_api_key())
    status = run_pending(settings, console=err, wait=wait, timeout_seconds=timeout)
    print_status(out, status)
    raise typer.Exit(exit_code(status))


@app.command(epilog=f"Example: `visualsearch status --config demo/visualsearch.yaml`\n\n{EXIT_CODES}")
def status(*, config: ConfigOption = None) -> None:
    """Show counts by state, and each failed item with its reason. Makes no call."""
    from visualsearch_pipeline.settings import load_settings
    from visualsearch_pipeline.terminal import print_status
    from visualsearch_pipeline.workflow import current_status

    found = current_status(load_settings(config))
    print_status(out, found)
    raise typer.Exit(exit_code(found))


@app.command(epilog=f"Example: `visualsearch plan --no-look`\n\n{PLAIN_EXIT_CODES}")
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


@app.command(epilog=f"Example: `visualsearch reconcile --adopt`\n\n{EXIT_CODES}")
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
    check_api_key(read_api_key())
    if by_download and not adopt:
        raise typer.BadParameter("goes with --adopt", param_hint="--by-download")
    report = reconcile_library(
        settings, console=err, adopt=adopt, by_download=by_download, reupload_missing=reupload_missing
    )
    print_agreement(out, report)
    raise typer.Exit(DONE_WITH_FAILURES if report.left else ALL_DONE)


@app.command(epilog=f"Example: `visualsearch doctor --config demo/visualsearch.yaml`\n\n{PLAIN_EXIT_CODES}")
def doctor(*, config: ConfigOption = None) -> None:
    """Check settings, key, scope, limits, clock, disk and versions. Costs nothing."""
    from visualsearch_pipeline.commands.doctor import examine

    raise typer.Exit(ALL_DONE if examine(config, console=out) else ERROR)
