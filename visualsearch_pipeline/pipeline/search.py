"""Running saved queries over the videos that lack an answer: hits to Parquet first, coverage last.

Coverage is the commit record. Killed before either, nothing was written; killed between the two, the next run asks
again and replaces what it finds; killed after, nothing is asked.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from typing import Final

from visualsearch_pipeline.api import ClipHit, VisualSearchError
from visualsearch_pipeline.ledger import Covered, LibraryVideo, QueryRecord, Question, WantedObject
from visualsearch_pipeline.pipeline.asking import Answer, ask
from visualsearch_pipeline.pipeline.hit_rows import HitRow, as_table, distinct, rows_by_day
from visualsearch_pipeline.pipeline.pipeline import Pipeline
from visualsearch_pipeline.pipeline.reconciling import DAY_TAG_PREFIX
from visualsearch_pipeline.pipeline.upload import stopping_error
from visualsearch_pipeline.queries import (
    HitVideos,
    ImageInVideoQuery,
    Library,
    ListedVideos,
    QueryCatalog,
    QuerySet,
    SavedQuery,
    Target,
    asks,
    can_split,
    kind_of,
    plan,
    query_definition,
    query_version,
    split,
)
from visualsearch_pipeline.warehouse import SearchedPair, merge_hits

_ROWS_PER_COMMIT: Final = 200_000
_SECONDS_PER_COMMIT: Final = 60.0


@dataclass(frozen=True)
class SearchReport:
    """What a query set's run asked and found.

    Attributes:
        queries: saved queries that had anything to ask.
        calls: search calls that were planned and answered; pages of a phrase search count once.
        pairs: (query, video) pairs that got their answer.
        calls_saved: calls that asking each pair alone would have taken in addition.
        hits: rows written.
        truncated: pairs of which the service holds more hits than it can be made to give.
        failed: queries that could not be asked, by id, with the reason.
    """

    queries: int = 0
    calls: int = 0
    pairs: int = 0
    hits: int = 0
    truncated: int = 0
    failed: tuple[tuple[str, str], ...] = ()

    @property
    def calls_saved(self) -> int:
        """See the class."""
        return max(0, self.pairs - self.calls)


def questions_of(query_set: QuerySet) -> tuple[tuple[SavedQuery, Question], ...]:
    """Every query of a set as a question to the ledger; those that depend on another's hits come after it."""
    pairs = [(query, _question(query_set, query)) for query in query_set.queries]
    ordered: list[tuple[SavedQuery, Question]] = []
    while pairs:
        waiting = {question.query_version for _, question in pairs}
        ready = [pair for pair in pairs if pair[1].within_hits_of not in waiting]
        # Cycles are refused when the file is read; should one get here, its queries are asked in the file's order.
        ordered += ready or pairs
        pairs = [pair for pair in pairs if ready and pair not in ready]
    return tuple(ordered)


def register_queries(pipeline: Pipeline, catalog: QueryCatalog) -> None:
    """Keep the current queries in the ledger and mark those retired that are in no file any more."""
    pipeline.ledger.searches.register(
        [
            QueryRecord(
                query_set=query_set.name,
                query_id=query.id,
                query_version=query_version(query),
                kind=kind_of(query),
                asks=asks(query),
                definition=json.loads(query_definition(query)),
                description=query.description,
            )
            for query_set in catalog.sets
            for query in query_set.queries
        ],
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
) -> SearchReport:
    """Ask the queries of a set about the ready videos of `days` (all days if None) that lack an answer.

    Args:
        pipeline: the run.
        query_set: the set.
        days: the partitions.
        query_ids: only these queries of the set; all if None.
        force: ask again what was answered.

    Raises:
        ServiceRefuses: the service refuses every call. What was answered before is kept.
        ServiceUnreachable: no connection can be made. Likewise.
        BudgetExceeded: the next call would pass a budget. Likewise.
    """
    run = _Run(pipeline, query_set)
    _keep_broken(pipeline, query_set)
    chosen = [pair for pair in questions_of(query_set) if query_ids is None or pair[0].id in query_ids]
    time_box = pipeline.time_box()
    with pipeline.progress.task(f"searching {query_set.name}", total=len(chosen), unit="queries") as task:
        try:
            for query, question in chosen:
                if time_box.is_over:
                    break
                if force and days is not None:
                    pipeline.ledger.searches.forget(question, days=days)
                run.ask(query, question, days=days)
                task.advance()
        finally:
            # Whatever stops us, answers that are complete were paid for and are kept.
            run.commit()
    return run.report()


@dataclass
class _Run:
    """The answers of one run that are not yet committed, and its counts."""

    pipeline: Pipeline
    query_set: QuerySet
    _rows: list[HitRow] = field(default_factory=list)
    _covered: list[Covered] = field(default_factory=list)
    _committed_at: float = field(default_factory=time.monotonic)
    _counts: Counter[str] = field(default_factory=Counter)
    _failed: dict[str, str] = field(default_factory=dict)

    @cached_property
    def _media_uris(self) -> dict[str, str]:
        return self.pipeline.ledger.videos.media_uris()

    def ask(self, query: SavedQuery, question: Question, *, days: Sequence[date] | None) -> None:
        """Ask one query about all that lacks an answer, splitting full answers until they are complete."""
        if question.within_hits_of is not None:
            self.commit()  # its candidates are what the other query's coverage says
        ledger = self.pipeline.ledger
        videos = {video.video_no: video for video in ledger.searches.unanswered(question, days=days)}
        if not videos:
            return
        ready_by_day = ledger.videos.count_ready_by_day()
        library = Library(ready_count=sum(ready_by_day.values()), ready_count_by_day=ready_by_day)
        calls = plan(query, [_target(video) for video in videos.values()], library)
        subject = f"{self.query_set.name}.{query.id}"
        self._counts["queries"] += 1
        try:
            while calls:
                full: list[Answer] = []
                for call in calls:
                    answer = ask(self.pipeline, call)
                    self._counts["calls"] += 1
                    if answer.is_full and can_split(call):
                        full.append(answer)
                    else:
                        self._keep(answer, query, question, videos)
                seen = Counter(hit.video_no for answer in full for hit in answer.hits)
                calls = split([answer.call for answer in full], seen=seen)
        except VisualSearchError as error:
            stops = stopping_error(self.pipeline, error)
            if stops is not None:
                raise stops from error
            self._failed[query.id] = str(error)
            ledger.failures.record(
                "hits", subject=subject, day=None, reason=str(error), retryable=True, at=self.pipeline.now()
            )
        else:
            ledger.failures.resolve(subject=subject, at=self.pipeline.now(), steps=("hits",))

    def _keep(self, answer: Answer, query: SavedQuery, question: Question, videos: dict[str, LibraryVideo]) -> None:
        covers = set(answer.call.covers)
        minimum = getattr(query, "min_score", None)
        rows = distinct(
            self._row(hit, question, videos[hit.video_no])
            for hit in answer.hits
            if hit.video_no in covers and (minimum is None or hit.score is None or hit.score >= minimum)
        )
        counts = Counter(row.video_no for row in rows)
        self._rows += rows
        self._covered += [
            Covered(
                query_set=question.query_set,
                query_id=question.query_id,
                query_version=question.query_version,
                video_no=video_no,
                day=videos[video_no].day,
                hits=counts[video_no],
                truncated=answer.is_full,
            )
            for video_no in answer.call.covers
        ]
        self._counts["pairs"] += len(covers)
        self._counts["hits"] += len(rows)
        self._counts["truncated"] += len(covers) if answer.is_full else 0
        if len(self._rows) >= _ROWS_PER_COMMIT or time.monotonic() - self._committed_at > _SECONDS_PER_COMMIT:
            self.commit()

    def _row(self, hit: ClipHit, question: Question, video: LibraryVideo) -> HitRow:
        return HitRow(
            query_set=question.query_set,
            query_id=question.query_id,
            query_version=question.query_version,
            day=video.day,
            video_no=hit.video_no,
            media_uri=self._media_uris.get(hit.video_no),
            video_name=hit.video_name or video.video_name,
            start_seconds=hit.start_seconds,
            end_seconds=hit.end_seconds,
            score=hit.score,
            text=hit.text,
            keyframe_bucket=hit.keyframe_bucket,
            keyframe_blob=hit.keyframe_blob,
            video_bucket=hit.video_bucket,
            video_blob=hit.video_blob,
            searched_at=self.pipeline.now(),
            run_id=self.pipeline.run_id,
        )

    def commit(self) -> None:
        """Write the hits of every day that got answers, then its coverage."""
        rows, covered = rows_by_day(self._rows), self._covered
        self._rows, self._covered = [], []
        answered_by_day: dict[date, list[Covered]] = {}
        for pair in covered:
            answered_by_day.setdefault(pair.day, []).append(pair)
        for day in sorted(answered_by_day, reverse=True):
            self._commit_day(day, rows.get(day, []), answered_by_day[day])
        self._committed_at = time.monotonic()

    def _commit_day(self, day: date, rows: Sequence[HitRow], covered: Sequence[Covered]) -> None:
        pipeline = self.pipeline
        searched = {SearchedPair(pair.query_id, pair.query_version, pair.video_no) for pair in covered}
        with pipeline.locked(f"hits-{self.query_set.name}-{day.isoformat()}"):
            existing = pipeline.store.read_hits(self.query_set.name, day)
            pipeline.store.write_hits(self.query_set.name, day, merge_hits(existing, as_table(rows), searched=searched))
            pipeline.ledger.searches.record_coverage(covered, run_id=pipeline.run_id, at=pipeline.now())
        if pipeline.settings.archive.keyframes:
            pipeline.ledger.fetches.want(_keyframes(rows))

    def report(self) -> SearchReport:
        """What was done so far."""
        return SearchReport(
            queries=self._counts["queries"],
            calls=self._counts["calls"],
            pairs=self._counts["pairs"],
            hits=self._counts["hits"],
            truncated=self._counts["truncated"],
            failed=(*((query.id, query.reason) for query in self.query_set.broken), *self._failed.items()),
        )


def _question(query_set: QuerySet, query: SavedQuery) -> Question:
    within = query.within if isinstance(query, ImageInVideoQuery) else None
    return Question(
        query_set=query_set.name,
        query_id=query.id,
        query_version=query_version(query),
        within_videos=within.video_nos if isinstance(within, ListedVideos) else None,
        within_hits_of=within.query_version if isinstance(within, HitVideos) else None,
    )


def _target(video: LibraryVideo) -> Target:
    day_tag = DAY_TAG_PREFIX + video.day.isoformat()
    return Target(video_no=video.video_no, day=video.day, tagged=day_tag in (video.tags or ()))


def _keyframes(rows: Iterable[HitRow]) -> Iterable[WantedObject]:
    for row in rows:
        if row.keyframe_bucket and row.keyframe_blob:
            yield WantedObject(
                object_key=f"{row.keyframe_bucket}/{row.keyframe_blob}",
                video_no=row.video_no,
                day=row.day,
                bucket=row.keyframe_bucket,
                blob=row.keyframe_blob,
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
