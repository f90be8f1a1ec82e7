"""Listing, looking, deleting (contract §9.25, §9.27-9.38, §9.56-9.57)."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.scripted_server import Reply, ScriptedServer, SeenRequest
from visualsearch_pipeline.api import (
    BadResponse,
    EndpointUnavailable,
    FolderScope,
    InvalidInput,
    UniqueIdScope,
    Video,
    VideoPage,
    VideoStatus,
    VisualSearchClient,
)
from visualsearch_pipeline.api.paging import iterate_pages
from visualsearch_pipeline.api.wire import read_integer

if TYPE_CHECKING:
    from tests.api.conftest import Clients

LIVE_2025 = {
    "video_no": "VI568102998803353600",
    "video_name": "1920x1080",
    "duration": "13",
    "size": "3284512",
    "status": "PARSE",
    "cause": "null",
    "create_time": "1754038543000",
    "video_url": "null",
}
SPRING_2026 = {
    "videoNo": "VI568102998803353600",
    "videoName": "1920x1080",
    "duration": 13,
    "size": 3284512,
    "status": "PARSE",
    "create_time": 1754038543000,
    "tags": ["api"],
}


@pytest.mark.parametrize("sent", [LIVE_2025, SPRING_2026])
def test_every_dialect_reads_the_same(
    server: ScriptedServer, client: VisualSearchClient, sent: dict[str, object]
) -> None:
    server.script(server.ok({"videos": [sent], "current_page": 1, "page_size": 200, "total_count": "1"}))
    page = client.list_videos()
    (video,) = page.videos
    assert video == Video(
        video_no="VI568102998803353600",
        video_name="1920x1080",
        raw_status="PARSE",
        duration_seconds=13.0,
        size_bytes=3284512,
        created_at=datetime(2025, 8, 1, 8, 55, 43, tzinfo=UTC),
    )
    assert video.status is VideoStatus.READY
    assert (page.page, page.page_size, page.total_count) == (1, 200, 1)


def test_everything_that_can_come_is_kept(server: ScriptedServer, client: VisualSearchClient) -> None:
    server.script(
        server.ok(
            {
                "video_no": "VI1",
                "status": "FAIL",
                "duration": "0",
                "cause": "Indexing failed. ",
                "datetime_taken": 1757285520000,
                "camera_model": "Nikon",
                "latitude": "48.5",
                "longitude": 2,
                "tags": ["street", "api", "day:2026-05-01"],
                "bucket": "mavi-resource",
                "blob": "VI1.mp4",
                "fps": 25,
                "width": "1280",
                "height": 720,
                "resolution_label": "720P",
                "something_new": {"a": 1},
            }
        )
    )
    video = client.get_metadata("VI1")
    assert video is not None
    assert video.status is VideoStatus.FAILED
    assert (video.duration_seconds, video.size_bytes, video.cause) == (None, None, "Indexing failed.")
    assert video.captured_at == datetime(2025, 9, 7, 22, 52, tzinfo=UTC)
    assert (video.camera_model, video.latitude, video.longitude) == ("Nikon", 48.5, 2.0)
    assert video.tags == ("street", "day:2026-05-01")
    assert (video.bucket, video.blob) == ("mavi-resource", "VI1.mp4")
    assert (video.fps, video.width, video.height, video.resolution_label) == (25.0, 1280, 720, "720P")


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        ("PARSE", VideoStatus.READY),
        ("DONE", VideoStatus.READY),
        ("UNPARSE", VideoStatus.PROCESSING),
        ("FAILED", VideoStatus.FAILED),
        ("FAIL", VideoStatus.FAILED),
        ("PARSE_ERROR", VideoStatus.FAILED),
        ("ERROR", VideoStatus.FAILED),
        ("REINDEXING", VideoStatus.PROCESSING),
    ],
)
def test_statuses_in_every_spelling(raw: str, status: VideoStatus) -> None:
    assert Video(video_no="VI1", raw_status=raw).status is status


def test_an_unknown_status_is_logged_once(
    server: ScriptedServer, client: VisualSearchClient, caplog: pytest.LogCaptureFixture
) -> None:
    server.script(server.ok({"videos": [{"video_no": "VI1", "status": "BREWING"}]}))
    caplog.set_level(logging.WARNING)
    for _ in range(3):
        client.list_videos()
    assert caplog.text.count("BREWING") == 1


def test_unknown_and_foreign_videos_are_none(server: ScriptedServer, client: VisualSearchClient) -> None:
    server.script(server.ok(None))
    assert client.get_metadata("VI404") is None
    assert server.requests[0].query == {"video_no": ["VI404"], "unique_id": ["default"]}


def test_metadata_of_another_video_is_not_believed(server: ScriptedServer, client: VisualSearchClient) -> None:
    server.script(server.ok({"video_no": "VI2", "status": "PARSE"}))
    with pytest.raises(BadResponse, match="VI2"):
        client.get_metadata("VI1")


def test_a_namespace_goes_everywhere_and_a_folder_only_where_it_is_documented(
    server: ScriptedServer, clients: Clients
) -> None:
    server.script(server.ok(None))
    for scope in (UniqueIdScope("street"), FolderScope(7)):
        client = clients.make(scope=scope)
        client.list_videos()
        client.get_metadata("VI1")
        client.delete_videos(["VI1"])
    by_name, by_folder = server.requests[:3], server.requests[3:]
    assert [by_name[0].json, by_name[1].query["unique_id"], by_name[2].query] == [
        {"unique_id": "street", "page": 1, "size": 200},
        ["street"],
        {"unique_id": ["street"]},
    ]
    assert [by_folder[0].json, by_folder[1].query, by_folder[2].query] == [
        {"folder_id": 7, "page": 1, "size": 200},
        {"video_no": ["VI1"]},
        {},
    ]


def test_filters_are_sent_as_documented(server: ScriptedServer, client: VisualSearchClient) -> None:
    server.script(server.ok({"videos": []}))
    client.list_videos(
        page=2,
        size=50,
        video_name="a",
        video_no="VI1",
        video_nos=["VI1", "VI2"],
        status=VideoStatus.READY,
        tag="t",
        camera_model="Nikon",
        taken_after=datetime(2025, 9, 7, 22, 52, 0, 500_000, tzinfo=UTC),
        latitude=0.0,
        longitude=0.0,
    )
    assert server.requests[0].json == {
        "unique_id": "default",
        "page": 2,
        "size": 50,
        "video_name": "a",
        "video_no": "VI1",
        "video_nos": ["VI1", "VI2"],
        "status": "PARSE",
        "tag": "t",
        "camera_model": "Nikon",
        "datetime_taken": 1757285520500,
        "latitude": 0.0,
        "longitude": 0.0,
    }


def test_filters_that_the_service_ignores_are_applied_here(server: ScriptedServer, client: VisualSearchClient) -> None:
    videos = [
        {"video_no": "VI1", "video_name": "truck", "status": "PARSE"},
        {"video_no": "VI2", "video_name": "red truck", "status": "FAIL"},
        {"video_no": "VI3", "video_name": "truck", "status": "FAILED"},
        {"video_no": "VI4", "video_name": "truck", "status": "UNPARSE"},
    ]
    server.script(server.ok({"videos": videos, "total_count": 4}))

    def nos(page: VideoPage) -> list[str]:
        return [video.video_no for video in page.videos]

    assert nos(client.list_videos(video_name="truck")) == ["VI1", "VI3", "VI4"]
    assert nos(client.list_videos(status=VideoStatus.FAILED)) == ["VI2", "VI3"]
    assert nos(client.list_videos(video_nos=["VI4", "VI9"])) == ["VI4"]
    assert b"status" not in server.requests[1].body, "four spellings of failure: asking for one hides the others"


@pytest.mark.parametrize(
    "arguments",
    [{"page": 0}, {"size": 0}, {"size": 201}, {"latitude": 1.0}, {"video_nos": ["v"] * 201}],
)
def test_impossible_listings_are_refused_before_sending(
    server: ScriptedServer, client: VisualSearchClient, arguments: dict[str, object]
) -> None:
    with pytest.raises(InvalidInput):
        client.list_videos(**arguments)  # type: ignore[arg-type]  # wrong on purpose
    assert server.requests == []


def library_of(videos: list[str], *, page_cap: int = 200, total: object = "right") -> Callable[[SeenRequest], Reply]:
    def answer(request: SeenRequest) -> Reply:
        asked = json.loads(request.body)
        size = min(read_integer(asked["size"]) or 0, page_cap)
        start = (asked["page"] - 1) * size
        wanted = [v for v in videos if "video_nos" not in asked or v in asked["video_nos"]]
        return ScriptedServer.ok(
            {
                "videos": [{"video_no": v, "status": "PARSE"} for v in wanted[start : start + size]],
                "current_page": asked["page"],
                "page_size": size,
                "total_count": len(wanted) if total == "right" else total,
            }
        )

    return answer


@pytest.mark.parametrize("page_cap", [200, 20])
@pytest.mark.parametrize("count", [0, 1, 199, 200, 201, 450])
def test_all_pages_are_read_even_if_the_service_makes_them_shorter(
    server: ScriptedServer, client: VisualSearchClient, count: int, page_cap: int
) -> None:
    names = [f"VI{number}" for number in range(count)]
    server.script(library_of(names, page_cap=page_cap))
    assert [video.video_no for video in client.iter_videos()] == names
    assert len(server.requests) <= count // page_cap + 2


@pytest.mark.parametrize("total", ["450", 450, 7, 0, -1, 10**9, None, "many", "null", 3.5])
def test_a_strange_total_count_neither_loses_videos_nor_loops(
    server: ScriptedServer, client: VisualSearchClient, total: object
) -> None:
    names = [f"VI{number}" for number in range(450)]
    server.script(library_of(names, total=total))
    assert [video.video_no for video in client.iter_videos()] == names
    assert len(server.requests) <= 8


def test_a_service_that_ignores_the_page_does_not_loop(server: ScriptedServer, client: VisualSearchClient) -> None:
    first_page = [{"video_no": f"VI{number}", "status": "PARSE"} for number in range(200)]
    server.script(server.ok({"videos": first_page, "page_size": 200, "total_count": 10_000}))
    assert len(list(client.iter_videos())) == 200
    assert len(server.requests) <= 6


def test_a_service_that_ignores_page_and_filter_does_not_loop_either(
    server: ScriptedServer, client: VisualSearchClient
) -> None:
    server.script(server.ok({"videos": [{"video_no": "VI1", "status": "PARSE"}] * 200, "total_count": 10_000}))
    assert list(client.iter_videos(status=VideoStatus.FAILED)) == []
    assert len(server.requests) <= 6


def test_many_video_nos_are_asked_for_in_parts(server: ScriptedServer, client: VisualSearchClient) -> None:
    names = [f"VI{number}" for number in range(450)]
    server.script(library_of(names))
    assert len(list(client.iter_videos(video_nos=names))) == 450
    assert len(server.requests) == 3
    assert list(client.iter_videos(video_nos=[])) == []
    assert len(server.requests) == 3


@given(
    present=st.integers(0, 60),
    size=st.integers(1, 9),
    events=st.lists(st.tuples(st.integers(1, 12), st.sampled_from(["add", "remove"])), max_size=6),
)
@settings(deadline=None)
def test_what_stays_in_the_library_is_found_while_others_come_and_go(
    present: int, size: int, events: list[tuple[int, str]]
) -> None:
    library = [f"old{number}" for number in range(present)]
    removed: set[str] = set()
    pages_read = 0

    def read(number: int) -> VideoPage:
        nonlocal pages_read
        pages_read += 1
        for when, what in events:
            if when == pages_read and what == "add":
                library.insert(0, f"new{pages_read}-{len(library)}")
            elif when == pages_read and library:
                removed.add(library.pop(0))
        part = library[(number - 1) * size : number * size]
        return VideoPage(
            videos=tuple(Video(video_no=name) for name in part),
            page=number,
            page_size=size,
            total_count=len(library),
            received_video_nos=tuple(part),
        )

    found = [
        video.video_no
        for video in iterate_pages(
            read,
            items=lambda page: page.videos,
            identity=lambda video: video.video_no,
            received=lambda page: page.received_video_nos,
            reread_if_unsettled=True,
        )
    ]
    assert len(found) == len(set(found)), "each once"
    # Removals that go on during the last reading could hide one more.
    if all(when <= 3 for when, what in events if what == "remove"):
        assert {f"old{number}" for number in range(present)} - removed <= set(found)
    assert pages_read <= 3 * (present // size + len(events) + 3)


def test_deletions_go_out_as_a_bare_array_of_at_most_100(server: ScriptedServer, client: VisualSearchClient) -> None:
    server.script(server.ok(None), server.envelope("0409", "deleted before"), server.ok(None))
    names = [f"VI{number}" for number in range(250)]
    client.delete_videos([*names, "VI0"])
    assert [request.json for request in server.requests] == [names[:100], names[100:200], names[200:]]
    assert {request.path for request in server.requests} == {"/serve/api/v1/delete_videos"}


def test_deleting_nothing_makes_no_call(server: ScriptedServer, client: VisualSearchClient) -> None:
    client.delete_videos([])
    with pytest.raises(InvalidInput):
        client.delete_videos([""])
    with pytest.raises(InvalidInput):
        client.delete_videos("VI1")
    assert server.requests == []


def test_a_service_without_namespaces_is_said_so(server: ScriptedServer, client: VisualSearchClient) -> None:
    server.script(server.envelope("0001", "No static resource serve/api/v1/list_unique_ids."))
    with pytest.raises(EndpointUnavailable, match="does not offer this route"):
        client.list_unique_ids()
