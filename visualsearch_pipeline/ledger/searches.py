"""Saved queries and coverage: which question has been asked of which video."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime

import sqlalchemy as sa

from visualsearch_pipeline.ledger.database import Database, upsert
from visualsearch_pipeline.ledger.schema import coverage, queries, videos
from visualsearch_pipeline.ledger.states import VideoState


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
class Covered:
    """One (query version, video) pair that has been answered, with or without hits."""

    query_set: str
    query_id: str
    query_version: str
    video_no: str
    day: date
    hits: int
    truncated: bool


class Searches:
    """The part of the ledger that knows what was asked."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def register(self, records: Sequence[QueryRecord], *, at: datetime) -> None:
        """Keep the current queries; whatever else the ledger has is marked retired, and comes back when it returns."""
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

    def covered(self, query_set: str, *, days: Sequence[date] | None = None) -> set[tuple[str, str, str]]:
        """The answered (query_id, query_version, video_no) of a set; of the videos of `days` only, if given."""
        select = sa.select(coverage.c.query_id, coverage.c.query_version, coverage.c.video_no).where(
            coverage.c.query_set == query_set
        )
        if days is not None:
            select = select.where(coverage.c.day.in_(days))
        with self._database.reading() as connection:
            return {(row.query_id, row.query_version, row.video_no) for row in connection.execute(select)}

    def record_coverage(self, pairs: Iterable[Covered], *, run_id: str, at: datetime) -> None:
        """Commit answers. Called after their hits are safely in Parquet: this is the commit record."""
        with self._database.writing() as connection:
            for pair in pairs:
                row = asdict(pair) | {"searched_at": at, "run_id": run_id}
                upsert(connection, coverage, row, update=("day", "hits", "truncated", "searched_at", "run_id"))

    def uncovered_days(self, query_set: str, versions: Mapping[str, str]) -> tuple[date, ...]:
        """The days with ready videos that lack an answer to any of `versions` (query_id to query_version)."""
        days: set[date] = set()
        with self._database.reading() as connection:
            for query_id, version in versions.items():
                answered = sa.select(coverage.c.video_no).where(
                    coverage.c.query_set == query_set,
                    coverage.c.query_id == query_id,
                    coverage.c.query_version == version,
                )
                select = (
                    sa.select(videos.c.day)
                    .where(videos.c.state == VideoState.READY, videos.c.video_no.not_in(answered))
                    .distinct()
                )
                days.update(connection.scalars(select))
        return tuple(sorted(days))
