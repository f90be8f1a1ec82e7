"""Looking at the file of imports: what is due today is queued. No call is made."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime

from visualsearch_pipeline.ledger import ImportState, ImportTask, NewImport
from visualsearch_pipeline.located_yaml import YamlFileError
from visualsearch_pipeline.media import DiscoveryProblem
from visualsearch_pipeline.media.imports_file import ImportEntry, read_imports
from visualsearch_pipeline.pipeline import prices
from visualsearch_pipeline.pipeline.pipeline import Pipeline
from visualsearch_pipeline.settings import BudgetSettings


@dataclass(frozen=True)
class ImportsReport:
    """What a look at the file of imports found."""

    entries: int = 0
    queued: int = 0
    problems: tuple[DiscoveryProblem, ...] = ()


def look_at_imports(pipeline: Pipeline, *, now: datetime) -> ImportsReport:
    """Queue the imports that are due today, each once.

    A file with a mistake is a problem and queues nothing; what was started goes on.
    """
    path = pipeline.settings.imports
    if path is None:
        return ImportsReport()
    try:
        entries = read_imports(path)
    except YamlFileError as error:
        return ImportsReport(problems=(DiscoveryProblem(str(path), str(error)),))
    today = now.astimezone(UTC).date()
    known: dict[str, list[ImportTask]] = {}
    for task in pipeline.ledger.imports.all():
        known.setdefault(task.entry_id, []).append(task)
    due = [new for entry in entries if (new := _due(pipeline, entry, known.get(entry.id, []), today=today)) is not None]
    for new in due:
        pipeline.ledger.imports.queue(new)
    return ImportsReport(entries=len(entries), queued=len(due))


def entries_by_id(pipeline: Pipeline) -> dict[str, ImportEntry]:
    """The entries of the file as it stands now; none if it cannot be read, which the look at the source has told."""
    path = pipeline.settings.imports
    try:
        return {entry.id: entry for entry in read_imports(path)} if path else {}
    except YamlFileError:
        return {}


def estimated_usd(entry: ImportEntry, budget: BudgetSettings) -> float:
    """What an import is taken to cost at most: fetching by the platform's price, and indexing.

    Nobody can look at the posts before: their number is what is asked for, their length and size what the settings say.
    What is in the public library already costs nothing (contract §2.4), so that a public import may come cheaper.
    """
    each = prices.import_usd(budget.prices, platform=entry.platform.value, size_bytes=budget.unseen_video_bytes)
    return entry.expected_videos * (
        each + prices.indexing_usd(budget.prices, duration_seconds=budget.unseen_video_seconds)
    )


def _due(pipeline: Pipeline, entry: ImportEntry, tasks: list[ImportTask], *, today: date) -> NewImport | None:
    """What is to be queued for an entry: today's import, or one that was refused and has been changed since."""
    last = max((task.day for task in tasks), default=None)
    day = today if entry.is_due(last=last, today=today) else None
    for task in tasks:
        is_changed = task.definition != entry.definition
        if task.day == last and is_changed and task.state in (ImportState.PENDING, ImportState.REFUSED):
            day = task.day if day is None else day
    if day is None:
        return None
    return NewImport(
        entry_id=entry.id,
        day=day,
        kind=entry.kind,
        platform=entry.platform.value,
        library=entry.into,
        asks=entry.asks,
        definition=entry.definition,
        expected_videos=entry.expected_videos,
        estimated_usd=estimated_usd(entry, pipeline.settings.budget),
    )
