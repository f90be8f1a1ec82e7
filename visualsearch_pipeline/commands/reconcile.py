"""`visualsearch reconcile`: whether ledger and library agree, and what was done about it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rich.table import Table
from rich.text import Text

from visualsearch_pipeline.commands.service import open_pipeline
from visualsearch_pipeline.pipeline.agreement import AgreementReport, agree
from visualsearch_pipeline.pipeline.comparing import Difference, Finding
from visualsearch_pipeline.terminal import printable

if TYPE_CHECKING:
    from rich.console import Console

    from visualsearch_pipeline.settings import Settings

_ROWS_PER_KIND: Final = 20


def reconcile_library(
    settings: Settings, *, console: Console, adopt: bool, by_download: bool, reupload_missing: bool
) -> AgreementReport:
    """Compare, and do what is asked for; arguments and errors as for `pipeline.agreement.agree`."""
    with open_pipeline(settings, console=console) as pipeline:
        return agree(pipeline, adopt=adopt, by_download=by_download, reupload_missing=reupload_missing)


def print_agreement(console: Console, report: AgreementReport) -> None:
    """The counts, the entries about which there is something to say, and what was done."""
    console.print(Text(f"{report.listed} entries in the library, {report.ours} in the ledger"))
    counts = ", ".join(f"{count} {kind.value}" for kind, count in report.counts.items() if count)
    unlisted = report.ours - report.listed
    # Nothing is said of the missing ones while they may still turn up (`indexing.grace_seconds`).
    agreement = f"{unlisted} not listed yet, too new to be called missing" if unlisted > 0 else "they agree"
    console.print(Text(counts or agreement, style="bold"))
    shown = [finding for kind in Difference for finding in _of_kind(report, kind)[:_ROWS_PER_KIND]]
    if shown:
        console.print()
        table = Table(box=None, pad_edge=False)
        for heading in ("", "entry", "name", "detail"):
            table.add_column(heading, overflow="fold")
        for finding in shown:
            cells = (finding.kind.value, finding.video_no, _short(finding.name), finding.detail)
            table.add_row(*(Text(printable(cell)) for cell in cells))
        console.print(table)
    for kind in Difference:
        more = len(_of_kind(report, kind)) - _ROWS_PER_KIND
        if more > 0:
            console.print(Text(f"and {more} more {kind.value}"))
    _print_done(console, report)


def _print_done(console: Console, report: AgreementReport) -> None:
    done = [
        (report.compared, "downloaded and compared"),
        (len(report.adopted), "adopted: `visualsearch run` goes on with them"),
        (len(report.queued_again), "queued again: `visualsearch run` sends them"),
    ]
    for count, what in done:
        if count:
            console.print(Text(f"{count} {what}", style="bold"))
    if report.ours and not report.listed:
        console.print(
            Text("the library is empty: `visualsearch doctor` tells whether the settings name the right scope")
        )
    elif not report.queued_again and any(finding.kind is Difference.MISSING for finding in report.left):
        console.print(Text("missing ones are not sent again by themselves: --reupload-missing queues them"))


def _of_kind(report: AgreementReport, kind: Difference) -> list[Finding]:
    return [finding for finding in report.findings if finding.kind is kind]


def _short(name: str) -> str:
    """The last part of a path or URL: the row has no room for more."""
    return name.rpartition("/")[2] or name
