"""Thousands of open videos: one poll reads them all by list pages, and asks for none alone."""

from __future__ import annotations

import sys
import time
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa

from tests.pipeline.seeded_library import SeededLibrary
from visualsearch_pipeline.api.limits import MAX_LIST_SIZE
from visualsearch_pipeline.ledger.schema import videos
from visualsearch_pipeline.ledger.states import VideoState
from visualsearch_pipeline.pipeline.index import poll
from visualsearch_pipeline.pipeline.pipeline import TimeBox
from visualsearch_pipeline.sandbox import FaultKind, FaultRule

if TYPE_CHECKING:
    from tests.conftest import MakeProject


@pytest.mark.parametrize(("count", "most_calls"), [(1_000, 6), pytest.param(10_000, 60, marks=pytest.mark.soak)])
def test_open_videos_are_polled_by_the_page(make_project: MakeProject, count: int, most_calls: int) -> None:
    project = make_project(())
    library = SeededLibrary(project)
    day = date(2026, 1, 1)
    library.add({day: [[] for _ in range(count)]})
    with project.pipeline() as pipeline:
        with pipeline.ledger._database.writing() as connection:
            uploaded_at = datetime.now(UTC)
            connection.execute(sa.update(videos).values(state=VideoState.INDEXING, uploaded_at=uploaded_at))
        assert len(pipeline.ledger.videos.open()) == count
        before = project.mark()
        began = time.monotonic()
        report = poll(pipeline)
    seconds = time.monotonic() - began
    calls = project.calls(since=before)
    sys.stdout.write(f"{count} open videos: {len(calls)} calls, {seconds:.1f} s\n")
    assert report.ready == count
    assert {entry.operation for entry in calls} == {"list_videos"}
    assert len(calls) <= most_calls


def test_polls_without_time_for_all_ask_first_about_those_that_were_not_asked_about_for_longest(
    make_project: MakeProject,
) -> None:
    project = make_project(())
    library = SeededLibrary(project)
    library.add({date(2026, 1, 1): [[] for _ in range(3 * MAX_LIST_SIZE)]})
    now = datetime.now(UTC)
    polled = [now - timedelta(hours=1), None, now - timedelta(hours=2)]
    with project.pipeline() as pipeline:
        with pipeline.ledger._database.writing() as connection:
            # In the order of their numbers the first third would come first.
            numbers = sorted(connection.scalars(sa.select(videos.c.video_no)))
            thirds = [numbers[start : start + MAX_LIST_SIZE] for start in range(0, len(numbers), MAX_LIST_SIZE)]
            for third, polled_at in zip(thirds, polled, strict=True):
                values = {"state": VideoState.INDEXING, "uploaded_at": now - timedelta(days=1), "polled_at": polled_at}
                connection.execute(sa.update(videos).where(videos.c.video_no.in_(third)).values(values))
        project.server.faults.add(FaultRule(operation="list_videos", kind=FaultKind.STALL, seconds=0.6, count=None))
        asked: list[set[str]] = []
        for _ in thirds:
            # There is time for one page; the next poll goes on with the others.
            assert poll(pipeline, time_box=TimeBox.of(0.3)).ready == MAX_LIST_SIZE
            ready = {video.video_no for video in pipeline.ledger.videos.in_state(VideoState.READY)}
            asked.append(ready - {number for before in asked for number in before})
    assert asked == [set(thirds[1]), set(thirds[2]), set(thirds[0])]
