"""Contract §9.31-9.36: reading the library page by page."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from visualsearch_pipeline.api import Video, VideoStatus, VisualSearchClient
from visualsearch_pipeline.sandbox import Dialect, NameMatch, Sandbox, SeededVideo, TransitionPlan

if TYPE_CHECKING:
    from pathlib import Path

    from tests.contract.conftest import Answering, Connect, Speak, Start, Wire

EIFFEL_TOWER = {"latitude": 48.8584, "longitude": 2.2945}


def seed(server: Sandbox, *names: str) -> list[str]:
    return server.seed([SeededVideo(video_name=name) for name in names], account="sandbox")


def test_31_pages_count_from_one_are_always_named_and_end_at_a_short_one(
    server: Sandbox, client: VisualSearchClient
) -> None:
    seeded = seed(server, *"abcde")
    assert {video.video_no for video in client.iter_videos(size=2)} == set(seeded)
    client.list_videos()
    asked = [(entry.params["page"], entry.params["size"]) for entry in server.journal()]
    assert asked == [("1", "2"), ("2", "2"), ("3", "2"), ("1", "200")]


@pytest.mark.parametrize("total", ["2", 999_999, "999999", 0, -1, None, "many"])
def test_31_a_total_that_is_text_wrong_or_changing_never_loops_for_ever(
    answering: Answering, connect: Connect, total: object
) -> None:
    page: dict[str, Any] = {"videos": [{"video_no": "VI1", "status": "PARSE"}, {"video_no": "VI2", "status": "PARSE"}]}
    answering.say_data({**page, "current_page": 1, "page_size": 2, "total_count": total})
    answering.say_data({"videos": [], "current_page": 2, "page_size": 2, "total_count": 7})
    found = [video.video_no for video in connect(answering.url).iter_videos(size=2)]
    assert found == ["VI1", "VI2"]
    assert len(answering.received) < 20


def test_32_pages_that_shift_lose_nothing_and_show_nothing_twice(server: Sandbox, client: VisualSearchClient) -> None:
    there = seed(server, *(f"video {number}" for number in range(10)))
    found: list[str] = []
    for video in client.iter_videos(size=3):
        found.append(video.video_no)
        if len(found) in {2, 5}:
            seed(server, "newcomer", "another")
        if len(found) == 7:
            client.delete_videos([found[0]])
    assert len(found) == len(set(found))
    assert set(there) <= set(found)


class _Seen(dict[str, tuple[object, ...]]):
    """What the client makes of a listing, by name."""

    def __init__(self, videos: tuple[Video, ...]) -> None:
        super().__init__(
            {
                video.video_name: (
                    video.status,
                    video.size_bytes,
                    video.duration_seconds,
                    video.tags,
                    video.captured_at,
                )
                for video in videos
            }
        )


@pytest.mark.parametrize("status_filter_is_ignored", [False, True], ids=["filters", "ignores filters"])
@pytest.mark.parametrize("match", list(NameMatch))
def test_33_the_client_reads_the_same_in_every_mode(
    start: Start,
    connect: Connect,
    speak: Speak,
    red_clip: Path,
    dialect: Dialect,
    match: NameMatch,
    status_filter_is_ignored: bool,  # noqa: FBT001  a parameter of the test
) -> None:
    server = start(dialect=dialect, video_name_match=match, ignore_status_filter=status_filter_is_ignored)
    client = connect(server)
    server.transitions.plan(TransitionPlan(file_name="red late.mp4", stuck=True))
    captured_at = datetime(2026, 5, 1, 12, 30, tzinfo=UTC)
    for name in ("red", "red late"):
        client.upload(red_clip, upload_name=f"{name}.mp4", tags=["street"], captured_at=captured_at)
    server.settle()
    wire = speak(server)
    newest_first = [item["video_name"] for item in wire.listed()]
    assert newest_first == ["red late", "red"]
    (total, create_time) = (wire.post("list_videos")["data"]["total_count"], wire.listed()[0]["create_time"])
    assert isinstance(total, str) is isinstance(create_time, str) is (dialect is Dialect.LIVE_2025)
    assert len(wire.listed(video_name="red")) == (2 if match is NameMatch.PARTIAL else 1)
    assert len(wire.listed(status="PARSE")) == (2 if status_filter_is_ignored else 1)

    ready = (VideoStatus.READY, red_clip.stat().st_size, 3.0, ("street",), captured_at)
    assert _Seen(client.list_videos(video_name="red").videos) == {"red": ready}
    assert _Seen(client.list_videos(status=VideoStatus.READY).videos) == {"red": ready}
    assert [video.video_name for video in client.iter_videos(status=VideoStatus.PROCESSING)] == ["red late"]


def test_34_metadata_filters_pass_over_unparsed_videos(start: Start, speak: Speak, red_clip: Path) -> None:
    server = start(frozen_at=datetime(2026, 5, 2, tzinfo=UTC), indexing_seconds=60)
    wire = speak(server)
    wire.upload(red_clip, tags="street", camera_model="Z6", datetime_taken="2026-05-01 10:00:00", **EIFFEL_TOWER)
    server.settle()
    taken_ms = int(datetime(2026, 5, 1, 10, tzinfo=UTC).timestamp() * 1000)
    filters: list[dict[str, object]] = [
        {"tag": "street"},
        {"camera_model": "Z6"},
        {"datetime_taken": taken_ms},
        {**EIFFEL_TOWER},
    ]
    assert [len(wire.listed(**wanted)) for wanted in filters] == [0, 0, 0, 0]
    assert len(wire.listed()) == 1
    server.clock.advance(60)
    assert [len(wire.listed(**wanted)) for wanted in filters] == [1, 1, 1, 1]
    assert wire.listed(datetime_taken=taken_ms + 1) == []
    # One degree of latitude is 111 km.
    assert len(wire.listed(latitude=48.8584 + 0.16, longitude=2.2945)) == 1
    assert wire.listed(latitude=48.8584 + 0.25, longitude=2.2945) == []


@pytest.mark.parametrize("key", ["video_no", "videoNo"])
def test_35_ids_are_read_in_both_spellings_everywhere(answering: Answering, connect: Connect, key: str) -> None:
    client = connect(answering.url)
    item = {key: "VI1", "status": "PARSE"}
    for data, read in (
        ({"videos": [item]}, lambda: client.list_videos().videos[0].video_no),
        (item, lambda: getattr(client.get_metadata("VI1"), "video_no", None)),
        ([item], lambda: client.search("red", top_k=5)[0].video_no),
        ({"videos": [item]}, lambda: client.get_task_videos("task").video_nos[0]),
        ({"videos": [item]}, lambda: client.search_audio_transcripts("may").hits[0].video_no),
    ):
        answering.answers.clear()
        answering.say_data(data)
        assert read() == "VI1"


def test_36_page_size_in_a_list_request_means_nothing(server: Sandbox, wire: Wire) -> None:
    seed(server, *"abc")
    data = wire.post("list_videos", {"page": 1, "page_size": 1})["data"]
    assert (len(data["videos"]), data["page_size"]) == (3, 200)
    data = wire.post("list_videos", {"page": 1, "size": 2, "page_size": 1})["data"]
    assert (len(data["videos"]), data["page_size"]) == (2, 2)
