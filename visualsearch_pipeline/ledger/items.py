"""Media items: what lies in the source, and what it contains."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime

import sqlalchemy as sa

from visualsearch_pipeline.ledger import failures
from visualsearch_pipeline.ledger.database import Database, columns_of, read_all, upsert
from visualsearch_pipeline.ledger.schema import contents, items, uploads
from visualsearch_pipeline.ledger.states import ItemState, UploadState


@dataclass(frozen=True)
class Sighting:
    """One media item as a look at the source found it. `state` is SETTLING, FOUND or SKIPPED."""

    uri: str
    name: str
    day: date
    state: ItemState
    size_bytes: int
    modified_at: datetime | None
    etag: str | None
    reason: str | None = None


@dataclass(frozen=True)
class Item:
    """A media item as the ledger has it."""

    uri: str
    name: str
    day: date
    state: ItemState
    reason: str | None
    size_bytes: int
    modified_at: datetime | None
    etag: str | None
    sha256: str | None
    changed_at: datetime


@dataclass(frozen=True)
class Content:
    """What is in one or more media items; identity is the SHA-256 of the bytes."""

    sha256: str
    day: date
    uri: str
    name: str
    size_bytes: int
    container: str | None = None
    video_codec: str | None = None
    duration_seconds: float | None = None
    width: int | None = None
    height: int | None = None
    fps: float | None = None
    has_audio: bool | None = None
    captured_at: datetime | None = None
    camera_model: str | None = None
    latitude: float | None = None
    longitude: float | None = None


_ITEM_COLUMNS = columns_of(items, Item)


class Items:
    """The part of the ledger that knows the source."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def all_by_uri(self) -> dict[str, Item]:
        """Every item ever seen, those that are gone included."""
        with self._database.reading() as connection:
            return {item.uri: item for item in read_all(connection, sa.select(*_ITEM_COLUMNS), Item)}

    def record_sightings(self, sightings: Iterable[Sighting], *, gone: Sequence[str], seen_at: datetime) -> None:
        """Keep new and changed items; mark those that left the source.

        Only what differs from the ledger needs to be given: an unchanged item needs no row. The day of a known item
        stays what it was. An item that left the source takes its failures with it.
        """
        with self._database.writing() as connection:
            for sighting in sightings:
                row = asdict(sighting) | {"first_seen_at": seen_at, "changed_at": seen_at, "sha256": None}
                kept = ("uri", "day", "first_seen_at")
                upsert(connection, items, row, update=tuple(name for name in row if name not in kept))
            for uri in gone:
                connection.execute(sa.update(items).where(items.c.uri == uri).values(state=ItemState.GONE, reason=None))
                failures.resolve_in(connection, subject=uri, at=seen_at)

    def settle(self, uris: Iterable[str], *, state: ItemState = ItemState.FOUND, reason: str | None = None) -> None:
        """Move items on whose bytes hold still, or that the settings now include, or that are to be tried again."""
        with self._database.writing() as connection:
            for uri in uris:
                connection.execute(sa.update(items).where(items.c.uri == uri).values(state=state, reason=reason))

    def in_state(self, *states: ItemState, days: Sequence[date] | None = None) -> tuple[Item, ...]:
        """The items in any of `states`, oldest day first; of `days` only, if given."""
        select = sa.select(*_ITEM_COLUMNS).where(items.c.state.in_(states)).order_by(items.c.day, items.c.uri)
        if days is not None:
            select = select.where(items.c.day.in_(days))
        with self._database.reading() as connection:
            return read_all(connection, select, Item)

    def record_accepted(self, uri: str, *, content: Content, upload_name: str, at: datetime) -> bool:
        """Bind an item to its content and queue the content for upload, once per content.

        Returns:
            Whether the content is new to the ledger; False for a second item with the same bytes.
        """
        with self._database.writing() as connection:
            is_new = connection.scalar(sa.select(contents.c.sha256).filter_by(sha256=content.sha256)) is None
            if is_new:
                connection.execute(sa.insert(contents).values(asdict(content) | {"first_seen_at": at}))
                upload = {"sha256": content.sha256, "day": content.day, "upload_name": upload_name}
                connection.execute(sa.insert(uploads).values(upload | {"state": UploadState.PENDING, "attempts": 0}))
            connection.execute(
                sa.update(items)
                .where(items.c.uri == uri)
                .values(state=ItemState.ACCEPTED, sha256=content.sha256, inspected_at=at, reason=None)
            )
            failures.resolve_in(connection, subject=uri, at=at)
            return is_new

    def record_refused(self, uri: str, *, reason: str, retryable: bool, at: datetime) -> None:
        """Set an item aside with its reason."""
        with self._database.writing() as connection:
            day = connection.scalar(sa.select(items.c.day).where(items.c.uri == uri))
            connection.execute(
                sa.update(items)
                .where(items.c.uri == uri)
                .values(state=ItemState.REFUSED, reason=reason, inspected_at=at, sha256=None)
            )
            failures.record_in(
                connection, step="media", subject=uri, day=day, reason=reason, retryable=retryable, at=at
            )

    def refused_for_a_passing_reason(self, *, days: Sequence[date] | None = None) -> tuple[Item, ...]:
        """Refused items that may be readable the next time (permissions, a broken disk) with the same bytes."""
        retryable = failures.open_subjects("media", retryable=True)
        select = (
            sa.select(*_ITEM_COLUMNS)
            .where(items.c.state == ItemState.REFUSED, items.c.uri.in_(retryable))
            .order_by(items.c.day, items.c.uri)
        )
        if days is not None:
            select = select.where(items.c.day.in_(days))
        with self._database.reading() as connection:
            return read_all(connection, select, Item)

    def content(self, sha256: str) -> Content:
        """One content. Raises `KeyError` if there is none."""
        with self._database.reading() as connection:
            select = sa.select(*columns_of(contents, Content)).where(contents.c.sha256 == sha256)
            found = read_all(connection, select, Content)
        if not found:
            raise KeyError(sha256)
        return found[0]

    def items_with(self, sha256: str) -> tuple[Item, ...]:
        """The items that hold this content now, the first seen first."""
        select = (
            sa.select(*_ITEM_COLUMNS)
            .where(items.c.sha256 == sha256, items.c.state == ItemState.ACCEPTED)
            .order_by(items.c.first_seen_at, items.c.uri)
        )
        with self._database.reading() as connection:
            return read_all(connection, select, Item)
