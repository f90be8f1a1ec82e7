"""Videos that we deleted from the library ourselves: decided on before the call, and what was seen after it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime

import sqlalchemy as sa

from visualsearch_pipeline.ledger import failures
from visualsearch_pipeline.ledger.database import Database, columns_of, read_all, upsert
from visualsearch_pipeline.ledger.schema import archive, contents, videos
from visualsearch_pipeline.ledger.schema_upkeep import remote_deletions
from visualsearch_pipeline.ledger.states import ArchiveState, DeletionState, VideoState

_KEPT_ON_RETRY = ("video_no", "day")


@dataclass(frozen=True)
class DeletableVideo:
    """A video in the library whose original is in the archive and was proven when it was fetched."""

    video_no: str
    day: date
    sha256: str
    archived_path: str
    size_bytes: int
    archived_at: datetime
    state: VideoState


@dataclass(frozen=True)
class RemoteDeletion:
    """One deletion, with what proved that it could be made."""

    video_no: str
    sha256: str
    archived_path: str
    size_bytes: int
    day: date
    reason: str
    scope: str
    run_id: str
    intended_at: datetime
    state: DeletionState = DeletionState.INTENDED
    decided_at: datetime | None = None
    outcome: str | None = None


class RemoteDeletions:
    """The part of the ledger that accounts for deletions from the library."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def deletable(self, *, archived_before: datetime) -> tuple[DeletableVideo, ...]:
        """Ready videos that we sent as a file and that were archived, byte for byte, before a time.

        What is proven by less than its SHA-256, or came from a URL or an import, is never among them.
        """
        unfetched = sa.select(archive.c.video_no).where(archive.c.state != ArchiveState.ARCHIVED)
        select = (
            sa.select(
                videos.c.video_no,
                videos.c.day,
                archive.c.sha256,
                archive.c.path.label("archived_path"),
                archive.c.size_bytes,
                archive.c.archived_at,
                videos.c.state,
            )
            .join(archive, sa.and_(archive.c.kind == "video", archive.c.object_key == videos.c.video_no))
            .where(
                videos.c.state == VideoState.READY,
                archive.c.state == ArchiveState.ARCHIVED,
                archive.c.proven_by == "sha256",
                archive.c.sha256 == videos.c.sha256,
                archive.c.archived_at < archived_before,
                # A keyframe that is not fetched yet could not be fetched afterwards.
                videos.c.video_no.not_in(unfetched),
            )
            .order_by(videos.c.day, videos.c.video_no)
        )
        with self._database.reading() as connection:
            return read_all(connection, select, DeletableVideo)

    def intend(self, deletions: Sequence[RemoteDeletion]) -> None:
        """Commit what is about to be deleted, before the call."""
        with self._database.writing() as connection:
            for deletion in deletions:
                row = asdict(deletion)
                upsert(connection, remote_deletions, row, update=tuple(n for n in row if n not in _KEPT_ON_RETRY))

    def undecided(self, *, scope: str) -> tuple[RemoteDeletion, ...]:
        """Deletions that were decided on in a scope of the library, and whose outcome nobody has looked at."""
        return tuple(one for one in self._in_state(DeletionState.INTENDED) if one.scope == scope)

    def deleted(self) -> tuple[RemoteDeletion, ...]:
        """Deletions that took effect."""
        return self._in_state(DeletionState.DELETED)

    def record_outcome(self, video_no: str, *, state: DeletionState, outcome: str, at: datetime) -> None:
        """Commit what was seen after the call; a video that is gone is deleted in the ledger, too."""
        with self._database.writing() as connection:
            connection.execute(
                sa.update(remote_deletions)
                .where(remote_deletions.c.video_no == video_no)
                .values(state=state, outcome=outcome, decided_at=at)
            )
            if state is DeletionState.DELETED:
                connection.execute(
                    sa.update(videos)
                    .where(videos.c.video_no == video_no)
                    .values(state=VideoState.DELETED, polled_at=at)
                )
                failures.resolve_in(connection, subject=video_no, at=at)
                of_video = sa.select(contents.c.uri).join(videos, videos.c.sha256 == contents.c.sha256)
                # It may have been reported as missing, before anybody looked at what became of the deletion.
                for uri in connection.scalars(of_video.where(videos.c.video_no == video_no)).all():
                    failures.resolve_in(connection, subject=uri, at=at, steps=("videos",))

    def _in_state(self, state: DeletionState) -> tuple[RemoteDeletion, ...]:
        select = sa.select(*columns_of(remote_deletions, RemoteDeletion)).where(remote_deletions.c.state == state)
        with self._database.reading() as connection:
            return read_all(connection, select.order_by(remote_deletions.c.video_no), RemoteDeletion)
