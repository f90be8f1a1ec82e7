"""Running saved queries over the videos that lack an answer."""

from __future__ import annotations

import json
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date

from visualsearch_pipeline.ledger import QueryRecord, Question
from visualsearch_pipeline.pipeline.answers import Answers
from visualsearch_pipeline.pipeline.pipeline import Pipeline
from visualsearch_pipeline.pipeline.search_run import SearchRun
from visualsearch_pipeline.queries import (
    HitVideos,
    ImageInVideoQuery,
    ListedVideos,
    QueryCatalog,
    QuerySet,
    SavedQuery,
    VideoQuery,
    asks,
    kind_of,
    query_definition,
    query_version,
)


@dataclass(frozen=True)
class SearchReport:
    """What a query set's run asked and found.

    Attributes:
        queries: saved queries that had anything to ask.
        calls: search calls that were planned and answered; pages of a phrase search count once.
        pairs: (query, video) pairs that got their answer, the copied ones included.
        copied: pairs whose answer was copied from the same question asked elsewhere.
        calls_saved: calls that asking each pair alone would have taken in addition.
        hits: rows written.
        truncated: pairs of which the service holds more hits than it can be made to give.
        seconds: from the first question to the last row written.
        cost_usd: what the calls cost by the price table.
        failed: queries that could not be asked, by id, with the reason.
    """

    queries: int = 0
    calls: int = 0
    pairs: int = 0
    copied: int = 0
    hits: int = 0
    truncated: int = 0
    seconds: float = 0.0
    cost_usd: float = 0.0
    failed: tuple[tuple[str, str], ...] = ()

    @property
    def calls_saved(self) -> int:
        """See the class."""
        return max(0, self.pairs - self.calls)


def questions_of(query_set: QuerySet) -> tuple[tuple[VideoQuery, Question], ...]:
    """Every query of a set about private videos as a question to the ledger; those that depend on others come last."""
    pairs = [(query, _question(query_set, query)) for query in query_set.video_queries]
    ordered: list[tuple[VideoQuery, Question]] = []
    while pairs:
        waiting = {question.query_version for _, question in pairs}
        ready = [pair for pair in pairs if pair[1].within_hits_of not in waiting]
        # Cycles are refused when the file is read; should one get here, its queries are asked in the file's order.
        ordered += ready or pairs
        pairs = [pair for pair in pairs if ready and pair not in ready]
    return tuple(ordered)


def query_record(query_set: QuerySet, query: SavedQuery) -> QueryRecord:
    """A query as the ledger keeps it."""
    return QueryRecord(
        query_set=query_set.name,
        query_id=query.id,
        query_version=query_version(query),
        kind=kind_of(query),
        asks=asks(query),
        definition=json.loads(query_definition(query)),
        description=query.description,
    )


def register_queries(pipeline: Pipeline, catalog: QueryCatalog) -> None:
    """Keep the current queries in the ledger and mark those retired that are in no file any more."""
    pipeline.ledger.searches.register(
        [query_record(query_set, query) for query_set in catalog.sets for query in query_set.queries],
        unreadable_sets={broken.name for broken in catalog.broken},
        unreadable_queries={(query_set.name, broken.id) for query_set in catalog.sets for broken in query_set.broken},
        at=pipeline.now(),
    )


def search(
    pipeline: Pipeline,
    query_set: QuerySet,
    *,
    days: Sequence[date] | None = None,
    query_ids: Collection[str] | None = None,
    force: bool = False,
    max_calls: int | None = None,
) -> SearchReport:
    """Ask the queries of a set about the ready videos of `days` (all days if None) that lack an answer.

    Args:
        pipeline: the run.
        query_set: the set.
        days: the partitions.
        query_ids: only these queries of the set; all if None.
        force: ask again what was answered.
        max_calls: make at most so many calls; what is left stays unanswered.

    Raises:
        ServiceRefuses: the service refuses every call. What was answered before is kept.
        ServiceUnreachable: no connection can be made. Likewise.
        BudgetExceeded: the next call would pass a budget. Likewise.
    """
    _keep_broken(pipeline, query_set)
    chosen = [pair for pair in questions_of(query_set) if query_ids is None or pair[0].id in query_ids]
    began_at, began = pipeline.now(), time.monotonic()
    spent_before_usd = pipeline.ledger.calls.spent_usd(run_id=pipeline.run_id)
    if force and days is not None:
        for _, question in chosen:
            pipeline.ledger.searches.forget(question, days=days)
    answers = Answers(pipeline, query_set.name)
    with pipeline.progress.task(f"searching {query_set.name}", total=len(chosen), unit="queries") as task:
        run = SearchRun(
            pipeline,
            query_set,
            answers,
            pipeline.time_box(),
            task,
            # Asked again means: of the service, not of what it said before.
            answered_since=began_at if force else None,
            max_calls=max_calls,
        )
        try:
            run.ask_all(chosen, days=days)
        finally:
            # Whatever stops us, answers that are complete were paid for and are kept.
            answers.commit()
    failed = ((asked.query.id, asked.failed) for asked in run.queries if asked.failed is not None)
    return SearchReport(
        queries=len(run.queries),
        calls=run.calls,
        pairs=answers.pair_count,
        copied=answers.copied_count,
        hits=answers.hit_count,
        truncated=answers.truncated_count,
        seconds=time.monotonic() - began,
        cost_usd=pipeline.ledger.calls.spent_usd(run_id=pipeline.run_id) - spent_before_usd,
        failed=(*((query.id, query.reason) for query in query_set.broken), *failed),
    )


def _question(query_set: QuerySet, query: VideoQuery) -> Question:
    within = query.within if isinstance(query, ImageInVideoQuery) else None
    return Question(
        query_set=query_set.name,
        query_id=query.id,
        query_version=query_version(query),
        within_videos=within.video_nos if isinstance(within, ListedVideos) else None,
        within_hits_of=within.query_version if isinstance(within, HitVideos) else None,
    )


def _keep_broken(pipeline: Pipeline, query_set: QuerySet) -> None:
    """Record the queries that cannot be asked, and close those that are gone or mended."""
    failures = pipeline.ledger.failures
    broken = {f"{query_set.name}.{query.id}": f"line {query.line}: {query.reason}" for query in query_set.broken}
    for subject, reason in broken.items():
        failures.record("queries", subject=subject, day=None, reason=reason, retryable=True, at=pipeline.now())
    for failure in failures.unresolved(step="queries"):
        if failure.subject.startswith(f"{query_set.name}.") and failure.subject not in broken:
            failures.resolve(subject=failure.subject, at=pipeline.now(), steps=("queries",))
