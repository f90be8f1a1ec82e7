"""What a person sees on a terminal: progress bars there, plain lines elsewhere, tables that fit 80 columns."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from rich.cells import cell_len
from rich.console import Console, RenderableType
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

from visualsearch_pipeline.pipeline.progress import Seldom

if TYPE_CHECKING:
    # At run time they would bring in the whole pipeline, and a question in SQL would wait a second longer.
    from visualsearch_pipeline.pipeline.progress import Task
    from visualsearch_pipeline.pipeline.status import Status

_LEGIBLE_COLUMNS: Final = 12
"""How narrow a table's column may become before its rows are better read one below the other."""


class TerminalProgress:
    """Steps as bars on a terminal, as one line each anywhere else.

    Args:
        console: where to write; standard error, so that results can be piped.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._waits = Seldom()
        self._shown_now: _BarsAndWaits | None = None

    def task(self, description: str, *, total: int | None, unit: str = "items") -> AbstractContextManager[Task]:
        """Show a piece of work until it is left; nothing is shown of work that is not there."""
        return self._shown(description, total, unit)

    def note(self, message: str) -> None:
        """Say something once."""
        self._console.print(Text(printable(message), style="dim"))

    def waiting(self, message: str, *, subject: str) -> None:
        """Show it below the bar that stands there; without one, say it once in a while."""
        if self._shown_now is not None:
            self._shown_now.show_wait(message)
        elif self._waits.is_due(subject):
            self.note(message)

    @contextmanager
    def _shown(self, description: str, total: int | None, unit: str) -> Iterator[Task]:
        if not total:
            yield _Ignored()
            return
        description = printable(description)
        if not self._console.is_terminal:
            self._console.print(Text(f"{description}: {_amount(total, unit)}"))
            yield _Ignored()
            return
        with _BarsAndWaits(*_columns(unit), console=self._console, transient=True) as progress:
            self._shown_now = progress
            try:
                yield _Bar(progress, description, total)
            finally:
                self._shown_now = None
        self._console.print(Text.assemble((f"{description}: ", ""), (_amount(total, unit), "bold")))


class _BarsAndWaits(Progress):
    """Bars, and below them what is waited for."""

    _wait = Text()

    def show_wait(self, message: str) -> None:
        self._wait = Text(printable(message), style="dim")

    def get_renderables(self) -> Iterable[RenderableType]:
        yield from super().get_renderables()
        if self._wait:
            yield self._wait


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
    if unit == "bytes":
        return size(total)
    return f"1 {_singular(unit)}" if total == 1 else f"{total} {unit}"


def _singular(unit: str) -> str:
    return "query" if unit == "queries" else unit.removesuffix("s")


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
    if status.urls:
        counts.add_row("urls", _counts(status.urls))
    if status.imports:
        counts.add_row("imports", _counts(status.imports))
    counts.add_row("videos", _counts(status.videos))
    counts.add_row("hits", f"{status.hits} from {status.pairs_covered} (query, video) pairs")
    if status.images:
        counts.add_row("images", f"{_counts(status.images)}; {status.image_pairs} (query, image) pairs answered")
    if status.public_answers:
        counts.add_row("public", f"{status.public_answers} answers of the public library")
    counts.add_row("texts", f"{status.transcripts} transcripts, {status.captions} captions")
    counts.add_row("archive", _archived(status.archive))
    counts.add_row("spent", f"${status.spent_usd:.4f}")
    counts.add_row("to do", _to_do(status))
    for stop in status.budget_stops:
        counts.add_row("stopped", Text(f"{stop.subject}: {printable(stop.reason)}", style="yellow"))
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
        table.add_row(Text(step), Text(printable(_item(subject))), Text(printable(reason)))
    console.print(table)


def print_rows(console: Console, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Rows as a table, or one below the other where a table's columns would be too narrow to read.

    Long text is folded, never cut.
    """
    names = [printable(column) for column in columns]
    cells = [[printable(_cell(value)) for value in row] for row in rows]
    if _fits(names, cells, width=console.width):
        _print_table(console, names, cells)
    else:
        _print_records(console, names, cells)


def print_line(console: Console, line: str) -> None:
    """One line, never broken: its path can be copied."""
    console.print(Text(printable(line)), soft_wrap=True)


def print_error(console: Console, message: str) -> None:
    """What went wrong, in lines that are broken between words only: a path stays whole and can be copied."""
    for line in message.splitlines():
        # By hand, because rich would cut what is longer than a line.
        for part in textwrap.wrap(
            printable(line),
            console.width,
            break_long_words=False,
            break_on_hyphens=False,
        ) or [""]:
            console.print(Text(part, style="red"), soft_wrap=True)


def shown_path(path: Path) -> str:
    """A path as a person would type it: relative below the working directory."""
    here = Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)


def printable(text: str) -> str:
    """Text with control characters made visible: file names may hold line breaks and escape sequences."""
    return "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in text)


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {state}" for state, count in sorted(counts.items())) or "none"


def _archived(counts: dict[str, int]) -> str:
    """`archive` counts by kind and state: `11 keyframes archived`."""
    parts = []
    for name, count in sorted(counts.items()):
        kind, _, state = name.partition(" ")
        parts.append(f"{count} {kind}{'s' if count != 1 else ''} {state}")
    return ", ".join(parts) or "none"


def _item(subject: str) -> str:
    return shown_path(Path(subject.removeprefix("file://"))) if subject.startswith("file://") else subject


def _fits(names: Sequence[str], cells: Sequence[Sequence[str]], *, width: int) -> bool:
    widest = [max(map(cell_len, column)) for column in zip(names, *cells, strict=True)]
    borders = 3 * len(names) + 1
    return borders + sum(min(columns, _LEGIBLE_COLUMNS) for columns in widest) <= width


def _print_table(console: Console, names: Sequence[str], cells: Sequence[Sequence[str]]) -> None:
    table = Table()
    for name in names:
        table.add_column(Text(name), overflow="fold")
    for row in cells:
        table.add_row(*map(Text, row))
    console.print(table)


def _print_records(console: Console, names: Sequence[str], cells: Sequence[Sequence[str]]) -> None:
    for number, row in enumerate(cells, start=1):
        console.print(Text(f"row {number}", style="bold"))
        record = Table.grid(padding=(0, 2, 0, 0))
        record.add_column(style="dim")
        record.add_column(overflow="fold")
        for name, cell in zip(names, row, strict=True):
            record.add_row(Text(f"  {name}"), Text(cell))
        console.print(record)
    if not cells:
        console.print(Text(f"no rows of {', '.join(names)}"))


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
