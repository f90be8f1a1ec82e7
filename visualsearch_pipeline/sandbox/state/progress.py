"""From accepted to ready or failed: what the worker reports, and when it becomes visible (contract §5)."""

import json
from dataclasses import asdict, dataclass

from sqlalchemy import Connection, RowMapping, and_, case, or_, select, update
from sqlalchemy.dialects.sqlite import insert as upsert

from visualsearch_pipeline.sandbox.state import tables
from visualsearch_pipeline.sandbox.state.database import Database
from visualsearch_pipeline.sandbox.state.entries import DecodeState, MediaIndex, Status, VideoEntry

INDEXING_FAILED = "Indexing failed. "
"""The cause that the live service gives, trailing space included (contract §5)."""

_VIDEO = tables.videos.c


@dataclass(frozen=True, kw_only=True)
class MediaFacts:
    """Measures of a decoded file."""

    duration_seconds: float
    fps: float | None
    width: int
    height: int


class Progress:
    """Moves videos along their life cycle; nothing else writes their status."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def queued(self) -> list[VideoEntry]:
        """Videos that no worker has decoded yet, oldest first; after a restart these go on."""
        with self._database.read() as connection:
            query = select(tables.videos).where(_VIDEO.decode_state == DecodeState.QUEUED).order_by(_VIDEO.snowflake)
            return [VideoEntry.from_row(row) for row in connection.execute(query).mappings()]

    def decoded(self, video_no: str, facts: MediaFacts, media: MediaIndex, *, more_time_ms: int) -> bool:
        """Record what a worker found; False if the video was deleted meanwhile.

        `more_time_ms` is added to the waiting time, for the length of the file.
        """
        values = {
            "video_no": video_no,
            "segments": json.dumps([asdict(segment) for segment in media.segments], ensure_ascii=False),
            "transcript": json.dumps([asdict(line) for line in media.transcript], ensure_ascii=False),
            "keyframes": json.dumps([asdict(frame) for frame in media.keyframes]),
            "descriptors": media.descriptors.tobytes(),
        }
        replaced = {name: value for name, value in values.items() if name != "video_no"}
        with self._database.write() as connection:
            changed = connection.execute(
                update(tables.videos)
                .where(_VIDEO.video_no == video_no)
                .values(
                    decode_state=DecodeState.DECODED,
                    ready_at_ms=case(
                        (_VIDEO.ready_is_planned, _VIDEO.ready_at_ms), else_=_VIDEO.ready_at_ms + more_time_ms
                    ),
                    **asdict(facts),
                )
            )
            if changed.rowcount:
                statement = upsert(tables.media_index).values(values)
                connection.execute(statement.on_conflict_do_update(index_elements=["video_no"], set_=replaced))
            return bool(changed.rowcount)

    def original_dropped(self, video_no: str) -> None:
        """Record that the file itself is no longer kept."""
        with self._database.write() as connection:
            connection.execute(update(tables.videos).where(_VIDEO.video_no == video_no).values(has_file=False))

    def undecodable(self, video_no: str) -> None:
        """Record that a file holds no video that can be read."""
        with self._database.write() as connection:
            connection.execute(
                update(tables.videos)
                .where(_VIDEO.video_no == video_no)
                .values(decode_state=DecodeState.FAILED, duration_seconds=0.0)
            )

    def settle(self, *, now_ms: int) -> list[VideoEntry]:
        """Make visible what is due; returns the videos whose status changed."""
        due = and_(
            _VIDEO.status == Status.UNPARSE,
            _VIDEO.decode_state != DecodeState.QUEUED,
            _VIDEO.stuck.is_(False),
            _VIDEO.ready_at_ms <= now_ms,
            or_(_VIDEO.reads_left.is_(None), _VIDEO.reads_left <= 0),
        )
        recovered = and_(
            _VIDEO.status == Status.FAILED,
            _VIDEO.decode_state == DecodeState.DECODED,
            _VIDEO.recover_at_ms <= now_ms,
        )
        query = select(tables.videos).where(or_(due, recovered)).order_by(_VIDEO.ready_at_ms, _VIDEO.snowflake)
        with self._database.read() as connection:
            if connection.execute(query.limit(1)).first() is None:
                return []
        with self._database.write() as connection:
            return [_finish(connection, row, now_ms) for row in connection.execute(query).mappings().all()]

    def count_read(self, video_nos: list[str]) -> None:
        """Note that the status of these videos was read, for those that become ready after so many reads."""
        waiting = and_(
            _VIDEO.video_no.in_(video_nos),
            _VIDEO.status == Status.UNPARSE,
            _VIDEO.reads_left > 0,
        )
        with self._database.read() as connection:
            if connection.execute(select(_VIDEO.video_no).where(waiting).limit(1)).first() is None:
                return
        with self._database.write() as connection:
            connection.execute(update(tables.videos).where(waiting).values(reads_left=_VIDEO.reads_left - 1))


def _finish(connection: Connection, row: RowMapping, now_ms: int) -> VideoEntry:
    recovers = row["status"] == Status.FAILED
    failed = not recovers and (row["decode_state"] == DecodeState.FAILED or row["planned_cause"] is not None)
    status = Status.FAILED if failed else Status.PARSE
    cause = (row["planned_cause"] or INDEXING_FAILED) if failed else None
    # Nobody may have looked since it was due: what counts is when it was, not when it was noticed.
    parsed_ms = None if failed else (now_ms if recovers or row["reads_left"] is not None else row["ready_at_ms"])
    connection.execute(
        update(tables.videos)
        .where(_VIDEO.video_no == row["video_no"])
        .values(status=status, cause=cause, parsed_ms=parsed_ms)
    )
    changed = select(tables.videos).where(_VIDEO.video_no == row["video_no"])
    return VideoEntry.from_row(connection.execute(changed).mappings().one())
