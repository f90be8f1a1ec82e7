"""The assets of the media lane: found, uploaded, indexed; and what lies outside of Dagster."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import date

import dagster as dg
import sqlalchemy as sa

from visualsearch_pipeline.ledger import ItemState, UploadState
from visualsearch_pipeline.ledger.schema import contents, items, uploads, videos
from visualsearch_pipeline.orchestration import checks
from visualsearch_pipeline.orchestration.day_asset import AT_ONCE, IN_PIECES, DayStep, StepOutcome, day_asset
from visualsearch_pipeline.orchestration.keys import GROUP, AssetKeys
from visualsearch_pipeline.orchestration.metadata import Metadata, column_schema, counts_of, row_count, states
from visualsearch_pipeline.orchestration.run_config import DayConfig, ItemsConfig
from visualsearch_pipeline.orchestration.steps import StepRunner
from visualsearch_pipeline.pipeline.index import poll
from visualsearch_pipeline.pipeline.ingest import ingest, look_at_source
from visualsearch_pipeline.pipeline.mended import wait_for_mended
from visualsearch_pipeline.pipeline.pipeline import Pipeline
from visualsearch_pipeline.pipeline.retry_failed import retry_failed
from visualsearch_pipeline.pipeline.upload import upload


def media_asset(runner: StepRunner, keys: AssetKeys) -> dg.AssetsDefinition:
    """The asset `media`: what lies in the source."""
    spec = dg.AssetSpec(
        keys.media,
        deps=[keys.source],
        group_name=GROUP,
        kinds={"python", "file"},
        description=(
            "The files of the source, probed and hashed before a byte is sent.\n\n"
            "- **Grain**: one media item.\n"
            "- **Partition**: the day fixed when the item was first seen.\n"
            "- **Cost**: none.\n"
            "- **When it fails**: what the service would refuse is set aside with its reason, and its day is not "
            "materialized. The other files of that day are queued all the same, and the sensors upload them.\n"
            "- **Run it again** for failed and missing days after mending or removing the file."
        ),
    )

    def look_into(step: DayStep[ItemsConfig]) -> StepOutcome:
        pipeline = step.pipeline
        source = look_at_source(pipeline)
        if wait_for_mended(pipeline, days=step.days):
            source = look_at_source(pipeline)
        if step.config.retry_failed:
            retry_failed(pipeline, "media", days=step.days)
        report = ingest(pipeline, days=step.days, max_items=step.config.max_items)
        by_day = _states_by_day(pipeline, items.c.day, items.c.state, step.days)
        return StepOutcome(
            metadata={**counts_of(report), "files_in_source": dg.MetadataValue.int(source.files)},
            by_day={day: {**row_count(sum(counts.values())), **states(counts)} for day, counts in by_day.items()},
            left=sum(counts.get(ItemState.FOUND, 0) for counts in by_day.values()),
        )

    return day_asset(
        runner, spec, look_into, config=ItemsConfig, backfill_policy=AT_ONCE, failure_steps=("media", "source")
    )


def uploads_asset(runner: StepRunner, keys: AssetKeys) -> dg.AssetsDefinition:
    """The asset `uploads`: contents sent, each once."""
    spec = dg.AssetSpec(
        keys.uploads,
        deps=[keys.media],
        group_name=GROUP,
        kinds={"python"},
        description=(
            "Each content is uploaded exactly once, whatever happens to the answer.\n\n"
            "- **Grain**: one content (SHA-256).\n"
            "- **Partition**: the day of the media item.\n"
            "- **Cost**: indexing, by the minute of video.\n"
            "- **When it fails**: a content that the service refused, or that could not be sent, leaves its day "
            "unmaterialized.\n"
            "- **Run it again** as often as you like: nothing is sent twice."
        ),
    )

    def send(step: DayStep[ItemsConfig]) -> StepOutcome:
        pipeline = step.pipeline
        if step.config.retry_failed:
            retry_failed(pipeline, "uploads", days=step.days)
        report = upload(pipeline, days=step.days, max_items=step.config.max_items)
        by_day = _states_by_day(pipeline, uploads.c.day, uploads.c.state, step.days)
        minutes = _minutes_by_day(pipeline, step.days)
        return StepOutcome(
            metadata=counts_of(report),
            by_day={
                day: {**row_count(sum(counts.values())), **states(counts), **_minutes(minutes.get(day, 0.0))}
                for day, counts in by_day.items()
            },
            left=len(pipeline.ledger.uploads.open(days=step.days)),
            check_results=[checks.judge_no_duplicate_uploads(keys.uploads, pipeline, step.days)],
        )

    return day_asset(
        runner,
        spec,
        send,
        config=ItemsConfig,
        backfill_policy=IN_PIECES,
        pool=keys.pool("upload"),
        check_specs=[checks.no_duplicate_uploads(keys.uploads)],
        failure_steps=("uploads",),
    )


def videos_asset(runner: StepRunner, keys: AssetKeys) -> dg.AssetsDefinition:
    """The asset `videos`: library entries and how far they are indexed.

    It tells what the service says, and has told it when it says "failed": an entry that failed makes no day bad, since
    what follows goes on with the others. `all_videos_terminal` warns.
    """
    spec = dg.AssetSpec(
        keys.videos,
        deps=[keys.uploads, keys.library],
        group_name=GROUP,
        kinds={"python"},
        metadata=column_schema("videos"),
        description=(
            "The library entries of a day and how far the service has indexed them.\n\n"
            "- **Grain**: one `video_no`.\n"
            "- **Partition**: the day of the media item.\n"
            "- **Cost**: none.\n"
            "- **When it fails**: only if the service cannot be asked. What failed or is stuck there is a warning.\n"
            "- It asks once and does not wait: the sensor `indexing` asks again. What follows starts from here."
        ),
    )

    def observe(step: DayStep[DayConfig]) -> StepOutcome:
        pipeline = step.pipeline
        poll(pipeline, days=step.days)
        by_day = _states_by_day(pipeline, videos.c.day, videos.c.state, step.days)
        total: Counter[str] = Counter()
        for counts in by_day.values():
            total.update(counts)
        return StepOutcome(
            by_day={day: {**row_count(sum(counts.values())), **states(counts)} for day, counts in by_day.items()},
            left=len(pipeline.ledger.videos.open(days=step.days)),
            warnings=pipeline.ledger.failures.unresolved(step="videos"),
            check_results=[checks.judge_all_videos_terminal(keys.videos, total)],
        )

    return day_asset(
        runner,
        spec,
        observe,
        config=DayConfig,
        backfill_policy=AT_ONCE,
        check_specs=[checks.all_videos_terminal(keys.videos)],
    )


def external_assets(runner: StepRunner, keys: AssetKeys) -> tuple[dg.AssetSpec, dg.AssetSpec]:
    """What lies outside: the footage where lineage begins, the service's library where it passes through."""
    settings = runner.settings
    places = "`, `".join(place for place in (settings.source.path, settings.source.urls) if place)
    source = dg.AssetSpec(
        keys.source,
        group_name=GROUP,
        kinds={"file"},
        description=f"The footage: `{places}`. Not made by Dagster; the sensor `new_media` watches it.",
    )
    library = dg.AssetSpec(
        keys.library,
        deps=[keys.uploads],
        group_name=GROUP,
        kinds={"api"},
        description=f"The library at `{settings.api.base_url}`. The service indexes in its own time.",
    )
    return source, library


def _minutes_by_day(pipeline: Pipeline, days: Sequence[date]) -> dict[object, float]:
    """How many minutes of video are in the library: what indexing is paid for."""
    seconds = sa.func.sum(contents.c.duration_seconds).label("seconds")
    select = sa.select(uploads.c.day, seconds).join(contents, contents.c.sha256 == uploads.c.sha256)
    done = select.where(uploads.c.state == UploadState.UPLOADED, uploads.c.day.in_(days)).group_by(uploads.c.day)
    return {row["day"]: float(str(row["seconds"] or 0)) / 60 for row in pipeline.ledger.rows(done)}


def _minutes(minutes: float) -> Metadata:
    return {"minutes_indexed": dg.MetadataValue.float(round(minutes, 3))}


def _states_by_day(
    pipeline: Pipeline, day: sa.ColumnElement[object], state: sa.ColumnElement[object], days: Sequence[date]
) -> dict[date, dict[str, int]]:
    counts: dict[date, dict[str, int]] = {day: {} for day in days}
    for (found_day, found_state), count in pipeline.ledger.count_by(day, state).items():
        if isinstance(found_day, date) and found_day in counts:
            counts[found_day][str(found_state)] = count
    return counts
