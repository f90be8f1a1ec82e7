"""What a person sees on a terminal: progress bars there, plain lines elsewhere, tables that fit 80 columns."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import date, datetime

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    TextColumn,
    TimeRemainingColumn,
)
from rich.table import Table
from rich.text import Text

from visualsearch_pipeline.pipeline.progress import Task
from visualsearch_pipeline.pipeline.status import Status


class TerminalProgress:
    """Steps as bars on a terminal, as one line each anywhere else.

    Args:
        console: where to write; standard error, so that results can be piped.
    """

    def __init__(self, console: Console) -> None:
        self._console = console

    def task(self, description: str, *, total: int | None, unit: str = "items") -> AbstractContextManager[Task]:
        """Show a piece of work until it is left; nothing is shown of work that is not there."""
        return self._shown(description, total, unit)

    def note(self, message: str) -> None:
        """Say something once."""
        self._console.print(Text(message, style="dim"))

    @contextmanager
    def _shown(self, description: str, total: int | None, unit: str) -> Iterator[Task]:
        if not total:
            yield _Ignored()
            return
        if not self._console.is_terminal:
            self._console.print(Text(f"{description}: {_amount(total, unit)}"))
            yield _Ignored()
            return
        with Progress(*_columns(unit), console=self._console, transient=True) as progress:
            yield _Bar(progress, description, total)
        self._console.print(Text.assemble((f"{description}: ", ""), (_amount(total, unit), "bold")))


class _Bar:
    def __init__(self, progress: Progress, description: str, total: int) -> None:
        self._progress = progress
        self._task = progress.add_task(description, total=total)

    def advance(self, amount: int = 1) -> None:
        self._progress.advance(self._task, amount)


class _Ignored:
    def advance(self, amount: int = 1) -> None:
        pass


def _columns(unit: str) -> Sequence[ProgressColumn]:
    count = DownloadColumn() if unit == "bytes" else MofNCompleteColumn()
    return SpinnerColumn(), TextColumn("{task.description}"), BarColumn(bar_width=24), count, TimeRemainingColumn()


def _amount(total: int, unit: str) -> str:
    return size(total) if unit == "bytes" else f"{total} {unit}"


def size(size_bytes: int) -> str:
    """A number of bytes for people, in powers of 1000."""
    amount = float(size_bytes)
    for unit in ("bytes", "kB", "MB", "GB"):
        if amount < 1000:
            return f"{amount:.0f} {unit}" if unit == "bytes" else f"{amount:.1f} {unit}"
        amount /= 1000
    return f"{amount:.1f} TB"


def print_status(console: Console, status: Status) -> None:
    """Counts by state, and each thing that failed with its reason."""
    counts = Table(box=None, pad_edge=False, show_header=False)
    counts.add_column(style="bold")
    counts.add_column(overflow="fold")
    counts.add_row("media", _counts(status.items))
    counts.add_row("uploads", _counts(status.uploads))
    counts.add_row("videos", _counts(status.videos))
    counts.add_row("hits", f"{status.hits} from {status.pairs_covered} (query, video) pairs")
    counts.add_row("texts", f"{status.transcripts} transcripts, {status.captions} captions")
    counts.add_row("archive", _counts(status.archive))
    counts.add_row("spent", f"${status.spent_usd:.4f}")
    counts.add_row("to do", _to_do(status))
    console.print(counts)
    print_failures(console, status)


def print_failures(console: Console, status: Status) -> None:
    """Each thing that failed, with its reason; nothing if nothing did."""
    rows = [
        (failure.step, failure.subject, f"{failure.reason} ({_times(failure.failure_count)})")
        for failure in status.failures
    ]
    rows += [
        ("queries", broken.path.name, str(problem))
        for broken in status.broken_query_sets
        for problem in broken.problems
    ]
    if not rows:
        return
    console.print()
    table = Table("step", "item", "reason", title=f"{len(rows)} failed", title_justify="left", show_lines=True)
    table.columns[1].overflow = table.columns[2].overflow = "fold"
    table.columns[1].max_width = 32
    for step, subject, reason in rows:
        table.add_row(Text(step), Text(printable(subject.removeprefix("file://"))), Text(printable(reason)))
    console.print(table)


def print_rows(console: Console, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Rows as a table; long text is folded, never cut."""
    table = Table(pad_edge=False)
    for column in columns:
        table.add_column(Text(column), overflow="fold")
    for row in rows:
        table.add_row(*(Text(printable(_cell(value))) for value in row))
    console.print(table)


def printable(text: str) -> str:
    """Text with control characters made visible: file names may hold line breaks and escape sequences."""
    return "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in text)


def _counts(counts: dict[str, int]) -> str:
    return ", ".join(f"{count} {state}" for state, count in sorted(counts.items())) or "none"


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"


def _to_do(status: Status) -> str:
    days = len(status.pending.to_do)
    parts = [f"work on {days} day{'s' if days != 1 else ''}"] if days else []
    parts += [f"waiting for {status.waiting} being written, sent or indexed"] if status.waiting else []
    return ", ".join(parts) or "nothing"


def _cell(value: object) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
        case float():
            return f"{value:.4g}"
        case datetime():
            return value.isoformat(sep=" ", timespec="seconds")
        case date():
            return value.isoformat()
        case _:
            return str(value)
