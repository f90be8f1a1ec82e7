"""Sensors and the schedule: they ask for what is to do, once, and say why they do not."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import dagster as dg
import pytest

from visualsearch_pipeline.orchestration import VisualSearchResource, build_visual_search_defs
from visualsearch_pipeline.sandbox import FaultKind, FaultRule

if TYPE_CHECKING:
    from tests.conftest import MakeProject, Project

HITS = "SELECT query_id, media_name, round(score, 6) FROM hits JOIN videos USING (video_no) ORDER BY ALL"


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as ephemeral:
        yield ephemeral


class Daemon:
    """What Dagster's daemon does for one project: evaluates a sensor, and runs what it requests."""

    def __init__(self, project: Project, instance: dg.DagsterInstance) -> None:
        self.definitions = build_visual_search_defs(project.settings)
        self.instance = instance
        self._resource = VisualSearchResource.from_settings(project.settings).model_copy(
            update={"api_key": project.server.api_key}
        )
        self._seen: set[str] = set()

    def tick(self, name: str) -> Any:
        sensor = self.definitions.resolve_sensor_def(name)
        with dg.build_sensor_context(
            instance=self.instance,
            definitions=self.definitions,
            resources={"visual_search": self._resource},
        ) as context:
            return sensor.evaluate_tick(context)

    def request(self, name: str) -> list[dg.RunRequest]:
        """Evaluate, and leave out the run keys that were requested before, as the daemon does."""
        requests = [request for request in self.tick(name).run_requests or () if request.run_key not in self._seen]
        self._seen |= {request.run_key for request in requests if request.run_key}
        return requests

    def execute(self, name: str, request: dg.RunRequest) -> dg.ExecuteInProcessResult:
        job_name = self.definitions.resolve_sensor_def(name).job_name
        assert job_name is not None
        job = self.definitions.resolve_job_def(job_name)
        return job.execute_in_process(
            instance=self.instance,
            partition_key=request.partition_key,
            tags=dict(request.tags),
        )

    def evaluate_schedule(self, at: datetime) -> Any:
        schedule = self.definitions.resolve_schedule_def("daily")
        with dg.build_schedule_context(
            instance=self.instance,
            scheduled_execution_time=at,
            repository_def=self.definitions.get_repository_def(),
            resources={"visual_search": self._resource},
        ) as context:
            return schedule.evaluate_tick(context)


def days(requests: list[dg.RunRequest]) -> set[date]:
    return {date.fromisoformat(request.partition_key or "") for request in requests}


def test_the_sensors_alone_take_footage_to_the_published_tables(
    make_project: MakeProject, instance: dg.DagsterInstance
) -> None:
    project = make_project(("red",))
    project.add_clip("blue", days_ago=3)
    daemon = Daemon(project, instance)
    requests = daemon.request("new_media")
    assert days(requests) == {project.today - timedelta(days=number) for number in (1, 3)}
    for request in requests:
        assert daemon.execute("new_media", request).success
    project.server.settle()
    requests = daemon.request("indexing")
    assert days(requests) == {project.today - timedelta(days=number) for number in (1, 3)}
    for request in requests:
        assert daemon.execute("indexing", request).success
    assert daemon.request("new_media") == []
    assert daemon.request("indexing") == []
    by_sensors = project.sql(HITS)
    mark = project.mark()
    assert project.run().is_done
    assert project.calls(since=mark) == []
    assert project.sql(HITS) == by_sensors != []


def test_the_same_work_is_requested_under_the_same_run_key(project: Project, instance: dg.DagsterInstance) -> None:
    daemon = Daemon(project, instance)
    first, again = (daemon.tick("new_media").run_requests or [] for _ in range(2))
    windows = {(request.run_key or "").rpartition(":")[2] for request in (*first, *again)}
    if len(windows) == 1:  # else the quarter of an hour ended between the two
        assert [request.run_key for request in first] == [request.run_key for request in again] != []
    # Other work, another key: a day that was asked for in vain is asked for again when something changes.
    project.add_clip("red-2")
    changed = daemon.tick("new_media").run_requests or []
    assert days(changed) == days(first)
    assert changed[0].run_key != first[0].run_key


def test_a_sensor_that_asks_for_nothing_says_why(make_project: MakeProject, instance: dg.DagsterInstance) -> None:
    project = make_project(())
    daemon = Daemon(project, instance)
    nothing = daemon.tick("new_media")
    assert nothing.run_requests == []
    assert "0 files, 0 new" in (nothing.skip_message or "")
    project.configure(source={"settle_seconds": 3600})
    project.add_clip("red", days_ago=0)
    (project.footage / "red.mp4").touch()
    settling = Daemon(project, instance).tick("new_media")
    assert "1 files, 1 new, 1 still being written" in (settling.skip_message or "")
    assert "0 videos being indexed" in (daemon.tick("indexing").skip_message or "")
    assert project.calls() == []


def test_videos_being_indexed_are_polled_and_not_searched(
    make_project: MakeProject, instance: dg.DagsterInstance
) -> None:
    project = make_project(indexing_seconds=3600)
    daemon = Daemon(project, instance)
    for request in daemon.request("new_media"):
        daemon.execute("new_media", request)
    waiting = daemon.tick("indexing")
    assert "2 videos being indexed" in (waiting.skip_message or "")
    assert project.billable_calls() == ["upload", "upload"]
    project.server.settle()
    project.server.clock.advance(3700)
    assert len(daemon.request("indexing")) == 1


def test_a_day_whose_run_is_under_way_is_not_requested_again(project: Project, instance: dg.DagsterInstance) -> None:
    daemon = Daemon(project, instance)
    (request,) = daemon.request("new_media")
    stall = project.server.faults.add(FaultRule(operation="upload", kind=FaultKind.STALL, seconds=4, count=2))
    run = threading.Thread(target=daemon.execute, args=("new_media", request))
    run.start()
    try:
        until = time.monotonic() + 60
        while not next(rule.fired for rule in project.server.faults.rules() if rule.fault_id == stall):
            assert time.monotonic() < until
            time.sleep(0.01)
        project.add_clip("red-2")  # would be another run key
        assert daemon.tick("new_media").run_requests == []
    finally:
        run.join()
    assert len(daemon.request("new_media")) == 1


def test_a_source_that_is_not_there_fails_the_tick_in_words(project: Project, instance: dg.DagsterInstance) -> None:
    project.configure(source={"path": str(project.root / "nowhere")})
    with pytest.raises(dg.Failure, match=r"nowhere.*create it or correct `source.path`"):
        Daemon(project, instance).tick("new_media")


def test_a_service_that_is_down_fails_the_tick_and_the_next_one_goes_on(
    make_project: MakeProject, instance: dg.DagsterInstance
) -> None:
    project = make_project(("red",))
    daemon = Daemon(project, instance)
    for request in daemon.request("new_media"):
        daemon.execute("new_media", request)
    project.server.settle()
    project.server.faults.add(FaultRule(operation="list_videos", kind=FaultKind.CODE, code="0402", message="broke"))
    project.server.faults.add(FaultRule(operation="get_metadata", kind=FaultKind.CODE, code="0402", message="broke"))
    # The run above polled already; a video that came since then is what is open.
    project.add_clip("red-2")
    for request in daemon.request("new_media"):
        with pytest.raises(dg.Failure, match="0402"):
            daemon.execute("new_media", request)
    project.server.faults.add(FaultRule(operation="list_videos", kind=FaultKind.CODE, code="0402", message="broke"))
    with pytest.raises(dg.Failure, match="0402"):
        daemon.tick("indexing")
    project.server.faults.clear()
    assert len(daemon.request("indexing")) == 1


def test_the_daily_schedule_asks_for_every_day_with_anything_left_to_do(
    make_project: MakeProject, instance: dg.DagsterInstance
) -> None:
    project = make_project(("red",))
    project.add_clip("blue", days_ago=7)
    daemon = Daemon(project, instance)
    at = datetime(2026, 11, 21, 3, tzinfo=UTC)
    asked = daemon.evaluate_schedule(at).run_requests
    assert days(asked) == {project.today - timedelta(days=number) for number in (1, 7)}
    assert all(request.run_key.startswith("daily:2026-11-21:") for request in asked)
    project.run()
    done = daemon.evaluate_schedule(at)
    assert not done.run_requests
    assert done.skip_message == "nothing is left to do"
