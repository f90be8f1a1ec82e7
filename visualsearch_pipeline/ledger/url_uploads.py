"""Videos that the service fetches from a URL: as with files, the intent is written before the call."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime

import sqlalchemy as sa

from visualsearch_pipeline.ledger import failures
from visualsearch_pipeline.ledger.database import Database, columns_of, read_all, upsert
from visualsearch_pipeline.ledger.leases import LEASE_DURATION, LeasedUpload, LeaseOwner, is_free
from visualsearch_pipeline.ledger.schema import videos
from visualsearch_pipeline.ledger.schema_sources import url_uploads
from visualsearch_pipeline.ledger.states import OPEN_UPLOADS, UploadState, VideoOrigin
from visualsearch_pipeline.ledger.videos import FetchedVideo, insert_fetched_in


@dataclass(frozen=True)
class UrlSighting:
    """One URL as a look at the list found it.

    Attributes:
        identity: SHA-256 of the URL without its signature.
        uri: The URL as it may be shown.
        name: What we call the video.
        day: Its partition.
        tags: Those that the list gives it.
        place: File and line.
        is_wanted: False if its day is before the first that counts.
        state: PENDING or REFUSED; None leaves the state of a known URL as it is.
        reason: Why it is not wanted, or refused.
    """

    identity: str
    uri: str
    name: str
    day: date
    tags: tuple[str, ...]
    place: str
    is_wanted: bool
    state: UploadState | None
    reason: str | None = None


@dataclass(frozen=True)
class UrlUpload(LeasedUpload):
    """The upload of one URL, at most one per URL for ever. `tags` are those of the list."""

    identity: str
    uri: str
    name: str
    day: date
    tags: Sequence[str]
    place: str
    is_wanted: bool
    attempts: int
    video_no: str | None
    reason: str | None


_COLUMNS = columns_of(url_uploads, UrlUpload)


class UrlUploads:
    """The part of the ledger that makes the service fetch a URL once."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def all_by_identity(self) -> dict[str, UrlUpload]:
        """Every URL ever seen, those that left the list included."""
        with self._database.reading() as connection:
            return {found.identity: found for found in read_all(connection, sa.select(*_COLUMNS), UrlUpload)}

    def record_sightings(self, sightings: Iterable[UrlSighting], *, gone: Sequence[str], seen_at: datetime) -> None:
        """Keep new and changed URLs, and those that left the list. The day of a known URL stays what it was.

        What is under way or done keeps its state, whatever the sighting says. One that left the list takes its failures
        along.
        """
        at_rest = url_uploads.c.state.in_((UploadState.PENDING, UploadState.REFUSED))
        with self._database.writing() as connection:
            for sighting in sightings:
                row = asdict(sighting) | {"tags": list(sighting.tags), "first_seen_at": seen_at, "attempts": 0}
                row |= {"state": sighting.state or UploadState.PENDING, "adopted": False}
                upsert(connection, url_uploads, row, update=("name", "tags", "place", "is_wanted"))
                if sighting.state is None:
                    continue
                values = {"state": sighting.state, "reason": sighting.reason}
                its = url_uploads.c.identity == sighting.identity
                connection.execute(sa.update(url_uploads).where(its, at_rest).values(values))
                if sighting.state is UploadState.REFUSED and sighting.is_wanted:
                    _fail(connection, sighting.uri, sighting.day, sighting.reason or "", retryable=False, at=seen_at)
                else:
                    failures.resolve_in(connection, subject=sighting.uri, at=seen_at, steps=("uploads",))
            for identity in gone:
                left = url_uploads.c.identity == identity
                connection.execute(sa.update(url_uploads).where(left).values(is_wanted=False))
                uri = connection.scalar(sa.select(url_uploads.c.uri).where(left))
                failures.resolve_in(connection, subject=str(uri), at=seen_at, steps=("uploads",))

    def open(self, *, days: Sequence[date] | None = None) -> tuple[UrlUpload, ...]:
        """What is not in the library and can be got there, oldest day first; and what may be there unanswered."""
        select = sa.select(*_COLUMNS).where(
            url_uploads.c.state.in_(OPEN_UPLOADS),
            sa.or_(url_uploads.c.state != UploadState.PENDING, url_uploads.c.is_wanted),
        )
        if days is not None:
            select = select.where(url_uploads.c.day.in_(days))
        with self._database.reading() as connection:
            return read_all(connection, select.order_by(url_uploads.c.day, url_uploads.c.uri), UrlUpload)

    def take(self, identity: str, *, owner: LeaseOwner, now: datetime) -> UrlUpload | None:
        """Lease one open upload; None if another process holds it or it is no longer open. As `Uploads.take`."""
        with self._database.writing() as connection:
            select = sa.select(*_COLUMNS).where(url_uploads.c.identity == identity)
            (found,) = read_all(connection, select, UrlUpload)
            if found.state not in OPEN_UPLOADS or not is_free(found.lease_owner, found.lease_expires_at, now=now):
                return None
            held = {"lease_owner": str(owner), "lease_expires_at": now + LEASE_DURATION}
            connection.execute(sa.update(url_uploads).where(url_uploads.c.identity == identity).values(held))
            return found

    def record_intent(self, identity: str, *, at: datetime) -> None:
        """Commit that a call is about to be made. The time of the first intent is kept until an answer is recorded."""
        with self._database.writing() as connection:
            connection.execute(
                sa.update(url_uploads)
                .where(url_uploads.c.identity == identity)
                .values(
                    state=UploadState.SENDING,
                    attempts=url_uploads.c.attempts + 1,
                    intended_at=sa.func.coalesce(url_uploads.c.intended_at, at),
                    attempted_at=at,
                )
            )

    def redate(self, identity: str, *, day: date) -> None:
        """Give a URL that was never sent the day that its library entry says it was first seen on."""
        never_sent = sa.and_(url_uploads.c.identity == identity, url_uploads.c.attempts == 0)
        with self._database.writing() as connection:
            connection.execute(sa.update(url_uploads).where(never_sent).values(day=day))

    def record_uploaded(
        self, identity: str, *, video_no: str, video_name: str | None, adopted: bool, at: datetime
    ) -> None:
        """Record the library entry that was made of the URL, and close the upload and its failures."""
        with self._database.writing() as connection:
            found = connection.execute(
                sa.select(url_uploads.c.uri, url_uploads.c.name, url_uploads.c.day).where(
                    url_uploads.c.identity == identity
                )
            ).one()
            values = {"state": UploadState.UPLOADED, "video_no": video_no, "uploaded_at": at, "adopted": adopted}
            values |= {"reason": None, "lease_owner": None, "lease_expires_at": None}
            connection.execute(sa.update(url_uploads).where(url_uploads.c.identity == identity).values(values))
            video = FetchedVideo(
                video_no=video_no,
                day=found.day,
                origin=VideoOrigin.URL,
                uri=found.uri,
                name=found.name,
                video_name=video_name,
            )
            insert_fetched_in(connection, [video], at=at)
            failures.resolve_in(connection, subject=found.uri, at=at, steps=("uploads",))

    def record_failed(self, identity: str, *, state: UploadState, reason: str, retryable: bool, at: datetime) -> None:
        """Let go of an upload that did not succeed, in the state that says what may have happened."""
        self.release(identity, state=state, reason=reason)
        with self._database.writing() as connection:
            found = connection.execute(
                sa.select(url_uploads.c.uri, url_uploads.c.day).where(url_uploads.c.identity == identity)
            ).one()
            _fail(connection, found.uri, found.day, reason, retryable=retryable, at=at)

    def release(self, identity: str, *, state: UploadState, reason: str | None = None) -> None:
        """Give a lease back without a result. PENDING says that no earlier call took effect."""
        values: dict[str, object] = {"state": state, "lease_owner": None, "lease_expires_at": None, "reason": reason}
        if state in (UploadState.PENDING, UploadState.REFUSED):
            values["intended_at"] = None
        with self._database.writing() as connection:
            connection.execute(sa.update(url_uploads).where(url_uploads.c.identity == identity).values(values))

    def queue_refused(self, *, days: Sequence[date]) -> int:
        """Let what the service refused on some days be sent once more; say how many. What we refused stays so."""
        refused = sa.and_(
            url_uploads.c.state == UploadState.REFUSED, url_uploads.c.attempts > 0, url_uploads.c.day.in_(days)
        )
        with self._database.writing() as connection:
            return connection.execute(sa.update(url_uploads).where(refused).values(state=UploadState.PENDING)).rowcount

    def claimed_video_nos(self) -> frozenset[str]:
        """The library entries that are bound to something of ours already."""
        with self._database.reading() as connection:
            return frozenset(connection.scalars(sa.select(videos.c.video_no)))


def _fail(connection: sa.Connection, uri: str, day: date, reason: str, *, retryable: bool, at: datetime) -> None:
    failures.record_in(connection, step="uploads", subject=uri, day=day, reason=reason, retryable=retryable, at=at)
