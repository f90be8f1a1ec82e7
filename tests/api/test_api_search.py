"""Searches by text, image and phrase (contract §9.40-9.47)."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.scripted_server import Reply, ScriptedServer, SeenRequest
from visualsearch_pipeline.api import (
    ClipHit,
    EndpointUnavailable,
    FilteringLevel,
    FolderScope,
    InvalidInput,
    SearchKind,
    VisualSearchClient,
    limits,
)
from visualsearch_pipeline.api.search import merge_by_score

if TYPE_CHECKING:
    from tests.api.conftest import Clients

PNG = b"\x89PNG\r\n\x1a\n" + b"\x00" * 64


@pytest.fixture
def image(tmp_path: Path) -> Path:
    path = tmp_path / "logo.PNG"
    path.write_bytes(PNG)
    return path


def test_everything_asked_is_sent_as_documented(server: ScriptedServer, client: VisualSearchClient) -> None:
    server.script(server.ok([]))
    client.search(
        "a red truck",
        kind=SearchKind.AUDIO,
        top_k=50,
        filtering_level=FilteringLevel.MEDIUM,
        video_nos=["VI1", "VI2", "VI1"],
        tag="day:2026-05-01",
        camera_model="Nikon",
        taken_after=datetime(2025, 9, 7, 22, 52, tzinfo=UTC),
        latitude=1.5,
        longitude=2.5,
    )
    assert server.requests[0].json == {
        "unique_id": "default",
        "search_param": "a red truck",
        "search_type": "BY_AUDIO",
        "top_k": 50,
        "filtering_level": "medium",
        "video_nos": ["VI1", "VI2"],
        "tag": "day:2026-05-01",
        "camera_tag": "Nikon",
        "datetime_taken": "2025-09-07 22:52:00",
        "latitude": 1.5,
        "longitude": 2.5,
    }


def test_clips_in_every_dialect_read_the_same(server: ScriptedServer, client: VisualSearchClient) -> None:
    expected = ClipHit(video_no="VI1", video_name="truck", start_seconds=13, end_seconds=18, score=0.5123456789012345)
    for item in (
        {"videoNo": "VI1", "videoName": "truck", "startTime": "13", "endTime": "18", "score": 0.5123456789012345},
        {"videoNo": "VI1", "videoName": "truck", "startTime": 13, "endTime": 18.0, "score": "0.5123456789012345"},
        {"video_no": "VI1", "video_name": "truck", "start_time": 13.0, "end_time": 18.0, "score": 0.5123456789012345},
    ):
        server.script(server.ok([item]))
        assert client.search("truck", top_k=10) == (expected,)


def test_whole_videos_with_null_as_a_word_have_no_times(server: ScriptedServer, client: VisualSearchClient) -> None:
    server.script(server.ok([{"videoNo": "VI1", "videoName": "a", "startTime": "null", "endTime": "null"}]))
    (hit,) = client.search("truck", top_k=10)
    assert (hit.start_seconds, hit.end_seconds, hit.score) == (None, None, None)


def test_captions_and_speech_bring_their_text_and_locations(server: ScriptedServer, client: VisualSearchClient) -> None:
    caption = {
        "video_no": "VI1",
        "text": "A red truck passes.",
        "vector": [0.1] * 1024,
        "user_id": "d41d8cd98f00b204e9800998ecf8427e",
        "start_time": 3.5,
        "end_time": 9.0,
        "score": 0.7,
    }
    speech = {
        "videoNo": "VI2",
        "startTime": "1",
        "endTime": "2",
        "score": 0.6,
        "audio_ts": " the red truck",
        "video_bucket": "mavi-resource",
        "video_blob": "VI2.mp4",
        "keyframe_bucket": "mavi-keyframe",
        "keyframe_blob": "u/keyframe-000001.jpg",
    }
    server.script(server.ok([caption]), server.ok([speech]))
    assert client.search("truck", kind=SearchKind.CAPTIONS, top_k=200)[0].text == "A red truck passes."
    (hit,) = client.search("truck", kind=SearchKind.AUDIO, top_k=200)
    assert hit.text == "the red truck"
    assert (hit.video_bucket, hit.video_blob) == ("mavi-resource", "VI2.mp4")
    assert (hit.keyframe_bucket, hit.keyframe_blob) == ("mavi-keyframe", "u/keyframe-000001.jpg")


@pytest.mark.parametrize("data", [None, []])
def test_nothing_found_is_an_empty_tuple(server: ScriptedServer, client: VisualSearchClient, data: object) -> None:
    server.script(server.ok(data))
    assert client.search("truck", top_k=10) == ()


def test_a_missing_route_is_not_nothing_found(server: ScriptedServer, client: VisualSearchClient) -> None:
    server.script(server.envelope("0001", "No static resource serve/api/v1/search.", data=[]))
    with pytest.raises(EndpointUnavailable):
        client.search("truck", top_k=10)


def test_a_reversed_clip_is_kept_and_flagged(server: ScriptedServer, client: VisualSearchClient) -> None:
    server.script(server.ok([{"videoNo": "VI1", "startTime": "9", "endTime": "3"}, {"videoNo": "VI1", "startTime": 1}]))
    assert [hit.is_reversed for hit in client.search("truck", top_k=10)] == [True, False]


def test_more_than_100_videos_are_asked_in_parts_and_merged_by_score(
    server: ScriptedServer, client: VisualSearchClient
) -> None:
    answers = [
        server.ok([{"videoNo": "VI1", "score": 0.9}, {"videoNo": "VI2", "score": 0.2}]),
        server.ok(None),
        server.ok([{"videoNo": "VI201", "score": 0.5}, {"videoNo": "VI202"}]),
    ]
    server.script(*answers)
    names = [f"VI{number}" for number in range(250)]
    hits = client.search("truck", top_k=3, video_nos=names)
    assert [hit.video_no for hit in hits] == ["VI1", "VI201", "VI2"]
    sent = [request.json["video_nos"] for request in server.requests if isinstance(request.json, dict)]
    assert sent == [names[:100], names[100:200], names[200:]]
    assert client.search("truck", top_k=3, video_nos=[]) == ()
    assert len(server.requests) == 3


@given(
    parts=st.lists(st.lists(st.one_of(st.none(), st.floats(-1, 1)), max_size=5), max_size=5), top_k=st.integers(1, 30)
)
@settings(deadline=None)
def test_merging_keeps_the_best_and_invents_nothing(parts: list[list[float | None]], top_k: int) -> None:
    hits = [[ClipHit(video_no=f"{p}-{i}", score=s) for i, s in enumerate(part)] for p, part in enumerate(parts)]
    merged = merge_by_score(hits, top_k=top_k)
    everything = [hit for part in hits for hit in part]
    assert len(merged) == min(top_k, len(everything))
    assert len({hit.video_no for hit in merged}) == len(merged)
    scores = [-2 if hit.score is None else hit.score for hit in merged]
    assert scores == sorted([-2 if hit.score is None else hit.score for hit in everything], reverse=True)[:top_k]


@pytest.mark.parametrize(
    ("text", "kind", "top_k"),
    [
        ("", SearchKind.CLIPS, 10),
        (" \n", SearchKind.CLIPS, 10),
        ("a", SearchKind.CLIPS, 0),
        ("a", SearchKind.AUDIO, 1001),
        ("a", SearchKind.CAPTIONS, 201),
    ],
)
def test_what_the_service_would_refuse_is_not_sent(
    server: ScriptedServer, client: VisualSearchClient, text: str, kind: SearchKind, top_k: int
) -> None:
    with pytest.raises(InvalidInput):
        client.search(text, kind=kind, top_k=top_k)
    with pytest.raises(InvalidInput):
        client.search("a", top_k=1, latitude=1.0)
    assert server.requests == []


def test_similar_images_go_out_with_their_type_and_need_no_end(
    server: ScriptedServer, client: VisualSearchClient, image: Path
) -> None:
    server.script(server.ok([{"videoNo": "VI1", "videoName": "a", "startTime": "7", "score": 0.91}]))
    (hit,) = client.search_similar_images(image, similarity=0.8)
    body = server.requests[0].body
    assert (hit.video_no, hit.start_seconds, hit.end_seconds, hit.score) == ("VI1", 7.0, None, 0.91)
    assert b'name="similarity"\r\n\r\n0.8\r\n' in body
    assert b'name="unique_id"\r\n\r\ndefault\r\n' in body
    assert b'filename="logo.PNG"\r\nContent-Type: image/png\r\n\r\n' + PNG in body


def test_an_image_is_sent_again_whole_after_a_fault(
    server: ScriptedServer, client: VisualSearchClient, image: Path
) -> None:
    server.script(server.reset(), server.network_abnormal(), server.ok(None))
    assert client.search_similar_images(image) == ()
    assert all(PNG in request.body for request in server.requests)


def test_hits_within_a_video_carry_its_number(server: ScriptedServer, clients: Clients, image: Path) -> None:
    server.script(server.ok([{"start_time": 3.5, "end_time": 9.25, "score": 0.7}]))
    (hit,) = clients.make(scope=FolderScope(7)).search_clips_by_image(image, video_no="VI9", prompt="the red shirt")
    assert (hit.video_no, hit.start_seconds, hit.end_seconds) == ("VI9", 3.5, 9.25)
    names = re.findall(rb'name="(\w+)"', server.requests[0].body)
    assert names == [b"video_no", b"prompt", b"file"], "in this style no scope is sent with a known video"


def test_images_that_would_be_refused_are_not_sent(
    server: ScriptedServer, client: VisualSearchClient, image: Path, tmp_path: Path
) -> None:
    text, empty, large = tmp_path / "a.txt", tmp_path / "a.png", tmp_path / "b.png"
    text.write_text("x")
    empty.touch()
    with large.open("wb") as file:
        file.truncate(limits.MAX_IMAGE_BYTES + 1)
    for wrong in (text, empty, large, tmp_path / "missing.png", tmp_path):
        with pytest.raises(InvalidInput):
            client.search_similar_images(wrong)
    with pytest.raises(InvalidInput):
        client.search_similar_images(image, similarity=1.01)
    with pytest.raises(InvalidInput):
        client.search_clips_by_image(image, video_no="VI1", prompt=" ")
    with pytest.raises(InvalidInput):
        client.search_clips_by_image(image, video_no="", prompt="shirt")
    assert server.requests == []


def test_a_phrase_is_searched_page_by_page(server: ScriptedServer, client: VisualSearchClient) -> None:
    def answer(request: SeenRequest) -> Reply:
        page, size = int(request.query["page"][0]), int(request.query["page_size"][0])
        all_hits = [{"videoNo": f"VI{n}", "startTime": str(n), "audio_ts": f"warranty {n}"} for n in range(230)]
        part = all_hits[(page - 1) * size : page * size]
        return server.ok({"current_page": page, "page_size": str(size), "total_count": "230", "videos": part})

    server.script(answer)
    hits = list(client.iter_audio_transcripts("warranty & co"))
    assert [hit.video_no for hit in hits] == [f"VI{n}" for n in range(230)]
    assert (hits[7].start_seconds, hits[7].end_seconds, hits[7].score, hits[7].text) == (7.0, None, None, "warranty 7")
    assert len(server.requests) == 3
    assert server.requests[0].query == {
        "query": ["warranty & co"],
        "page": ["1"],
        "page_size": ["100"],
        "unique_id": ["default"],
    }
    page = client.search_audio_transcripts("warranty", page=3, page_size=100)
    assert (len(page.hits), page.page, page.page_size, page.total_count) == (30, 3, 100, 230)


def test_impossible_phrase_searches_are_not_sent(server: ScriptedServer, client: VisualSearchClient) -> None:
    for phrase, page, page_size in (("", 1, 100), ("a", 0, 100), ("a", 1, 501), ("a", 1, 0)):
        with pytest.raises(InvalidInput):
            client.search_audio_transcripts(phrase, page=page, page_size=page_size)
    assert server.requests == []


def test_a_transcript_is_read_in_the_order_of_time(server: ScriptedServer, client: VisualSearchClient) -> None:
    segments = [
        {"index": 1, "content": " world", "startTime": "7", "endTime": "9"},
        {"index": 0, "content": " hello", "startTime": "0", "endTime": "7"},
        {"index": 2, "content": "null", "startTime": "null"},
    ]
    server.script(
        server.ok(
            {"videoNo": "VI1", "transcriptions": segments, "createTime": "1754038543000", "video_blob": "VI1.mp4"}
        )
    )
    transcript = client.get_audio_transcription("VI1")
    assert transcript is not None
    assert [segment.text for segment in transcript.segments] == ["hello", "world", "null"]
    assert [segment.start_seconds for segment in transcript.segments] == [0.0, 7.0, None]
    assert transcript.created_at == datetime(2025, 8, 1, 8, 55, 43, tzinfo=UTC)
    assert transcript.video_blob == "VI1.mp4"


def test_no_transcript_is_none_and_an_empty_one_is_empty(server: ScriptedServer, client: VisualSearchClient) -> None:
    server.script(server.ok(None), server.ok({"videoNo": "VI1", "transcriptions": None}))
    assert client.get_audio_transcription("VI1") is None
    transcript = client.get_audio_transcription("VI1")
    assert transcript is not None
    assert transcript.segments == ()


@pytest.mark.parametrize("first", ["get_video_caption", "get_video_transcription"])
def test_captions_fall_back_to_the_other_name_of_the_route_and_keep_to_it(
    server: ScriptedServer, clients: Clients, first: str
) -> None:
    second = {"get_video_caption": "get_video_transcription"}.get(first, "get_video_caption")

    def answer(request: SeenRequest) -> Reply:
        if request.path.endswith(second):
            return server.ok({"videoNo": "VI1", "transcriptions": [{"index": 0, "content": "a truck"}]})
        return server.envelope("0001", f"No static resource {request.path}.")

    server.script(answer)
    client = clients.make(
        caption_route="get_video_caption" if first == "get_video_caption" else "get_video_transcription"
    )
    for _ in range(2):
        captions = client.get_video_caption("VI1")
        assert captions is not None
        assert captions.segments[0].text == "a truck"
    assert [request.path.rpartition("/")[2] for request in server.requests] == [first, second, second]


def test_a_service_with_neither_caption_route_is_said_so(server: ScriptedServer, client: VisualSearchClient) -> None:
    server.script(server.envelope("0001", "No static resource."))
    with pytest.raises(EndpointUnavailable):
        client.get_video_caption("VI1")
    assert len(server.requests) == 2
