"""Contract §9.48-9.50: what is said in a video, and what its captions say."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import pytest

from visualsearch_pipeline.api import EndpointUnavailable
from visualsearch_pipeline.pipeline.index import poll
from visualsearch_pipeline.pipeline.ingest import ingest, look_at_source
from visualsearch_pipeline.pipeline.transcribe import transcribe
from visualsearch_pipeline.pipeline.upload import upload
from visualsearch_pipeline.sandbox import TransitionPlan

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import MakeProject
    from tests.contract.conftest import Answering, Connect, Speak, Start


def test_48_null_before_parse_is_not_ready_and_after_it_no_audio_asked_once(make_project: MakeProject) -> None:
    project = make_project(("red", "blue"))  # in the second nothing is said
    server = project.server
    server.transitions.plan(TransitionPlan(stuck=True))
    with project.pipeline() as pipeline:
        look_at_source(pipeline)
        ingest(pipeline)
        upload(pipeline)
        poll(pipeline)
        assert transcribe(pipeline, "transcripts").fetched == 0
        assert project.calls("get_audio_transcription") == []
        for video in server.videos():
            server.transitions.plan(TransitionPlan(video_no=video.video_no, ready_after_seconds=0))
        server.settle()
        poll(pipeline)
        report = transcribe(pipeline, "transcripts")
        assert (report.fetched, report.without) == (1, 1)
        transcribe(pipeline, "transcripts")
    assert len(project.calls("get_audio_transcription")) == 2


def test_48_the_client_says_none_for_null(start: Start, connect: Connect, speak: Speak, blue_clip: Path) -> None:
    server = start()
    video_no = connect(server).upload(blue_clip, upload_name="a.mp4").video_no
    assert speak(server).get("get_audio_transcription", video_no=video_no)["data"] is None
    assert connect(server).get_audio_transcription(video_no) is None


def test_49_lines_are_trimmed_and_may_come_unordered_overlapping_and_gapped(
    answering: Answering, connect: Connect
) -> None:
    lines = [
        {"index": 2, "content": " third ", "startTime": "40", "endTime": "45"},
        {"index": 0, "content": " first", "startTime": "0", "endTime": "7"},
        {"index": 1, "content": "second", "startTime": "5", "endTime": "9"},
    ]
    answering.say_data({"videoNo": "VI1", "transcriptions": lines, "createTime": "1757285520000"})
    transcript = connect(answering.url).get_audio_transcription("VI1")
    assert transcript is not None
    assert [(line.text, line.start_seconds, line.end_seconds) for line in transcript.segments] == [
        ("first", 0.0, 7.0),
        ("second", 5.0, 9.0),
        ("third", 40.0, 45.0),
    ]


def test_49_the_sandbox_sends_the_leading_space_and_the_client_drops_it(
    start: Start, connect: Connect, speak: Speak, red_clip: Path
) -> None:
    server = start()
    client = connect(server)
    video_no = client.upload(red_clip, upload_name="a.mp4").video_no
    server.settle()
    sent = speak(server).get("get_audio_transcription", video_no=video_no)["data"]["transcriptions"]
    assert [line["content"] for line in sent] == [" The warranty ends in May"]
    read = client.get_audio_transcription(video_no)
    assert read is not None
    assert [line.text for line in read.segments] == ["The warranty ends in May"]


@pytest.mark.parametrize("route", ["get_video_caption", "get_video_transcription"])
@pytest.mark.parametrize("offered", ["get_video_caption", "get_video_transcription", "both"])
def test_50_the_caption_route_is_a_setting_and_the_other_name_is_tried_once(
    start: Start,
    connect: Connect,
    red_clip: Path,
    route: Literal["get_video_caption", "get_video_transcription"],
    offered: str,
) -> None:
    gone = {"get_video_caption", "get_video_transcription"} - {offered} if offered != "both" else set()
    server = start(missing_routes={f"/serve/api/v1/{name}" for name in gone})
    client = connect(server, caption_route=route)
    video_no = client.upload(red_clip, upload_name="a.mp4").video_no
    server.settle()
    for _ in range(2):
        captions = client.get_video_caption(video_no)
        assert captions is not None
        assert captions.segments
    asked = [entry.path.rpartition("/")[2] for entry in server.journal() if "video_" in entry.path]
    assert asked == ([route, offered, offered] if gone == {route} else [route, route])


def test_50_a_service_with_neither_name_is_said_so(start: Start, connect: Connect) -> None:
    client = connect(start(missing_routes={"get_video_caption"}))
    with pytest.raises(EndpointUnavailable):
        client.get_video_caption("VI1")
