"""One asset per query set: `hits/<query set>`."""

# Annotations are not deferred in this module: Dagster reads those of the functions it decorates.

from collections.abc import Iterator

import dagster as dg
import pyarrow as pa
from pydantic import Field

from visualsearch_pipeline.orchestration import checks
from visualsearch_pipeline.orchestration.assets import GROUP
from visualsearch_pipeline.orchestration.keys import AssetKeys
from visualsearch_pipeline.orchestration.metadata import (
    column_schema,
    counts_of,
    markdown_table,
    preview,
    row_count,
)
from visualsearch_pipeline.orchestration.partitions import daily_partitions, days_of
from visualsearch_pipeline.orchestration.resource import VisualSearchResource
from visualsearch_pipeline.orchestration.steps import StepRunner
from visualsearch_pipeline.pipeline.pipeline import Pipeline
from visualsearch_pipeline.pipeline.search import register_queries, search
from visualsearch_pipeline.queries import BrokenQuerySet, QuerySet, asks, kind_of

_PREVIEWED = ("query_id", "media_uri", "start_seconds", "end_seconds", "score", "text")


class HitsConfig(dg.Config):
    """What a run of a query set asks; everything that is new, if left alone."""

    queries: list[str] = Field([], description="Ids of the saved queries to ask. Empty: all of the set.")
    force: bool = Field(default=False, description="Ask again what was answered. Costs every call anew.")


def hits_asset(runner: StepRunner, keys: AssetKeys, query_set: QuerySet | BrokenQuerySet) -> dg.AssetsDefinition:
    """The asset of one query set. A set whose file is broken has one too, which fails with what is wrong."""
    name = query_set.name
    key = keys.hits(name)
    spec = dg.AssetSpec(
        key,
        deps=[keys.videos],
        group_name=GROUP,
        kinds={"python", "parquet"},
        owners=[query_set.owner] if isinstance(query_set, QuerySet) and query_set.owner else [],
        metadata=column_schema("hits"),
        description=_description(query_set),
    )

    @dg.multi_asset(
        name="__".join(key.path),
        specs=[spec],
        partitions_def=daily_partitions(runner.settings),
        backfill_policy=dg.BackfillPolicy.single_run(),
        check_specs=checks.hits_checks(key),
        pool="visual_search_search",
    )
    def hits(
        context: dg.AssetExecutionContext, config: HitsConfig, visual_search: VisualSearchResource
    ) -> Iterator[dg.MaterializeResult[object]]:
        days = days_of(context.partition_keys)
        with runner.open(context, visual_search) as pipeline:
            current = _current(pipeline, name)
            _refuse_unknown(current, config.queries)
            register_queries(pipeline, pipeline.catalog)
            report = search(pipeline, current, days=days, query_ids=config.queries or None, force=config.force)
            found = pa.concat_tables([pipeline.store.read_hits(name, day) for day in days])
            yield dg.MaterializeResult(
                asset_key=key,
                metadata={
                    **counts_of(report),
                    "calls_saved": dg.MetadataValue.int(report.calls_saved),
                    "cost_usd": dg.MetadataValue.float(round(report.cost_usd, 6)),
                    "search_seconds": dg.MetadataValue.float(round(report.seconds, 3)),
                    **row_count(found.num_rows),
                    **preview(
                        found,
                        ("query_id", "media_uri", "start_seconds", "end_seconds", "score", "text"),
                        order_by="score",
                    ),
                    **_failed_queries(report.failed),
                },
                check_results=checks.judge_hits(key, found, pipeline, truncated=report.truncated),
            )

    return hits


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
    return {"failed": dg.MetadataValue.int(len(failed)), "failed_queries": dg.MetadataValue.md(table)}


def _description(query_set: QuerySet | BrokenQuerySet) -> str:
    if isinstance(query_set, BrokenQuerySet):
        return f"**This query set cannot be read.**\n\n```\n{query_set}\n```"
    queries = markdown_table(
        ("query", "kind", "asks"), ((query.id, kind_of(query), asks(query)) for query in query_set.queries)
    )
    return (
        f"{query_set.description or 'Saved queries.'}\n\n{queries}\n\n"
        "**Grain** one hit. **Cost** one search per call; what was answered is not asked again. "
        "To run some queries only, or to ask again, set `queries` or `force` in the run's config."
    )
