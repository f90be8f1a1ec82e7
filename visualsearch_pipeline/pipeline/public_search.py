"""Asking the public library, once a day: it changes by itself and cannot be listed, so no answer holds for long.

Only the present day can be asked about. A backfill over past days makes no call: what the library held then, nobody
can tell any more.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime

from visualsearch_pipeline.api import ClipHit, FilteringLevel, Platform, SearchKind, VisualSearchError
from visualsearch_pipeline.api.limits import MAX_TOP_K
from visualsearch_pipeline.ledger import PublicAnswer, Question
from visualsearch_pipeline.pipeline.pipeline import Pipeline
from visualsearch_pipeline.pipeline.public_answers import PublicAnswers
from visualsearch_pipeline.pipeline.public_details import fetch_public_details
from visualsearch_pipeline.pipeline.stopping import stopping_error
from visualsearch_pipeline.queries import (
    PublicImageQuery,
    PublicPlatform,
    PublicQuery,
    PublicTextQuery,
    PublicTranscriptQuery,
    QuerySet,
    asks,
    query_version,
)


@dataclass(frozen=True, kw_only=True)
class PublicFindings:
    """What one question came to.

    Attributes:
        found: Every match, as the service sent it.
        truncated: Whether the service may hold more matches that count.
    """

    found: tuple[ClipHit, ...]
    truncated: bool


@dataclass(frozen=True)
class PublicSearchReport:
    """What a query set's run asked of the public library.

    Attributes:
        calls: Calls that were answered; pages of a phrase search count once.
        queries: Queries that got their answer of the day, the copied ones included.
        hits: Rows written.
        truncated: Queries of which the service may hold more hits than it can return.
        details: Public videos that were looked up.
        not_asked: Why queries of the set were not asked, although they have no answer; None if all were.
        failed: Queries that could not be asked, by id, with the reason.
    """

    calls: int = 0
    queries: int = 0
    hits: int = 0
    truncated: int = 0
    details: int = 0
    not_asked: str | None = None
    failed: tuple[tuple[str, str], ...] = ()


def public_questions(query_set: QuerySet) -> tuple[tuple[PublicQuery, Question], ...]:
    """Every query of a set about the public library, as a question to the ledger."""
    return tuple(
        (query, Question(query_set=query_set.name, query_id=query.id, query_version=query_version(query)))
        for query in query_set.public_queries
    )


def day_of_asking(pipeline: Pipeline) -> date:
    """The only day that the public library can be asked about: today's UTC date."""
    return pipeline.now().astimezone(UTC).date()


def unasked_today(pipeline: Pipeline, query_set: QuerySet) -> bool:
    """Whether a public query of the set has no answer of today yet."""
    day, searches = day_of_asking(pipeline), pipeline.ledger.public_searches
    return any(not searches.is_answered(question, day=day) for _, question in public_questions(query_set))


def search_public(
    pipeline: Pipeline,
    query_set: QuerySet,
    *,
    days: Sequence[date] | None = None,
    query_ids: Collection[str] | None = None,
    force: bool = False,
    max_calls: int | None = None,
) -> PublicSearchReport:
    """Ask the public queries of a set that have no answer of today, and look up the videos that they find.

    Args:
        pipeline: The run.
        query_set: The set.
        days: The partitions; nothing is asked unless today is among them. All if None.
        query_ids: Only these queries of the set; all if None.
        force: Ask again what was answered today.
        max_calls: Begin no query after so many calls; one that was begun is asked of all its platforms.

    Raises:
        ServiceRefuses: the service refuses every call. What was answered before is kept.
        ServiceUnreachable: no connection can be made. Likewise.
        BudgetExceeded: the next call would pass a budget. Likewise.
    """
    chosen = [pair for pair in public_questions(query_set) if query_ids is None or pair[0].id in query_ids]
    day, began_at = day_of_asking(pipeline), pipeline.now()
    if not chosen:
        return PublicSearchReport()
    if days is not None and day not in days:
        reason = f"the public library can be asked about the present day only ({day}): past days stay as they are"
        return PublicSearchReport(not_asked=reason)
    searches = pipeline.ledger.public_searches
    if force:
        for _, question in chosen:
            searches.forget(question, days=[day])
    waiting = [(query, question) for query, question in chosen if not searches.is_answered(question, day=day)]
    report, time_box = PublicSearchReport(), pipeline.time_box()
    title = f"searching the public library for {query_set.name}"
    with pipeline.progress.task(title, total=len(waiting), unit="queries") as task:
        for query, question in waiting:
            # A step that finds its time over still finishes something, or it would begin anew for ever.
            if (time_box.is_over and report.queries) or (max_calls is not None and report.calls >= max_calls):
                break
            # Asked again means: of the service, not of what it said before.
            asked = _answer(pipeline, query, question, day=day, since=began_at if force else None)
            report = _added(report, query, asked)
            task.advance()
    return replace(report, details=fetch_public_details(pipeline))


def ask_public(pipeline: Pipeline, query: PublicQuery) -> PublicFindings:
    """Ask one question on each platform that it names, and keep nothing.

    Raises:
        VisualSearchError: a call failed.
        BudgetExceeded: a call would pass a budget, and was not made.
    """
    found = [ask_platform(pipeline, query, platform) for platform in platforms_of(query)]
    return PublicFindings(
        found=tuple(hit for hits in found for hit in hits), truncated=any(_is_full(query, hits) for hits in found)
    )


def platforms_of(query: PublicQuery) -> tuple[PublicPlatform | None, ...]:
    """Where a question is asked, with a call for each; None for phrases, which are searched on all at once."""
    return (None,) if isinstance(query, PublicTranscriptQuery) else query.platforms


def unasked_platforms(pipeline: Pipeline, query: PublicQuery, question: Question) -> tuple[PublicPlatform | None, ...]:
    """Where a question has to be asked today still; those platforms that answered while others failed are left out."""
    day, searches = day_of_asking(pipeline), pipeline.ledger.public_searches
    if searches.is_answered(question, day=day):
        return ()
    answered = {answer.platform for answer in searches.platform_answers(question, day=day)}
    return tuple(platform for platform in platforms_of(query) if platform not in answered)


def ask_platform(pipeline: Pipeline, query: PublicQuery, platform: PublicPlatform | None) -> tuple[ClipHit, ...]:
    """Make one call, or for a phrase that of each of its pages.

    Raises:
        VisualSearchError: the call failed.
        BudgetExceeded: it would pass a budget, and was not made.
    """
    what = f"Searching the public library for {asks(query)!r}"
    with pipeline.spending.reserving(what, cost_usd=pipeline.spending.search_usd):
        return _hits(pipeline, query, platform)


def _hits(pipeline: Pipeline, query: PublicQuery, platform: PublicPlatform | None) -> tuple[ClipHit, ...]:
    client = pipeline.client
    match query, platform:
        case PublicTextQuery(), str():
            return client.search_public(
                query.text,
                kind=SearchKind(query.medium),
                top_k=MAX_TOP_K,
                platform=Platform(platform.upper()),
                filtering_level=FilteringLevel(query.filtering_level) if query.filtering_level else None,
            )
        case PublicImageQuery(), str():
            return client.search_public_similar_images(
                query.image.path, platform=Platform(platform.upper()), similarity=query.similarity
            )
        case PublicTranscriptQuery(), _:
            return tuple(client.iter_public_audio_transcripts(query.transcript))
        case _:
            raise TypeError(f"no call is known for {query} on {platform}")


def _is_full(query: PublicQuery, hits: Sequence[ClipHit]) -> bool:
    """Whether there may be more hits that count. There is nothing to split by: no id, no tag, no date (§2.12)."""
    if not isinstance(query, PublicTextQuery) or len(hits) < MAX_TOP_K or query.top_k is not None:
        return False
    scores = [hit.score for hit in hits if hit.score is not None]
    return query.min_score is None or not scores or min(scores) >= query.min_score


@dataclass(frozen=True, kw_only=True)
class _Asked:
    """What became of one question: its answer, or why it has none yet; and how many calls were answered now."""

    answer: PublicAnswer | None
    calls: int
    reason: str | None = None


def _answer(pipeline: Pipeline, query: PublicQuery, question: Question, *, day: date, since: datetime | None) -> _Asked:
    """Answer one question for today, by a copy where it was asked elsewhere.

    Each platform's answer is kept as it comes: what one has answered is not paid for again because another fails.
    """
    answers = PublicAnswers(pipeline, query, question, day=day)
    failures, subject = pipeline.ledger.failures, f"{question.query_set}.{question.query_id}"
    donor = pipeline.ledger.public_searches.donor(question, day=day, since=since)
    if donor is not None and (copied := answers.copy(donor)) is not None:
        failures.resolve(subject=subject, at=pipeline.now(), steps=("hits",))
        return _Asked(answer=copied, calls=0)
    calls, reasons = 0, []
    answers.forget_lost_platforms()
    for platform in unasked_platforms(pipeline, query, question):
        try:
            hits = ask_platform(pipeline, query, platform)
        except VisualSearchError as error:
            stops = stopping_error(pipeline, error)
            if stops is not None:
                raise stops from error
            reasons.append(f"on {platform}: {error}" if platform and len(platforms_of(query)) > 1 else str(error))
            continue
        calls += 1
        answers.keep(hits, platform, truncated=_is_full(query, hits))
    if reasons:
        reason = "; ".join(reasons)
        failures.record("hits", subject=subject, day=None, reason=reason, retryable=True, at=pipeline.now())
        return _Asked(answer=None, calls=calls, reason=reason)
    answer = answers.complete()
    failures.resolve(subject=subject, at=pipeline.now(), steps=("hits",))
    return _Asked(answer=answer, calls=calls)


def _added(report: PublicSearchReport, query: PublicQuery, asked: _Asked) -> PublicSearchReport:
    report = replace(report, calls=report.calls + asked.calls)
    if asked.answer is None:
        return replace(report, failed=(*report.failed, (query.id, asked.reason or "")))
    return replace(
        report,
        queries=report.queries + 1,
        hits=report.hits + asked.answer.hits,
        truncated=report.truncated + asked.answer.truncated,
    )
