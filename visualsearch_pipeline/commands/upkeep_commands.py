"""`visualsearch alerts | prune | delete-remote`: what comes after the work: telling people, and tidying up."""

from typing import Annotated

import typer

from visualsearch_pipeline.commands.console import err, out
from visualsearch_pipeline.commands.exit_codes import ALL_DONE, DONE_WITH_FAILURES, EXIT_CODES, PLAIN_EXIT_CODES
from visualsearch_pipeline.commands.options import ConfigOption, check_api_key

app = typer.Typer()

YesOption = Annotated[bool, typer.Option("--yes", help="Do it. Without this it is only shown.")]


@app.command(epilog=f"Example: `visualsearch alerts --retry`\n\n{EXIT_CODES}")
def alerts(
    delivery_ids: Annotated[
        list[str] | None, typer.Argument(help="Deliveries to send again; default: all that were not delivered.")
    ] = None,
    *,
    config: ConfigOption = None,
    retry: Annotated[bool, typer.Option("--retry", help="Send again, also what was given up.")] = False,
) -> None:
    """Show who was told of new hits, and what was not delivered."""
    from visualsearch_pipeline.commands.alerts import print_deliveries, retry_alerts
    from visualsearch_pipeline.settings import load_settings

    if delivery_ids and not retry:
        raise typer.BadParameter("goes with --retry", param_hint="DELIVERY_IDS")
    settings = load_settings(config)
    if retry:
        retry_alerts(settings, delivery_ids or [], console=err)
    all_delivered = print_deliveries(settings, console=out)
    raise typer.Exit(ALL_DONE if all_delivered else DONE_WITH_FAILURES)


@app.command(epilog=f"Example: `visualsearch prune --yes`\n\n{PLAIN_EXIT_CODES}")
def prune(*, config: ConfigOption = None, yes: YesOption = False) -> None:
    """Remove old runs, ticks, calls, alerts and snapshots; by default only show what would go."""
    from visualsearch_pipeline.commands.prune import prune_all
    from visualsearch_pipeline.settings import load_settings

    prune_all(load_settings(config), dry_run=not yes, console=out)


@app.command("delete-remote", epilog=f"Example: `visualsearch delete-remote --older-than 90`\n\n{EXIT_CODES}")
def delete_remote(
    *,
    config: ConfigOption = None,
    older_than: Annotated[
        int | None,
        typer.Option(
            "--older-than",
            min=1,
            help="Days since a video was archived; default: retention.remote_videos_days.",
            show_default=False,
        ),
    ] = None,
    reason: Annotated[str, typer.Option("--reason", help="Kept with each deletion.")] = "visualsearch delete-remote",
    yes: YesOption = False,
) -> None:
    """Delete from the library what is archived and proven; by default only show what would go. Cannot be undone."""
    from visualsearch_pipeline.commands.delete_remote import delete_archived, show_deletable
    from visualsearch_pipeline.settings import load_settings, read_api_key

    settings = load_settings(config)
    days = settings.retention.remote_videos_days if older_than is None else older_than
    if not yes:
        show_deletable(settings, older_than_days=days, console=out)
        return
    check_api_key(read_api_key())
    left = delete_archived(settings, older_than_days=days, reason=reason, console=out, progress_console=err)
    raise typer.Exit(DONE_WITH_FAILURES if left else ALL_DONE)
