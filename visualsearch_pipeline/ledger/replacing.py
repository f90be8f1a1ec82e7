"""Taking a library entry out of account and queueing its content again: never by itself, only when a person asks."""

from __future__ import annotations

from datetime import date, datetime

import sqlalchemy as sa

from visualsearch_pipeline.ledger import failures
from visualsearch_pipeline.ledger.database import Database
from visualsearch_pipeline.ledger.schema import archive, contents, coverage, items, transcriptions, uploads, videos
from visualsearch_pipeline.ledger.schema_sources import url_uploads
from visualsearch_pipeline.ledger.states import ArchiveState, UploadState, VideoOrigin, VideoState


class Replacing:
    """The part of the ledger that lets another library entry take the place of one that is gone."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def forget_answers(self, video_no: str) -> None:
        """Let everything be asked again about an entry, should it come back before it is replaced."""
        with self._database.writing() as connection:
            connection.execute(sa.delete(coverage).where(coverage.c.video_no == video_no))
            connection.execute(sa.delete(transcriptions).where(transcriptions.c.video_no == video_no))

    def queue_again(self, video_no: str, *, at: datetime) -> bool:
        """Mark a missing entry as replaced, and queue its content as if it had never been sent.

        Returns:
            False if the entry is not missing (any more), or was imported and so cannot be had alone: then nothing was
            changed.
        """
        with self._database.writing() as connection:
            found = connection.execute(
                sa.select(videos.c.sha256, videos.c.state, videos.c.origin, videos.c.uri).where(
                    videos.c.video_no == video_no
                )
            ).one()
            if found.state is not VideoState.MISSING or found.origin is VideoOrigin.IMPORT:
                return False
            connection.execute(
                sa.update(videos).where(videos.c.video_no == video_no).values(state=VideoState.REPLACED, polled_at=at)
            )
            for table in (uploads, url_uploads):
                connection.execute(
                    sa.update(table)
                    .where(table.c.video_no == video_no)
                    .values(
                        state=UploadState.PENDING,
                        video_no=None,
                        uploaded_at=None,
                        intended_at=None,
                        adopted=False,
                        reason=None,
                        lease_owner=None,
                        lease_expires_at=None,
                    )
                )
            # What was not fetched from it never will be.
            lost = sa.and_(archive.c.video_no == video_no, archive.c.state != ArchiveState.ARCHIVED)
            for object_key in connection.scalars(sa.select(archive.c.object_key).where(lost)).all():
                failures.resolve_in(connection, subject=object_key, at=at, steps=("archive",))
            connection.execute(sa.delete(archive).where(lost))
            subjects = sa.select(contents.c.uri).where(contents.c.sha256 == found.sha256)
            for uri in (*connection.scalars(subjects).all(), *([found.uri] if found.uri else [])):
                failures.resolve_in(connection, subject=uri, at=at, steps=("videos",))
            return True

    def redate(self, sha256: str, *, day: date) -> bool:
        """Give a content that was never sent the day that its library entry says it was first seen on.

        Returns:
            False if a call was made for it already, or it has that day: then nothing was changed.
        """
        with self._database.writing() as connection:
            upload = connection.execute(
                sa.select(uploads.c.day, uploads.c.attempts, uploads.c.state).where(uploads.c.sha256 == sha256)
            ).one()
            if upload.day == day or upload.attempts or upload.state is not UploadState.PENDING:
                return False
            for table in (contents, uploads, items):
                connection.execute(sa.update(table).where(table.c.sha256 == sha256).values(day=day))
            return True
