"""A query set with a schedule is asked when its file says, and by nobody else but a person."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import dagster as dg
import pytest
from dagster._core.definitions.schedule_definition import ScheduleExecutionData

from visualsearch_pipeline.orchestration.build import build_visual_search_defs
from visualsearch_pipeline.orchestration.resource import VisualSearchResource
from visualsearch_pipeline.pipeline.pending import PendingWork, pending_work
from visualsearch_pipeline.queries import load_query_sets

if TYPE_CHECKING:
    from tests.conftest import Project

WEEKLY = """
schedule: {cron: "30 6 * * 1", timezone: Europe/Berlin}
queries:
  - {id: green, text: green, filtering_level: low}
"""
MONDAY = datetime(2026, 11, 23, 5, 30, tzinfo=UTC)


def pending(project: Project) -> PendingWork:
    with project.pipeline() as pipeline:
        return pending_work(pipeline)


def evaluate(project: Project, instance: dg.DagsterInstance, name: str = "weekly_schedule") -> ScheduleExecutionData:
    defs = build_visual_search_defs(project.settings)
    schedule = defs.resolve_schedule_def(name)
    resource = VisualSearchResource.from_settings(project.settings)
    # Left open, it would put an instance that is gone in another test's place whenever it is collected.
    with dg.build_schedule_context(
        instance=instance,
        scheduled_execution_time=MONDAY,
        resources={"visual_search": resource},
        repository_def=defs.get_repository_def(),
    ) as context:
        return schedule.evaluate_tick(context)


def test_only_its_schedule_asks_a_set_that_has_one(project: Project, tmp_path: Path) -> None:
    project.add_clip("green", days_ago=3)
    project.run_steps()
    project.write_queries("weekly", WEEKLY)
    with dg.DagsterInstance.local_temp(str(tmp_path)) as instance:
        work = pending(project)
        assert len(work.hits["weekly"]) == 2
        assert work.unscheduled.to_do == ()
        assert work.unscheduled.hits.keys() == {"street"}
        daily = evaluate(project, instance, "daily")
        assert (daily.run_requests, daily.skip_message) == ([], "nothing is left to do")

        tick = evaluate(project, instance)
        requests = tick.run_requests or []
        assert [request.tags["dagster/partition"] for request in requests] == [
            day.isoformat() for day in work.hits["weekly"]
        ]
        assert len({request.run_key for request in requests}) == 2
        mark = project.mark()
        job = build_visual_search_defs(project.settings).resolve_implicit_global_asset_job_def()
        for request in requests:
            done = job.execute_in_process(
                instance=instance, asset_selection=[dg.AssetKey(["hits", "weekly"])], tags=dict(request.tags)
            )
            assert done.success
        assert {entry.operation for entry in project.calls(since=mark)} == {"search"}
        assert pending(project).hits["weekly"] == ()

        after = evaluate(project, instance)
        assert after.run_requests == []
        assert "0 days with something to ask" in str(after.skip_message)


def test_a_person_s_run_asks_every_set(project: Project) -> None:
    project.write_queries("weekly", WEEKLY)
    assert project.run().is_done
    assert project.sql("SELECT DISTINCT query_set FROM coverage ORDER BY 1") == [("street",), ("weekly",)]
    assert pending(project).hits["weekly"] == ()


def test_the_schedule_is_on_and_in_its_time_zone_and_no_condition_asks_for_its_set(project: Project) -> None:
    project.write_queries("weekly", WEEKLY)
    defs = build_visual_search_defs(project.settings)
    schedule = defs.resolve_schedule_def("weekly_schedule")
    assert (schedule.cron_schedule, schedule.execution_timezone) == ("30 6 * * 1", "Europe/Berlin")
    assert schedule.default_status is dg.DefaultScheduleStatus.RUNNING
    specs = {spec.key.to_user_string(): spec for spec in defs.resolve_all_asset_specs()}
    assert specs["hits/weekly"].automation_condition is None
    assert specs["hits/street"].automation_condition is not None


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("61 * * * *", "is no cron line (bad minute)"),
        ("'* * *'", "must have five fields"),
        ("{cron: '0 6 * * *', timezone: Europe/Berlni}", "`Europe/Berlni` is no time zone"),
        ("{crno: '0 6 * * *'}", "did you mean `cron`?"),
        ("0 0 31 2 *", "is no cron line (bad day-of-month)"),
        ("7", "must be a cron line in quotes"),
    ],
)
def test_a_schedule_that_cannot_be_kept_is_named_with_its_line(project: Project, written: str, said: str) -> None:
    path = project.write_queries("weekly", f"description: x\nschedule: {written}\nqueries:\n  - {{id: a, text: b}}\n")
    (broken,) = load_query_sets(project.settings.queries).broken
    assert f"{path}, line 2" in str(broken)
    assert said in str(broken)
