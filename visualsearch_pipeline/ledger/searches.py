"""Saved queries and coverage: which question has been asked of which video."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import asdict, dataclass
from datetime import date, datetime

import sqlalchemy as sa

from visualsearch_pipeline.ledger.database import Database, columns_of, read_all, upsert, upsert_all
from visualsearch_pipeline.ledger.schema import coverage, queries, videos
from visualsearch_pipeline.ledger.states import VideoState
from visualsearch_pipeline.ledger.videos import LibraryVideo


@dataclass(frozen=True)
class QueryRecord:
    """One version of one saved query."""

    query_set: str
    query_id: str
    query_version: str
    kind: str
    asks: str
    definition: Mapping[str, object]
    description: str | None


@dataclass(frozen=True)
class Question:
    """One version of one query, and which videos it concerns: all, some by id, or those that another version hit."""

    query_set: str
    query_id: str
    query_version: str
    within_videos: tuple[str, ...] | None = None
    within_hits_of: str | None = None


@dataclass(frozen=True)
class Covered:
    """One (query version, video) pair that has been answered, with or without hits."""

    query_set: str
    query_id: str
    query_version: str
    video_no: str
    day: date
    hits: int
    truncated: bool


@dataclass(frozen=True)
class KnownVersion:
    """A version of a query that was current once, or is."""

    query_id: str
    query_version: str
    kind: str
    asks: str
    definition: Mapping[str, object]
    first_seen_at: datetime
    retired_at: datetime | None


@dataclass(frozen=True)
class Coverage:
    """How far one version of a query got: videos it was answered about, and what it found in them."""

    query_id: str
    query_version: str
    videos: int
    hits: int
    truncated: int
    last_searched_at: datetime


class Searches:
    """The part of the ledger that knows what was asked."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def register(
        self,
        records: Sequence[QueryRecord],
        *,
        unreadable_sets: Set[str] = frozenset(),
        unreadable_queries: Set[tuple[str, str]] = frozenset(),
        at: datetime,
    ) -> None:
        """Keep the current queries; whatever else the ledger has is marked retired, and comes back when it returns.

        Args:
            records: The queries as they stand in their files.
            unreadable_sets: Sets whose file has a mistake: nobody took their queries back, they stay as they are.
            unreadable_queries: Likewise single queries, as (query set, id).
            at: Now.
        """
        current = {(record.query_set, record.query_id, record.query_version) for record in records}
        with self._database.writing() as connection:
            for record in records:
                row = asdict(record) | {"first_seen_at": at, "retired_at": None}
                upsert(connection, queries, row, update=("description", "definition", "retired_at"))
            known = connection.execute(
                sa.select(queries.c.query_set, queries.c.query_id, queries.c.query_version).where(
                    queries.c.retired_at.is_(None)
                )
            ).all()
            for query_set, query_id, version in known:
                if query_set in unreadable_sets or (query_set, query_id) in unreadable_queries:
                    continue
                if (query_set, query_id, version) not in current:
                    connection.execute(
                        sa.update(queries)
                        .where(
                            queries.c.query_set == query_set,
                            queries.c.query_id == query_id,
                            queries.c.query_version == version,
                        )
                        .values(retired_at=at)
                    )

    def unanswered(self, question: Question, *, days: Sequence[date] | None = None) -> tuple[LibraryVideo, ...]:
        """The ready videos that a question concerns and has no answer for, newest day first."""
        select = sa.select(*columns_of(videos, LibraryVideo)).where(*_lacks_answer(question))
        if days is not None:
            select = select.where(videos.c.day.in_(days))
        with self._database.reading() as connection:
            return read_all(connection, select.order_by(videos.c.day.desc(), videos.c.video_no), LibraryVideo)

    def count_unanswered(self, question: Question) -> int:
        """How many ready videos a question concerns and has no answer for."""
        with self._database.reading() as connection:
            return (
                connection.scalar(sa.select(sa.func.count()).select_from(videos).where(*_lacks_answer(question))) or 0
            )

    def versions(self, query_set: str) -> tuple[KnownVersion, ...]:
        """Every version of every query that a set ever had, the youngest first."""
        select = sa.select(*columns_of(queries, KnownVersion)).where(queries.c.query_set == query_set)
        youngest_first = select.order_by(queries.c.first_seen_at.desc(), queries.c.query_id, queries.c.query_version)
        with self._database.reading() as connection:
            return read_all(connection, youngest_first, KnownVersion)

    def coverage_of(self, query_set: str) -> tuple[Coverage, ...]:
        """How far each version of each query of a set got; those that were never answered are left out."""
        of_version = (coverage.c.query_id, coverage.c.query_version)
        select = (
            sa.select(
                *of_version,
                sa.func.count().label("videos"),
                sa.func.sum(coverage.c.hits).label("hits"),
                sa.func.sum(sa.cast(coverage.c.truncated, sa.Integer)).label("truncated"),
                sa.func.max(coverage.c.searched_at).label("last_searched_at"),
            )
            .where(coverage.c.query_set == query_set)
            .group_by(*of_version)
        )
        with self._database.reading() as connection:
            return read_all(connection, select, Coverage)

    def unanswered_days(self, questions: Iterable[Question]) -> tuple[date, ...]:
        """The days with ready videos that lack an answer to any of the questions, oldest first."""
        days: set[date] = set()
        with self._database.reading() as connection:
            for question in questions:
                select = sa.select(videos.c.day).where(*_lacks_answer(question)).distinct()
                days.update(connection.scalars(select))
        return tuple(sorted(days))

    def forget(self, question: Question, *, days: Sequence[date]) -> None:
        """Let a question be asked again of the videos of some days."""
        with self._database.writing() as connection:
            connection.execute(sa.delete(coverage).where(*_is_of(question), coverage.c.day.in_(days)))

    def forget_hits(self, query_set: str, *, day: date) -> int:
        """Let everything be asked again that had hits in a day's videos, in all versions; say how many pairs."""
        of_day = (coverage.c.query_set == query_set, coverage.c.day == day, coverage.c.hits > 0)
        with self._database.writing() as connection:
            return connection.execute(sa.delete(coverage).where(*of_day)).rowcount

    def answered_elsewhere(self, question: Question, *, since: datetime | None = None) -> tuple[Covered, ...]:
        """The answers that the same version was given in other query sets or under other ids, newest first.

        Args:
            question: The question; of its own answers none is among them.
            since: Only answers from this time on.
        """
        select = sa.select(*columns_of(coverage, Covered)).where(
            coverage.c.query_version == question.query_version,
            sa.or_(coverage.c.query_set != question.query_set, coverage.c.query_id != question.query_id),
        )
        if since is not None:
            select = select.where(coverage.c.searched_at >= since)
        newest_first = select.order_by(coverage.c.searched_at.desc(), coverage.c.query_set, coverage.c.query_id)
        with self._database.reading() as connection:
            return read_all(connection, newest_first, Covered)

    def recount(self, question: Question, *, day: date, hits: Mapping[str, int]) -> None:
        """Correct how many hits the answers of a day have left, by `video_no`; videos not named have none."""
        of_day = (*_is_of(question), coverage.c.day == day)
        with self._database.writing() as connection:
            for video_no, known in connection.execute(
                sa.select(coverage.c.video_no, coverage.c.hits).where(*of_day)
            ).all():
                if known != hits.get(video_no, 0):
                    changed = sa.update(coverage).where(*of_day, coverage.c.video_no == video_no)
                    connection.execute(changed.values(hits=hits.get(video_no, 0)))

    def record_coverage(self, pairs: Iterable[Covered], *, run_id: str, at: datetime) -> None:
        """Commit answers. Called after their hits are safely in Parquet: this is the commit record."""
        rows = [vars(pair) | {"searched_at": at, "run_id": run_id} for pair in pairs]
        with self._database.writing() as connection:
            upsert_all(connection, coverage, rows, update=("day", "hits", "truncated", "searched_at", "run_id"))


def _lacks_answer(question: Question) -> Iterator[sa.ColumnElement[bool]]:
    answered = sa.select(coverage.c.video_no).where(*_is_of(question))
    yield videos.c.state == VideoState.READY
    yield videos.c.video_no.not_in(answered)
    if question.within_videos is not None:
        yield videos.c.video_no.in_(question.within_videos)
    if question.within_hits_of is not None:
        yield videos.c.video_no.in_(
            sa.select(coverage.c.video_no).where(
                coverage.c.query_set == question.query_set,
                coverage.c.query_version == question.within_hits_of,
                coverage.c.hits > 0,
            )
        )


def _is_of(question: Question) -> tuple[sa.ColumnElement[bool], ...]:
    return (
        coverage.c.query_set == question.query_set,
        coverage.c.query_id == question.query_id,
        coverage.c.query_version == question.query_version,
    )
