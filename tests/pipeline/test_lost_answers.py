"""An upload whose answer is lost, and a video that stays away: looked for, waited for, and never sent twice."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import httpx
import pytest

from visualsearch_pipeline.ledger import UploadState, VideoState
from visualsearch_pipeline.pipeline.index import poll
from visualsearch_pipeline.pipeline.ingest import ingest, look_at_source
from visualsearch_pipeline.pipeline.upload import upload
from visualsearch_pipeline.sandbox import FaultKind, FaultRule, TransitionPlan

if TYPE_CHECKING:
    from tests.conftest import MakeProject, Project

FAULTS = {
    "reset before": FaultRule(operation="upload", kind=FaultKind.RESET, when="before"),
    "reset after": FaultRule(operation="upload", kind=FaultKind.RESET, when="after"),
    "reset in transit": FaultRule(operation="upload", kind=FaultKind.RESET, after_bytes=100),
    "503 before": FaultRule(operation="upload", kind=FaultKind.SPRING_503, when="before"),
    "503 after": FaultRule(operation="upload", kind=FaultKind.SPRING_503, when="after"),
    "half an answer": FaultRule(operation="upload", kind=FaultKind.TRUNCATED_JSON, when="after"),
    "no answer": FaultRule(operation="upload", kind=FaultKind.EMPTY_BODY, when="after"),
    "a proxy's page": FaultRule(operation="upload", kind=FaultKind.HTML_200, when="after"),
    "busy": FaultRule(operation="upload", kind=FaultKind.CODE, when="after"),
    "a code nobody knows": FaultRule(operation="upload", kind=FaultKind.CODE, code="7777", when="after"),
}


def later(**time: float) -> Callable[[], datetime]:
    """A clock that is ahead."""
    return lambda: datetime.now(UTC) + timedelta(**time)


@pytest.fixture
def found(make_project: MakeProject) -> Project:
    """One clip, looked into and not sent."""
    project = make_project(("red",))
    with project.pipeline() as pipeline:
        look_at_source(pipeline)
        ingest(pipeline)
    return project


@pytest.mark.parametrize("fault", FAULTS)
def test_whatever_becomes_of_an_answer_there_is_one_video_in_the_end(found: Project, fault: str) -> None:
    fault_id = found.server.faults.add(FAULTS[fault])
    with found.pipeline() as pipeline:
        report = upload(pipeline)
        assert (report.uploaded, report.failed) == (0, 1)
        assert len(pipeline.ledger.failures.unresolved(step="uploads")) == 1
    (met,) = found.server.faults.fired(fault_id)
    with found.pipeline() as pipeline:
        report = upload(pipeline)
        assert (report.adopted, report.uploaded) == ((1, 0) if met.took_effect else (0, 1))
        assert not pipeline.ledger.failures.unresolved()
        (known,) = pipeline.ledger.videos.in_state(VideoState.INDEXING)
    assert [video.video_no for video in found.server.videos()] == [known.video_no]
    found.run_steps()
    assert len(found.server.videos()) == 1
    assert found.sql("SELECT count(*) FROM videos WHERE state = 'ready'") == [(1,)]


def test_an_upload_that_is_not_there_yet_is_given_time_to_turn_up(found: Project) -> None:
    found.configure(api={"lost_answer_wait_seconds": 60})
    found.server.faults.add(FAULTS["reset before"])
    with found.pipeline() as pipeline:
        upload(pipeline)
    with found.pipeline() as pipeline:
        assert upload(pipeline).waiting == 1
        (lost,) = pipeline.ledger.uploads.open()
        assert lost.state is UploadState.UNCERTAIN
    assert len(found.calls("upload")) == 1
    with found.pipeline(clock=later(seconds=61)) as pipeline:
        assert upload(pipeline).uploaded == 1
    assert len(found.server.videos()) == 1


def test_a_library_that_cannot_be_listed_leaves_the_question_open(found: Project) -> None:
    found.server.faults.add(FAULTS["reset after"])
    listing = FaultRule(operation="list_videos", kind=FaultKind.SPRING_503, count=None)
    with found.pipeline() as pipeline:
        upload(pipeline)
        found.server.faults.add(listing)
        with pytest.raises(Exception, match="list_videos"):
            upload(pipeline)
        (lost,) = pipeline.ledger.uploads.open()
        assert lost.state is UploadState.UNCERTAIN
        found.server.faults.clear()
        assert upload(pipeline).adopted == 1
    assert len(found.calls("upload")) == 1


def test_a_file_that_leaves_the_source_after_a_lost_answer_is_adopted_all_the_same(found: Project) -> None:
    found.server.faults.add(FAULTS["reset after"])
    with found.pipeline() as pipeline:
        upload(pipeline)
        (found.footage / "red.mp4").unlink()
        look_at_source(pipeline)
        assert upload(pipeline).adopted == 1


def test_a_refusal_for_good_is_not_tried_again(found: Project) -> None:
    found.server.faults.add(
        FaultRule(operation="upload", kind=FaultKind.CODE, code="0003", message="not this one", count=None)
    )
    with found.pipeline() as pipeline:
        assert upload(pipeline).refused == 1
        (failure,) = pipeline.ledger.failures.unresolved()
        assert "not this one" in failure.reason
        assert upload(pipeline).refused == 0
    assert len(found.calls("upload")) == 1


def test_a_video_that_never_becomes_ready_is_told_and_welcome_when_it_does(found: Project) -> None:
    found.server.transitions.plan(TransitionPlan(stuck=True))
    with found.pipeline() as pipeline:
        upload(pipeline)
        found.server.settle()
        assert poll(pipeline).indexing == 1
    with found.pipeline(clock=later(hours=25)) as pipeline:
        assert poll(pipeline).stuck == 1
        (failure,) = pipeline.ledger.failures.unresolved()
        assert "still UNPARSE after 25.0 h" in failure.reason
        (video,) = found.server.videos()
        found.server.transitions.plan(TransitionPlan(video_no=video.video_no, ready_after_seconds=0))
        assert poll(pipeline).ready == 1
        assert not pipeline.ledger.failures.unresolved()


def test_a_video_deleted_behind_our_back_is_missing_after_a_grace_and_is_not_sent_again(found: Project) -> None:
    with found.pipeline() as pipeline:
        upload(pipeline)
        (video,) = found.server.videos()
        answer = httpx.post(
            f"{found.server.url}/serve/api/v1/delete_videos",
            params={"unique_id": "default"},
            json=[video.video_no],
            headers={"Authorization": found.server.api_key},
            trust_env=False,
        )
        assert answer.json()["code"] == "0000"
        assert poll(pipeline).indexing == 1
    with found.pipeline(clock=later(hours=1)) as pipeline:
        assert poll(pipeline).missing == 1
        (failure,) = pipeline.ledger.failures.unresolved()
        assert "not in the library" in failure.reason
        upload(pipeline)
    assert len(found.calls("upload")) == 1
