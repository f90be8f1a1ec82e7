"""Files that are still being written, that leave, and that come back."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from visualsearch_pipeline.ledger import ItemState
from visualsearch_pipeline.pipeline.ingest import SourceReport, ingest, look_at_source

if TYPE_CHECKING:
    from tests.conftest import Project


def test_a_file_that_was_being_written_is_taken_once_it_has_rested(project: Project) -> None:
    project.configure(source={"settle_seconds": 10})
    written_at = datetime.now(UTC)
    os.utime(project.footage / "red.mp4", (written_at.timestamp(), written_at.timestamp()))
    for after_seconds, settling, accepted in ((1, 1, 1), (9, 1, 0), (12, 0, 1), (13, 0, 0)):
        now = written_at + timedelta(seconds=after_seconds)
        with project.pipeline(clock=lambda now=now: now) as pipeline:
            assert look_at_source(pipeline).settling == settling
            assert ingest(pipeline).accepted == accepted


def test_a_file_that_left_and_came_back_unchanged_is_taken_again(project: Project) -> None:
    red, elsewhere = project.footage / "red.mp4", project.root / "red.mp4"
    look(project)
    red.rename(elsewhere)
    assert look(project).gone == 1
    assert look(project).gone == 0  # it is told once
    elsewhere.rename(red)
    assert look(project).changed == 1
    with project.pipeline() as pipeline:
        assert {item.state for item in pipeline.ledger.items.all_by_uri().values()} == {ItemState.ACCEPTED}
        assert len(pipeline.ledger.uploads.open()) == 2  # the same content is still one upload


def look(project: Project) -> SourceReport:
    with project.pipeline() as pipeline:
        report = look_at_source(pipeline)
        ingest(pipeline)
    return report
