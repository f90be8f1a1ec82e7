"""The assets of the media lane: found, uploaded, indexed, transcribed, archived, published."""

# Annotations are not deferred in this module: Dagster reads those of the functions it decorates.

from collections.abc import Iterator, Sequence
from datetime import date

import dagster as dg

from visualsearch_pipeline.ledger import Failure, TranscriptionKind
from visualsearch_pipeline.ledger.schema import items, videos
from visualsearch_pipeline.orchestration import checks
from visualsearch_pipeline.orchestration.keys import AssetKeys
from visualsearch_pipeline.orchestration.metadata import (
    column_schema,
    counts_of,
    failed_items,
    preview,
    row_count,
    states,
)
from visualsearch_pipeline.orchestration.partitions import daily_partitions, days_of
from visualsearch_pipeline.orchestration.resource import VisualSearchResource
from visualsearch_pipeline.orchestration.steps import StepRunner
from visualsearch_pipeline.pipeline.archive import archive as archive_days
from visualsearch_pipeline.pipeline.index import poll
from visualsearch_pipeline.pipeline.ingest import ingest, look_at_source
from visualsearch_pipeline.pipeline.pipeline import Pipeline
from visualsearch_pipeline.pipeline.publish import publish
from visualsearch_pipeline.pipeline.transcribe import transcribe
from visualsearch_pipeline.pipeline.upload import upload

GROUP = "visual_search"

_Results = Iterator[dg.MaterializeResult[object]]


def media_asset(runner: StepRunner, keys: AssetKeys) -> dg.AssetsDefinition:
    """The asset `media`: what lies in the source."""
    spec = dg.AssetSpec(
        keys.media,
        deps=[keys.source],
        group_name=GROUP,
        kinds={"python", "file"},
        description=(
            "The files of the source, probed and hashed before a byte is sent.\n\n"
            "**Grain** one media item. **Partition** the day fixed when the item was first seen. **Cost** none.\n\n"
            "What the service would refuse is set aside with its reason. Run it again after mending a file."
        ),
    )

    @dg.multi_asset(
        name=_name(keys.media),
        specs=[spec],
        partitions_def=daily_partitions(runner.settings),
        backfill_policy=dg.BackfillPolicy.single_run(),
        check_specs=[checks.nothing_set_aside(keys.media)],
    )
    def media(context: dg.AssetExecutionContext, visual_search: VisualSearchResource) -> _Results:
        days = days_of(context.partition_keys)
        with runner.open(context, visual_search) as pipeline:
            source = look_at_source(pipeline)
            report = ingest(pipeline, days=days)
            failures = _failures(pipeline, ("media", "source"), days)
            by_state = pipeline.ledger.count_by(items.c.day, items.c.state)
            yield dg.MaterializeResult(
                asset_key=keys.media,
                metadata={
                    **counts_of(report),
                    **states(_of_days(by_state, days)),
                    "files_in_source": dg.MetadataValue.int(source.files),
                    **failed_items(failures),
                },
                check_results=[checks.judge_nothing_set_aside(keys.media, failures)],
            )

    return media


def uploads_asset(runner: StepRunner, keys: AssetKeys) -> dg.AssetsDefinition:
    """The asset `uploads`: contents sent, each once."""
    spec = dg.AssetSpec(
        keys.uploads,
        deps=[keys.media],
        group_name=GROUP,
        kinds={"python"},
        description=(
            "Each content is uploaded exactly once, whatever happens to the answer.\n\n"
            "**Grain** one content (SHA-256). **Cost** indexing, by the minute. Running it again sends nothing twice."
        ),
    )

    @dg.multi_asset(
        name=_name(keys.uploads),
        specs=[spec],
        partitions_def=daily_partitions(runner.settings),
        backfill_policy=dg.BackfillPolicy.single_run(),
        check_specs=[checks.no_duplicate_uploads(keys.uploads)],
        pool="visual_search_upload",
    )
    def uploads(context: dg.AssetExecutionContext, visual_search: VisualSearchResource) -> _Results:
        days = days_of(context.partition_keys)
        with runner.open(context, visual_search) as pipeline:
            report = upload(pipeline, days=days)
            yield dg.MaterializeResult(
                asset_key=keys.uploads,
                metadata={**counts_of(report), **failed_items(_failures(pipeline, ("uploads",), days))},
                check_results=[checks.judge_no_duplicate_uploads(keys.uploads, pipeline, days)],
            )

    return uploads


def videos_asset(runner: StepRunner, keys: AssetKeys) -> dg.AssetsDefinition:
    """The asset `videos`: library entries and how far they are indexed."""
    spec = dg.AssetSpec(
        keys.videos,
        deps=[keys.uploads, keys.library],
        group_name=GROUP,
        kinds={"python"},
        metadata=column_schema("videos"),
        description=(
            "The library entries of a day and how far the service has indexed them.\n\n"
            "**Grain** one `video_no`. **Cost** none. It asks once and does not wait: the sensor `indexing` asks again."
        ),
    )

    @dg.multi_asset(
        name=_name(keys.videos),
        specs=[spec],
        partitions_def=daily_partitions(runner.settings),
        backfill_policy=dg.BackfillPolicy.single_run(),
        check_specs=[checks.all_videos_terminal(keys.videos)],
    )
    def library_videos(context: dg.AssetExecutionContext, visual_search: VisualSearchResource) -> _Results:
        days = days_of(context.partition_keys)
        with runner.open(context, visual_search) as pipeline:
            poll(pipeline, days=days)
            by_state = _of_days(pipeline.ledger.count_by(videos.c.day, videos.c.state), days)
            yield dg.MaterializeResult(
                asset_key=keys.videos,
                metadata={
                    **row_count(sum(by_state.values())),
                    **states(by_state),
                    **failed_items(_failures(pipeline, ("videos",), days)),
                },
                check_results=[checks.judge_all_videos_terminal(keys.videos, by_state)],
            )

    return library_videos


def transcription_asset(runner: StepRunner, keys: AssetKeys, kind: TranscriptionKind) -> dg.AssetsDefinition:
    """The assets `transcripts` and `captions`: what is said, and what is seen."""
    key = keys.transcripts if kind == "transcripts" else keys.captions
    what = "What is said in each video" if kind == "transcripts" else "What the service says each video shows"
    spec = dg.AssetSpec(
        key,
        deps=[keys.videos],
        group_name=GROUP,
        kinds={"python", "parquet"},
        metadata=column_schema(kind),
        description=(
            f"{what}, by segment.\n\n**Grain** one segment. **Cost** one search per video. "
            "A video is asked about once; running it again asks nothing."
        ),
    )

    @dg.multi_asset(
        name=_name(key),
        specs=[spec],
        partitions_def=daily_partitions(runner.settings),
        backfill_policy=dg.BackfillPolicy.single_run(),
        pool="visual_search_search",
    )
    def transcription(context: dg.AssetExecutionContext, visual_search: VisualSearchResource) -> _Results:
        days = days_of(context.partition_keys)
        with runner.open(context, visual_search) as pipeline:
            report = transcribe(pipeline, kind, days=days)
            tables = [pipeline.store.read_day(kind, day) for day in days]
            yield dg.MaterializeResult(
                asset_key=key,
                metadata={
                    **counts_of(report),
                    **row_count(sum(table.num_rows for table in tables)),
                    **preview(tables[-1], ("media_uri", "start_seconds", "end_seconds", "text")),
                    **failed_items(_failures(pipeline, (kind,), days)),
                },
            )

    return transcription


def archive_asset(runner: StepRunner, keys: AssetKeys, *, hits: Sequence[dg.AssetKey]) -> dg.AssetsDefinition:
    """The asset `archive`: originals and keyframes, proven whole."""
    spec = dg.AssetSpec(
        keys.archive,
        deps=[keys.videos, *hits],
        group_name=GROUP,
        kinds={"python", "file"},
        metadata=column_schema("archive"),
        description=(
            "The originals by `video_no` and the keyframes of hits, each downloaded, hashed and compared.\n\n"
            "**Grain** one file. **Cost** by the gigabyte. What is there and proven is not fetched again."
        ),
    )

    @dg.multi_asset(
        name=_name(keys.archive),
        specs=[spec],
        partitions_def=daily_partitions(runner.settings),
        backfill_policy=dg.BackfillPolicy.single_run(),
        pool="visual_search_download",
    )
    def archive(context: dg.AssetExecutionContext, visual_search: VisualSearchResource) -> _Results:
        days = days_of(context.partition_keys)
        with runner.open(context, visual_search) as pipeline:
            report = archive_days(pipeline, days=days)
            yield dg.MaterializeResult(
                asset_key=keys.archive,
                metadata={**counts_of(report), **failed_items(_failures(pipeline, ("archive",), days))},
            )

    return archive


def warehouse_asset(runner: StepRunner, keys: AssetKeys, *, hits: Sequence[dg.AssetKey]) -> dg.AssetsDefinition:
    """The asset `warehouse`: all tables in one DuckDB file."""
    # What stands above these reaches the tables through the ledger; naming it again would only blur the graph.
    upstream = (keys.transcripts, keys.captions, keys.archive, *hits)
    spec = dg.AssetSpec(
        keys.warehouse,
        deps=[dg.AssetDep(key, partition_mapping=dg.AllPartitionMapping()) for key in upstream],
        group_name=GROUP,
        kinds={"duckdb", "parquet"},
        description=(
            f"All tables in one read-only DuckDB file: `{runner.settings.database_path}`.\n\n"
            "Built aside and swapped in, so that nobody who reads is ever locked out. **Cost** none."
        ),
    )

    @dg.multi_asset(name=_name(keys.warehouse), specs=[spec])
    def warehouse(context: dg.AssetExecutionContext, visual_search: VisualSearchResource) -> _Results:
        with runner.open(context, visual_search) as pipeline:
            publication = publish(pipeline)
            yield dg.MaterializeResult(
                asset_key=keys.warehouse,
                metadata={
                    "database": dg.MetadataValue.path(str(publication.database_path)),
                    "changed": dg.MetadataValue.bool(publication.changed),
                    "size_bytes": dg.MetadataValue.int(publication.size_bytes),
                    "dagster/row_count": dg.MetadataValue.int(publication.row_counts["hits"]),
                    **{f"{name}_rows": dg.MetadataValue.int(rows) for name, rows in publication.row_counts.items()},
                },
            )

    return warehouse


def external_assets(runner: StepRunner, keys: AssetKeys) -> tuple[dg.AssetSpec, dg.AssetSpec]:
    """What lies outside: the footage where lineage begins, the service's library where it passes through."""
    settings = runner.settings
    source = dg.AssetSpec(
        keys.source,
        group_name=GROUP,
        kinds={"file"},
        description=f"The footage: `{settings.source.path}`. Not made by Dagster; the sensor `new_media` watches it.",
    )
    library = dg.AssetSpec(
        keys.library,
        deps=[keys.uploads],
        group_name=GROUP,
        kinds={"api"},
        description=f"The library at `{settings.api.base_url}`. The service indexes in its own time.",
    )
    return source, library


def _name(key: dg.AssetKey) -> str:
    """The name of an asset's op: unique in a project, as the key is."""
    return "__".join(key.path)


def _of_days(counts: dict[tuple[object, ...], int], days: Sequence[date]) -> dict[str, int]:
    by_state: dict[str, int] = {}
    for (day, state), count in counts.items():
        if day in days:
            by_state[str(state)] = by_state.get(str(state), 0) + count
    return by_state


def _failures(pipeline: Pipeline, steps: Sequence[str], days: Sequence[date]) -> list[Failure]:
    return [
        failure
        for step in steps
        for failure in pipeline.ledger.failures.unresolved(step=step)
        if failure.day is None or failure.day in days
    ]
