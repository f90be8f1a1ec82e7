"""Asking the public library, once a day: it changes by itself and cannot be listed, so no answer holds for long.

Only the present day can be asked about. A backfill over past days makes no call: what the library held then, nobody
can tell any more.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime

import pyarrow as pa

from visualsearch_pipeline.api import ClipHit, FilteringLevel, Platform, SearchKind, VisualSearchError
from visualsearch_pipeline.api.limits import MAX_TOP_K
from visualsearch_pipeline.ledger import PublicAnswer, Question
from visualsearch_pipeline.pipeline.pipeline import Pipeline
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
    min_score_of,
    query_version,
    top_k_of,
)
from visualsearch_pipeline.warehouse import AskedQuery, merge_public_hits
from visualsearch_pipeline.warehouse.library_schemas import PUBLIC_HITS


@dataclass(frozen=True, kw_only=True)
class FoundPublic:
    """A match in the public library; `platform` is None for phrases, which are searched on all at once."""

    hit: ClipHit
    platform: PublicPlatform | None


@dataclass(frozen=True, kw_only=True)
class PublicFindings:
    """What one question came to.

    Attributes:
        found: Every match, as the service sent it.
        calls: Calls that it took.
        truncated: Whether the service may hold more matches that count.
    """

    found: tuple[FoundPublic, ...]
    calls: int
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
) -> PublicSearchReport:
    """Ask the public queries of a set that have no answer of today, and look up the videos that they find.

    Args:
        pipeline: The run.
        query_set: The set.
        days: The partitions; nothing is asked unless today is among them. All if None.
        query_ids: Only these queries of the set; all if None.
        force: Ask again what was answered today.

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
            if time_box.is_over and report.queries:
                break
            # Asked again means: of the service, not of what it said before.
            answered = _answer(pipeline, query, question, day=day, since=began_at if force else None)
            report = _added(report, query, answered)
            task.advance()
    return replace(report, details=fetch_public_details(pipeline))


def ask_public(pipeline: Pipeline, query: PublicQuery) -> PublicFindings:
    """Ask one question on each platform that it names.

    Raises:
        VisualSearchError: a call failed.
        BudgetExceeded: a call would pass a budget, and was not made.
    """
    found: list[FoundPublic] = []
    calls, truncated = 0, False
    platforms: tuple[PublicPlatform | None, ...] = (
        (None,) if isinstance(query, PublicTranscriptQuery) else query.platforms
    )
    for platform in platforms:
        what = f"Searching the public library for {asks(query)!r}"
        with pipeline.spending.reserving(what, cost_usd=pipeline.spending.search_usd):
            hits = _hits(pipeline, query, platform)
        calls += 1
        truncated = truncated or _is_full(query, hits)
        found += (FoundPublic(hit=hit, platform=platform) for hit in hits)
    return PublicFindings(found=tuple(found), calls=calls, truncated=truncated)


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


def _answer(
    pipeline: Pipeline, query: PublicQuery, question: Question, *, day: date, since: datetime | None
) -> PublicAnswer | str:
    """Answer one question for today, by a copy where it was asked elsewhere; the reason if it cannot be asked."""
    failures, subject = pipeline.ledger.failures, f"{question.query_set}.{question.query_id}"
    donor = pipeline.ledger.public_searches.donor(question, day=day, since=since)
    copied = _copied(pipeline, donor) if donor is not None else None
    if donor is not None and copied is not None:
        answer = _commit(pipeline, query, question, copied, day=day, truncated=donor.truncated, calls=0)
    else:
        try:
            findings = ask_public(pipeline, query)
        except VisualSearchError as error:
            stops = stopping_error(pipeline, error)
            if stops is not None:
                raise stops from error
            at = pipeline.now()
            failures.record("hits", subject=subject, day=None, reason=str(error), retryable=True, at=at)
            return str(error)
        rows = list(_rows(pipeline, query, findings.found))
        answer = _commit(pipeline, query, question, rows, day=day, truncated=findings.truncated, calls=findings.calls)
    failures.resolve(subject=subject, at=pipeline.now(), steps=("hits",))
    return answer


def _rows(pipeline: Pipeline, query: PublicQuery, found: Sequence[FoundPublic]) -> Iterator[dict[str, object]]:
    minimum = min_score_of(query)
    for match_ in found:
        hit = match_.hit
        if minimum is not None and hit.score is not None and hit.score < minimum:
            continue
        yield {
            "platform": match_.platform,
            "video_no": hit.video_no,
            "video_name": hit.video_name,
            "start_seconds": hit.start_seconds,
            "end_seconds": hit.end_seconds,
            "score": hit.score,
            "text": hit.text,
            "keyframe_bucket": hit.keyframe_bucket,
            "keyframe_blob": hit.keyframe_blob,
            "video_bucket": hit.video_bucket,
            "video_blob": hit.video_blob,
            "asked_at": pipeline.now(),
        }


def _copied(pipeline: Pipeline, donor: PublicAnswer) -> list[dict[str, object]] | None:
    """The rows of an answer that stand in the tables; None if they are not all there any more."""
    table = pipeline.store.read_part(PUBLIC_HITS.name, query_set=donor.query_set, day=donor.day)
    named = (donor.query_id, donor.query_version)
    rows = [row for row in table.to_pylist() if (row["query_id"], row["query_version"]) == named]
    return rows if len(rows) == donor.hits else None


def _commit(
    pipeline: Pipeline,
    query: PublicQuery,
    question: Question,
    rows: Sequence[dict[str, object]],
    *,
    day: date,
    truncated: bool,
    calls: int,
) -> PublicAnswer:
    """Hits to Parquet, the videos to be looked up, and the answer last: it is the commit record."""
    named = {"query_set": question.query_set, "query_id": question.query_id, "query_version": question.query_version}
    own = [{**row, **named, "day": day, "run_id": pipeline.run_id} for row in rows]
    unranked = pa.schema([column for column in PUBLIC_HITS.arrow_schema if column.name != "rank"])
    found = pa.Table.from_pylist(own, schema=unranked)
    top_k, version = top_k_of(query), (question.query_id, question.query_version)
    with pipeline.locked(f"{PUBLIC_HITS.name}-{question.query_set}-{day.isoformat()}"):
        merged = merge_public_hits(
            pipeline.store.read_part(PUBLIC_HITS.name, query_set=question.query_set, day=day),
            found,
            asked=[AskedQuery(*version)],
            top_k={version: top_k} if top_k is not None else {},
        )
        pipeline.store.write_part(PUBLIC_HITS.name, merged, query_set=question.query_set, day=day)
        kept = [row for row in merged.to_pylist() if (row["query_id"], row["query_version"]) == version]
        searches = pipeline.ledger.public_searches
        searches.want_details({row["video_no"]: row["platform"] for row in kept}, day=day)
        answer = PublicAnswer(**named, day=day, hits=len(kept), truncated=truncated, calls=calls)
        searches.record_answer(answer, run_id=pipeline.run_id, at=pipeline.now())
    return answer


def _added(report: PublicSearchReport, query: PublicQuery, answered: PublicAnswer | str) -> PublicSearchReport:
    if isinstance(answered, str):
        return replace(report, failed=(*report.failed, (query.id, answered)))
    return replace(
        report,
        calls=report.calls + answered.calls,
        queries=report.queries + 1,
        hits=report.hits + answered.hits,
        truncated=report.truncated + answered.truncated,
    )
