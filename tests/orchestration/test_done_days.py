"""Days on which nothing is left to do show as done, and asking for that costs nothing."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING

import dagster as dg

from tests.orchestration.daemon import Daemon, days
from visualsearch_pipeline.orchestration.partitions import daily_partitions

if TYPE_CHECKING:
    from tests.conftest import MakeProject, Project

BY_DAY = ("media", "uploads", "videos", "hits/street", "transcripts", "captions", "archive")


def not_done(project: Project, instance: dg.DagsterInstance, name: str) -> set[date]:
    """The days that the UI shows as missing or failed."""
    partitions = daily_partitions(project.settings)
    keys = partitions.get_partition_keys()
    shown = instance.get_status_by_partition(dg.AssetKey(name.split("/")), keys, partitions) or {}
    return {date.fromisoformat(key) for key in keys if shown.get(key) is not dg.AssetPartitionStatus.MATERIALIZED}


def run_new_media(daemon: Daemon) -> None:
    for _ in range(2):  # what is to be looked into, then what is to be sent
        for request in daemon.request("new_media"):
            daemon.execute(request)


def test_days_without_footage_and_today_become_green_with_one_run_that_asks_the_service_nothing(
    make_project: MakeProject, instance: dg.DagsterInstance
) -> None:
    project = make_project(("red",))
    project.configure(source={"start_date": (project.today - timedelta(days=6)).isoformat()})
    daemon = Daemon(project, instance)
    daemon.follow()
    run_new_media(daemon)
    # What is being indexed is not done: its day is left to those who wait for it, and the others are not.
    yesterday, mark = project.today - timedelta(days=1), project.mark()
    requests = daemon.request("done_days")
    assert days(requests) == {project.today - timedelta(days=ago) for ago in (6, 5, 4, 3, 2, 0)}
    assert {request.tags["visualsearch/reason"] for request in requests} == {"nothing is left to do on these days"}
    for request in requests:
        assert daemon.execute(request).success
    assert project.calls(since=mark) == []
    assert not_done(project, instance, "archive") == {yesterday}
    skipped = daemon.tick("done_days")
    assert not skipped.run_requests
    assert "1 days are not shown as done: 0 have a run, 1 have something left" in (skipped.skip_message or "")

    project.server.settle()
    for request in daemon.request("indexing"):
        assert daemon.execute(request).success
    # Conditions carry on what `indexing` asked for, and ask for no day that was run whole.
    assert {asked.day for asked in daemon.follow()} == {yesterday, None}
    assert daemon.request("done_days") == []
    assert {name: not_done(project, instance, name) for name in BY_DAY} == {name: set() for name in BY_DAY}
    assert project.sql("SELECT DISTINCT media_name FROM hits JOIN videos USING (video_no)") == [("red.mp4",)]


def test_a_day_whose_bad_file_was_taken_away_does_not_stay_red(
    make_project: MakeProject, instance: dg.DagsterInstance
) -> None:
    project = make_project(())
    project.configure(source={"start_date": (project.today - timedelta(days=1)).isoformat()})
    broken = project.footage / "broken.mp4"
    broken.write_text("no video")
    project.touch(broken)
    daemon = Daemon(project, instance)
    run_new_media(daemon)
    yesterday = project.today - timedelta(days=1)
    # While it lies there its day is red for a reason, and is left alone.
    assert days(daemon.request("done_days")) == {project.today}
    broken.unlink()
    assert daemon.request("new_media") == []
    (request,) = daemon.request("done_days")
    assert days([request]) == {yesterday, project.today}
    assert daemon.execute(request).success
    assert not_done(project, instance, "media") == set()


def test_a_long_past_is_asked_for_by_the_month_and_the_newest_first(
    make_project: MakeProject, instance: dg.DagsterInstance
) -> None:
    project = make_project(())
    project.configure(source={"start_date": (project.today - timedelta(days=69)).isoformat()})
    requests = Daemon(project, instance).request("done_days")
    assert [len(days([request])) for request in requests] == [31, 31, 8]
    assert max(days(requests[:1])) == project.today
    assert len(days(requests)) == 70
