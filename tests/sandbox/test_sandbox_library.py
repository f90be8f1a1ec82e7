"""Listing, deleting, namespaces, folders (contract §1.9, §2.6, §2.18-2.20, §9.31-39, §9.56-58)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from visualsearch_pipeline.sandbox import Sandbox

if TYPE_CHECKING:
    from pathlib import Path

    from tests.sandbox.conftest import Api, Footage, Start


@pytest.fixture
def folder_api(start: Start, connect: Callable[..., Api]) -> Api:
    return connect(start(dialect="openapi"))


def nos(videos: list[dict[str, object]]) -> list[object]:
    return [video["video_no"] for video in videos]


def test_pages_are_newest_first_and_page_size_in_the_request_is_ignored(api: Api, footage: Footage) -> None:
    ids = [api.upload(footage.text_file) for _ in range(5)][::-1]
    data = api.post("list_videos", {"page": 2, "size": 2, "page_size": 50})["data"]
    assert nos(data["videos"]) == ids[2:4]
    assert (data["current_page"], data["page_size"], data["total_count"]) == (2, 2, 5)
    assert api.post("list_videos", {"page": 4, "size": 2})["data"]["videos"] == []
    assert nos(api.post("list_videos", {})["data"]["videos"]) == ids


@pytest.mark.parametrize("body", [{"page": 0}, {"size": 0}, {"page": -1}, {"page": "one"}, {"status": "SOON"}])
def test_impossible_pages_are_refused(api: Api, body: dict[str, object]) -> None:
    assert api.post("list_videos", body)["code"] in {"0001", "0003"}


def test_names_match_exactly_or_in_part(start: Start, connect: Callable[..., Api], footage: Footage) -> None:
    for mode, expected in (("exact", 0), ("partial", 1)):
        api = connect(start(video_name_match=mode))
        api.upload(footage.red_circle)
        assert len(api.listed(video_name="red-circle")) == 1
        assert len(api.listed(video_name="red")) == expected
        assert api.listed(video_name="r%e") == []


def test_filters_by_id_and_status(api: Api, server: Sandbox, footage: Footage) -> None:
    good, bad = api.upload(footage.red_circle), api.upload(footage.text_file)
    server.settle()
    assert nos(api.listed(status="PARSE")) == [good]
    assert nos(api.listed(status="FAILED")) == nos(api.listed(status="FAIL")) == [bad]
    assert api.listed(status="UNPARSE") == []
    assert nos(api.listed(video_no=good)) == [good]
    assert nos(api.listed(video_nos=[good, "VI1"])) == [good]
    assert api.listed(video_nos=[good], status="FAILED") == []


def test_the_status_filter_can_be_ignored(start: Start, connect: Callable[..., Api], footage: Footage) -> None:
    api = connect(start(ignore_status_filter=True))
    api.upload(footage.text_file)
    assert len(api.listed(status="PARSE")) == 1


def test_metadata_filters_see_parsed_videos_only(start: Start, connect: Callable[..., Api], footage: Footage) -> None:
    server = start()
    api = connect(server)
    taken = {"datetime_taken": "2025-09-07 22:52:00", "camera_model": "X100", "latitude": "52.52", "longitude": "13.4"}
    good = api.upload(footage.red_circle, tags=["day:2025-09-07"], **taken)
    api.upload(footage.text_file, tags=["day:2025-09-07"], **taken)
    server.settle()
    assert len(api.listed()) == 2
    for wanted in (
        {"tag": "day:2025-09-07"},
        {"camera_model": "X100"},
        {"datetime_taken": 1757285520000},
        {"latitude": 52.4, "longitude": 13.5},
    ):
        assert nos(api.listed(**wanted)) == [good], wanted
    for unwanted in (
        {"tag": "day:2025-09"},
        {"camera_model": "x100"},
        {"datetime_taken": 1757285520001},
        {"latitude": 52.8, "longitude": 13.4},
    ):
        assert api.listed(**unwanted) == [], unwanted
    assert api.post("list_videos", {"latitude": 52.4})["code"] == "0001"


def test_a_wrong_namespace_looks_like_no_data_and_deletes_nothing(api: Api, server: Sandbox, footage: Footage) -> None:
    video_no = api.upload(footage.red_circle, unique_id="team")
    server.settle()
    assert api.listed() == []
    assert api.listed(unique_id="other") == []
    assert api.get("get_metadata", video_no=video_no)["data"] is None
    assert api.search("red circle") == []
    assert api.post("delete_videos", [video_no])["code"] == "0000"
    assert nos(api.listed(unique_id="team")) == [video_no]
    assert len(api.search("red circle", unique_id="team")) == 2
    assert api.get("list_unique_ids")["data"] == {"unique_ids": ["team"]}
    assert api.post("delete_videos", [video_no], unique_id="team")["data"] is None
    assert api.listed(unique_id="team") == []
    assert api.get("list_unique_ids")["data"] == {"unique_ids": []}


def test_deleting_takes_file_keyframes_and_hits_away(api: Api, server: Sandbox, footage: Footage) -> None:
    video_no = api.upload(footage.red_circle)
    server.settle()
    hit = api.search("red circle")[0]
    api.post("delete_videos", [video_no])
    assert api.search("red circle") == []
    for kind in ("video", "keyframe"):
        place = {"bucket": hit[f"{kind}_bucket"], "blob": hit[f"{kind}_blob"]}
        assert api.http.get("/download", params=place).json()["msg"] == "Resource does not exist"
    assert [path for path in (server.config.state_dir / "media").rglob("*") if path.is_file()] == []


def test_deletion_limits(api: Api) -> None:
    assert api.post("delete_videos", [f"VI{number}" for number in range(101)])["code"] == "0001"
    assert api.post("delete_videos", [f"VI{number}" for number in range(100)])["code"] == "0000"
    assert api.post("delete_videos", [])["code"] == "0001"
    assert api.post("delete_videos", {"video_nos": ["VI1"]})["code"] == "0003"


def test_deleting_again_is_0409_by_switch(start: Start, connect: Callable[..., Api], footage: Footage) -> None:
    api = connect(start(repeat_delete_is_conflict=True))
    video_no = api.upload(footage.text_file)
    assert [api.post("delete_videos", [video_no])["code"] for _ in range(2)] == ["0000", "0409"]


def test_folders_partition_the_library(folder_api: Api, footage: Footage) -> None:
    folder_id = folder_api.form("folders/create", name="team")["data"]["folder_id"]
    assert folder_id > 2**53
    inside = folder_api.upload(footage.text_file, folder_id=str(folder_id))
    outside = folder_api.upload(footage.text_file)
    assert nos(folder_api.listed()) == [outside, inside]  # Omitted means the whole account.
    assert nos(folder_api.listed(folder_id=folder_id)) == [inside]
    assert nos(folder_api.listed(folder_id=-1)) == [outside]
    assert nos(folder_api.get("folders/videos", folder_id=folder_id)["data"]["videos"]) == [inside]
    assert folder_api.get("folders")["data"] == {"folders": [{"folder_id": folder_id, "folder_name": "team"}]}
    assert folder_api.get("get_metadata", video_no=inside)["data"]["video_no"] == inside  # Takes no scope.
    assert folder_api.post("folders/move", {"folder_id": -1, "video_nos": [inside]})["code"] == "0000"
    assert nos(folder_api.listed(folder_id=-1)) == [outside, inside]


def test_the_answers_about_folders_have_no_flags(folder_api: Api) -> None:
    for answer in (folder_api.form("folders/create", name="team"), folder_api.get("folders")):
        assert set(answer) == {"code", "msg", "data"}
    assert folder_api.form("folders/create", name="team")["failed"] is True


def test_folder_rules(folder_api: Api, footage: Footage, start: Start) -> None:
    folder_id = folder_api.form("folders/create", name="team")["data"]["folder_id"]
    assert folder_api.form("folders/create", name="team")["code"] == "0001"
    assert folder_api.form("folders/create", name="x" * 101)["code"] == "0001"
    assert folder_api.form("folders/rename", folder_id=str(folder_id), new_name="crew")["data"] == {
        "folder_id": folder_id,
        "folder_name": "crew",
    }
    assert folder_api.post("list_videos", {"folder_id": 7})["code"] == "0001"
    assert folder_api.send_file("upload", footage.text_file, folder_id="7")["code"] == "0001"
    assert folder_api.send_file("upload", footage.text_file, folder_id="-2")["code"] == "0001"
    assert folder_api.post("folders/move", {"folder_id": 7, "video_nos": ["VI1"]})["code"] == "0001"
    too_many = [f"VI{number}" for number in range(501)]
    assert folder_api.post("folders/move", {"folder_id": -1, "video_nos": too_many})["code"] == "0001"
    assert folder_api.form("folders/delete", folder_id="-1")["code"] == "0001"
    assert folder_api.form("folders/delete", folder_id=str(folder_id))["code"] == "0000"


def test_a_folder_with_parsed_videos_cannot_be_deleted(
    start: Start, connect: Callable[..., Api], footage: Footage
) -> None:
    server = start(dialect="openapi")
    api = connect(server)
    folder_id = api.form("folders/create", name="team")["data"]["folder_id"]
    video_no = api.upload(footage.red_circle, folder_id=str(folder_id))
    server.settle()
    assert api.form("folders/delete", folder_id=str(folder_id))["code"] == "0001"
    api.post("delete_videos", [video_no])
    assert api.form("folders/delete", folder_id=str(folder_id))["code"] == "0000"


def test_the_2025_dialect_sends_text_for_numbers(start: Start, connect: Callable[..., Api], footage: Footage) -> None:
    server = start(dialect="live-2025")
    api = connect(server)
    answer = api.send_file("upload", footage.red_circle)
    assert set(answer["data"]) == {"videoNo", "videoName"}
    api.upload(footage.text_file)
    server.settle()
    data = api.post("list_videos", {})["data"]
    failed, ready = data["videos"]
    assert (data["total_count"], data["page_size"]) == ("2", 200)
    assert (ready["duration"], ready["size"]) == ("6", str(footage.red_circle.stat().st_size))
    assert (ready["cause"], ready["status"], failed["status"], failed["duration"]) == ("null", "PARSE", "FAIL", "0")
    assert isinstance(ready["create_time"], str)
    assert not {"bucket", "blob"} & set(ready)
    clip = api.search("red circle")[0]
    assert not {"video_bucket", "keyframe_blob"} & set(clip)
    whole = api.search("red circle", search_type="BY_VIDEO")
    assert [(item["startTime"], item["endTime"]) for item in whole] == [("null", "null")]
    assert "score" not in whole[0]


def test_the_failed_status_can_be_spelled_otherwise(
    start: Start, connect: Callable[..., Api], footage: Footage
) -> None:
    server = start(failed_status="PARSE_ERROR")
    api = connect(server)
    api.upload(footage.text_file)
    server.settle()
    assert api.listed()[0]["status"] == "PARSE_ERROR"


def test_a_file_lies_where_only_its_blob_says(api: Api, footage: Footage, tmp_path: Path) -> None:
    api.upload(footage.red_circle)
    for blob in ("../sandbox.db", "/etc/passwd", "..", "a/../../sandbox.db", "", "\x00"):
        answer = api.http.get("/download", params={"bucket": "mavi-resource", "blob": blob}).json()
        assert answer["code"] == "0001", blob
    assert api.http.get("/download", params={"bucket": "..", "blob": "sandbox.db"}).json()["code"] == "0001"
