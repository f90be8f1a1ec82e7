"""Scrapers, tasks and the public library (contract §2.4, §2.5, §2.12-2.14)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from visualsearch_pipeline.sandbox import Sandbox, SandboxConfig
from visualsearch_pipeline.sandbox.platforms.posts import Post, post_at, seeded_public_posts

if TYPE_CHECKING:
    from tests.sandbox.conftest import Api, Json, Start

NEW_YEAR = datetime(2026, 1, 1, tzinfo=UTC)
PROFILE = "https://www.tiktok.com/@cutshall73"
POST = f"{PROFILE}/video/7543017294226558221"


@pytest.fixture(scope="module")
def public(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """One public library for the tests that only read it."""
    config = SandboxConfig(state_dir=tmp_path_factory.mktemp("public"), indexing_seconds=0, public_library=True)
    with Sandbox(config) as server:
        server.settle()
        yield server


@pytest.fixture
def public_api(public: Sandbox, connect: Callable[..., Api]) -> Api:
    return connect(public)


def task_videos(api: Api, task_id: str, **scope: Any) -> list[Json]:
    return list(api.get("get_video_ids_by_task_id", task_id=task_id, **scope)["data"]["videos"])


@pytest.fixture
def tiktok_post() -> Post:
    post = post_at(seeded_public_posts()[0], seed=0)
    assert post is not None
    return post


def test_a_task_brings_its_videos_when_its_time_has_come(start: Start, connect: Callable[..., Api]) -> None:
    server = start(frozen_at=NEW_YEAR, indexing_seconds=30)
    api = connect(server)
    task_id = api.post("scraper", {"username": PROFILE, "scraper_cnt": 2, "unique_id": "team"})["data"]["taskId"]
    server.settle()
    assert task_videos(api, task_id, unique_id="team") == []
    server.clock.advance(30)
    server.settle()
    videos = task_videos(api, task_id, unique_id="team")
    assert [video["status"] for video in videos] == ["UNPARSE", "UNPARSE"]
    assert all(video["size"] is None and video["video_url"].startswith(PROFILE) for video in videos)
    server.clock.advance(30)
    (first, second) = task_videos(api, task_id, unique_id="team")
    assert (first["status"], second["status"]) == ("PARSE", "PARSE")
    assert (first["width"], first["height"], first["resolution_label"]) == (180, 320, "320P")
    assert first["bucket"] == "mavi-resource"
    assert {video["video_no"] for video in api.listed(unique_id="team")} == {first["video_no"], second["video_no"]}
    assert task_videos(api, task_id) == []  # Another namespace.
    assert task_videos(api, "no such task") == []


def test_hashtags_bring_so_many_posts_per_tag(api: Api, server: Sandbox) -> None:
    answer = api.post("scraper_tag", {"hash_tags": ["LVMH", "race"]})
    server.settle()
    names = [video["video_name"] for video in task_videos(api, answer["data"]["taskId"])]
    assert len(names) == 4
    assert sum("#LVMH" in name for name in names) == 2
    assert sum("#race" in name for name in names) >= 2


def test_posts_by_url_are_merged_and_of_one_platform(api: Api, server: Sandbox) -> None:
    answer = api.post(
        "scraper_url", {"video_urls": [POST], "tiktok_post_urls": [f"{PROFILE}/video/1"], "quality": "720"}
    )
    server.settle()
    urls = {video["video_url"] for video in task_videos(api, answer["data"]["taskId"])}
    assert urls == {POST, f"{PROFILE}/video/1"}


@pytest.mark.parametrize(
    ("operation", "body"),
    [
        ("scraper", {}),
        ("scraper", {"username": "https://example.com/@someone"}),
        ("scraper", {"username": "]Q"}),
        ("scraper", {"username": PROFILE, "scraper_cnt": 0}),
        ("scraper_tag", {"hash_tags": []}),
        ("scraper_tag", {"hash_tags": ["#LVMH"]}),
        ("scraper_url", {"video_urls": []}),
        ("scraper_url", {"video_urls": ["https://example.com/a.mp4"]}),
        ("scraper_url", {"video_urls": ["https://[tiktok.com/@someone/video/1"]}),
        ("scraper_url", {"video_urls": [POST, "https://youtu.be/abc"]}),
        ("upload_url", {"url": "http://[nowhere/a.mp4"}),
        ("scraper_url", {"video_urls": [f"{PROFILE}/video/{number}" for number in range(51)]}),
        (
            "scraper_url",
            {"video_urls": [f"{PROFILE}/video/{number}" for number in range(30)], "tiktok_post_urls": [POST] * 21},
        ),
        ("scraper_url", {"video_urls": [POST], "quality": "4k"}),
        ("get_video_ids_by_task_id", None),
    ],
)
def test_impossible_imports_and_urls_are_refused(api: Api, operation: str, body: dict[str, object] | None) -> None:
    answer = api.get(operation) if body is None else api.post(operation, body)
    assert answer["code"] in {"0001", "0003"}


def test_in_2025_a_task_id_was_a_prefixed_hex_number(start: Start, connect: Callable[..., Api]) -> None:
    task_id = connect(start(dialect="live-2025")).post("scraper", {"username": PROFILE})["data"]["taskId"]
    assert task_id.startswith("uuid_")
    assert len(task_id) == len("uuid_") + 32


def test_a_post_is_in_the_public_library_once(api: Api, server: Sandbox, connect: Callable[..., Api]) -> None:
    ids = []
    for _ in range(2):
        api.post("scraper_url_public", {"video_urls": [POST], "unique_id": "ignored"})
        server.settle()
        ids.append([video.video_no for video in server.videos()])
    assert ids[0] == ids[1]
    assert len(ids[0]) == 1
    assert ids[0][0].startswith("PI-")
    assert server.credits.spent_usd("sandbox") == pytest.approx(0.002)
    assert api.listed() == []


def test_public_search_stays_on_one_platform(public_api: Api, tiktok_post: Post) -> None:
    def found(**body: Any) -> set[str]:
        question = {"search_param": tiktok_post.colour, "search_type": "BY_VIDEO", **body}
        return {hit["videoName"] for hit in public_api.post("search_public", question)["data"]}

    assert tiktok_post.title in found()
    assert found(type="MYSPACE") == found(type="TIKTOK") == found()  # An unknown one silently means the default.
    assert tiktok_post.title not in found(type="YOUTUBE")
    hit = public_api.post("search_public", {"search_param": tiktok_post.colour})["data"][0]
    assert hit["videoNo"].startswith("PI-")
    assert (hit["video_bucket"], hit["keyframe_bucket"]) == ("mavi-public-video", "mavi-public-keyframe")
    place = {"bucket": hit["keyframe_bucket"], "blob": hit["keyframe_blob"]}
    assert public_api.http.get("/download", params=place).content.startswith(b"\xff\xd8")


def test_public_search_types(public_api: Api, tiktok_post: Post, start: Start, connect: Callable[..., Api]) -> None:
    word = max(tiktok_post.spoken.split(), key=len)
    spoken = public_api.post("search_public", {"search_param": word, "search_type": "BY_AUDIO"})["data"]
    assert tiktok_post.spoken in {hit["audio_ts"] for hit in spoken}
    assert public_api.post("search_public", {"search_param": "x", "search_type": "BY_CLIP"})["code"] == "0000"
    unknown = public_api.post("search_public", {"search_param": "x", "search_type": "BY_IMAGE"})
    assert unknown["code"] == "0003"
    assert "BY_AUDIO" in unknown["msg"]
    newest = connect(start(dialect="openapi"))
    assert newest.post("search_public", {"search_param": "x", "search_type": "BY_CLIP"})["code"] == "0003"


def test_public_videos_are_found_by_image_and_phrase(public_api: Api, tiktok_post: Post, tmp_path: Path) -> None:
    hits = public_api.post("search_public", {"search_param": tiktok_post.title})["data"]
    hit = next(hit for hit in hits if hit["videoName"] == tiktok_post.title)
    place = {"bucket": hit["keyframe_bucket"], "blob": hit["keyframe_blob"]}
    keyframe = tmp_path / "keyframe.jpg"
    keyframe.write_bytes(public_api.http.get("/download", params=place).content)
    answer = public_api.send_file("search_public_similar_images", keyframe, media_type="image/jpeg", type="TIKTOK")
    assert answer["data"][0]["videoNo"] == hit["videoNo"]
    page = public_api.get("search_public_audio_transcripts", query=tiktok_post.spoken[:10].upper())["data"]
    assert hit["videoNo"] in {video["videoNo"] for video in page["videos"]}
    assert isinstance(page["total_count"], str)


def test_a_public_video_can_be_read(public_api: Api, tiktok_post: Post) -> None:
    hits = public_api.post("search_public", {"search_param": tiktok_post.title})["data"]
    video_no = next(hit["videoNo"] for hit in hits if hit["videoName"] == tiktok_post.title)
    detail = public_api.get("get_public_video_detail", video_no=video_no)["data"]
    assert (detail["blogger_id"], detail["video_url"]) == ("timberwolves", tiktok_post.url)
    assert detail["like_count"] == str(tiktok_post.likes)
    assert (detail["status"], detail["duration"]) == ("PARSE", str(tiktok_post.seconds))
    lines = public_api.get("get_public_audio_transcription", video_no=video_no)["data"]["transcriptions"]
    assert [line["content"].strip() for line in lines] == [tiktok_post.spoken]
    seen = public_api.get("get_public_video_transcription", video_no=video_no)["data"]["transcriptions"]
    assert tiktok_post.colour in seen[0]["content"]
    assert public_api.get("get_public_video_detail", video_no="PI-1")["data"] is None
    assert public_api.get("get_metadata", video_no=video_no)["data"] is None  # Not of the private library.


def test_posts_are_the_same_for_the_same_seed() -> None:
    assert post_at(POST, seed=1) == post_at(POST, seed=1) != post_at(POST, seed=2)
    assert post_at(f"{PROFILE}/unavailable/1", seed=1) is None
    assert post_at("https://example.com/video/1", seed=1) is None
