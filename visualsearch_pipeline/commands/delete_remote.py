"""`visualsearch delete-remote`: what could be deleted from the library, and deleting it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from visualsearch_pipeline.api import VisualSearchClient
from visualsearch_pipeline.commands.service import open_pipeline
from visualsearch_pipeline.pipeline.pipeline import Pipeline
from visualsearch_pipeline.pipeline.remote_deletion import delete_remote_videos, plan_remote_deletions
from visualsearch_pipeline.terminal import print_line, print_rows, size

if TYPE_CHECKING:
    from rich.console import Console

    from visualsearch_pipeline.api import OnCall
    from visualsearch_pipeline.settings import Settings

_SHOWN: Final = 20


def show_deletable(settings: Settings, *, older_than_days: int, console: Console) -> None:
    """Print what could be deleted, by the ledger alone. Makes no call.

    Raises:
        LedgerError: the ledger cannot be opened.
    """
    with Pipeline(settings, open_client=_no_client, run_id="delete-remote") as pipeline:
        plan = plan_remote_deletions(pipeline, older_than_days=older_than_days)
    if plan.videos:
        print_rows(
            console,
            ("video", "day", "size", "archived at", "archived as"),
            (
                (
                    video.video_no,
                    video.day,
                    size(video.size_bytes),
                    f"{video.archived_at:%Y-%m-%d}",
                    video.archived_path,
                )
                for video in plan.videos[:_SHOWN]
            ),
        )
    if len(plan.videos) > _SHOWN:
        print_line(console, f"and {len(plan.videos) - _SHOWN} more")
    print_line(
        console,
        f"{len(plan.videos)} videos, {size(plan.size_bytes)}, were archived and proven at least {older_than_days} days "
        "ago and could be deleted from the library",
    )
    if plan.waiting:
        print_line(console, f"{plan.waiting} more wait: their day has something left to ask or to fetch")
    if plan.videos:
        print_line(console, "nothing was deleted; --yes deletes them for good, each after reading its archived file")


def delete_archived(
    settings: Settings, *, older_than_days: int, reason: str, console: Console, progress_console: Console
) -> int:
    """Delete, and print what came of it; say how many videos stay that should have gone.

    Raises:
        SettingsError: there is no API key.
        PipelineError: as `delete_remote_videos`.
        LedgerError: the ledger cannot be opened.
    """
    with open_pipeline(settings, console=progress_console) as pipeline:
        report = delete_remote_videos(pipeline, older_than_days=older_than_days, reason=reason)
    if report.settled:
        print_line(console, f"{report.settled} deletions of an earlier run were looked after")
    print_line(console, f"{len(report.deleted)} videos deleted from the library; `remote_deletions` lists them")
    for one in report.left:
        print_line(console, f"{one.video_no} stays: {one.reason}")
    return len(report.left)


def _no_client(_: OnCall) -> VisualSearchClient:
    raise AssertionError("showing what could be deleted makes no call")
