"""URL uploads, images, imports, folders and the public library (contract §2.2-2.5, §2.8, §2.12-2.14, §2.19)."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import parse_qs

import pytest

from tests.scripted_server import ScriptedServer
from visualsearch_pipeline.api import (
    BadResponse,
    Folder,
    FolderScope,
    InvalidInput,
    InvalidRequest,
    OutcomeUnknown,
    Platform,
    SearchKind,
    UploadOutcomeUnknown,
    VideoQuality,
    VideoStatus,
    VisualSearchClient,
)

if TYPE_CHECKING:
    from tests.api.conftest import Clients

BIG = 9007199254740993
"""An id that a float cannot hold."""

SIGNED = "https://bucket.example.org/footage/red%20truck.mp4?X-Signature=s3cr3t"


@pytest.fixture
def images(tmp_path: Path) -> list[Path]:
    paths = [tmp_path / "one.jpg", tmp_path / "two.png"]
    for number, path in enumerate(paths):
        path.write_bytes(b"image %d" % number)
    return paths


def test_a_url_goes_out_as_a_form(server: ScriptedServer, clients: Clients) -> None:
    server.script(server.ok({"videoNo": "VI1", "videoName": "red truck"}))
    client = clients.make()
    uploaded = client.upload_url(
        SIGNED, tags=["a", "b"], captured_at=datetime(2026, 5, 1, tzinfo=UTC), retain_original_video=True
    )
    request = server.requests[0]
    assert request.headers["content-type"] == "application/x-www-form-urlencoded"
    assert parse_qs(request.body.decode()) == {
        "url": [SIGNED],
        "unique_id": ["default"],
        "tags": ["a", "b"],
        "datetime_taken": ["2026-05-01 00:00:00"],
        "retain_original_video": ["true"],
    }
    assert (uploaded.video_no, uploaded.sent_sha256, uploaded.sent_bytes) == ("VI1", None, None)
    assert clients.calls[0].item == "https://bucket.example.org/footage/red%20truck.mp4"


def test_a_url_whose_fetching_is_in_doubt_is_not_asked_for_again_and_its_signature_is_not_shown(
    server: ScriptedServer, clients: Clients
) -> None:
    server.script(server.reset())
    with pytest.raises(UploadOutcomeUnknown) as caught:
        clients.make().upload_url(SIGNED)
    assert len(server.requests) == 1
    assert "s3cr3t" not in f"{caught.value!r}{caught.value}{vars(caught.value)}{clients.calls}"
    server.script(server.envelope("0001", "not reachable"))
    with pytest.raises(InvalidRequest):
        clients.make().upload_url(SIGNED)


@pytest.mark.parametrize("url", ["", "file:///etc/passwd", "ftp://h/a.mp4", "https://", "http://[broken"])
def test_only_web_addresses_are_fetched(server: ScriptedServer, client: VisualSearchClient, url: str) -> None:
    with pytest.raises(InvalidInput):
        client.upload_url(url)
    assert server.requests == []


@pytest.mark.parametrize("ids", [[BIG, BIG + 2], [str(BIG), str(BIG + 2)]])
def test_images_go_out_together_and_their_ids_stay_exact(
    server: ScriptedServer, client: VisualSearchClient, images: list[Path], ids: list[object]
) -> None:
    server.script(server.ok([{"id": value} for value in ids]))
    stored = client.upload_images(images, tags=["a"] * 50, camera_model="Nikon")
    assert [image.image_id for image in stored] == [str(BIG), str(BIG + 2)]
    parts = re.findall(rb'name="files"; filename="([^"]+)"\r\nContent-Type: ([^\r]+)', server.requests[0].body)
    assert parts == [(b"one.jpg", b"image/jpeg"), (b"two.png", b"image/png")]


def test_images_are_not_sent_twice(server: ScriptedServer, client: VisualSearchClient, images: list[Path]) -> None:
    server.script(server.network_abnormal())
    with pytest.raises(OutcomeUnknown):
        client.upload_images(images)
    server.script(server.ok([{"id": 1}]))
    with pytest.raises(OutcomeUnknown, match="2 images were sent, 1 ids came back"):
        client.upload_images(images)
    assert len(server.requests) == 2
    assert client.upload_images([]) == ()
    with pytest.raises(InvalidInput):
        client.upload_images(images, tags=["a"] * 51)
    assert len(server.requests) == 2


@pytest.mark.parametrize("total", [1, "1"])
def test_images_found_by_text_are_read_from_their_own_shape(
    server: ScriptedServer, client: VisualSearchClient, total: object
) -> None:
    item = {
        "id": BIG,
        "name": "one.jpg",
        "img_url": "https://storage.example.org/x?sig=1",
        "datetime_taken": "1757285520000",
        "camera_model": "Nikon",
        "latitude": 1,
        "longitude": "2.5",
        "score": 0.4,
    }
    server.script(server.ok({"current_page": 0, "page_size": 20, "total_count": total, "item": [item]}))
    (hit,) = client.search_images("a logo", top_k=5)
    assert (hit.image_id, hit.name, hit.score) == (str(BIG), "one.jpg", 0.4)
    assert (hit.latitude, hit.longitude) == (1.0, 2.5)
    assert hit.captured_at == datetime(2025, 9, 7, 22, 52, tzinfo=UTC)
    sent = server.requests[0].json
    assert isinstance(sent, dict)
    assert sent["search_type"] == "BY_IMAGE"
    server.script(server.ok(None))
    assert client.search_images("a logo", top_k=5) == ()


def test_imports_are_sent_as_documented(server: ScriptedServer, clients: Clients) -> None:
    server.script(server.ok({"taskId": "8a0d9c1e-0000-4000-8000-000000000000"}))
    client = clients.make(scope=FolderScope(7))
    creator, tags = "https://www.tiktok.com/@wolves", ["nba", "wolves"]
    posts = ["https://youtu.be/1", "https://youtu.be/2"]
    assert client.import_creator(creator, count=4, callback="https://c") == "8a0d9c1e-0000-4000-8000-000000000000"
    client.import_hashtags(tags, count_per_tag=2, callback="https://c")
    client.import_posts(posts, quality=VideoQuality.P1080)
    client.import_creator(creator, count=1, into_public=True)
    client.import_hashtags(tags, count_per_tag=1, into_public=True)
    client.import_posts(posts, into_public=True)
    assert [(request.path.rpartition("/")[2], request.json) for request in server.requests] == [
        ("scraper", {"username": creator, "scraper_cnt": 4, "callback_url": "https://c", "folder_id": 7}),
        ("scraper_tag", {"hash_tags": tags, "scraper_cnt": 2, "callback": "https://c", "folder_id": 7}),
        ("scraper_url", {"video_urls": posts, "quality": "1080", "folder_id": 7}),
        ("scraper_public", {"username": creator, "scraper_cnt": 1}),
        ("scraper_tag_public", {"hash_tags": tags, "scraper_cnt": 1}),
        ("scraper_url_public", {"video_urls": posts, "quality": "720"}),
    ]


def test_an_import_in_doubt_is_not_repeated(server: ScriptedServer, client: VisualSearchClient) -> None:
    for reply in (server.reset(), server.ok({}), server.ok(None), server.http(503, b"{}")):
        server.script(reply)
        with pytest.raises(OutcomeUnknown) as caught:
            client.import_creator("https://www.tiktok.com/@wolves", count=4)
        assert caught.value.operation == "scraper"
    assert len(server.requests) == 4


@pytest.mark.parametrize(
    "ask",
    [
        lambda client: client.import_creator("", count=1),
        lambda client: client.import_creator("https://t", count=0),
        lambda client: client.import_hashtags([], count_per_tag=1),
        lambda client: client.import_hashtags("nba", count_per_tag=1),
        lambda client: client.import_hashtags(["#nba"], count_per_tag=1),
        lambda client: client.import_posts(["https://t"] * 51),
        lambda client: client.import_posts(["https://t"], callback="c" * 300),
        lambda client: client.get_task_videos(" "),
        lambda client: client.search_public("a", kind=SearchKind.CAPTIONS, top_k=1),
        lambda client: client.search_public("", top_k=1),
        lambda client: client.create_folder(" "),
        lambda client: client.create_folder("n" * 101),
        lambda client: client.rename_folder(-1, new_name="a"),
        lambda client: client.delete_folder(0),
        lambda client: client.move_videos(["VI1"], folder_id=-2),
        lambda client: client.list_folder_videos(0),
        lambda client: client.list_folder_videos(1, page=0),
    ],
)
def test_what_would_be_refused_is_not_sent(
    server: ScriptedServer, client: VisualSearchClient, ask: Callable[[VisualSearchClient], object]
) -> None:
    with pytest.raises(InvalidInput):
        ask(client)
    assert server.requests == []


@pytest.mark.parametrize(
    ("data", "video_nos"),
    [
        ({"videos": [{"video_no": "VI1", "status": "UNPARSE", "duration": "1487", "size": None}]}, ("VI1",)),
        ({"videos": [{"videoNo": "VI1", "status": "PARSE"}]}, ("VI1",)),
        ({"taskId": "t", "video_ids": ["VI1", 2]}, ("VI1", "2")),
        ({"videos": []}, ()),
        (None, ()),
    ],
)
def test_a_tasks_videos_are_read_in_every_dialect(
    server: ScriptedServer, client: VisualSearchClient, data: object, video_nos: tuple[str, ...]
) -> None:
    server.script(server.ok(data))
    task = client.get_task_videos("t")
    assert (task.task_id, task.video_nos) == ("t", video_nos)
    assert server.requests[0].query == {"task_id": ["t"], "unique_id": ["default"]}


def test_the_public_library_is_searched_without_a_scope(
    server: ScriptedServer, client: VisualSearchClient, images: list[Path]
) -> None:
    hit = {"videoNo": "PI-603068775285264430", "startTime": "1", "endTime": "2", "score": 0.5}
    server.script(server.ok([hit]), server.ok([hit]), server.ok({"videos": [hit], "total_count": "1"}))
    assert client.search_public("wolves", top_k=3, platform=Platform.YOUTUBE)[0].video_no == hit["videoNo"]
    assert client.search_public_similar_images(images[0])[0].score == 0.5
    assert [found.video_no for found in client.iter_public_audio_transcripts("wolves")] == [hit["videoNo"]]
    first, second, third = server.requests
    assert first.json == {"search_param": "wolves", "search_type": "BY_VIDEO", "type": "YOUTUBE", "top_k": 3}
    assert b"unique_id" not in second.body
    assert b'name="type"\r\n\r\nTIKTOK' in second.body
    assert third.query == {"query": ["wolves"], "page": ["1"], "page_size": ["100"]}


def test_a_public_videos_numbers_come_as_text(server: ScriptedServer, client: VisualSearchClient) -> None:
    server.script(
        server.ok(
            {
                "duration": "13",
                "status": "PARSE",
                "video_no": "PI-603068775285264430",
                "video_name": "24 HOURS 🐺",
                "create_time": "1753242002121",
                "like_count": "1460",
                "view_count": 14200,
                "collect_count": "null",
                "blogger_id": "timberwolves",
                "hash_tag": "#nba#minnesota",
                "publish_time": "1730947213",
            }
        )
    )
    video = client.get_public_video_detail("PI-603068775285264430")
    assert video is not None
    assert (video.like_count, video.view_count, video.collect_count) == (1460, 14200, None)
    assert (video.creator, video.hashtags, video.published) == ("timberwolves", "#nba#minnesota", "1730947213")
    assert (video.status, video.duration_seconds) == (VideoStatus.READY, 13.0)
    server.script(server.ok(None))
    assert client.get_public_video_detail("PI-0") is None
    assert client.get_public_audio_transcription("PI-0") is None
    assert client.get_public_video_transcription("PI-0") is None


def test_folders_are_kept_as_documented(server: ScriptedServer, client: VisualSearchClient) -> None:
    server.script(server.envelope("0000", data={"folders": [{"folder_id": BIG, "folder_name": "Street"}]}))
    assert client.list_folders() == (Folder(folder_id=BIG, folder_name="Street"),)
    server.script(server.envelope("0000", data={"folder_id": str(BIG), "folder_name": "Street"}))
    assert client.create_folder("Street").folder_id == BIG
    assert client.rename_folder(BIG, new_name="Road").folder_id == BIG
    server.script(server.envelope("0000"))
    client.delete_folder(BIG)
    client.move_videos([f"VI{number}" for number in range(501)], folder_id=-1)
    client.move_videos([], folder_id=BIG)
    bodies = [parse_qs(request.body.decode()) for request in server.requests[1:4]]
    assert bodies == [
        {"name": ["Street"]},
        {"folder_id": [str(BIG)], "new_name": ["Road"]},
        {"folder_id": [str(BIG)]},
    ]
    moves = [request.json for request in server.requests[4:]]
    assert moves == [
        {"folder_id": -1, "video_nos": [f"VI{number}" for number in range(500)]},
        {"folder_id": -1, "video_nos": ["VI500"]},
    ]
    server.script(server.ok({"videos": [{"video_no": "VI1", "status": "PARSE"}], "page_size": 200, "total_count": 1}))
    assert [video.video_no for video in client.iter_folder_videos(-2)] == ["VI1"]
    assert server.requests[-1].query == {"folder_id": ["-2"], "page": ["1"], "page_size": ["200"]}


def test_a_folder_change_in_doubt_is_not_repeated(server: ScriptedServer, client: VisualSearchClient) -> None:
    server.script(server.reset())
    with pytest.raises(OutcomeUnknown):
        client.move_videos(["VI1"], folder_id=5)
    with pytest.raises(OutcomeUnknown):
        client.create_folder("Street")
    assert len(server.requests) == 2
    server.script(server.ok([1]))
    with pytest.raises(BadResponse):
        client.list_folders()
