"""What is common to every endpoint: keys, envelope, unknown routes, limits, money (contract §1, §9.1-11, §9.61)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import httpx
import pytest

from visualsearch_pipeline.sandbox import OperationFamily, Rate, Sandbox

if TYPE_CHECKING:
    from tests.sandbox.conftest import Api, Footage, Start

NEW_YEAR = datetime(2026, 1, 1, tzinfo=UTC)


def ask(server: Sandbox, headers: dict[str, str]) -> httpx.Response:
    return httpx.post(f"{server.url}/serve/api/v1/list_videos", json={}, headers=headers, trust_env=False)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": ""},
        {"Authorization": "sk-mavi-unknown"},
        {"Authorization": "Bearer sk-mavi-sandbox"},
        {"Authorization": "'sk-mavi-sandbox'"},
    ],
)
def test_every_key_but_the_raw_one_is_refused_with_0401(server: Sandbox, headers: dict[str, str]) -> None:
    answer = ask(server, headers)
    assert (answer.status_code, answer.json()["code"], answer.json()["success"]) == (200, "0401", False)


def test_a_wrong_key_is_http_401_by_switch(start: Start) -> None:
    answer = ask(start(auth_failure="http-401"), {"Authorization": "wrong"})
    assert (answer.status_code, answer.json()["code"]) == (401, "0401")


def test_a_success_is_a_full_envelope(api: Api) -> None:
    answer = api.post("list_videos", {})
    assert {key: answer[key] for key in ("code", "msg", "success", "failed")} == {
        "code": "0000",
        "msg": "success",
        "success": True,
        "failed": False,
    }


def test_an_unknown_route_is_an_error_at_http_200(api: Api) -> None:
    answer = api.get("delete_video")
    assert answer["code"] == "0001"
    assert answer["msg"].startswith("No static resource")


def test_a_route_can_be_taken_away(start: Start, connect: Callable[..., Api]) -> None:
    api = connect(start(missing_routes={"search_similar_images", "get_video_caption"}))
    assert api.post("search_similar_images")["msg"].startswith("No static resource")
    assert api.get("get_video_caption", video_no="VI1")["msg"].startswith("No static resource")


def test_the_older_caption_route_can_be_all_there_is(start: Start, connect: Callable[..., Api]) -> None:
    api = connect(start(missing_routes={"/serve/api/v1/get_video_caption"}))
    assert api.get("get_video_caption", video_no="VI1")["msg"].startswith("No static resource")
    assert api.get("get_video_transcription", video_no="VI1")["code"] == "0000"


def test_a_wrong_verb_is_an_error_at_http_200(api: Api) -> None:
    assert api.get("list_videos")["msg"] == "Request method 'GET' is not supported"
    assert api.post("get_metadata")["code"] == "0001"


@pytest.mark.parametrize("body", [b"{", b"42", b'"text"', b"[" * 100_000])
def test_a_body_that_cannot_be_bound_is_0003(api: Api, body: bytes) -> None:
    assert api.http.post("/list_videos", content=body).json()["code"] == "0003"


def test_two_keys_of_one_account_share_library_and_limit(start: Start, connect: Callable[..., Api]) -> None:
    server = start(
        api_keys={"one": "us", "two": "us", "three": "them"},
        frozen_at=NEW_YEAR,
        rate_limits={OperationFamily.LIST: Rate(calls=1, per_seconds=1)},
    )
    assert connect(server, key="one").post("list_videos", {})["code"] == "0000"
    assert connect(server, key="two").post("list_videos", {})["code"] == "0429"
    assert connect(server, key="three").post("list_videos", {})["code"] == "0000"


def test_accounts_do_not_see_each_other(start: Start, connect: Callable[..., Api], footage: Footage) -> None:
    server = start(api_keys={"one": "us", "three": "them"})
    ours, theirs = connect(server, key="one"), connect(server, key="three")
    video_no = ours.upload(footage.red_circle)
    server.settle()
    assert theirs.listed() == []
    assert theirs.get("get_metadata", video_no=video_no)["data"] is None
    assert theirs.http.post("/download", json={"video_no": video_no}).json()["code"] == "0001"
    blob = {"bucket": "mavi-resource", "blob": f"{video_no}.mp4"}
    assert theirs.http.get("/download", params=blob).json()["msg"] == "Resource does not exist"
    theirs.post("delete_videos", [video_no])
    assert len(ours.listed()) == 1


def test_a_bucket_is_refilled_by_the_sandbox_s_clock(start: Start, connect: Callable[..., Api]) -> None:
    server = start(frozen_at=NEW_YEAR, rate_limits={OperationFamily.DOWNLOAD: Rate(calls=12, per_seconds=60)})
    api = connect(server)

    def codes(count: int) -> list[str]:
        return [api.post("download", {"video_no": "VI1"})["code"] for _ in range(count)]

    assert codes(14) == ["0001"] * 12 + ["0429"] * 2
    server.clock.advance(5)
    assert codes(2) == ["0001", "0429"]
    server.clock.advance(3600)
    assert codes(13) == ["0001"] * 12 + ["0429"]


def test_the_documented_presets_can_be_named(start: Start, connect: Callable[..., Api], footage: Footage) -> None:
    server = start(frozen_at=NEW_YEAR, rate_limits="p-2026")
    api = connect(server)
    api.upload(footage.red_circle)
    server.clock.advance(59)
    assert api.send_file("upload", footage.red_circle)["code"] == "0429"
    server.clock.advance(1)
    api.upload(footage.red_circle)


@pytest.mark.parametrize(
    ("shape", "status", "body"),
    [
        ("code-only", 200, {"code": "0429", "msg": "Request has exceeded the limit."}),
        ("null-data", 200, {"code": "0429", "msg": "Rate limit exceeded", "data": None}),
        ("integer-code", 200, {"code": 429, "msg": "Rate limit exceeded", "data": None}),
        ("bare-429", 429, None),
    ],
)
def test_the_four_rate_limit_shapes(start: Start, shape: str, status: int, body: dict[str, object] | None) -> None:
    server = start(
        frozen_at=NEW_YEAR,
        rate_limit_shape=shape,
        rate_limits={OperationFamily.LIST: Rate(calls=1, per_seconds=60)},
    )
    ask(server, {"Authorization": server.api_key})
    answer = ask(server, {"Authorization": server.api_key})
    assert answer.status_code == status
    assert body is None or answer.json() == body
    assert [entry.took_effect for entry in server.journal()] == [True, False]


def test_calls_are_charged_and_an_empty_account_is_refused(
    start: Start, connect: Callable[..., Api], footage: Footage
) -> None:
    server = start(credits_usd=0.00035)
    api = connect(server)
    assert api.post("search", {"search_param": ""})["code"] == "0001"  # Failed calls are free.
    assert server.credits.spent_usd("sandbox") == 0
    assert [api.post("search", {"search_param": "red"})["code"] for _ in range(5)] == ["0000"] * 4 + ["0402"]
    assert api.send_file("upload", footage.red_circle)["code"] == "0402"
    assert api.post("list_videos", {})["code"] == "0000"  # Not metered.
    server.credits.grant("sandbox", 1.0)
    api.upload(footage.red_circle)
    server.settle()
    entries = [(entry.operation, entry.amount_usd) for entry in server.credits.ledger("sandbox")]
    assert entries[-2:] == [("grant", 1.0), ("index", pytest.approx(-0.015 * 6 / 60))]


def test_a_download_is_paid_before_it_is_streamed(start: Start, connect: Callable[..., Api], footage: Footage) -> None:
    size_bytes = footage.red_circle.stat().st_size
    price = size_bytes * 0.12 / 1e9
    server = start(credits_usd=0.0015 + 1.5 * price)  # The indexing of six seconds, and one download and a half.
    api = connect(server)
    video_no = api.upload(footage.red_circle)
    server.settle()
    assert api.http.post("/download", json={"video_no": video_no}).content == footage.red_circle.read_bytes()
    answer = api.post("download", {"video_no": video_no})
    assert answer["code"] == "0402"
    assert answer["msg"].startswith("Insufficient balance")
    assert server.credits.balance_usd("sandbox") == pytest.approx(0.5 * price)


def test_the_journal_says_who_asked_what_and_what_came_of_it(api: Api, server: Sandbox, footage: Footage) -> None:
    video_no = api.upload(footage.red_circle, tags=["sha256:ab"])
    api.get("get_metadata", video_no=video_no)
    api.post("search", {"search_param": ""})
    upload, metadata, search = server.journal()
    assert (upload.sequence, upload.operation, upload.account, upload.code) == (1, "upload", "sandbox", "0000")
    assert upload.item_ids == metadata.item_ids == (video_no,)
    assert upload.params == {"tags": "sha256:ab", "file": "red-circle.mp4"}
    assert upload.bytes_in > footage.red_circle.stat().st_size
    assert (search.status, search.code, search.took_effect) == (200, "0001", False)
    assert server.journal(operation="search", since=2) == [search]
    assert not any(server.api_key in str(entry) for entry in server.journal())
