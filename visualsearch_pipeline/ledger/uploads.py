"""Uploads: the intent is written before the call, so that a lost answer can be looked for instead of repeated."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

import sqlalchemy as sa

from visualsearch_pipeline.ledger import failures
from visualsearch_pipeline.ledger.database import Database, columns_of, read_all
from visualsearch_pipeline.ledger.leases import LEASE_DURATION, LeasedUpload, LeaseOwner, is_free
from visualsearch_pipeline.ledger.schema import contents, items, uploads, videos
from visualsearch_pipeline.ledger.states import OPEN_UPLOADS, ItemState, UploadState, VideoState


@dataclass(frozen=True)
class Upload(LeasedUpload):
    """The upload of one content, at most one per content for ever."""

    sha256: str
    day: date
    upload_name: str
    attempts: int
    video_no: str | None
    reason: str | None


_COLUMNS = columns_of(uploads, Upload)


class Uploads:
    """The part of the ledger that makes an upload happen once."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def open(self, *, days: Sequence[date] | None = None) -> tuple[Upload, ...]:
        """What is not yet in the library and can be got there, oldest day first.

        A content whose items have all left the source, or changed, has nothing to be sent from; it is only listed if
        an earlier call may have taken effect.
        """
        in_source = sa.select(items.c.sha256).where(items.c.state == ItemState.ACCEPTED)
        select = sa.select(*_COLUMNS).where(
            uploads.c.state.in_(OPEN_UPLOADS),
            sa.or_(uploads.c.state != UploadState.PENDING, uploads.c.sha256.in_(in_source)),
        )
        if days is not None:
            select = select.where(uploads.c.day.in_(days))
        select = select.order_by(uploads.c.day, uploads.c.upload_name)
        with self._database.reading() as connection:
            return read_all(connection, select, Upload)

    def take(self, sha256: str, *, owner: LeaseOwner, now: datetime) -> Upload | None:
        """Lease one open upload.

        Returns:
            The upload as it stood before, or None if another process holds it or it is no longer open. A state of
            SENDING or UNCERTAIN means that an earlier call may have taken effect.
        """
        with self._database.writing() as connection:
            found = read_all(connection, sa.select(*_COLUMNS).where(uploads.c.sha256 == sha256), Upload)
            if not found or found[0].state not in OPEN_UPLOADS:
                return None
            if not is_free(found[0].lease_owner, found[0].lease_expires_at, now=now):
                return None
            connection.execute(
                sa.update(uploads)
                .where(uploads.c.sha256 == sha256)
                .values(lease_owner=str(owner), lease_expires_at=now + LEASE_DURATION)
            )
            return found[0]

    def renew(self, sha256: str, *, owner: LeaseOwner, now: datetime) -> None:
        """Show that the holder still lives, while bytes move."""
        with self._database.writing() as connection:
            connection.execute(
                sa.update(uploads)
                .where(uploads.c.sha256 == sha256, uploads.c.lease_owner == str(owner))
                .values(lease_expires_at=now + LEASE_DURATION)
            )

    def record_intent(self, sha256: str, *, at: datetime) -> None:
        """Commit that a call is about to be made. The time of the first intent is kept until an answer is recorded."""
        with self._database.writing() as connection:
            connection.execute(
                sa.update(uploads)
                .where(uploads.c.sha256 == sha256)
                .values(
                    state=UploadState.SENDING,
                    attempts=uploads.c.attempts + 1,
                    intended_at=sa.func.coalesce(uploads.c.intended_at, at),
                    attempted_at=at,
                )
            )

    def record_uploaded(
        self, sha256: str, *, video_no: str, video_name: str | None, adopted: bool, at: datetime
    ) -> None:
        """Record the library entry that now holds the content, and close the upload and the failures of its items."""
        with self._database.writing() as connection:
            day = connection.scalar(sa.select(uploads.c.day).where(uploads.c.sha256 == sha256))
            connection.execute(
                sa.update(uploads)
                .where(uploads.c.sha256 == sha256)
                .values(
                    state=UploadState.UPLOADED,
                    video_no=video_no,
                    uploaded_at=at,
                    adopted=adopted,
                    reason=None,
                    lease_owner=None,
                    lease_expires_at=None,
                )
            )
            known = connection.scalar(sa.select(videos.c.video_no).where(videos.c.video_no == video_no))
            if known is None:
                length = sa.select(contents.c.duration_seconds).where(contents.c.sha256 == sha256)
                video = {
                    "video_no": video_no,
                    "sha256": sha256,
                    "day": day,
                    "video_name": video_name,
                    "duration_seconds": connection.scalar(length),
                }
                connection.execute(sa.insert(videos).values(video | {"state": VideoState.INDEXING, "uploaded_at": at}))
            for uri in connection.scalars(sa.select(items.c.uri).where(items.c.sha256 == sha256)).all():
                failures.resolve_in(connection, subject=uri, at=at, steps=("uploads",))

    def record_failed(
        self, sha256: str, *, state: UploadState, reason: str, retryable: bool, uri: str, at: datetime
    ) -> None:
        """Let go of an upload that did not succeed, in the state that says what may have happened."""
        with self._database.writing() as connection:
            values: dict[str, object] = {
                "state": state,
                "reason": reason,
                "lease_owner": None,
                "lease_expires_at": None,
            }
            if state in (UploadState.PENDING, UploadState.REFUSED):
                values["intended_at"] = None
            connection.execute(sa.update(uploads).where(uploads.c.sha256 == sha256).values(values))
            day = connection.scalar(sa.select(uploads.c.day).where(uploads.c.sha256 == sha256))
            failures.record_in(
                connection, step="uploads", subject=uri, day=day, reason=reason, retryable=retryable, at=at
            )

    def release(self, sha256: str, *, state: UploadState) -> None:
        """Give a lease back without a result. PENDING says that no earlier call took effect."""
        values: dict[str, object] = {"state": state, "lease_owner": None, "lease_expires_at": None}
        if state is UploadState.PENDING:
            values["intended_at"] = None
        with self._database.writing() as connection:
            connection.execute(sa.update(uploads).where(uploads.c.sha256 == sha256).values(values))

    def queue_refused(self, *, days: Sequence[date]) -> int:
        """Let what the service refused on some days be sent again; say how many contents that are."""
        update = sa.update(uploads).where(uploads.c.state == UploadState.REFUSED, uploads.c.day.in_(days))
        with self._database.writing() as connection:
            return connection.execute(update.values(state=UploadState.PENDING)).rowcount

    def claimed_video_nos(self) -> frozenset[str]:
        """The library entries that an upload of ours is already bound to."""
        with self._database.reading() as connection:
            return frozenset(connection.scalars(sa.select(videos.c.video_no)))
