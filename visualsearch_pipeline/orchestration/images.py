"""The asset `images` and its sensor: images of the source, sent to the library of private images.

They are there if `source.image_include` names any.
"""

# Annotations are not deferred in this module: Dagster reads those of the functions it decorates.

from collections.abc import Mapping
from datetime import date

import dagster as dg

from visualsearch_pipeline.ledger import LedgerError
from visualsearch_pipeline.ledger.images import STEP
from visualsearch_pipeline.ledger.schema_images import images as image_table
from visualsearch_pipeline.orchestration.day_asset import AT_ONCE, DayStep, StepOutcome, day_asset
from visualsearch_pipeline.orchestration.keys import GROUP, AssetKeys
from visualsearch_pipeline.orchestration.metadata import column_schema, counts_of, row_count, states
from visualsearch_pipeline.orchestration.run_config import DayConfig
from visualsearch_pipeline.orchestration.run_tags import REASON_TAG, days_under_way
from visualsearch_pipeline.orchestration.sensors import RETRY_SECONDS
from visualsearch_pipeline.orchestration.steps import StepRunner
from visualsearch_pipeline.pipeline.errors import PipelineError
from visualsearch_pipeline.pipeline.image_source import look_at_images
from visualsearch_pipeline.pipeline.images import pending_image_days, send_images, waiting_images
from visualsearch_pipeline.pipeline.pipeline import Pipeline


def images_asset(runner: StepRunner, keys: AssetKeys) -> dg.AssetsDefinition:
    """The asset `images`: found, decoded, hashed and sent, each content once."""
    spec = dg.AssetSpec(
        keys.images,
        deps=[keys.source],
        group_name=GROUP,
        kinds={"python", "file"},
        metadata=column_schema("images"),
        description=(
            "The images of the source, decoded and hashed, then sent to the library of private images.\n\n"
            "- **Grain**: one image (SHA-256).\n"
            "- **Partition**: the day fixed when the image was first seen.\n"
            "- **Cost**: none; a search for each image whose answer was lost.\n"
            "- **When it fails**: what the service would refuse is set aside with its reason. The image library cannot "
            "be listed: where a lost answer cannot be decided, a failure says so and the image is not sent again.\n"
            "- **Run it again** as often as you like: nothing is sent twice."
        ),
    )

    def send(step: DayStep[DayConfig]) -> StepOutcome:
        pipeline = step.pipeline
        look_at_images(pipeline)
        report = send_images(pipeline, days=step.days)
        return StepOutcome(
            metadata={**counts_of(report.ingested), **counts_of(report.uploads)},
            by_day={
                day: {**row_count(sum(of_day.values())), **states(of_day)} for day, of_day in _by_day(step).items()
            },
            left=len(pipeline.ledger.images.open(days=step.days)),
        )

    return day_asset(runner, spec, send, config=DayConfig, backfill_policy=AT_ONCE, failure_steps=(STEP,))


def images_sensor(runner: StepRunner, keys: AssetKeys) -> dg.SensorDefinition:
    """The sensor `images`: looks at the source's images, and requests the days with some to look into or to send."""

    @dg.sensor(
        name=keys.name("images"),
        required_resource_keys={runner.resource_key},
        asset_selection=dg.AssetSelection.assets(keys.images),
        minimum_interval_seconds=60,
        description="Looks at the source's images. Requests the days with images to look into or to send.",
    )
    def images(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        try:
            with runner.pipeline(runner.api_of(context.resources), run_id="sensor:images") as pipeline:
                found = look_at_images(pipeline)
                waiting = waiting_images(pipeline)
                requests = _requests(context, pipeline, keys)
        except (PipelineError, LedgerError) as error:
            raise dg.Failure(description=str(error)) from error
        if requests:
            return dg.SensorResult(run_requests=requests)
        return dg.SensorResult(
            skip_reason=(
                f"{found} images in the source, {waiting} of them waiting; nothing to send that was not asked for in "
                f"the last {RETRY_SECONDS // 60} minutes."
            )
        )

    return images


def _requests(context: dg.SensorEvaluationContext, pipeline: Pipeline, keys: AssetKeys) -> list[dg.RunRequest]:
    """One run per day with images to look into or to send, unless one is under way or was asked for lately."""
    busy = days_under_way(context.instance, [keys.images])
    window = int(pipeline.now().timestamp()) // RETRY_SECONDS
    images = pipeline.ledger.images
    waiting = [item.day for item in images.to_inspect()] + [image.day for image in images.open()]
    return [
        dg.RunRequest(
            run_key=f"images:{day.isoformat()}:{waiting.count(day)}:{window}",
            partition_key=day.isoformat(),
            tags={REASON_TAG: f"{waiting.count(day)} images to send"},
        )
        for day in pending_image_days(pipeline)
        if day not in busy
    ]


def _by_day(step: DayStep[DayConfig]) -> Mapping[date, dict[str, int]]:
    counted = step.pipeline.ledger.count_by(image_table.c.day, image_table.c.state)
    return {
        day: {str(state): count for (of_day, state), count in counted.items() if of_day == day} for day in step.days
    }
