"""The whole pipeline as Dagster definitions."""

from __future__ import annotations

import re
from collections.abc import Sequence

import dagster as dg

from visualsearch_pipeline.orchestration.assets import (
    archive_asset,
    external_assets,
    media_asset,
    transcription_asset,
    uploads_asset,
    videos_asset,
    warehouse_asset,
)
from visualsearch_pipeline.orchestration.hits import hits_asset
from visualsearch_pipeline.orchestration.keys import AssetKeys
from visualsearch_pipeline.orchestration.library_check import library_check_schedule
from visualsearch_pipeline.orchestration.resource import VisualSearchResource
from visualsearch_pipeline.orchestration.schedule import daily_schedule
from visualsearch_pipeline.orchestration.sensors import indexing_sensor, new_media_sensor
from visualsearch_pipeline.orchestration.steps import StepRunner
from visualsearch_pipeline.queries import load_query_sets
from visualsearch_pipeline.settings import Settings

_ASSET_NAME = re.compile(r"[A-Za-z0-9_]+")


def build_visual_search_defs(
    settings: Settings, *, prefix: Sequence[str] = (), runner: StepRunner | None = None
) -> dg.Definitions:
    """Build the assets, sensors, schedule and resource of one pipeline. Touches no network and opens no database.

    Args:
        settings: the settings; the query sets are those in its folder now.
        prefix: put before every asset key and name, so that several pipelines can live in one project.
        runner: opens the steps instead of one that reports to each run's log.

    Example:
        >>> from pathlib import Path
        >>> from visualsearch_pipeline.settings import Settings
        >>> defs = build_visual_search_defs(Settings(queries=Path("no-queries-yet")))
        >>> len(list(defs.resolve_all_asset_specs()))
        9
    """
    keys = AssetKeys(tuple(prefix))
    runner = runner or StepRunner(settings)
    files = load_query_sets(settings.queries).files
    query_sets = [query_set for query_set in files if _ASSET_NAME.fullmatch(query_set.name)]
    hits = [keys.hits(query_set.name) for query_set in query_sets]
    return dg.Definitions(
        assets=[
            *external_assets(runner, keys),
            media_asset(runner, keys),
            uploads_asset(runner, keys),
            videos_asset(runner, keys),
            *(hits_asset(runner, keys, query_set) for query_set in query_sets),
            transcription_asset(runner, keys, "transcripts"),
            transcription_asset(runner, keys, "captions"),
            archive_asset(runner, keys, hits=hits),
            warehouse_asset(runner, keys, hits=hits),
        ],
        sensors=[new_media_sensor(runner, keys), indexing_sensor(runner, keys, hits=hits)],
        schedules=[daily_schedule(runner, keys, hits=hits), library_check_schedule(runner, keys)],
        resources={"visual_search": VisualSearchResource.from_settings(settings)},
        # 0.1 s a step instead of 1.7 s in a process of its own; concurrency is inside the steps.
        executor=dg.in_process_executor,
    )
