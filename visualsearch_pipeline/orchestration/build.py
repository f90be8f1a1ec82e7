"""The whole pipeline as Dagster definitions."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import TypeAlias

import dagster as dg

from visualsearch_pipeline.orchestration.assets import (
    external_assets,
    media_asset,
    uploads_asset,
    videos_asset,
)
from visualsearch_pipeline.orchestration.automation import results_sensor
from visualsearch_pipeline.orchestration.done_days import done_days_sensor
from visualsearch_pipeline.orchestration.hits import hits_asset
from visualsearch_pipeline.orchestration.images import images_asset, images_sensor
from visualsearch_pipeline.orchestration.imports import imports_asset, imports_sensor
from visualsearch_pipeline.orchestration.keys import AssetKeys
from visualsearch_pipeline.orchestration.library_check import library_check_schedule
from visualsearch_pipeline.orchestration.publication import warehouse_asset
from visualsearch_pipeline.orchestration.query_set_schedules import query_set_schedules
from visualsearch_pipeline.orchestration.report_asset import report_asset
from visualsearch_pipeline.orchestration.resource import VisualSearchResource
from visualsearch_pipeline.orchestration.results import archive_asset, transcription_asset
from visualsearch_pipeline.orchestration.run_failures import run_failures_sensor
from visualsearch_pipeline.orchestration.schedule import daily_schedule
from visualsearch_pipeline.orchestration.sensors import indexing_sensor, new_media_sensor
from visualsearch_pipeline.orchestration.steps import ExecuteStep, StepRunner
from visualsearch_pipeline.queries import QuerySet, load_query_sets
from visualsearch_pipeline.settings import Settings

_ASSET_NAME = re.compile(r"[A-Za-z0-9_]+")

GetAssetSpec: TypeAlias = Callable[[dg.AssetSpec], dg.AssetSpec]


def build_visual_search_defs(
    settings: Settings,
    *,
    prefix: Sequence[str] = (),
    runner: StepRunner | None = None,
    get_asset_spec: GetAssetSpec | None = None,
    execute: ExecuteStep | None = None,
    executor: dg.ExecutorDefinition | None = dg.in_process_executor,
) -> dg.Definitions:
    """Build the assets, sensors, schedule and resource of one pipeline. Touches no network and opens no database.

    Args:
        settings: the settings; the query sets are those in its folder now.
        prefix: put before every asset key and name, so that several pipelines can live in one project. Letters, digits
            and `_`.
        runner: opens the steps instead of one that reports to each run's log.
        get_asset_spec: is given each asset's spec and returns the one to use, with another group, owners, tags and so
            on. It may not change the key or the partitions.
        execute: is done around each step instead of the step alone; see `VisualSearchComponent.execute`.
        executor: of the code location. In-process takes 0.1 s a step, where a process of its own takes 1.7 s, and
            concurrency is inside the steps. None leaves it to the definitions that these are merged with.

    Raises:
        ValueError: `prefix` cannot be a part of a name.
        dagster.DagsterInvalidDefinitionError: `get_asset_spec` changed what it may not.

    Example:
        >>> from pathlib import Path
        >>> from visualsearch_pipeline.settings import Settings
        >>> defs = build_visual_search_defs(Settings(queries=Path("no-queries-yet")))
        >>> len(list(defs.resolve_all_asset_specs()))
        10
    """
    keys = _keys_under(prefix)
    runner = replace(
        runner or StepRunner(settings),
        resource_key=keys.resource,
        execute=execute or (runner.execute if runner else None),
    )
    files = load_query_sets(settings.queries).files
    query_sets = [query_set for query_set in files if _ASSET_NAME.fullmatch(query_set.name)]
    hits = [keys.hits(query_set.name) for query_set in query_sets]
    results = [*hits, keys.transcripts, keys.captions, keys.archive]
    # Sets with a schedule are left to it, broken ones fail; imports that come due are paid for, and have their sensor.
    asked_any_time = [keys.hits(one.name) for one in query_sets if isinstance(one, QuerySet) and one.schedule is None]
    days_shown = [
        *(keys.media, keys.uploads),
        *([keys.images] if settings.source.image_include else []),
        *(keys.videos, *asked_any_time, keys.transcripts, keys.captions, keys.archive),
    ]
    assets: Sequence[dg.AssetsDefinition | dg.AssetSpec] = [
        *external_assets(runner, keys),
        media_asset(runner, keys),
        uploads_asset(runner, keys),
        *([imports_asset(runner, keys)] if settings.imports else []),
        *([images_asset(runner, keys)] if settings.source.image_include else []),
        videos_asset(runner, keys),
        *(hits_asset(runner, keys, query_set) for query_set in query_sets),
        transcription_asset(runner, keys, "transcripts"),
        transcription_asset(runner, keys, "captions"),
        archive_asset(runner, keys, hits=hits),
        warehouse_asset(runner, keys, hits=hits),
        report_asset(runner, keys),
    ]
    assets = list(dg.map_asset_specs(partial(_owned, settings), assets))
    return dg.Definitions(
        assets=dg.map_asset_specs(_checked(get_asset_spec), assets) if get_asset_spec else assets,
        sensors=[
            run_failures_sensor(runner, keys, assets=[spec.key for asset in assets for spec in _specs(asset)]),
            new_media_sensor(runner, keys),
            indexing_sensor(runner, keys, followers=results),
            results_sensor(keys, assets=[*results, keys.warehouse, keys.report], every_seconds=settings.sensor_seconds),
            done_days_sensor(runner, keys, assets=days_shown),
            *([imports_sensor(runner, keys)] if settings.imports else []),
            *([images_sensor(runner, keys)] if settings.source.image_include else []),
        ],
        schedules=[
            daily_schedule(runner, keys),
            library_check_schedule(runner, keys),
            *query_set_schedules(runner, keys, query_sets),
        ],
        resources={keys.resource: VisualSearchResource.from_settings(settings)},
        executor=executor,
    )


def _owned(settings: Settings, spec: dg.AssetSpec) -> dg.AssetSpec:
    """The same, kept by whoever keeps the pipeline if it names nobody itself."""
    return spec.replace_attributes(owners=[settings.owner]) if settings.owner and not spec.owners else spec


def _specs(asset: dg.AssetsDefinition | dg.AssetSpec) -> list[dg.AssetSpec]:
    return [asset] if isinstance(asset, dg.AssetSpec) else list(asset.specs)


def _keys_under(prefix: Sequence[str]) -> AssetKeys:
    for part in prefix:
        if not _ASSET_NAME.fullmatch(part):
            raise ValueError(
                f"the prefix {'/'.join(prefix)!r} cannot be a part of the names of sensors and jobs: {part!r} must be "
                "letters, digits and `_`; give several parts as a list"
            )
    return AssetKeys(tuple(prefix))


def _checked(get_asset_spec: GetAssetSpec) -> GetAssetSpec:
    """The same, but what the steps, sensors and checks were built for stays as it is."""

    def get(spec: dg.AssetSpec) -> dg.AssetSpec:
        changed = get_asset_spec(spec)
        if changed.key != spec.key:
            raise dg.DagsterInvalidDefinitionError(
                f"get_asset_spec renames {spec.key.to_user_string()} to {changed.key.to_user_string()}, which the "
                "sensors and checks would not find; use `prefix` to put something before all keys"
            )
        if changed.partitions_def != spec.partitions_def:
            raise dg.DagsterInvalidDefinitionError(
                f"get_asset_spec changes the partitions of {spec.key.to_user_string()}, which are the days of the "
                "ledger; they begin at `source.start_date`"
            )
        return changed

    return get
