"""The asset `imports` and its sensor: what is imported from social platforms, started once a day and followed.

They are there if the settings name a file of imports.
"""

# Annotations are not deferred in this module: Dagster reads those of the functions it decorates.

from datetime import date
from typing import Final

import dagster as dg

from visualsearch_pipeline.api import VisualSearchError
from visualsearch_pipeline.ledger import ImportState, LedgerError
from visualsearch_pipeline.ledger.schema_sources import import_tasks, imported_videos
from visualsearch_pipeline.orchestration.cursors import SensorCursor, read_cursor
from visualsearch_pipeline.orchestration.day_asset import AT_ONCE, DayStep, StepOutcome, day_asset
from visualsearch_pipeline.orchestration.keys import GROUP, AssetKeys
from visualsearch_pipeline.orchestration.metadata import counts_of, row_count, states
from visualsearch_pipeline.orchestration.requests import DayWork, decide, run_requests
from visualsearch_pipeline.orchestration.run_config import DayConfig
from visualsearch_pipeline.orchestration.run_tags import days_under_way
from visualsearch_pipeline.orchestration.steps import StepRunner
from visualsearch_pipeline.pipeline.errors import PipelineError
from visualsearch_pipeline.pipeline.import_source import look_at_imports
from visualsearch_pipeline.pipeline.imports import run_imports, sense_imports
from visualsearch_pipeline.pipeline.pipeline import Pipeline, TimeBox

_LANE: Final = "imports"
_SENSE_SECONDS: Final = 30.0
"""Dagster gives a tick 60 s; one task is asked about a second (contract §2.5)."""


def imports_asset(runner: StepRunner, keys: AssetKeys) -> dg.AssetsDefinition:
    """The asset `imports`: tasks of the service that import posts, and the videos that they brought."""
    spec = dg.AssetSpec(
        keys.imports,
        group_name=GROUP,
        kinds={"python"},
        description=(
            "What the file of imports names, imported by the service from TikTok, YouTube and Instagram.\n\n"
            "- **Grain**: one video that an import brought.\n"
            "- **Partition**: the day on which the import was due.\n"
            "- **Cost**: by the video or the gigabyte, and indexing; estimated before, since nobody can look.\n"
            "- **When it fails**: an import whose answer was lost is undecided and not started again: the service "
            "lists no tasks. `visualsearch imports resolve` carries out what you decide.\n"
            "- **Run it again** as often as you like: an import of a day is started once."
        ),
    )

    def bring(step: DayStep[DayConfig]) -> StepOutcome:
        pipeline = step.pipeline
        look_at_imports(pipeline, now=pipeline.now())
        report = run_imports(pipeline, days=step.days)
        by_state = pipeline.ledger.count_by(import_tasks.c.day, import_tasks.c.state)
        brought = pipeline.ledger.count_by(imported_videos.c.day)
        return StepOutcome(
            metadata=counts_of(report),
            by_day={
                day: {
                    **row_count(brought.get((day,), 0)),
                    **states({str(state): count for (of_day, state), count in by_state.items() if of_day == day}),
                }
                for day in step.days
            },
            left=len(pipeline.ledger.imports.open(days=step.days))
            + len(pipeline.ledger.imports.in_state(ImportState.PENDING, days=step.days)),
        )

    return day_asset(runner, spec, bring, config=DayConfig, backfill_policy=AT_ONCE, failure_steps=("imports",))


def imports_sensor(runner: StepRunner, keys: AssetKeys) -> dg.SensorDefinition:
    """The sensor `imports`: asks what running imports have brought, and requests the days with imports to start."""
    name = keys.name("imports")

    @dg.sensor(
        name=name,
        required_resource_keys={runner.resource_key},
        asset_selection=dg.AssetSelection.assets(keys.imports),
        minimum_interval_seconds=60,
        description="Asks what running imports have brought. Requests the days with imports to start.",
    )
    def imports(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        cursor = read_cursor(context.cursor, sensor=name)
        try:
            with runner.pipeline(runner.api_of(context.resources), run_id="sensor:imports") as pipeline:
                now = pipeline.now()
                look_at_imports(pipeline, now=now)
                brought = sense_imports(pipeline, time_box=TimeBox.of(_SENSE_SECONDS))
                running = len(pipeline.ledger.imports.open())
                decision = decide(
                    _to_start(pipeline),
                    asked=cursor.asked.get(_LANE, {}),
                    under_way=days_under_way(context.instance, [keys.imports]),
                    now=now,
                )
        except (PipelineError, LedgerError, VisualSearchError) as error:
            raise dg.Failure(description=str(error)) from error
        left = SensorCursor(looked_at=now, asked={_LANE: decision.asked}).model_dump_json()
        requests = run_requests(decision, assets=[keys.imports], lane=_LANE, reason="imports are due", now=now)
        if requests:
            return dg.SensorResult(run_requests=requests, cursor=left)
        return dg.SensorResult(
            skip_reason=f"{running} imports running, which brought {brought} new videos; none to start now", cursor=left
        )

    return imports


def _to_start(pipeline: Pipeline) -> dict[date, DayWork]:
    due = pipeline.ledger.imports.in_state(ImportState.PENDING, ImportState.STARTING)
    return {day: DayWork(frozenset(task.entry_id for task in due if task.day == day)) for day in {t.day for t in due}}
