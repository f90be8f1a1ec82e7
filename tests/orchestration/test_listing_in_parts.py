"""A source that takes too long to list is listed part by part, and nothing of it is forgotten."""

from __future__ import annotations

import json
from datetime import date, timedelta
from typing import TYPE_CHECKING

import dagster as dg
import pytest

from tests.orchestration.daemon import Daemon, days
from visualsearch_pipeline.orchestration import sensors
from visualsearch_pipeline.orchestration.day_work import listing_work
from visualsearch_pipeline.pipeline.ingest import look_at_source
from visualsearch_pipeline.pipeline.pipeline import TimeBox

if TYPE_CHECKING:
    from tests.conftest import MakeProject, Project


def test_ticks_without_time_go_on_where_the_last_one_stopped_and_ask_for_every_day(
    make_project: MakeProject, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = make_project(())
    for number, clip in enumerate(("a/red", "a/b/blue", "red-2", "z/green"), start=1):
        project.add_clip(clip.rpartition("/")[2], f"{clip}.mp4", days_ago=2 * number)
    monkeypatch.setattr(sensors, "_LISTING_SECONDS", 0.0)
    daemon = Daemon(project, instance)
    asked: set[date] = set()
    positions = []
    for _ in range(20):
        asked |= days(daemon.request("new_media"))
        positions.append(json.loads(daemon.cursor("new_media"))["position"])
        if positions[-1] is None:
            break
    assert positions == ["red-2.mp4", "a/", "a/red.mp4", "a/b/", "a/b/blue.mp4", "z/", "z/green.mp4", None]
    assert asked == {project.today - timedelta(days=2 * number) for number in (1, 2, 3, 4)}
    daemon.request("new_media")  # from the beginning again
    skipped = daemon.tick("new_media").skip_message or ""
    assert "0 files in the part listed now, from red-2.mp4 to a/, 0 new" in skipped


def test_what_left_the_source_is_noticed_in_the_part_that_was_listed_and_in_no_other(project: Project) -> None:
    for name in ("a/one.mp4", "a/two.mp4", "b/one.mp4"):
        project.add_clip("red", name)
    now = TimeBox.of(0)
    with project.pipeline() as pipeline:
        assert look_at_source(pipeline).gone == 0
        for name in ("a/two.mp4", "b/one.mp4"):
            (project.footage / name).unlink()
        gone, after = [], None
        while True:
            look = look_at_source(pipeline, after=after, time_box=now)
            gone.append((look.position, look.gone))
            after = look.position
            if after is None:
                break
        # The folder `b` is there and empty, and after it comes the end.
        assert [(position, count) for position, count in gone if count] == [("b/", 1), (None, 1)]
        assert look_at_source(pipeline).gone == 0


def test_linked_folders_of_a_source_that_takes_too_long_to_list_are_listed_by_a_run(
    make_project: MakeProject, instance: dg.DagsterInstance
) -> None:
    project = make_project(("red", "blue"))
    elsewhere = project.root / "elsewhere"
    elsewhere.mkdir()
    (project.footage / "linked").symlink_to(elsewhere, target_is_directory=True)
    with project.pipeline() as pipeline:
        project.add_clip("red-2", "linked/red-2.mp4")
        assert look_at_source(pipeline).new == 3
        # There is no time at all: what was not listed is not gone, and today is asked for.
        cut_short = look_at_source(pipeline, time_box=TimeBox.of(0))
        assert (cut_short.files, cut_short.gone, cut_short.is_whole) == (1, 0, False)
        rest = look_at_source(pipeline, after=cut_short.position, time_box=TimeBox.of(60))
        assert (rest.files, rest.gone, rest.is_whole) == (1, 0, False)
        assert set(listing_work(rest, pipeline)) == {project.today}
        whole = look_at_source(pipeline, time_box=TimeBox.of(60))
        assert (whole.files, whole.new, whole.is_whole) == (3, 0, True)
        assert listing_work(whole, pipeline) == {}
    # The run lists all of it, whatever its day.
    project.add_clip("green", "linked/green.mp4", days_ago=9)
    daemon = Daemon(project, instance)
    assert daemon.materialize([dg.AssetKey("media")], {"dagster/partition": project.today.isoformat()}).success
    with project.pipeline() as pipeline:
        assert len(pipeline.ledger.items.all_by_uri()) == 4
