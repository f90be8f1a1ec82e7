"""Imports from social platforms: one task per entry and day, paid for once, and what it brought."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime

import sqlalchemy as sa

from visualsearch_pipeline.ledger import failures
from visualsearch_pipeline.ledger.database import Database, columns_of, read_all
from visualsearch_pipeline.ledger.leases import LEASE_DURATION, LeaseOwner, is_free
from visualsearch_pipeline.ledger.schema_sources import import_tasks, imported_videos
from visualsearch_pipeline.ledger.states import OPEN_IMPORTS, ImportState, VideoOrigin
from visualsearch_pipeline.ledger.videos import FetchedVideo, insert_fetched_in

STEP = "imports"
"""The step under which failures of imports are kept; the subject is `entry/day`."""


@dataclass(frozen=True)
class NewImport:
    """An import that is due: what the file of imports says of it, and what it is taken to cost."""

    entry_id: str
    day: date
    kind: str
    platform: str
    library: str
    asks: str
    definition: str
    expected_videos: int
    estimated_usd: float


@dataclass(frozen=True)
class ImportTask(NewImport):
    """One import of one day, started at most once; identity is `entry_id` and `day`."""

    state: ImportState
    attempts: int
    lease_owner: str | None
    lease_expires_at: datetime | None
    intended_at: datetime | None
    started_at: datetime | None
    task_id: str | None
    polled_at: datetime | None
    grown_at: datetime | None
    finished_at: datetime | None
    reason: str | None

    @property
    def subject(self) -> str:
        """What its failures are kept under."""
        return f"{self.entry_id}/{self.day.isoformat()}"


@dataclass(frozen=True)
class ImportedVideo:
    """A video that an import brought. Those of the public library are recorded here and nowhere else."""

    video_no: str
    library: str
    video_name: str | None
    post_url: str | None


_COLUMNS = columns_of(import_tasks, ImportTask)


class Imports:
    """The part of the ledger that makes an import happen once, and follows it."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def all(self) -> tuple[ImportTask, ...]:
        """Every import that was ever due, oldest day first."""
        with self._database.reading() as connection:
            select = sa.select(*_COLUMNS).order_by(import_tasks.c.day, import_tasks.c.entry_id)
            return read_all(connection, select, ImportTask)

    def in_state(self, *states: ImportState, days: Sequence[date] | None = None) -> tuple[ImportTask, ...]:
        """The imports in any of `states`, the longest unpolled first."""
        select = sa.select(*_COLUMNS).where(import_tasks.c.state.in_(states))
        if days is not None:
            select = select.where(import_tasks.c.day.in_(days))
        order = (import_tasks.c.polled_at.asc().nulls_first(), import_tasks.c.day, import_tasks.c.entry_id)
        with self._database.reading() as connection:
            return read_all(connection, select.order_by(*order), ImportTask)

    def open(self, *, days: Sequence[date] | None = None) -> tuple[ImportTask, ...]:
        """The imports that are under way at the service."""
        return self.in_state(*OPEN_IMPORTS, days=days)

    def get(self, entry_id: str, day: date) -> ImportTask:
        """One import. Raises `KeyError` if there is none."""
        with self._database.reading() as connection:
            found = read_all(connection, sa.select(*_COLUMNS).where(*_is(entry_id, day)), ImportTask)
        if not found:
            raise KeyError((entry_id, day))
        return found[0]

    def queue(self, due: NewImport) -> None:
        """Keep an import that is due. One for which no call was made takes what the file says now; others stay."""
        row: dict[str, object] = asdict(due) | {"state": ImportState.PENDING, "attempts": 0}
        with self._database.writing() as connection:
            state = connection.scalar(sa.select(import_tasks.c.state).where(*_is(due.entry_id, due.day)))
            if state is None:
                connection.execute(sa.insert(import_tasks).values(row))
            elif state in (ImportState.PENDING, ImportState.REFUSED):
                values = row | {"reason": None}
                connection.execute(sa.update(import_tasks).where(*_is(due.entry_id, due.day)).values(values))

    def take(self, entry_id: str, day: date, *, owner: LeaseOwner, now: datetime) -> ImportTask | None:
        """Lease an import that has not been answered.

        Returns:
            The import as it stood before, or None if another process holds it or it was answered. A state of STARTING
            means that an earlier call may have taken effect.
        """
        with self._database.writing() as connection:
            (found,) = read_all(connection, sa.select(*_COLUMNS).where(*_is(entry_id, day)), ImportTask)
            if found.state not in (ImportState.PENDING, ImportState.STARTING):
                return None
            if not is_free(found.lease_owner, found.lease_expires_at, now=now):
                return None
            held = {"lease_owner": str(owner), "lease_expires_at": now + LEASE_DURATION}
            connection.execute(sa.update(import_tasks).where(*_is(entry_id, day)).values(held))
            return found

    def record_intent(self, task: ImportTask, *, at: datetime) -> None:
        """Commit that the call is about to be made."""
        values = {"state": ImportState.STARTING, "attempts": import_tasks.c.attempts + 1, "intended_at": at}
        with self._database.writing() as connection:
            connection.execute(sa.update(import_tasks).where(*_of(task)).values(values))

    def record_started(self, task: ImportTask, *, task_id: str, at: datetime) -> None:
        """Record the service's task, and close what was open on the import."""
        values = {"state": ImportState.RUNNING, "task_id": task_id, "started_at": at, "reason": None}
        with self._database.writing() as connection:
            connection.execute(sa.update(import_tasks).where(*_of(task)).values(values | _NO_LEASE))
            failures.resolve_in(connection, subject=task.subject, at=at, steps=(STEP,))

    def release(self, task: ImportTask, *, state: ImportState) -> None:
        """Give a lease back without a result."""
        with self._database.writing() as connection:
            connection.execute(sa.update(import_tasks).where(*_of(task)).values(_NO_LEASE | {"state": state}))

    def record_failed(
        self, task: ImportTask, *, state: ImportState, reason: str, retryable: bool, at: datetime
    ) -> None:
        """Keep why an import did not start, is not decided, or does not finish."""
        values = _NO_LEASE | {"state": state, "reason": reason}
        with self._database.writing() as connection:
            connection.execute(sa.update(import_tasks).where(*_of(task)).values(values))
            failures.record_in(
                connection, step=STEP, subject=task.subject, day=task.day, reason=reason, retryable=retryable, at=at
            )

    def record_videos(self, task: ImportTask, brought: Sequence[ImportedVideo], *, at: datetime) -> int:
        """Keep what a task has brought so far; private ones become library entries of its day.

        Returns:
            How many were not known before.
        """
        with self._database.writing() as connection:
            known = set(
                connection.scalars(
                    sa.select(imported_videos.c.video_no).where(
                        imported_videos.c.entry_id == task.entry_id, imported_videos.c.day == task.day
                    )
                )
            )
            new = [video for video in brought if video.video_no not in known]
            for video in new:
                row = asdict(video) | {"entry_id": task.entry_id, "day": task.day, "imported_at": at}
                connection.execute(sa.insert(imported_videos).values(row))
            insert_fetched_in(connection, [_entry(task, video) for video in new if video.library == "private"], at=at)
            values: dict[str, object] = {"polled_at": at, **({"grown_at": at} if new else {})}
            connection.execute(sa.update(import_tasks).where(*_of(task)).values(values))
            if task.state is ImportState.RUNNING:
                failures.resolve_in(connection, subject=task.subject, at=at, steps=(STEP,))
            return len(new)

    def videos_of(self, task: ImportTask) -> tuple[ImportedVideo, ...]:
        """What a task has brought so far."""
        select = sa.select(*columns_of(imported_videos, ImportedVideo)).where(
            imported_videos.c.entry_id == task.entry_id, imported_videos.c.day == task.day
        )
        with self._database.reading() as connection:
            return read_all(connection, select.order_by(imported_videos.c.video_no), ImportedVideo)

    def record_recovered(self, task: ImportTask, *, at: datetime) -> None:
        """Record that a stuck import has brought something after all."""
        with self._database.writing() as connection:
            connection.execute(sa.update(import_tasks).where(*_of(task)).values(state=ImportState.RUNNING, reason=None))
            failures.resolve_in(connection, subject=task.subject, at=at, steps=(STEP,))

    def record_finished(self, task: ImportTask, *, at: datetime, reason: str | None = None) -> None:
        """Record that nothing more is expected; the reason says what fell short."""
        values = {"state": ImportState.FINISHED, "finished_at": at, "reason": reason}
        with self._database.writing() as connection:
            connection.execute(sa.update(import_tasks).where(*_of(task)).values(values))
            failures.resolve_in(connection, subject=task.subject, at=at, steps=(STEP,))

    def decide(self, task: ImportTask, *, state: ImportState, task_id: str | None = None, at: datetime) -> bool:
        """Carry out what a person decided about an import whose fate is open or that was refused.

        Returns:
            False if the import is no longer in the state that the person saw.
        """
        values: dict[str, object] = {"state": state, "reason": None}
        if task_id is not None:
            values |= {"task_id": task_id, "started_at": at}
        with self._database.writing() as connection:
            unchanged = (*_of(task), import_tasks.c.state == task.state)
            if not connection.execute(sa.update(import_tasks).where(*unchanged).values(values | _NO_LEASE)).rowcount:
                return False
            failures.resolve_in(connection, subject=task.subject, at=at, steps=(STEP,))
            return True


_NO_LEASE: dict[str, object] = {"lease_owner": None, "lease_expires_at": None}


def _is(entry_id: str, day: date) -> tuple[sa.ColumnElement[bool], sa.ColumnElement[bool]]:
    return import_tasks.c.entry_id == entry_id, import_tasks.c.day == day


def _of(task: ImportTask) -> tuple[sa.ColumnElement[bool], sa.ColumnElement[bool]]:
    return _is(task.entry_id, task.day)


def _entry(task: ImportTask, video: ImportedVideo) -> FetchedVideo:
    return FetchedVideo(
        video_no=video.video_no,
        day=task.day,
        origin=VideoOrigin.IMPORT,
        uri=video.post_url or f"import:{task.entry_id}/{video.video_no}",
        name=video.video_name or video.video_no,
        video_name=video.video_name,
    )
