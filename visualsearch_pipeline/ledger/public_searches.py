"""Which question was asked of the public library on which day, and what is known of the videos that were found."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime

import sqlalchemy as sa

from visualsearch_pipeline.ledger.database import Database, columns_of, read_all, upsert, upsert_all
from visualsearch_pipeline.ledger.schema_public import public_answers, public_platform_answers, public_videos
from visualsearch_pipeline.ledger.searches import Coverage, Question


@dataclass(frozen=True, kw_only=True)
class PublicAnswer:
    """What a question came to on one day."""

    query_set: str
    query_id: str
    query_version: str
    day: date
    hits: int
    truncated: bool
    calls: int


@dataclass(frozen=True, kw_only=True)
class PlatformAnswer:
    """What one platform came to, of a question that others did not answer yet."""

    platform: str
    hits: int
    truncated: bool


@dataclass(frozen=True, kw_only=True)
class PublicDetail:
    """What the service tells of a public video; everything but its number may be missing."""

    video_no: str
    video_name: str | None = None
    creator: str | None = None
    hashtags: str | None = None
    published: str | None = None
    duration_seconds: float | None = None
    like_count: int | None = None
    share_count: int | None = None
    comment_count: int | None = None
    view_count: int | None = None
    collect_count: int | None = None
    video_url: str | None = None


class PublicSearches:
    """The part of the ledger that knows what was asked of the public library."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def is_answered(self, question: Question, *, day: date) -> bool:
        """Whether a question was asked and answered on a day."""
        answered = sa.select(public_answers.c.day).where(*_is_of(question), public_answers.c.day == day)
        with self._database.reading() as connection:
            return connection.scalar(answered) is not None

    def donor(self, question: Question, *, day: date, since: datetime | None = None) -> PublicAnswer | None:
        """An answer that the same version was given under another id or in another set on that day.

        Args:
            question: The question.
            day: The day.
            since: Only an answer from this time on.
        """
        select = sa.select(*columns_of(public_answers, PublicAnswer)).where(
            public_answers.c.query_version == question.query_version,
            public_answers.c.day == day,
            sa.or_(public_answers.c.query_set != question.query_set, public_answers.c.query_id != question.query_id),
        )
        if since is not None:
            select = select.where(public_answers.c.asked_at >= since)
        newest = select.order_by(public_answers.c.asked_at.desc(), public_answers.c.query_set).limit(1)
        with self._database.reading() as connection:
            return next(iter(read_all(connection, newest, PublicAnswer)), None)

    def record_answer(self, answer: PublicAnswer, *, run_id: str, at: datetime) -> None:
        """Commit an answer. Called after its hits are safely in Parquet: this is the commit record."""
        row = asdict(answer) | {"asked_at": at, "run_id": run_id}
        question = Question(query_set=answer.query_set, query_id=answer.query_id, query_version=answer.query_version)
        parts = public_platform_answers
        with self._database.writing() as connection:
            upsert(connection, public_answers, row, update=("hits", "truncated", "calls", "asked_at", "run_id"))
            # What single platforms said is part of it now; of earlier days nothing can be added any more.
            connection.execute(sa.delete(parts).where(*_is_of(question, parts), parts.c.day <= answer.day))

    def platform_answers(self, question: Question, *, day: date) -> tuple[PlatformAnswer, ...]:
        """What single platforms said to a question that others did not answer yet on that day."""
        parts = public_platform_answers
        select = sa.select(*columns_of(parts, PlatformAnswer)).where(*_is_of(question, parts), parts.c.day == day)
        with self._database.reading() as connection:
            return read_all(connection, select.order_by(parts.c.platform), PlatformAnswer)

    def record_platform_answers(
        self, question: Question, answers: Iterable[PlatformAnswer], *, day: date, run_id: str, at: datetime
    ) -> None:
        """Commit what single platforms said, so that they are not asked again while others fail."""
        named = {
            "query_set": question.query_set,
            "query_id": question.query_id,
            "query_version": question.query_version,
            "day": day,
            "asked_at": at,
            "run_id": run_id,
        }
        with self._database.writing() as connection:
            for answer in answers:
                row = asdict(answer) | named
                upsert(connection, public_platform_answers, row, update=("hits", "truncated", "asked_at", "run_id"))

    def forget_platform_answers(self, question: Question, *, day: date) -> None:
        """Let every platform be asked again."""
        parts = public_platform_answers
        with self._database.writing() as connection:
            connection.execute(sa.delete(parts).where(*_is_of(question, parts), parts.c.day == day))

    def coverage_of(self, query_set: str) -> tuple[Coverage, ...]:
        """How often each version of each query of a set was asked; `Coverage.videos` counts days here."""
        of_version = (public_answers.c.query_id, public_answers.c.query_version)
        select = (
            sa.select(
                *of_version,
                sa.func.count().label("videos"),
                sa.func.sum(public_answers.c.hits).label("hits"),
                sa.func.sum(sa.cast(public_answers.c.truncated, sa.Integer)).label("truncated"),
                sa.func.max(public_answers.c.asked_at).label("last_searched_at"),
            )
            .where(public_answers.c.query_set == query_set)
            .group_by(*of_version)
        )
        with self._database.reading() as connection:
            return read_all(connection, select, Coverage)

    def want_details(self, platforms: Mapping[str, str | None], *, day: date) -> None:
        """Remember videos that were found, by `video_no` with their platform; those known already stay as they are."""
        with self._database.writing() as connection:
            known = set(
                connection.scalars(
                    sa.select(public_videos.c.video_no).where(public_videos.c.video_no.in_(list(platforms)))
                )
            )
            new = [
                {"video_no": number, "platform": platform, "day": day}
                for number, platform in platforms.items()
                if number not in known
            ]
            upsert_all(connection, public_videos, new, update=("day",))

    def without_detail(self) -> tuple[str, ...]:
        """The videos of which the service was not asked for a detail yet, newest first."""
        select = sa.select(public_videos.c.video_no).where(public_videos.c.is_known.is_(None))
        with self._database.reading() as connection:
            newest_first = select.order_by(public_videos.c.day.desc(), public_videos.c.video_no)
            return tuple(connection.scalars(newest_first))

    def record_detail(self, detail: PublicDetail, *, is_known: bool, at: datetime) -> None:
        """Keep what the service told; `is_known` is False where it knows no such video."""
        told = {name: value for name, value in asdict(detail).items() if name != "video_no" and value is not None}
        with self._database.writing() as connection:
            connection.execute(
                sa.update(public_videos)
                .where(public_videos.c.video_no == detail.video_no)
                .values(told | {"is_known": is_known, "fetched_at": at})
            )

    def forget_hits(self, query_set: str, *, day: date) -> int:
        """Let everything be asked again that had hits on a day, in all versions; say how many answers."""
        of_day = (public_answers.c.query_set == query_set, public_answers.c.day == day, public_answers.c.hits > 0)
        with self._database.writing() as connection:
            return connection.execute(sa.delete(public_answers).where(*of_day)).rowcount

    def forget(self, question: Question, *, days: Sequence[date]) -> None:
        """Let a question be asked again on days on which it was answered, by all platforms or by some."""
        with self._database.writing() as connection:
            for answers in (public_answers, public_platform_answers):
                of_days = (*_is_of(question, answers), answers.c.day.in_(days))
                connection.execute(sa.delete(answers).where(*of_days))


def _is_of(question: Question, answers: sa.Table = public_answers) -> tuple[sa.ColumnElement[bool], ...]:
    return (
        answers.c.query_set == question.query_set,
        answers.c.query_id == question.query_id,
        answers.c.query_version == question.query_version,
    )
