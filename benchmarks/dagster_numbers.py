"""Dagster with 100,000 videos over 365 days: loading, sensors' ticks, a range run, each against bare Dagster.

Ticks and the run are measured in processor time: neither what else runs on the machine counts, nor the service, which
is a process of its own.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from statistics import median
from typing import Final, NamedTuple

import dagster as dg

from benchmarks._measuring import report, report_memory, seconds_of
from benchmarks._year import DAYS, ITEMS, OPEN_VIDEOS, Year, year
from visualsearch_pipeline.ledger.schema import api_calls, coverage
from visualsearch_pipeline.orchestration import VisualSearchResource, build_visual_search_defs
from visualsearch_pipeline.settings import API_KEY_VARIABLE, CONFIG_VARIABLE

MOST_LOAD_SECONDS: Final = 3.0
MOST_TICK_SECONDS: Final = 10.0
MOST_RUN_SECONDS: Final = 60.0
ROUNDS: Final = 5

LOAD = "from visualsearch_pipeline.definitions import defs; defs().get_repository_def().get_all_jobs()"


def main() -> None:
    with year() as made:
        print(f"(made {ITEMS:,} files over {DAYS} days, all of them in the ledger)")
        _loading(made)
        with dg.DagsterInstance.ephemeral() as instance:
            _new_media(made, instance)
            _indexing(made, instance)
            _range_run(made, instance)
    report_memory("sensors and run, in one process")


def _loading(made: Year) -> None:
    """Each in a process of its own, taking turns. Judged by processor time: what else runs is not ours."""
    environment = {**os.environ, CONFIG_VARIABLE: str(made.root / "visualsearch.yaml")}

    def start(code: str) -> tuple[float, float]:
        before = os.times()
        seconds = seconds_of(lambda: subprocess.run([sys.executable, "-c", code], env=environment, check=True))
        after = os.times()
        spent = after.children_user + after.children_system - before.children_user - before.children_system
        return seconds, spent

    ours, theirs = zip(*((start(LOAD), start("import dagster")) for _ in range(ROUNDS)), strict=True)
    for position, what in enumerate(("load the definitions, in a new process", "the same in processor time")):
        mine, bare = (median(times[position] for times in measured) for measured in (ours, theirs))
        report(what, ours=mine, theirs=bare, against="import dagster")
    assert mine < MOST_LOAD_SECONDS, f"loading took {mine:.1f} s of processor time"


class _Tick(NamedTuple):
    """What a sensor's tick took of the processor, and what came of it."""

    seconds: float
    requests: Sequence[dg.RunRequest]
    said: str


def _tick(made: Year, instance: dg.DagsterInstance, name: str) -> _Tick:
    definitions = build_visual_search_defs(made.settings)
    resource = VisualSearchResource.from_settings(made.settings).model_copy(
        update={"api_key": os.environ[API_KEY_VARIABLE]}
    )
    context = dg.build_sensor_context(instance=instance, definitions=definitions, resources={"visual_search": resource})
    sensor = definitions.resolve_sensor_def(name)
    with context:
        began_at = time.process_time()
        data = sensor.evaluate_tick(context)
        return _Tick(time.process_time() - began_at, data.run_requests or (), data.skip_message or "")


def _new_media(made: Year, instance: dg.DagsterInstance) -> None:
    tick = min((_tick(made, instance, "new_media") for _ in range(2)), key=lambda tick: tick.seconds)
    assert f"{ITEMS} files, 0 new" in tick.said, tick
    listed = _processor_seconds(lambda: [path.stat() for path in (made.root / "footage").rglob("*.mp4")])
    report("tick of new_media, nothing new", ours=tick.seconds, theirs=listed, against="find and stat")
    assert tick.seconds < MOST_TICK_SECONDS, f"the tick took {tick.seconds:.1f} s of processor time"


def _indexing(made: Year, instance: dg.DagsterInstance) -> None:
    tick = _tick(made, instance, "indexing")
    with made.pipeline() as pipeline:
        calls = len(pipeline.ledger.rows(api_calls.select().where(api_calls.c.run_id == "sensor:indexing")))
        reading = _processor_seconds(pipeline.ledger.videos.media_uris)
    print(f"{'':<46} {calls} calls for {OPEN_VIDEOS:,} open videos, {len(tick.requests)} runs requested")
    report("tick of indexing, 1 % open, a year to search", ours=tick.seconds, theirs=reading, against="read all videos")
    assert tick.seconds < MOST_TICK_SECONDS, f"the tick took {tick.seconds:.1f} s of processor time"


def _range_run(made: Year, instance: dg.DagsterInstance) -> None:
    first, last = made.days[0].isoformat(), made.days[-1].isoformat()
    range_tags = {"dagster/asset_partition_range_start": first, "dagster/asset_partition_range_end": last}
    job = build_visual_search_defs(made.settings).resolve_implicit_global_asset_job_def()
    quiet = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
    began_at = time.process_time()
    result = job.execute_in_process(
        instance=instance, asset_selection=[dg.AssetKey(["hits", "street"])], tags=range_tags, run_config=quiet
    )
    seconds = time.process_time() - began_at
    assert result.success
    with made.pipeline() as pipeline:
        calls = pipeline.ledger.rows(api_calls.select().where(api_calls.c.run_id == result.run_id))
        (covered,) = pipeline.ledger.count_by(coverage.c.query_id).values()
    events = len(instance.all_logs(result.run_id))
    print(f"{'':<46} {covered:,} videos searched by {len(calls)} calls, {events} events for {DAYS} days")
    report("a query set over the year", ours=seconds, theirs=_bare_runs(), against="empty runs")
    assert seconds < MOST_RUN_SECONDS, f"the run took {seconds:.1f} s besides its calls"


def _bare_runs() -> float:
    """What a year costs in Dagster alone if each day is a run: an empty asset, a tenth of the days, times ten."""
    first_day = "2026-01-01"

    @dg.asset(partitions_def=dg.DailyPartitionsDefinition(first_day, end_date="2027-01-01"))
    def nothing() -> None: ...

    days = max(1, DAYS // 10)
    keys = dg.DailyPartitionsDefinition(first_day, end_date="2027-01-01").get_partition_keys()[:days]
    quiet = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
    with dg.DagsterInstance.ephemeral() as instance:

        def all_days() -> None:
            for key in keys:
                dg.materialize([nothing], instance=instance, partition_key=key, run_config=quiet)

        return _processor_seconds(all_days) * DAYS / days


def _processor_seconds(call: Callable[[], object]) -> float:
    began_at = time.process_time()
    call()
    return time.process_time() - began_at
