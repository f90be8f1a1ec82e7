"""What was fetched for ready videos: transcripts, captions, and the archive's downloads."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime
from typing import Literal

import sqlalchemy as sa

from visualsearch_pipeline.ledger import failures
from visualsearch_pipeline.ledger.database import Database, columns_of, read_all, upsert
from visualsearch_pipeline.ledger.schema import archive, transcriptions, videos
from visualsearch_pipeline.ledger.states import ArchiveState, VideoState
from visualsearch_pipeline.ledger.videos import LibraryVideo

TranscriptionKind = Literal["transcripts", "captions"]


@dataclass(frozen=True)
class ArchivedObject:
    """One download that is kept: an original, or a keyframe of a hit."""

    kind: str
    object_key: str
    video_no: str
    day: date
    bucket: str | None
    blob: str | None
    path: str
    size_bytes: int
    sha256: str
    proven_by: str


@dataclass(frozen=True)
class WantedObject:
    """A keyframe of a hit that belongs into the archive. `object_key` is `bucket/blob`."""

    object_key: str
    video_no: str
    day: date
    bucket: str
    blob: str


class Fetches:
    """The part of the ledger that knows what was fetched."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def without_transcription(
        self, kind: TranscriptionKind, *, days: Sequence[date] | None = None
    ) -> tuple[LibraryVideo, ...]:
        """Ready videos whose transcript (or captions) have not been asked for."""
        fetched = sa.select(transcriptions.c.video_no).where(transcriptions.c.kind == kind)
        return self._ready_videos(videos.c.video_no.not_in(fetched), days=days)

    def record_transcription(
        self, kind: TranscriptionKind, *, video_no: str, day: date, segments: int, run_id: str, at: datetime
    ) -> None:
        """Commit that a video's segments are in Parquet; 0 records that it has none."""
        row: dict[str, object] = {
            "video_no": video_no,
            "kind": kind,
            "day": day,
            "segments": segments,
            "fetched_at": at,
            "run_id": run_id,
        }
        with self._database.writing() as connection:
            upsert(connection, transcriptions, row, update=("segments", "fetched_at", "run_id"))
            failures.resolve_in(connection, subject=video_no, at=at, steps=(kind,))

    def forget_transcriptions(self, kind: TranscriptionKind, *, days: Sequence[date]) -> int:
        """Let every video of some days be asked about again; say how many videos that are."""
        with self._database.writing() as connection:
            delete = sa.delete(transcriptions).where(transcriptions.c.kind == kind, transcriptions.c.day.in_(days))
            return connection.execute(delete).rowcount

    def forget_segments(self, kind: TranscriptionKind, *, day: date) -> int:
        """Let the videos of a day that have segments be asked again; say how many those are."""
        with self._database.writing() as connection:
            result = connection.execute(
                sa.delete(transcriptions).where(
                    transcriptions.c.kind == kind, transcriptions.c.day == day, transcriptions.c.segments > 0
                )
            )
        return result.rowcount

    def unarchived_videos(self, *, days: Sequence[date] | None = None) -> tuple[LibraryVideo, ...]:
        """Ready videos whose original is not in the archive, those that failed for good left out."""
        kept = sa.select(archive.c.object_key).where(
            archive.c.kind == "video", archive.c.state == ArchiveState.ARCHIVED
        )
        for_good = failures.open_subjects("archive", retryable=False)
        condition = sa.and_(videos.c.video_no.not_in(kept), videos.c.video_no.not_in(for_good))
        return self._ready_videos(condition, days=days)

    def archived(self, kind: str, *, days: Sequence[date] | None = None) -> tuple[ArchivedObject, ...]:
        """What is kept and proven."""
        select = sa.select(*columns_of(archive, ArchivedObject)).where(
            archive.c.kind == kind, archive.c.state == ArchiveState.ARCHIVED
        )
        if days is not None:
            select = select.where(archive.c.day.in_(days))
        with self._database.reading() as connection:
            return read_all(connection, select.order_by(archive.c.day, archive.c.object_key), ArchivedObject)

    def want(self, objects: Iterable[WantedObject]) -> None:
        """Ask for keyframes to be archived; those known already stay as they are."""
        with self._database.writing() as connection:
            for wanted in objects:
                row = asdict(wanted) | {"kind": "keyframe", "state": ArchiveState.WANTED}
                upsert(connection, archive, row, update=("day",))

    def wanted(self, *, days: Sequence[date] | None = None) -> tuple[WantedObject, ...]:
        """Keyframes that are asked for and not there, those that failed for good left out."""
        for_good = failures.open_subjects("archive", retryable=False)
        select = sa.select(*columns_of(archive, WantedObject)).where(
            archive.c.kind == "keyframe",
            archive.c.state != ArchiveState.ARCHIVED,
            archive.c.object_key.not_in(for_good),
        )
        if days is not None:
            select = select.where(archive.c.day.in_(days))
        with self._database.reading() as connection:
            return read_all(connection, select.order_by(archive.c.day, archive.c.object_key), WantedObject)

    def record_archived(self, archived: ArchivedObject, *, at: datetime) -> None:
        """Commit that a download is whole and in its place."""
        row = asdict(archived) | {"state": ArchiveState.ARCHIVED, "archived_at": at}
        with self._database.writing() as connection:
            upsert(connection, archive, row, update=tuple(name for name in row if name not in ("kind", "object_key")))
            failures.resolve_in(connection, subject=archived.object_key, at=at, steps=("archive",))

    def record_not_archived(
        self,
        *,
        kind: str,
        object_key: str,
        video_no: str,
        day: date,
        reason: str,
        retryable: bool,
        at: datetime,
    ) -> None:
        """Keep a download that failed, with its reason."""
        row: dict[str, object] = {
            "kind": kind,
            "object_key": object_key,
            "video_no": video_no,
            "day": day,
            "state": ArchiveState.FAILED,
        }
        with self._database.writing() as connection:
            upsert(connection, archive, row, update=("state",))
            failures.record_in(
                connection, step="archive", subject=object_key, day=day, reason=reason, retryable=retryable, at=at
            )

    def _ready_videos(
        self, condition: sa.ColumnElement[bool], *, days: Sequence[date] | None
    ) -> tuple[LibraryVideo, ...]:
        select = sa.select(*columns_of(videos, LibraryVideo)).where(videos.c.state == VideoState.READY, condition)
        if days is not None:
            select = select.where(videos.c.day.in_(days))
        with self._database.reading() as connection:
            return read_all(connection, select.order_by(videos.c.day, videos.c.video_no), LibraryVideo)
