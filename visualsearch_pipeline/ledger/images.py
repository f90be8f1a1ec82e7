"""Private images: what lies in the source, and the upload of each content, at most one for ever.

The image library cannot be listed (contract §8), so that what is known of it is what is written here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime

import sqlalchemy as sa

from visualsearch_pipeline.ledger import failures
from visualsearch_pipeline.ledger.database import Database, columns_of, read_all, upsert
from visualsearch_pipeline.ledger.items import Item, Sighting
from visualsearch_pipeline.ledger.leases import LEASE_DURATION, LeasedUpload, LeaseOwner, is_free
from visualsearch_pipeline.ledger.schema_images import image_items, images
from visualsearch_pipeline.ledger.states import OPEN_UPLOADS, ItemState, UploadState

STEP = "images"
"""The step under which failures of images are kept."""


@dataclass(frozen=True, kw_only=True)
class ImageContent:
    """An image; identity is the SHA-256 of its bytes."""

    sha256: str
    day: date
    uri: str
    name: str
    size_bytes: int
    format: str
    width: int
    height: int
    captured_at: datetime | None
    camera_model: str | None
    latitude: float | None
    longitude: float | None
    upload_name: str


@dataclass(frozen=True, kw_only=True)
class ImageUpload(ImageContent, LeasedUpload):
    """The upload of one image.

    Attributes:
        batch_size: How many images the last request had that sent it; 0 while none did.
    """

    batch_size: int
    image_id: str | None


_ITEM_COLUMNS = columns_of(image_items, Item)
_COLUMNS = columns_of(images, ImageUpload)


class Images:
    """The part of the ledger that knows the images of the source and makes the upload of each happen once."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def items_by_uri(self) -> dict[str, Item]:
        """Every image file ever seen, those that are gone included."""
        with self._database.reading() as connection:
            return {item.uri: item for item in read_all(connection, sa.select(*_ITEM_COLUMNS), Item)}

    def record_sightings(self, sightings: Iterable[Sighting], *, gone: Sequence[str], seen_at: datetime) -> None:
        """Keep new and changed files; mark those that left the source. As `Items.record_sightings`."""
        with self._database.writing() as connection:
            for sighting in sightings:
                row = asdict(sighting) | {"first_seen_at": seen_at, "changed_at": seen_at, "sha256": None}
                kept = ("uri", "day", "first_seen_at")
                upsert(connection, image_items, row, update=tuple(name for name in row if name not in kept))
            for uri in gone:
                left = sa.update(image_items).where(image_items.c.uri == uri)
                connection.execute(left.values(state=ItemState.GONE, reason=None))
                failures.resolve_in(connection, subject=uri, at=seen_at, steps=(STEP,))

    def settle(self, uris: Iterable[str], *, state: ItemState = ItemState.FOUND, reason: str | None = None) -> None:
        """Move files on whose bytes hold still, or that the settings now include, or that are to be tried again."""
        with self._database.writing() as connection:
            for uri in uris:
                moved = sa.update(image_items).where(image_items.c.uri == uri)
                connection.execute(moved.values(state=state, reason=reason))

    def to_inspect(self, *, days: Sequence[date] | None = None) -> tuple[Item, ...]:
        """The files to be looked into, oldest day first: new ones, and refused ones whose reason may have passed."""
        passing = failures.open_subjects(STEP, retryable=True)
        select = sa.select(*_ITEM_COLUMNS).where(
            sa.or_(
                image_items.c.state == ItemState.FOUND,
                sa.and_(image_items.c.state == ItemState.REFUSED, image_items.c.uri.in_(passing)),
            )
        )
        if days is not None:
            select = select.where(image_items.c.day.in_(days))
        with self._database.reading() as connection:
            return read_all(connection, select.order_by(image_items.c.day, image_items.c.uri), Item)

    def count_settling(self) -> int:
        """How many files may still be being written."""
        settling = sa.select(sa.func.count()).select_from(image_items)
        with self._database.reading() as connection:
            return connection.scalar(settling.where(image_items.c.state == ItemState.SETTLING)) or 0

    def record_accepted(self, uri: str, *, content: ImageContent, at: datetime) -> bool:
        """Bind a file to its content and queue the content for upload; say whether the content is new."""
        with self._database.writing() as connection:
            is_new = connection.scalar(sa.select(images.c.sha256).where(images.c.sha256 == content.sha256)) is None
            if is_new:
                queued = {"state": UploadState.PENDING, "attempts": 0, "batch_size": 0, "first_seen_at": at}
                connection.execute(sa.insert(images).values(asdict(content) | queued))
            bound = sa.update(image_items).where(image_items.c.uri == uri)
            connection.execute(bound.values(state=ItemState.ACCEPTED, sha256=content.sha256, reason=None))
            failures.resolve_in(connection, subject=uri, at=at, steps=(STEP,))
            return is_new

    def record_refused(self, uri: str, *, reason: str, retryable: bool, at: datetime) -> None:
        """Set a file aside with its reason."""
        with self._database.writing() as connection:
            day = connection.scalar(sa.select(image_items.c.day).where(image_items.c.uri == uri))
            aside = sa.update(image_items).where(image_items.c.uri == uri)
            connection.execute(aside.values(state=ItemState.REFUSED, reason=reason, sha256=None))
            failures.record_in(connection, step=STEP, subject=uri, day=day, reason=reason, retryable=retryable, at=at)

    def open(self, *, days: Sequence[date] | None = None) -> tuple[ImageUpload, ...]:
        """What is not yet in the library and can be got there, oldest day first; see `Uploads.open`.

        A lost answer that nothing can decide any more is left to a person, and is not among them.
        """
        in_source = sa.select(image_items.c.sha256).where(image_items.c.state == ItemState.ACCEPTED)
        undecided = failures.open_subjects(STEP, retryable=False)
        select = sa.select(*_COLUMNS).where(
            images.c.state.in_(OPEN_UPLOADS),
            sa.or_(images.c.state != UploadState.PENDING, images.c.sha256.in_(in_source)),
            sa.or_(images.c.state != UploadState.UNCERTAIN, images.c.uri.not_in(undecided)),
        )
        if days is not None:
            select = select.where(images.c.day.in_(days))
        with self._database.reading() as connection:
            return read_all(connection, select.order_by(images.c.day, images.c.upload_name), ImageUpload)

    def uploaded(self) -> tuple[ImageUpload, ...]:
        """What is in the library, oldest day first."""
        select = sa.select(*_COLUMNS).where(images.c.state == UploadState.UPLOADED)
        with self._database.reading() as connection:
            return read_all(connection, select.order_by(images.c.day, images.c.upload_name), ImageUpload)

    def items_with(self, sha256: str) -> tuple[Item, ...]:
        """The files that hold this content now, the first seen first."""
        select = sa.select(*_ITEM_COLUMNS).where(
            image_items.c.sha256 == sha256, image_items.c.state == ItemState.ACCEPTED
        )
        with self._database.reading() as connection:
            return read_all(connection, select.order_by(image_items.c.first_seen_at, image_items.c.uri), Item)

    def take(self, sha256: str, *, owner: LeaseOwner, now: datetime) -> ImageUpload | None:
        """Lease one open upload; None if another process holds it or it is no longer open. See `Uploads.take`."""
        with self._database.writing() as connection:
            found = read_all(connection, sa.select(*_COLUMNS).where(images.c.sha256 == sha256), ImageUpload)
            if not found or found[0].state not in OPEN_UPLOADS:
                return None
            if not is_free(found[0].lease_owner, found[0].lease_expires_at, now=now):
                return None
            leased = sa.update(images).where(images.c.sha256 == sha256)
            connection.execute(leased.values(lease_owner=str(owner), lease_expires_at=now + LEASE_DURATION))
            return found[0]

    def record_intent(self, batch: Sequence[str], *, at: datetime) -> None:
        """Commit that one request is about to send these contents, by SHA-256."""
        with self._database.writing() as connection:
            connection.execute(
                sa.update(images)
                .where(images.c.sha256.in_(batch))
                .values(
                    state=UploadState.SENDING,
                    batch=batch[0],
                    batch_size=len(batch),
                    attempts=images.c.attempts + 1,
                    intended_at=sa.func.coalesce(images.c.intended_at, at),
                    attempted_at=at,
                )
            )

    def record_uploaded(self, image_ids: Mapping[str, str], *, adopted: bool, at: datetime) -> None:
        """Record the library's id of each content, by SHA-256, and close their failures."""
        with self._database.writing() as connection:
            for sha256, image_id in image_ids.items():
                connection.execute(
                    sa.update(images)
                    .where(images.c.sha256 == sha256)
                    .values(
                        state=UploadState.UPLOADED,
                        image_id=image_id,
                        uploaded_at=at,
                        adopted=adopted,
                        reason=None,
                        lease_owner=None,
                        lease_expires_at=None,
                    )
                )
                for uri in connection.scalars(sa.select(image_items.c.uri).where(image_items.c.sha256 == sha256)).all():
                    failures.resolve_in(connection, subject=uri, at=at, steps=(STEP,))

    def release(self, batch: Iterable[str], *, state: UploadState) -> None:
        """Give leases back without a result. PENDING says that no earlier call took effect."""
        values: dict[str, object] = {"state": state, "lease_owner": None, "lease_expires_at": None}
        if state is UploadState.PENDING:
            values["intended_at"] = None
        with self._database.writing() as connection:
            connection.execute(sa.update(images).where(images.c.sha256.in_(list(batch))).values(values))

    def record_failed(
        self, sha256: str, *, state: UploadState, reason: str, retryable: bool, uri: str, at: datetime
    ) -> None:
        """Let go of an upload that did not succeed, in the state that says what may have happened."""
        self.release([sha256], state=state)
        with self._database.writing() as connection:
            connection.execute(sa.update(images).where(images.c.sha256 == sha256).values(reason=reason))
            day = connection.scalar(sa.select(images.c.day).where(images.c.sha256 == sha256))
            failures.record_in(connection, step=STEP, subject=uri, day=day, reason=reason, retryable=retryable, at=at)

    def undecided(self) -> tuple[ImageUpload, ...]:
        """The uploads whose answer was lost and that nothing but a person can decide, oldest day first."""
        select = sa.select(*_COLUMNS).where(
            images.c.state == UploadState.UNCERTAIN,
            images.c.uri.in_(failures.open_subjects(STEP, retryable=False)),
        )
        with self._database.reading() as connection:
            return read_all(connection, select.order_by(images.c.day, images.c.upload_name), ImageUpload)

    def decide(
        self, image: ImageUpload, *, state: UploadState, image_id: str | None, reason: str | None, at: datetime
    ) -> bool:
        """Carry out what a person decided about an undecided upload.

        Args:
            image: The upload, as the person saw it.
            state: UPLOADED with the library's `image_id`; PENDING to send it again; REFUSED to leave it.
            image_id: The library's id of it.
            reason: Why it is left.
            at: When.

        Returns:
            False if it is not undecided any more.
        """
        values: dict[str, object] = {"state": state, "reason": reason, "lease_owner": None, "lease_expires_at": None}
        if state is UploadState.PENDING:
            values["intended_at"] = None
        if image_id is not None:
            values |= {"image_id": image_id, "uploaded_at": at, "adopted": True}
        with self._database.writing() as connection:
            unchanged = (images.c.sha256 == image.sha256, images.c.state == UploadState.UNCERTAIN)
            if not connection.execute(sa.update(images).where(*unchanged).values(values)).rowcount:
                return False
            failures.resolve_in(connection, subject=image.uri, at=at, steps=(STEP,))
            return True

    def claimed_image_ids(self) -> frozenset[str]:
        """The library's ids that contents of ours are bound to."""
        with self._database.reading() as connection:
            return frozenset(connection.scalars(sa.select(images.c.image_id).where(images.c.image_id.is_not(None))))
