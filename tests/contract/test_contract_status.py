"""Contract §9.24-9.30: from UNPARSE to PARSE, or not."""

from __future__ import annotations

import logging
import time
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from visualsearch_pipeline.api import VideoStatus, VisualSearchClient
from visualsearch_pipeline.ledger import VideoState
from visualsearch_pipeline.orchestration import execution
from visualsearch_pipeline.pipeline.index import poll
from visualsearch_pipeline.pipeline.ingest import ingest, look_at_source
from visualsearch_pipeline.pipeline.upload import upload
from visualsearch_pipeline.sandbox import Dialect, TransitionPlan

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import MakeProject, Project
    from tests.contract.conftest import Answering, Connect, Speak, Start, Wire

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)


def statuses(wire: Wire) -> dict[str, str]:
    return {item["video_name"]: item["status"] for item in wire.listed()}


def test_24_videos_become_ready_by_the_clock_in_any_order_or_never(start: Start, speak: Speak, red_clip: Path) -> None:
    server = start(frozen_at=NOON, indexing_seconds=60)
    wire = speak(server)
    server.transitions.plan(TransitionPlan(file_name="stuck*", stuck=True))
    server.transitions.plan(TransitionPlan(file_name="slow*", ready_after_seconds=3600))
    server.transitions.plan(TransitionPlan(file_name="broken*", fail_with="Indexing failed. "))
    for name in ("slow", "stuck", "broken", "quick"):
        wire.upload(red_clip, name=f"{name}.mp4")
    server.settle()
    assert set(statuses(wire).values()) == {"UNPARSE"}
    server.clock.advance(59)
    assert set(statuses(wire).values()) == {"UNPARSE"}
    server.clock.advance(1)
    assert statuses(wire) == {"slow": "UNPARSE", "stuck": "UNPARSE", "broken": "FAILED", "quick": "PARSE"}
    server.clock.advance(9 * 86_400)
    assert statuses(wire) == {"slow": "PARSE", "stuck": "UNPARSE", "broken": "FAILED", "quick": "PARSE"}


@pytest.mark.parametrize("spelling", ["FAIL", "FAILED", "PARSE_ERROR"])
def test_24_failure_is_spelled_as_told_and_25_read_in_every_spelling(
    start: Start, speak: Speak, connect: Connect, tmp_path: Path, spelling: str
) -> None:
    server = start(failed_status=spelling)
    broken = tmp_path / "broken.mp4"
    broken.write_text("no video")
    video_no = connect(server).upload(broken, upload_name="broken.mp4").video_no
    server.settle()
    assert statuses(speak(server)) == {"broken": spelling}
    video = connect(server).get_metadata(video_no)
    assert video is not None
    assert video.status is VideoStatus.FAILED


@pytest.mark.parametrize(
    ("sent", "read"),
    [
        ("PARSE", VideoStatus.READY),
        ("DONE", VideoStatus.READY),
        ("FAIL", VideoStatus.FAILED),
        ("ERROR", VideoStatus.FAILED),
        ("UNPARSE", VideoStatus.PROCESSING),
        ("UPLOADING", VideoStatus.PROCESSING),
        ("REINDEXING", VideoStatus.PROCESSING),
    ],
)
def test_25_only_known_words_mean_ready_or_failed_and_an_unknown_one_is_logged_once(
    answering: Answering, connect: Connect, caplog: pytest.LogCaptureFixture, sent: str, read: VideoStatus
) -> None:
    caplog.set_level(logging.WARNING, logger="visualsearch_pipeline")
    answering.say_data({"videos": [{"video_no": f"VI{number}", "status": sent} for number in range(3)]})
    client = connect(answering.url)
    for _ in range(2):
        assert {video.status for video in client.list_videos().videos} == {read}
    assert len(caplog.records) == (1 if sent == "REINDEXING" else 0)


class Watched:
    """A project with one uploaded video, polled at times of one's choice."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self.uploaded_at = datetime.now(UTC)
        with project.pipeline() as pipeline:
            look_at_source(pipeline)
            ingest(pipeline)
            upload(pipeline)

    def poll(self, *, after_seconds: float) -> VideoState:
        moment = self.uploaded_at + timedelta(seconds=after_seconds)
        with self.project.pipeline(clock=lambda: moment) as pipeline:
            poll(pipeline)
            (video_no,) = pipeline.ledger.uploads.claimed_video_nos()
            (state,) = [
                state
                for state in VideoState
                if video_no in {video.video_no for video in pipeline.ledger.videos.in_state(state)}
            ]
            return state


def test_26_a_stalled_video_is_stuck_not_failed_and_a_later_success_is_picked_up(make_project: MakeProject) -> None:
    project = make_project(("red",))
    project.configure(indexing={"stuck_after_seconds": 3600})
    project.server.transitions.plan(TransitionPlan(stuck=True))
    watched = Watched(project)
    assert watched.poll(after_seconds=60) is VideoState.INDEXING
    assert watched.poll(after_seconds=3700) is VideoState.STUCK
    video_no = project.server.videos()[0].video_no
    project.server.transitions.plan(TransitionPlan(video_no=video_no, ready_after_seconds=0))
    project.server.settle()
    assert watched.poll(after_seconds=9 * 86_400) is VideoState.READY


def test_26_a_long_video_is_given_longer_before_it_counts_as_stuck(make_project: MakeProject) -> None:
    project = make_project(("red",))
    project.configure(indexing={"stuck_after_seconds": 3600, "stuck_after_lengths": 1000})
    project.server.transitions.plan(TransitionPlan(stuck=True))
    watched = Watched(project)
    assert watched.poll(after_seconds=3700) is VideoState.INDEXING
    assert watched.poll(after_seconds=3600 + 3 * 1000 + 100) is VideoState.STUCK


def test_27_an_unknown_video_is_not_visible_yet_and_after_the_grace_time_missing(make_project: MakeProject) -> None:
    project = make_project(("red",), visibility_lag_seconds=1800)
    project.configure(indexing={"grace_seconds": 900})
    watched = Watched(project)
    assert watched.poll(after_seconds=60) is VideoState.INDEXING
    assert len(project.calls("get_metadata")) == 1
    assert watched.poll(after_seconds=1000) is VideoState.MISSING
    project.server.clock.advance(1801)
    assert watched.poll(after_seconds=2000) is VideoState.READY


def test_27_null_metadata_is_none_and_no_error(client: VisualSearchClient, wire: Wire) -> None:
    answer = wire.get("get_metadata", video_no="VI1")
    assert (answer["code"], answer["data"]) == ("0000", None)
    assert client.get_metadata("VI1") is None


def test_28_many_videos_are_polled_by_pages_of_the_list(make_project: MakeProject) -> None:
    project = make_project(("red", "red-2", "red-3", "red-4", "blue"), indexing_seconds=3600)
    with project.pipeline() as pipeline:
        look_at_source(pipeline)
        ingest(pipeline)
        upload(pipeline)
        since = project.mark()
        assert poll(pipeline).indexing == 5
    assert [entry.operation for entry in project.calls(since=since)] == ["list_videos"]


def test_28_the_interval_between_polls_grows(make_project: MakeProject, monkeypatch: pytest.MonkeyPatch) -> None:
    project = make_project(("red",), frozen_at=datetime.now(UTC), indexing_seconds=4)
    pauses: list[float] = []

    def sleep(seconds: float) -> None:
        pauses.append(seconds)
        project.server.settle()
        project.server.clock.advance(seconds)

    # Only the runner's own waiting is virtual, by the sandbox's clock.
    monkeypatch.setattr(execution, "time", SimpleNamespace(monotonic=time.monotonic, sleep=sleep))
    assert project.run(timeout_seconds=None).is_done
    assert sum(pauses) >= 4
    assert all(later > earlier for earlier, later in pairwise(pauses[:3]))


def test_29_absence_is_none_however_it_is_spelled(start: Start, speak: Speak, connect: Connect, red_clip: Path) -> None:
    server = start(dialect=Dialect.LIVE_2025, frozen_at=NOON, indexing_seconds=60)
    client = connect(server)
    video_no = client.upload(red_clip, upload_name="a.mp4").video_no
    server.settle()
    (item,) = speak(server).listed()
    assert "size" not in item
    assert (item["duration"], item["cause"]) == ("0", "null")
    for video in (client.list_videos().videos[0], client.get_metadata(video_no)):
        assert video is not None
        assert (video.size_bytes, video.duration_seconds, video.cause) == (None, None, None)


def test_30_a_cause_is_trimmed_and_kept(make_project: MakeProject, speak: Speak, connect: Connect) -> None:
    project = make_project(("red",))
    project.server.transitions.plan(TransitionPlan(fail_with="Indexing failed. "))
    watched = Watched(project)
    project.server.settle()
    assert [item["cause"] for item in speak(project.server).listed()] == ["Indexing failed. "]
    assert [video.cause for video in connect(project.server).list_videos().videos] == ["Indexing failed."]
    assert watched.poll(after_seconds=60) is VideoState.FAILED
    with project.pipeline() as pipeline:
        (video,) = pipeline.ledger.videos.in_state(VideoState.FAILED)
    assert video.cause is not None
    assert video.cause.endswith("Indexing failed.")
