"""Thousands of open videos: one poll reads them all by list pages, and asks for none alone."""

from __future__ import annotations

import sys
import time
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa

from tests.pipeline.seeded_library import SeededLibrary
from visualsearch_pipeline.ledger.schema import videos
from visualsearch_pipeline.ledger.states import VideoState
from visualsearch_pipeline.pipeline.index import poll

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
