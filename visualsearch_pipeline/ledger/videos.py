"""Library entries: what the service made of our uploads."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime

import sqlalchemy as sa

from visualsearch_pipeline.ledger import failures
from visualsearch_pipeline.ledger.database import Database, columns_of, read_all
from visualsearch_pipeline.ledger.schema import contents, videos
from visualsearch_pipeline.ledger.states import OPEN_VIDEOS, VideoOrigin, VideoState


@dataclass(frozen=True)
class LibraryVideo:
    """One library entry as the ledger has it; identity is `video_no`.

    Its length is what we measured before sending it, until the service says its own.
    `sha256` names the content that was sent. What the service fetched itself has none, but a `uri`: see `origin`.
    """

    video_no: str
    sha256: str | None
    day: date
    state: VideoState
    video_name: str | None
    cause: str | None
    tags: Sequence[str] | None
    bucket: str | None
    blob: str | None
    created_at: datetime | None
    uploaded_at: datetime
    ready_at: datetime | None
    polled_at: datetime | None
    size_bytes: int | None = None
    duration_seconds: float | None = None
    origin: VideoOrigin = VideoOrigin.FILE
    uri: str | None = None
    name: str | None = None


@dataclass(frozen=True)
class FetchedVideo:
    """An entry that the service made of what it fetched itself."""

    video_no: str
    day: date
    origin: VideoOrigin
    uri: str
    name: str
    video_name: str | None


@dataclass(frozen=True)
class VideoObservation:
    """What the service says of one entry. None leaves the ledger's value as it is."""

    video_no: str
    state: VideoState
    raw_status: str | None = None
    video_name: str | None = None
    cause: str | None = None
    duration_seconds: float | None = None
    size_bytes: int | None = None
    width: int | None = None
    height: int | None = None
    fps: float | None = None
    tags: tuple[str, ...] | None = None
    bucket: str | None = None
    blob: str | None = None
    created_at: datetime | None = None


_COLUMNS = columns_of(videos, LibraryVideo)

VIDEOS_AND_CONTENTS = videos.outerjoin(contents, contents.c.sha256 == videos.c.sha256)
"""Every entry, with the content that was sent where we sent one."""

MEDIA_URI = sa.func.coalesce(contents.c.uri, videos.c.uri)
"""Of `VIDEOS_AND_CONTENTS`: where an entry's footage came from."""

# The same post may be imported on several days, so its URI would not tell the entries apart.
_FAILURE_SUBJECT = sa.case((videos.c.origin == VideoOrigin.IMPORT, videos.c.video_no), else_=MEDIA_URI).label("subject")


class Videos:
    """The part of the ledger that knows the library."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def open(self, *, days: Sequence[date] | None = None) -> tuple[LibraryVideo, ...]:
        """The entries not known to be ready, failed or missing; the longest unpolled first, so that none is starved."""
        select = sa.select(*_COLUMNS).where(videos.c.state.in_(OPEN_VIDEOS))
        if days is not None:
            select = select.where(videos.c.day.in_(days))
        select = select.order_by(videos.c.polled_at.asc().nulls_first(), videos.c.uploaded_at, videos.c.video_no)
        with self._database.reading() as connection:
            return read_all(connection, select, LibraryVideo)

    def in_state(self, *states: VideoState, days: Sequence[date] | None = None) -> tuple[LibraryVideo, ...]:
        """The entries in any of `states`, oldest day first."""
        select = sa.select(*_COLUMNS).where(videos.c.state.in_(states))
        if days is not None:
            select = select.where(videos.c.day.in_(days))
        with self._database.reading() as connection:
            return read_all(connection, select.order_by(videos.c.day, videos.c.video_no), LibraryVideo)

    def ready(self, *, days: Sequence[date] | None = None) -> tuple[LibraryVideo, ...]:
        """The entries that can be searched, oldest day first."""
        return self.in_state(VideoState.READY, days=days)

    def count_ready_by_day(self) -> dict[date, int]:
        """How many entries are ready to be searched, per day."""
        select = sa.select(videos.c.day, sa.func.count()).where(videos.c.state == VideoState.READY)
        with self._database.reading() as connection:
            return {row[0]: row[1] for row in connection.execute(select.group_by(videos.c.day))}

    def media_uris(self) -> dict[str, str]:
        """For every `video_no` the URI of the media item that it was made of."""
        select = sa.select(videos.c.video_no, MEDIA_URI.label("uri")).select_from(VIDEOS_AND_CONTENTS)
        with self._database.reading() as connection:
            return {row.video_no: row.uri for row in connection.execute(select)}

    def known(self, video_nos: Collection[str]) -> frozenset[str]:
        """Those of `video_nos` that the ledger has."""
        with self._database.reading() as connection:
            return frozenset(
                connection.scalars(sa.select(videos.c.video_no).where(videos.c.video_no.in_(tuple(video_nos))))
            )

    def record_observations(self, observations: Sequence[VideoObservation], *, at: datetime) -> None:
        """Keep what a poll found, with the failure of each entry that failed, is stuck or is missing.

        A poll of a large library writes thousands of rows and seldom a failure: rows of one shape go in one statement.
        """
        rows: dict[tuple[str, ...], list[dict[str, object]]] = {}
        for seen in observations:
            values = {name: value for name, value in asdict(seen).items() if value is not None}
            values["polled_at"] = at
            if seen.state is VideoState.READY:
                values["ready_at"] = at
            rows.setdefault(tuple(values), []).append({f"seen_{name}": value for name, value in values.items()})
        with self._database.writing() as connection:
            for names, seen_rows in rows.items():
                new = {name: sa.bindparam(f"seen_{name}", type_=videos.c[name].type) for name in names}
                changes: dict[str, object] = {name: value for name, value in new.items() if name != "video_no"}
                if "ready_at" in new:
                    changes["ready_at"] = sa.func.coalesce(videos.c.ready_at, new["ready_at"])
                update = sa.update(videos).where(videos.c.video_no == new["video_no"]).values(changes)
                connection.execute(update, seen_rows)
            open_failures = failures.open_subjects("videos")
            troubled = sa.select(videos.c.video_no).select_from(VIDEOS_AND_CONTENTS)
            failed_before = set(connection.scalars(troubled.where(_FAILURE_SUBJECT.in_(open_failures))))
            for seen in observations:
                is_well = seen.state in (VideoState.READY, VideoState.INDEXING)
                if not is_well or seen.video_no in failed_before:
                    self._keep_failure(connection, seen, at=at)

    @staticmethod
    def _keep_failure(connection: sa.Connection, seen: VideoObservation, *, at: datetime) -> None:
        subject, day = connection.execute(
            sa.select(_FAILURE_SUBJECT, videos.c.day)
            .select_from(VIDEOS_AND_CONTENTS)
            .where(videos.c.video_no == seen.video_no)
        ).one()
        if seen.state in (VideoState.READY, VideoState.INDEXING):
            failures.resolve_in(connection, subject=subject, at=at, steps=("videos",))
            return
        failures.record_in(
            connection,
            step="videos",
            subject=subject,
            day=day,
            reason=f"{seen.video_no}: {seen.cause or seen.state.value}",
            retryable=seen.state is not VideoState.FAILED,
            at=at,
        )


def insert_fetched_in(connection: sa.Connection, fetched: Sequence[FetchedVideo], *, at: datetime) -> None:
    """Keep entries that the service made by itself, within a transaction of the caller's."""
    for video in fetched:
        known = connection.scalar(sa.select(videos.c.video_no).where(videos.c.video_no == video.video_no))
        if known is None:
            row = asdict(video) | {"state": VideoState.INDEXING, "uploaded_at": at}
            connection.execute(sa.insert(videos).values(row))
