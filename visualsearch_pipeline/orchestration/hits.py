"""One asset per query set: `hits/<query set>`."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import date, timedelta

import dagster as dg
import pyarrow as pa

from visualsearch_pipeline.ledger import Failure
from visualsearch_pipeline.orchestration import checks
from visualsearch_pipeline.orchestration.automation import after_each_update
from visualsearch_pipeline.orchestration.day_asset import ASKED_TOGETHER, DayStep, StepOutcome, day_asset
from visualsearch_pipeline.orchestration.keys import GROUP, AssetKeys
from visualsearch_pipeline.orchestration.metadata import (
    Metadata,
    column_lineage,
    column_schema,
    counts_of,
    markdown_table,
    preview,
    row_count,
)
from visualsearch_pipeline.orchestration.run_config import HitsConfig
from visualsearch_pipeline.orchestration.steps import StepRunner
from visualsearch_pipeline.pipeline.image_search import (
    ImageSearchReport,
    image_questions,
    search_images,
    searchable_before,
)
from visualsearch_pipeline.pipeline.pipeline import Pipeline
from visualsearch_pipeline.pipeline.public_search import (
    PublicSearchReport,
    day_of_asking,
    public_questions,
    search_public,
)
from visualsearch_pipeline.pipeline.search import questions_of, register_queries, search
from visualsearch_pipeline.queries import BrokenQuerySet, QuerySet, asks, kind_of, query_version
from visualsearch_pipeline.settings import Settings

_FRESHNESS_WARNS_AT = 0.75
_FROM_VIDEOS = {
    "video_no": "video_no",
    "day": "day",
    "media_uri": "media_uri",
    "video_name": "video_name",
    "video_bucket": "bucket",
    "video_blob": "blob",
}
_PREVIEWED = ("query_id", "media_uri", "start_seconds", "end_seconds", "score", "text")


def hits_asset(runner: StepRunner, keys: AssetKeys, query_set: QuerySet | BrokenQuerySet) -> dg.AssetsDefinition:
    """The asset of one query set. A set whose file is broken has one too, which fails with what is wrong.

    A query that could not be asked makes those days bad that lack its answer; what the others found is kept.
    """
    name = query_set.name
    key = keys.hits(name)
    asks_images = isinstance(query_set, QuerySet) and query_set.image_library_queries
    images = [keys.images] if asks_images and runner.settings.source.image_include else []
    spec = dg.AssetSpec(
        key,
        deps=[keys.videos, *images],
        group_name=GROUP,
        kinds={"python", "parquet"},
        owners=[query_set.owner] if isinstance(query_set, QuerySet) and query_set.owner else [],
        metadata=column_schema("hits"),
        # A set that asks something else leaves what was found before unsynced, until it has been asked.
        code_version=_version(query_set),
        # Images are searched some time after they were sent, when `indexing` asks for `videos` of their day.
        automation_condition=None if _is_scheduled(query_set) else after_each_update(except_of=images),
        freshness_policy=_freshness(runner.settings, query_set),
        description=_description(query_set),
    )

    def ask(step: DayStep[HitsConfig]) -> StepOutcome:
        pipeline, config = step.pipeline, step.config
        current = _current(pipeline, name)
        _refuse_unknown(current, config.queries)
        register_queries(pipeline, pipeline.catalog)
        chosen = config.queries or None
        image_report, public = ImageSearchReport(), PublicSearchReport()
        allowed = config.max_calls
        report = search(pipeline, current, days=step.days, query_ids=chosen, force=config.force, max_calls=allowed)
        allowed = _left(allowed, report.calls)
        # With no call left nothing is begun: `force` would forget what cannot be asked.
        if allowed != 0:
            image_report = search_images(
                pipeline, current, days=step.days, query_ids=chosen, force=config.force, max_calls=allowed
            )
        allowed = _left(allowed, image_report.calls)
        if allowed != 0:
            public = search_public(
                pipeline, current, days=step.days, query_ids=chosen, force=config.force, max_calls=allowed
            )
        by_day = {day: pipeline.store.read_hits(name, day) for day in step.days}
        found = pa.concat_tables(by_day.values())
        unanswered = _unanswered_days(pipeline, current, config.queries, step.days)
        all_failed = (*report.failed, *image_report.failed, *public.failed)
        failed = {query_id for query_id, _ in all_failed}
        return StepOutcome(
            metadata={
                **counts_of(report),
                "calls_saved": dg.MetadataValue.int(report.calls_saved),
                "search_seconds": dg.MetadataValue.float(round(report.seconds, 3)),
                **column_lineage({name: [(keys.videos, column)] for name, column in _FROM_VIDEOS.items()}),
                **_of_other_libraries(current, image_report, public),
                **_failed_queries(all_failed),
            },
            by_day={
                day: {**row_count(table.num_rows), **preview(table, _PREVIEWED, order_by="score")}
                for day, table in by_day.items()
            },
            left=sum(len(days) for query_id, days in unanswered.items() if query_id not in failed),
            failures=_failures(pipeline, name, {query_id: unanswered.get(query_id, ()) for query_id in failed}),
            check_results=checks.judge_hits(key, found, pipeline, truncated=report.truncated),
        )

    return day_asset(
        runner,
        spec,
        ask,
        config=HitsConfig,
        backfill_policy=ASKED_TOGETHER,
        pool=keys.pool("search"),
        is_exclusive=True,
        check_specs=checks.hits_checks(key),
    )


def _left(allowed: int | None, made: int) -> int | None:
    """How many calls may still be made."""
    return None if allowed is None else max(0, allowed - made)


def _unanswered_days(
    pipeline: Pipeline, query_set: QuerySet, chosen: Collection[str], days: Sequence[date]
) -> dict[str, tuple[date, ...]]:
    """Per query that was to be asked, the days of this run on which a ready video still lacks its answer."""
    unanswered: dict[str, tuple[date, ...]] = {}
    for query, question in questions_of(query_set):
        if not chosen or query.id in chosen:
            pending = set(pipeline.ledger.searches.unanswered_days([question]))
            unanswered[query.id] = tuple(day for day in days if day in pending)
    before, today = searchable_before(pipeline), day_of_asking(pipeline)
    for image_query, question in image_questions(query_set):
        if not chosen or image_query.id in chosen:
            pending = set(pipeline.ledger.image_searches.unanswered_days([question], uploaded_before=before))
            unanswered[image_query.id] = tuple(day for day in days if day in pending)
    for public_query, question in public_questions(query_set):
        if not chosen or public_query.id in chosen:
            is_open = today in days and not pipeline.ledger.public_searches.is_answered(question, day=today)
            unanswered[public_query.id] = (today,) if is_open else ()
    return unanswered


def _of_other_libraries(query_set: QuerySet, images: ImageSearchReport, public: PublicSearchReport) -> Metadata:
    """What was asked about private images and of the public library, if the set asks any of it."""
    metadata: Metadata = {}
    if query_set.image_library_queries:
        counts = {"calls": images.calls, "pairs": images.pairs, "hits": images.hits, "truncated": images.truncated}
        metadata |= {f"image_{name}": dg.MetadataValue.int(count) for name, count in counts.items()}
    if query_set.public_queries:
        counts = {"calls": public.calls, "queries": public.queries, "hits": public.hits, "details": public.details}
        metadata |= {f"public_{name}": dg.MetadataValue.int(count) for name, count in counts.items()}
        if public.not_asked is not None:
            metadata["public_not_asked"] = dg.MetadataValue.text(public.not_asked)
    return metadata


def _failures(pipeline: Pipeline, query_set: str, days_by_query: Mapping[str, Sequence[date]]) -> list[Failure]:
    """The failure of each query on each day that lacks its answer: the ledger keeps it once, for no day."""
    by_subject = {failure.subject: failure for failure in pipeline.ledger.failures.unresolved(step="hits")}
    return [
        replace(by_subject[subject], day=day)
        for query_id, days in days_by_query.items()
        if (subject := f"{query_set}.{query_id}") in by_subject
        for day in days
    ]


def _freshness(settings: Settings, query_set: QuerySet | BrokenQuerySet) -> dg.FreshnessPolicy | None:
    """When the hits of a set that is asked as footage comes are stale; one with a schedule is as old as it says."""
    if settings.fresh_hours is None or _is_scheduled(query_set):
        return None
    fail_after = timedelta(hours=settings.fresh_hours)
    return dg.FreshnessPolicy.time_window(fail_window=fail_after, warn_window=fail_after * _FRESHNESS_WARNS_AT)


def _version(query_set: QuerySet | BrokenQuerySet) -> str | None:
    """What the set asks, whatever it is called and in whatever order; None of a broken one, which asks nothing."""
    if isinstance(query_set, BrokenQuerySet):
        return None
    versions = sorted(query_version(query) for query in query_set.queries)
    return hashlib.sha256("\n".join(versions).encode()).hexdigest()


def _is_scheduled(query_set: QuerySet | BrokenQuerySet) -> bool:
    """Whether the set is asked when its file says, and not as soon as there is something to ask."""
    return isinstance(query_set, QuerySet) and query_set.schedule is not None


def _current(pipeline: Pipeline, name: str) -> QuerySet:
    """The set as its file stands now, which may differ from when the definitions were loaded."""
    for broken in pipeline.catalog.broken:
        if broken.name == name:
            raise dg.Failure(description=f"The query set {name} cannot be read:\n{broken}", allow_retries=False)
    for query_set in pipeline.catalog.sets:
        if query_set.name == name:
            return query_set
    raise dg.Failure(
        description=f"{pipeline.settings.queries} has no query set {name} any more: reload the definitions.",
        allow_retries=False,
    )


def _refuse_unknown(query_set: QuerySet, chosen: list[str]) -> None:
    known = [query.id for query in query_set.queries]
    unknown = sorted(set(chosen) - set(known))
    if unknown:
        raise dg.Failure(
            description=f"The query set {query_set.name} has no query {unknown[0]!r}; it has: {', '.join(known)}.",
            allow_retries=False,
        )


def _failed_queries(failed: tuple[tuple[str, str], ...]) -> dict[str, dg.MetadataValue]:
    if not failed:
        return {}
    table = markdown_table(("query", "reason"), failed, wide="reason")
    return {"failed_queries": dg.MetadataValue.md(table)}


def _description(query_set: QuerySet | BrokenQuerySet) -> str:
    if isinstance(query_set, BrokenQuerySet):
        return f"**This query set cannot be read.**\n\n```\n{query_set}\n```"
    queries = markdown_table(
        ("query", "kind", "asks"), ((query.id, kind_of(query), asks(query)) for query in query_set.queries)
    )
    return (
        f"{query_set.description or 'Saved queries.'}\n\n{queries}\n\n"
        "- **Grain**: one hit.\n"
        "- **Partition**: the day of the media item.\n"
        "- **Cost**: one search per call; what was answered is not asked again.\n"
        "- **When it fails**: a query that could not be asked leaves the days unmaterialized that lack its answer; "
        "what the others found is kept.\n"
        "- **Run it again** for some queries only, or to ask again, with `queries` or `force` in the run's config; "
        "`max_calls` bounds what that costs."
    )
