"""Sensors, conditions and the schedule: they ask for what is to do, once, and say why they do not."""

from __future__ import annotations

import json
import threading
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import dagster as dg
import pytest
from dagster._core.definitions.asset_checks.asset_check_evaluation import AssetCheckEvaluationTargetMaterializationData

from tests.orchestration.daemon import AskedFor, Daemon, days
from tests.waiting import wait_until
from visualsearch_pipeline.sandbox import FaultKind, FaultRule, TransitionPlan

if TYPE_CHECKING:
    from tests.conftest import MakeProject, Project

HITS = "SELECT query_id, media_name, round(score, 6) FROM hits JOIN videos USING (video_no) ORDER BY ALL"


def upload_all(daemon: Daemon) -> None:
    """Let `new_media` ask until it asks for nothing, and run all of it."""
    for _ in range(5):
        requests = daemon.request("new_media")
        if not requests:
            return
        for request in requests:
            daemon.execute(request)
    raise AssertionError(f"new_media does not stop asking: {daemon.asked}")


def test_the_sensors_alone_take_footage_to_the_published_tables_and_ask_for_nothing_twice(
    make_project: MakeProject, instance: dg.DagsterInstance
) -> None:
    project = make_project(("red",))
    project.add_clip("blue", days_ago=3)
    yesterday, earlier = project.today - timedelta(days=1), project.today - timedelta(days=3)
    daemon = Daemon(project, instance)
    assert daemon.follow() == []
    upload_all(daemon)
    project.server.settle()
    for request in daemon.request("indexing"):
        assert daemon.execute(request).success
    followed = daemon.follow()
    for name in ("new_media", "indexing"):
        assert daemon.request(name) == []
    assert daemon.follow() == []
    asked = Counter(daemon.asked)
    per_day = ("media", "uploads", "videos", "hits/street", "transcripts", "captions", "archive")
    assert {entry for entry in asked if entry.day} == {
        AskedFor(name, day) for name in per_day for day in (earlier, yesterday)
    }
    assert all(count == 1 for entry, count in asked.items() if entry.day)
    assert AskedFor("warehouse", None) in followed
    by_sensors = project.sql(HITS)
    mark = project.mark()
    assert project.run().is_done
    assert project.calls(since=mark) == []
    assert project.sql(HITS) == by_sensors != []


def test_what_changes_while_the_tables_are_being_published_has_them_published_once_more(
    make_project: MakeProject, instance: dg.DagsterInstance
) -> None:
    project = make_project(())
    # A set that was never asked holds nobody up.
    project.write_queries("weekly", 'schedule: {cron: "30 6 * * 1"}\nqueries: [{id: green, text: green}]')
    daemon = Daemon(project, instance)
    days_ago = [project.today - timedelta(days=ago) for ago in (1, 2, 3)]
    tables = AskedFor("warehouse", None)
    daemon.materialize_one("media", days_ago[0])
    daemon.evaluate_conditions()
    daemon.materialize_one("archive", days_ago[0])
    assert daemon.evaluate_conditions() == [tables]
    # A run of theirs has begun and has read what was there; it ends after the next change.
    daemon.materialize_one("archive", days_ago[1])
    daemon.materialize_one("warehouse", None)
    assert daemon.evaluate_conditions() == [tables]
    # Dagster has looked at the request when the next change comes.
    daemon.evaluate_conditions()
    daemon.materialize_one("archive", days_ago[2])
    daemon.materialize_one("warehouse", None)
    assert daemon.evaluate_conditions() == [tables]
    daemon.materialize_one("warehouse", None)
    assert daemon.evaluate_conditions() == daemon.evaluate_conditions() == []


def test_nothing_is_published_while_a_check_says_that_hits_are_corrupt(
    make_project: MakeProject, instance: dg.DagsterInstance
) -> None:
    project = make_project(())
    daemon = Daemon(project, instance)
    yesterday = project.today - timedelta(days=1)

    def check(*, passed: bool) -> None:
        hits = dg.AssetKey(["hits", "street"])
        (record,) = instance.fetch_materializations(hits, limit=1).records
        instance.report_runless_asset_event(
            dg.AssetCheckEvaluation(
                asset_key=hits,
                check_name="hits_refer_to_known_videos",
                passed=passed,
                target_materialization_data=AssetCheckEvaluationTargetMaterializationData(
                    storage_id=record.storage_id, run_id=record.run_id, timestamp=record.timestamp
                ),
            )
        )

    daemon.materialize_one("hits/street", yesterday)
    daemon.follow()
    check(passed=False)
    daemon.materialize_one("archive", yesterday)
    assert daemon.evaluate_conditions() == []
    check(passed=True)
    assert daemon.evaluate_conditions() == [AskedFor("warehouse", None)]


def test_a_run_of_the_whole_graph_leaves_nothing_for_the_conditions(
    make_project: MakeProject, instance: dg.DagsterInstance
) -> None:
    project = make_project(("red",))
    daemon = Daemon(project, instance)
    daemon.follow()
    upload_all(daemon)
    project.server.settle()
    whole = [dg.AssetKey(name.split("/")) for name in ("videos", "hits/street", "transcripts", "captions", "archive")]
    day = project.today - timedelta(days=1)
    result = daemon.materialize([*whole, dg.AssetKey("warehouse")], {"dagster/partition": day.isoformat()})
    assert result.success
    assert daemon.follow() == []
    assert daemon.request("indexing") == []


def test_work_that_does_not_move_is_asked_for_later_and_later(
    make_project: MakeProject, instance: dg.DagsterInstance
) -> None:
    project = make_project(("red",))
    daemon = Daemon(project, instance)
    (request,) = daemon.request("new_media")
    # Nobody runs it: the same work is not asked for again now,
    assert daemon.request("new_media") == []
    asked = json.loads(daemon.cursor("new_media"))["asked"]["media"]
    ((day, first),) = asked.items()
    assert (day, first["times"]) == ((project.today - timedelta(days=1)).isoformat(), 1)
    # a quarter of an hour later it is, and then not for half an hour,
    for minutes, expected in ((14, 0), (16, 1)):
        assert len(daemon.tick("new_media", cursor=asked_minutes_ago(daemon, minutes)).run_requests or ()) == expected
    assert json.loads(daemon.cursor("new_media"))["asked"]["media"][day]["times"] == 2
    assert not daemon.tick("new_media", cursor=asked_minutes_ago(daemon, 29)).run_requests
    # and other work at once.
    project.add_clip("red-2")
    (changed,) = daemon.request("new_media")
    assert days([changed]) == days([request])
    assert changed.run_key != request.run_key


def asked_minutes_ago(daemon: Daemon, minutes: float) -> str:
    """The cursor of `new_media`, as if all in it had been asked for so long ago."""
    cursor = json.loads(daemon.cursor("new_media"))
    moment = (datetime.now(UTC) - timedelta(minutes=minutes)).isoformat()
    for by_day in cursor["asked"].values():
        for asked in by_day.values():
            asked["at"] = moment
    return json.dumps(cursor)


def test_days_without_gaps_are_requested_as_one_run(make_project: MakeProject, instance: dg.DagsterInstance) -> None:
    project = make_project(())
    for number in (2, 3, 4, 9):
        project.add_clip(f"red-{number}", days_ago=number)
    requests = Daemon(project, instance).request("new_media")
    assert [len(days([request])) for request in requests] == [1, 3]


@pytest.mark.parametrize("cursor", ['{"version": 3}', "a file's name", '{"asked": []}'])
def test_a_cursor_of_another_version_fails_the_tick_and_says_what_to_do(
    cursor: str, project: Project, instance: dg.DagsterInstance
) -> None:
    daemon = Daemon(project, instance)
    for name in ("new_media", "indexing"):
        with pytest.raises(dg.Failure, match=rf"sensor {name} cannot be read.*Reset cursor"):
            daemon.tick(name, cursor=cursor)
    assert project.calls() == []


def test_the_cursor_of_the_first_version_is_read(project: Project, instance: dg.DagsterInstance) -> None:
    left = '{"version": 1, "files": 2, "looked_at": "2026-11-20T00:00:00+00:00"}'
    assert len(Daemon(project, instance).tick("new_media", cursor=left).run_requests) == 1


def test_a_sensor_that_asks_for_nothing_says_why_in_numbers(
    make_project: MakeProject, instance: dg.DagsterInstance
) -> None:
    project = make_project(())
    daemon = Daemon(project, instance)
    nothing = daemon.tick("new_media")
    assert not nothing.run_requests
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
    upload_all(daemon)
    waiting = daemon.tick("indexing")
    assert "2 videos being indexed, 0 stuck, 0 missing; 2 asked about now" in (waiting.skip_message or "")
    assert project.billable_calls() == ["upload", "upload"]
    project.server.settle()
    project.server.clock.advance(3700)
    assert len(daemon.request("indexing")) == 1


def test_a_broken_file_fails_its_day_and_keeps_no_other_file_from_being_searched(
    make_project: MakeProject, instance: dg.DagsterInstance
) -> None:
    project = make_project(("red",))
    broken = project.footage / "broken.mp4"
    broken.write_text("no video")
    project.touch(broken)
    daemon = Daemon(project, instance)
    daemon.follow()
    (request,) = daemon.request("new_media")
    assert not daemon.execute(request).success
    (request,) = daemon.request("new_media")
    assert [key.to_user_string() for key in request.asset_selection or ()] == ["uploads"]
    assert daemon.execute(request).success
    project.server.settle()
    for request in daemon.request("indexing"):
        assert daemon.execute(request).success
    daemon.follow()
    assert project.sql("SELECT DISTINCT media_name FROM hits JOIN videos USING (video_no)") == [("red.mp4",)]


def test_a_video_that_fails_keeps_no_other_from_being_searched(
    make_project: MakeProject, instance: dg.DagsterInstance
) -> None:
    project = make_project(("red", "blue"))
    project.server.transitions.plan(TransitionPlan(file_name="blue*", fail_with="unsupported"))
    daemon = Daemon(project, instance)
    daemon.follow()
    upload_all(daemon)
    project.server.settle()
    for request in daemon.request("indexing"):
        assert daemon.execute(request).success
    assert AskedFor("hits/street", project.today - timedelta(days=1)) in daemon.follow()
    assert project.sql("SELECT DISTINCT media_name FROM hits JOIN videos USING (video_no)") == [("red.mp4",)]
    # It is asked about no more.
    assert daemon.request("indexing") == []


def test_a_video_that_gets_stuck_warns_in_the_ui_once_and_is_welcome_later(
    make_project: MakeProject, instance: dg.DagsterInstance
) -> None:
    project = make_project(("red",))
    project.server.transitions.plan(TransitionPlan(stuck=True))
    upload_all(Daemon(project, instance))
    project.configure(indexing={"stuck_after_seconds": 0.001, "stuck_after_lengths": 0})
    daemon = Daemon(project, instance)
    (request,) = daemon.request("indexing")
    result = daemon.execute(request)
    assert result.success
    (check,) = [one for one in result.get_asset_check_evaluations() if one.check_name == "all_videos_terminal"]
    assert (check.passed, check.severity, check.metadata["stuck"].value) == (False, dg.AssetCheckSeverity.WARN, 1)
    # It was told; from here on it is polled, and asked for again when it comes to something.
    stuck = daemon.tick("indexing")
    assert not stuck.run_requests
    assert "1 stuck" in (stuck.skip_message or "")
    (video,) = project.server.videos()
    project.server.transitions.plan(TransitionPlan(video_no=video.video_no, ready_after_seconds=0))
    project.server.settle()
    requests: list[dg.RunRequest] = []

    def is_asked_for() -> bool:
        requests[:] = daemon.request("indexing")
        return bool(requests)

    # It is asked about again in a while, as videos of its age are.
    wait_until(is_asked_for, seconds=30, told=lambda: "the ready video is not asked for", poll_seconds=0.1)
    (request,) = requests
    (check,) = [
        one for one in daemon.execute(request).get_asset_check_evaluations() if one.check_name == "all_videos_terminal"
    ]
    assert check.passed


def test_a_late_file_touches_its_old_day(make_project: MakeProject, instance: dg.DagsterInstance) -> None:
    project = make_project(("red",))
    daemon = Daemon(project, instance)
    daemon.follow()
    upload_all(daemon)
    project.add_clip("red-2", days_ago=20)
    upload_all(daemon)
    project.server.settle()
    for request in daemon.request("indexing"):
        daemon.execute(request)
    old = project.today - timedelta(days=20)
    assert AskedFor("hits/street", old) in daemon.follow()
    assert project.sql(f"SELECT count(*) FROM hits WHERE day = DATE '{old}'") != [(0,)]  # noqa: S608  a date of ours


def has_fired(project: Project, fault_id: int) -> bool:
    return any(rule.fired for rule in project.server.faults.rules() if rule.fault_id == fault_id)


def test_a_day_whose_run_is_under_way_is_not_requested_again(project: Project, instance: dg.DagsterInstance) -> None:
    daemon = Daemon(project, instance)
    (media,) = daemon.request("new_media")
    daemon.execute(media)
    (request,) = daemon.request("new_media")
    stall = project.server.faults.add(FaultRule(operation="upload", kind=FaultKind.STALL, seconds=3, count=2))
    run = threading.Thread(target=daemon.execute, args=(request,))
    run.start()
    try:
        wait_until(lambda: has_fired(project, stall), seconds=60, told=lambda: "nothing is uploaded")
        project.add_clip("red-2")
        (found,) = daemon.request("new_media")
        daemon.execute(found)
        # Another content is to be sent now, and the day has a run for that.
        busy = daemon.tick("new_media")
        assert busy.run_requests == []
        assert "1 days under way" in (busy.skip_message or "")
    finally:
        run.join()
    assert [key.to_user_string() for key in daemon.request("new_media")[0].asset_selection or ()] == ["uploads"]


def test_a_source_that_is_not_there_fails_the_tick_in_words(project: Project, instance: dg.DagsterInstance) -> None:
    project.configure(source={"path": str(project.root / "nowhere")})
    with pytest.raises(dg.Failure, match=r"nowhere.*create it or correct `source.path`"):
        Daemon(project, instance).tick("new_media")


def test_a_service_that_is_down_fails_the_tick_and_the_next_one_goes_on(
    make_project: MakeProject, instance: dg.DagsterInstance
) -> None:
    project = make_project(("red",))
    daemon = Daemon(project, instance)
    upload_all(daemon)
    project.server.settle()
    project.server.faults.add(FaultRule(operation="list_videos", kind=FaultKind.CODE, code="0402", message="broke"))
    with pytest.raises(dg.Failure, match="0402"):
        daemon.tick("indexing")
    project.server.faults.clear()
    assert len(daemon.request("indexing")) == 1


def test_the_daily_schedule_does_all_that_is_pending_step_by_step(
    make_project: MakeProject, instance: dg.DagsterInstance
) -> None:
    project = make_project(("red",))
    project.add_clip("blue", days_ago=7)
    (project.footage / "broken.mp4").write_text("no video")
    project.touch(project.footage / "broken.mp4")
    daemon = Daemon(project, instance)
    at = datetime(2026, 11, 21, 3, tzinfo=UTC)
    (asked,) = daemon.evaluate_schedule(at).run_requests
    assert asked.run_key == "daily:2026-11-21"
    assert asked.tags["visualsearch/reason"] == "daily schedule: 2 days with work"
    job = daemon.definitions.resolve_job_def("daily")
    # Without waiting, one night sends what is new and the next asks about it.
    for _ in range(2):
        assert job.execute_in_process(instance=instance).success
        project.server.settle()
    assert project.sql("SELECT DISTINCT media_name FROM hits JOIN videos USING (video_no)") == [("red.mp4",)]
    reasons = {run.tags.get("visualsearch/reason") for run in instance.get_runs() if run.job_name != "daily"}
    assert reasons == {"daily schedule"}
    done = daemon.evaluate_schedule(at)
    assert not done.run_requests
    assert done.skip_message == "nothing is left to do"
