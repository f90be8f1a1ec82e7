"""Ten thousand open videos: one poll reads them all by list pages, and asks for none alone."""

from __future__ import annotations

import sys
import time
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

import sqlalchemy as sa

from tests.pipeline.seeded_library import SeededLibrary
from visualsearch_pipeline.ledger.schema import videos
from visualsearch_pipeline.ledger.states import VideoState
from visualsearch_pipeline.pipeline.index import poll

if TYPE_CHECKING:
    from tests.conftest import MakeProject

VIDEOS = 10_000
MOST_LIST_CALLS = 60


def test_ten_thousand_open_videos_are_polled_in_at_most_sixty_list_calls(make_project: MakeProject) -> None:
    project = make_project(())
    library = SeededLibrary(project)
    day = date(2026, 1, 1)
    library.add({day: [[] for _ in range(VIDEOS)]})
    with project.pipeline() as pipeline:
        with pipeline.ledger._database.writing() as connection:
            uploaded_at = datetime.now(UTC)
            connection.execute(sa.update(videos).values(state=VideoState.INDEXING, uploaded_at=uploaded_at))
        assert len(pipeline.ledger.videos.open()) == VIDEOS
        before = project.mark()
        began = time.monotonic()
        report = poll(pipeline)
    seconds = time.monotonic() - began
    calls = project.calls(since=before)
    sys.stdout.write(f"{VIDEOS} open videos: {len(calls)} calls, {seconds:.1f} s\n")
    assert report.ready == VIDEOS
    assert {entry.operation for entry in calls} == {"list_videos"}
    assert len(calls) <= MOST_LIST_CALLS
