"""`visualsearch imports`: what is imported from social platforms, how far it is, and what needs a decision."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from visualsearch_pipeline.commands.console import out
from visualsearch_pipeline.commands.exit_codes import PLAIN_EXIT_CODES
from visualsearch_pipeline.commands.options import ConfigOption

if TYPE_CHECKING:
    from visualsearch_pipeline.api import OnCall, VisualSearchClient
    from visualsearch_pipeline.ledger import ImportTask
    from visualsearch_pipeline.pipeline.pipeline import Pipeline
    from visualsearch_pipeline.settings import Settings

app = typer.Typer()
_imports = typer.Typer(
    help="Imports from social platforms: what was started, what it brought, what is undecided.", no_args_is_help=True
)
app.add_typer(_imports, name="imports")


@_imports.command("list", epilog=f"Example: `visualsearch imports list`\n\n{PLAIN_EXIT_CODES}")
def list_imports(*, config: ConfigOption = None) -> None:
    """List every import that was due, with its state, what it brought, and why it is where it is."""
    from rich.table import Table
    from rich.text import Text

    from visualsearch_pipeline.settings import load_settings

    with _opened(load_settings(config)) as pipeline:
        tasks = pipeline.ledger.imports.all()
        table = Table(box=None, pad_edge=False)
        table.add_column("import", style="bold", overflow="fold")
        for heading in ("day", "state", "videos", "about"):
            table.add_column(heading, no_wrap=True)
        table.add_column("what", overflow="fold")
        for task in tasks:
            brought = f"{len(pipeline.ledger.imports.videos_of(task))} of {task.expected_videos}"
            row = (task.entry_id, str(task.day), task.state.value, brought, f"${task.estimated_usd:.2f}")
            table.add_row(*(Text(cell) for cell in row), Text(task.reason or task.asks))
    if tasks:
        out.print(table)
    else:
        out.print("no import was due yet")


@_imports.command(epilog=f"Example: `visualsearch imports resolve launch 2026-03-01 --drop`\n\n{PLAIN_EXIT_CODES}")
def resolve(
    entry_id: Annotated[str, typer.Argument(metavar="ID", help="The import's id in the file of imports.")],
    day: Annotated[datetime, typer.Argument(formats=["%Y-%m-%d"], help="Its day.")],
    *,
    task_id: Annotated[str | None, typer.Option("--task-id", help="It runs, as this task: follow that.")] = None,
    again: Annotated[bool, typer.Option("--again", help="Start it again, though it may be paid for twice.")] = False,
    drop: Annotated[bool, typer.Option("--drop", help="Give it up.")] = False,
    config: ConfigOption = None,
) -> None:
    """Decide about an import whose answer was lost, or that was refused or is stuck. Makes no call."""
    from visualsearch_pipeline.pipeline.import_decisions import decide, follow_task
    from visualsearch_pipeline.settings import load_settings

    if [bool(task_id and task_id.strip()), again, drop].count(True) != 1:
        raise typer.BadParameter("give exactly one of --task-id ID, --again and --drop")
    with _opened(load_settings(config)) as pipeline:
        if task_id is not None:
            task = follow_task(pipeline, entry_id, day.date(), task_id=task_id)
        else:
            task = decide(pipeline, entry_id, day.date(), "again" if again else "drop")
    out.print(_said(task), markup=False)


def _said(task: ImportTask) -> str:
    after = {"running": f"it is followed as task {task.task_id}", "pending": "the next run starts it again"}
    return f"{task.subject}: {after.get(task.state.value, 'given up')}"


def _opened(settings: Settings) -> Pipeline:
    from visualsearch_pipeline.pipeline.pipeline import Pipeline

    return Pipeline(settings, open_client=_no_client, run_id="imports")


def _no_client(_: OnCall) -> VisualSearchClient:
    raise AssertionError("what is decided about imports is between a person and the ledger")
