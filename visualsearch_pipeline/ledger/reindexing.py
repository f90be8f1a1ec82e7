"""Indexing that the service repeats: what was asked of the old index is no answer about the new one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final

import sqlalchemy as sa

from visualsearch_pipeline.ledger.database import Database
from visualsearch_pipeline.ledger.schema import coverage, queries, transcriptions, videos
from visualsearch_pipeline.ledger.states import VideoState

_SAME_MOMENT: Final = timedelta(seconds=1)
"""Routes of the service round times differently."""

_VIDEOS_PER_SELECT: Final = 500


@dataclass(frozen=True)
class IndexMark:
    """What a listing says of one entry; by a change of it a repeated indexing is known. None is unknown."""

    video_no: str
    is_ready: bool
    created_at: datetime | None
    size_bytes: int | None


class Reindexing:
    """The part of the ledger that compares ready videos with what the service says of them later."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def notice(self, marks: Sequence[IndexMark]) -> tuple[str, ...]:
        """Let everything be asked again about the videos whose time of creation or size has changed.

        Their coverage, transcripts and captions are forgotten; hits and segments stay until they are replaced. Where a
        query keeps the best hits of a day, the whole day is asked again: what it dropped may count now. A ready video
        that the service is working on again is watched again.

        Returns:
            The `video_no` of every changed video.
        """
        changed: list[str] = []
        with self._database.writing() as connection:
            for mark, day, is_changed in self._compared(connection, marks):
                values = {"created_at": mark.created_at, "size_bytes": mark.size_bytes} if is_changed else {}
                known: dict[str, object] = {name: value for name, value in values.items() if value is not None}
                if not mark.is_ready:
                    known["state"] = VideoState.INDEXING
                if known:
                    connection.execute(sa.update(videos).where(videos.c.video_no == mark.video_no).values(known))
                if is_changed:
                    _forget(connection, mark.video_no, day)
                    changed.append(mark.video_no)
        return tuple(changed)

    @staticmethod
    def _compared(connection: sa.Connection, marks: Sequence[IndexMark]) -> Iterator[tuple[IndexMark, date, bool]]:
        """Each mark of a video that was answered or ready, with its day and whether it differs."""
        for start in range(0, len(marks), _VIDEOS_PER_SELECT):
            by_number = {mark.video_no: mark for mark in marks[start : start + _VIDEOS_PER_SELECT]}
            select = sa.select(
                videos.c.video_no, videos.c.day, videos.c.state, videos.c.created_at, videos.c.size_bytes
            ).where(videos.c.video_no.in_(by_number))
            for row in connection.execute(select).all():
                mark = by_number[row.video_no]
                is_changed = _differs(row.created_at, row.size_bytes, mark)
                if is_changed or (row.state == VideoState.READY and not mark.is_ready):
                    yield mark, row.day, is_changed


def _differs(created_at: datetime | None, size_bytes: int | None, mark: IndexMark) -> bool:
    if created_at is not None and mark.created_at is not None and abs(mark.created_at - created_at) > _SAME_MOMENT:
        return True
    return bool(size_bytes and mark.size_bytes and size_bytes != mark.size_bytes)


def _forget(connection: sa.Connection, video_no: str, day: date) -> None:
    pairs = sa.select(coverage.c.query_version).where(coverage.c.video_no == video_no).distinct()
    defined = sa.select(queries.c.query_version, queries.c.definition).where(queries.c.query_version.in_(pairs))
    best_of_day = {row.query_version for row in connection.execute(defined) if "top_k" in row.definition}
    connection.execute(
        sa.delete(coverage).where(
            sa.or_(
                coverage.c.video_no == video_no,
                sa.and_(coverage.c.query_version.in_(best_of_day), coverage.c.day == day),
            )
        )
    )
    connection.execute(sa.delete(transcriptions).where(transcriptions.c.video_no == video_no))
