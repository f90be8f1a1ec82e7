"""Which question has been asked about which private image."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

import sqlalchemy as sa

from visualsearch_pipeline.ledger.database import Database, columns_of, read_all, upsert_all
from visualsearch_pipeline.ledger.schema_images import image_coverage, images
from visualsearch_pipeline.ledger.searches import Coverage, Question
from visualsearch_pipeline.ledger.states import UploadState


@dataclass(frozen=True, kw_only=True)
class LibraryImage:
    """An image of ours in the library; `batch` is the hash of the first image of the request that sent it."""

    image_id: str
    sha256: str
    day: date
    uri: str
    name: str
    upload_name: str
    batch: str | None
    captured_at: datetime | None
    camera_model: str | None
    latitude: float | None
    longitude: float | None


@dataclass(frozen=True, kw_only=True)
class CoveredImage:
    """One (query version, image) pair that has been answered; `hits` is 1 if it was found."""

    query_set: str
    query_id: str
    query_version: str
    image_id: str
    day: date
    hits: int
    truncated: bool


_COLUMNS = columns_of(images, LibraryImage)


class ImageSearches:
    """The part of the ledger that knows what was asked about private images."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def searchable(self, *, uploaded_before: datetime) -> tuple[LibraryImage, ...]:
        """The images that were uploaded by some moment, newest day first."""
        with self._database.reading() as connection:
            return read_all(connection, _newest_first(_ready(uploaded_before)), LibraryImage)

    def count_waiting(self, *, uploaded_before: datetime) -> int:
        """How many images are in the library and were uploaded after that moment."""
        waiting = sa.select(sa.func.count()).select_from(images)
        with self._database.reading() as connection:
            found = waiting.where(images.c.state == UploadState.UPLOADED, images.c.uploaded_at > uploaded_before)
            return connection.scalar(found) or 0

    def unanswered(
        self, question: Question, *, uploaded_before: datetime, days: Sequence[date] | None = None
    ) -> tuple[LibraryImage, ...]:
        """The images that a question has no answer for, newest day first."""
        select = _ready(uploaded_before).where(images.c.image_id.not_in(_answered(question)))
        if days is not None:
            select = select.where(images.c.day.in_(days))
        with self._database.reading() as connection:
            return read_all(connection, _newest_first(select), LibraryImage)

    def unanswered_days(self, questions: Iterable[Question], *, uploaded_before: datetime) -> tuple[date, ...]:
        """The days with images that lack an answer to any of the questions, oldest first."""
        days: set[date] = set()
        with self._database.reading() as connection:
            for question in questions:
                select = _ready(uploaded_before).where(images.c.image_id.not_in(_answered(question)))
                days.update(connection.scalars(select.with_only_columns(images.c.day).distinct()))
        return tuple(sorted(days))

    def count_by_day(self, *, uploaded_before: datetime) -> Mapping[date, int]:
        """How many searchable images each day has."""
        select = _ready(uploaded_before).with_only_columns(images.c.day, sa.func.count()).group_by(images.c.day)
        with self._database.reading() as connection:
            return {row[0]: row[1] for row in connection.execute(select)}

    def coverage_of(self, query_set: str) -> tuple[Coverage, ...]:
        """How far each version of each query of a set got; `Coverage.videos` counts images here."""
        of_version = (image_coverage.c.query_id, image_coverage.c.query_version)
        select = (
            sa.select(
                *of_version,
                sa.func.count().label("videos"),
                sa.func.sum(image_coverage.c.hits).label("hits"),
                sa.func.sum(sa.cast(image_coverage.c.truncated, sa.Integer)).label("truncated"),
                sa.func.max(image_coverage.c.searched_at).label("last_searched_at"),
            )
            .where(image_coverage.c.query_set == query_set)
            .group_by(*of_version)
        )
        with self._database.reading() as connection:
            return read_all(connection, select, Coverage)

    def forget(self, question: Question, *, days: Sequence[date]) -> None:
        """Let a question be asked again of the images of some days."""
        with self._database.writing() as connection:
            connection.execute(sa.delete(image_coverage).where(*_is_of(question), image_coverage.c.day.in_(days)))

    def forget_hits(self, query_set: str, *, day: date) -> int:
        """Let everything be asked again that found a day's images, in all versions; say how many pairs."""
        of_day = (image_coverage.c.query_set == query_set, image_coverage.c.day == day, image_coverage.c.hits > 0)
        with self._database.writing() as connection:
            return connection.execute(sa.delete(image_coverage).where(*of_day)).rowcount

    def record_coverage(self, pairs: Iterable[CoveredImage], *, run_id: str, at: datetime) -> None:
        """Commit answers. Called after their hits are safely in Parquet: this is the commit record."""
        rows = [vars(pair) | {"searched_at": at, "run_id": run_id} for pair in pairs]
        with self._database.writing() as connection:
            changed = ("day", "hits", "truncated", "searched_at", "run_id")
            upsert_all(connection, image_coverage, rows, update=changed)

    def recount(self, question: Question, *, day: date, found: Iterable[str]) -> None:
        """Correct which images of a day are still among the hits of a question, by `image_id`."""
        of_day = (*_is_of(question), image_coverage.c.day == day)
        with self._database.writing() as connection:
            connection.execute(sa.update(image_coverage).where(*of_day).values(hits=0))
            still = sa.update(image_coverage).where(*of_day, image_coverage.c.image_id.in_(list(found)))
            connection.execute(still.values(hits=1))


def _ready(uploaded_before: datetime) -> sa.Select[*tuple[object, ...]]:
    return sa.select(*_COLUMNS).where(
        images.c.state == UploadState.UPLOADED,
        images.c.image_id.is_not(None),
        images.c.uploaded_at <= uploaded_before,
    )


def _newest_first(select: sa.Select[*tuple[object, ...]]) -> sa.Select[*tuple[object, ...]]:
    return select.order_by(images.c.day.desc(), images.c.image_id)


def _answered(question: Question) -> sa.Select[str]:
    return sa.select(image_coverage.c.image_id).where(*_is_of(question))


def _is_of(question: Question) -> tuple[sa.ColumnElement[bool], ...]:
    return (
        image_coverage.c.query_set == question.query_set,
        image_coverage.c.query_id == question.query_id,
        image_coverage.c.query_version == question.query_version,
    )
