"""Faults on request, and their accounts (contract §9.9, §9.14, §9.51-52)."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest
from pydantic import ValidationError

from visualsearch_pipeline.sandbox import FaultKind, FaultRule, Sandbox

if TYPE_CHECKING:
    from tests.sandbox.conftest import Api, Footage, Start


def ask(server: Sandbox) -> httpx.Response:
    headers = {"Authorization": server.api_key}
    return httpx.post(f"{server.url}/serve/api/v1/list_videos", json={}, headers=headers, trust_env=False)


@pytest.mark.parametrize(
    ("rule", "status", "body"),
    [
        (
            FaultRule(kind=FaultKind.RATE_LIMIT_CODE_ONLY),
            200,
            {"code": "0429", "msg": "Request has exceeded the limit."},
        ),
        (
            FaultRule(kind=FaultKind.RATE_LIMIT_NULL_DATA),
            200,
            {"code": "0429", "msg": "Rate limit exceeded", "data": None},
        ),
        (
            FaultRule(kind=FaultKind.RATE_LIMIT_INTEGER_CODE),
            200,
            {"code": 429, "msg": "Rate limit exceeded", "data": None},
        ),
        (FaultRule(kind=FaultKind.RATE_LIMIT_BARE_429), 429, None),
        (
            FaultRule(kind=FaultKind.CODE, code="9009", message="permission denied"),
            200,
            {"code": "9009", "msg": "permission denied", "data": None, "success": False, "failed": True},
        ),
        (FaultRule(kind=FaultKind.EMPTY_BODY), 200, None),
    ],
)
@pytest.mark.parametrize("when", ["before", "after"])
def test_answers_are_replaced(
    server: Sandbox, rule: FaultRule, status: int, body: dict[str, object] | None, when: str
) -> None:
    server.faults.add(rule.model_copy(update={"when": when}))
    answer = ask(server)
    assert answer.status_code == status
    assert body is None or answer.json() == body
    (entry,) = server.journal()
    assert entry.took_effect == (when == "after")
    assert ask(server).json()["code"] == "0000"  # Once, unless more is asked for.


@pytest.mark.parametrize(("kind", "status"), [(FaultKind.SPRING_404, 404), (FaultKind.SPRING_503, 503)])
def test_gateway_errors_have_spring_s_body(server: Sandbox, kind: FaultKind, status: int) -> None:
    server.faults.add(FaultRule(kind=kind))
    answer = ask(server)
    assert answer.status_code == answer.json()["status"] == status
    assert set(answer.json()) == {"timestamp", "path", "status", "error", "requestId"}


def test_html_truncated_json_and_json_as_bytes(server: Sandbox) -> None:
    for kind in (FaultKind.HTML_200, FaultKind.TRUNCATED_JSON, FaultKind.JSON_AS_OCTET_STREAM):
        server.faults.add(FaultRule(kind=kind, when="after"))
    html, truncated, as_bytes = ask(server), ask(server), ask(server)
    assert (html.status_code, html.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert truncated.headers["content-type"] == "application/json"
    with pytest.raises(json.JSONDecodeError):
        truncated.json()
    assert as_bytes.headers["content-type"] == "application/octet-stream"
    assert as_bytes.json()["success"] is False


@pytest.mark.parametrize(("when", "stored"), [("before", 0), ("after", 1)])
def test_a_lost_answer_to_an_upload_is_before_or_after_the_effect(
    api: Api, server: Sandbox, footage: Footage, when: str, stored: int
) -> None:
    fault_id = server.faults.add(FaultRule(operation="upload", kind=FaultKind.RESET, when=when))
    with pytest.raises(httpx.TransportError):
        api.upload(footage.red_circle)
    assert len(server.videos()) == stored
    (fired,) = server.faults.fired(fault_id)
    assert (fired.operation, fired.status, fired.took_effect, fired.params["file"]) == (
        "upload",
        None,
        bool(stored),
        "red-circle.mp4",
    )
    assert fired.item_ids == tuple(video.video_no for video in server.videos())


def test_a_connection_can_be_cut_in_the_middle_of_a_body(
    api: Api, server: Sandbox, footage: Footage, tmp_path: Path
) -> None:
    large = tmp_path / "large.mp4"
    large.write_bytes(bytes(8 * 1024**2))
    server.faults.add(FaultRule(operation="upload", kind=FaultKind.RESET, after_bytes=2 * 1024**2))
    api.post("list_videos", {})
    with pytest.raises(httpx.TransportError):
        api.upload(large)
    api.upload(footage.red_circle)  # Too small to be cut.
    (entry,) = server.faults.fired()
    assert 2 * 1024**2 <= entry.bytes_in < 8 * 1024**2
    assert [video.file_name for video in server.videos()] == ["red-circle.mp4"]
    api.upload(large)


def test_a_stall_is_a_delay_and_then_the_right_answer(api: Api, server: Sandbox) -> None:
    server.faults.add(FaultRule(operation="list_videos", kind=FaultKind.STALL, seconds=0.3))
    started = time.monotonic()
    assert api.post("list_videos", {})["code"] == "0000"
    assert time.monotonic() - started >= 0.3
    server.faults.add(FaultRule(operation="list_videos", kind=FaultKind.STALL, seconds=5))
    with pytest.raises(httpx.ReadTimeout):
        api.http.post("/list_videos", json={}, timeout=0.1)


DOWNLOAD_FAULTS = [
    FaultKind.SHORT_BODY,
    FaultKind.MISSING_TERMINATOR,
    FaultKind.WRONG_SIZE,
    FaultKind.GARBAGE,
    FaultKind.JSON_AS_OCTET_STREAM,
    FaultKind.WRONG_CONTENT_TYPE,
    FaultKind.RESET,
]


@pytest.mark.parametrize("kind", DOWNLOAD_FAULTS)
@pytest.mark.parametrize("route", ["download", "download_blob"])
def test_downloads_can_be_spoiled_in_every_way(
    api: Api, server: Sandbox, footage: Footage, kind: FaultKind, route: str
) -> None:
    video_no, content = api.upload(footage.red_circle), footage.red_circle.read_bytes()
    fault_id = server.faults.add(FaultRule(operation=route, kind=kind, when="after"))

    def fetch() -> httpx.Response:
        if route == "download":
            return api.http.post("/download", json={"video_no": video_no})
        return api.http.get("/download", params={"bucket": "mavi-resource", "blob": f"{video_no}.mp4"})

    if kind in {FaultKind.MISSING_TERMINATOR, FaultKind.RESET}:
        with pytest.raises(httpx.TransportError):
            fetch()
    else:
        answer = fetch()
        assert answer.status_code == 200
        if kind is FaultKind.SHORT_BODY:
            assert answer.content == content[: len(content) // 2]
        elif kind is FaultKind.WRONG_SIZE:
            assert answer.content[: len(content)] == content
            assert len(answer.content) > len(content)
        elif kind is FaultKind.GARBAGE:
            assert len(answer.content) == len(content)
            assert answer.content != content
        elif kind is FaultKind.JSON_AS_OCTET_STREAM:
            assert answer.json()["code"] == "0001"
        else:
            assert answer.headers["content-type"] == "application/json"
            assert answer.content == content
    assert [entry.item_ids for entry in server.faults.fired(fault_id)] == [(video_no,)]
    assert fetch().content == content


def test_download_faults_wait_for_a_stream(api: Api, server: Sandbox, footage: Footage) -> None:
    server.faults.add(FaultRule(kind=FaultKind.GARBAGE))
    assert api.post("download", {"video_no": "VI1"})["msg"] == "download video error"
    assert api.post("list_videos", {})["code"] == "0000"
    assert server.faults.rules()[0].active
    video_no = api.upload(footage.red_circle)
    assert api.http.post("/download", json={"video_no": video_no}).content != footage.red_circle.read_bytes()
    assert not server.faults.rules()[0].active


def test_faults_count_skip_and_match(api: Api, server: Sandbox) -> None:
    rule = FaultRule(operation="search", kind=FaultKind.CODE, count=2, skip=1, match="truck")
    server.faults.add(rule)
    questions = ["red truck", "red car", "blue truck", "truck", "trucks", "car"]
    codes = [api.post("search", {"search_param": question})["code"] for question in questions]
    assert codes == ["0000", "0000", "0001", "0001", "0000", "0000"]
    (standing,) = server.faults.rules()
    assert (standing.rule, standing.seen, standing.fired, standing.active) == (rule, 3, 2, False)


def test_probable_faults_are_the_same_for_the_same_seed(start: Start, connect: Callable[..., Api]) -> None:
    def codes(seed: int) -> list[str]:
        server = start(seed=seed)
        server.faults.add(FaultRule(kind=FaultKind.CODE, probability=0.5, count=None))
        api = connect(server)
        return [api.post("list_videos", {})["code"] for _ in range(20)]

    first = codes(1)
    assert 3 < first.count("0001") < 17
    assert codes(1) == first
    assert codes(2) != first


def test_faults_can_be_lifted(api: Api, server: Sandbox) -> None:
    server.faults.add(FaultRule(kind=FaultKind.SPRING_503, count=None))
    assert api.http.post("/list_videos", json={}).status_code == 503
    server.faults.clear()
    assert api.http.post("/list_videos", json={}).status_code == 200
    assert len(server.faults.fired()) == 1


def test_a_rule_for_no_operation_is_refused_and_not_kept(server: Sandbox) -> None:
    with pytest.raises(ValueError, match=r"no operation 'uplaod'.* list_videos"):
        server.faults.add(FaultRule(operation="uplaod", kind=FaultKind.RESET))
    assert server.faults.rules() == []


def test_impossible_rules_are_refused() -> None:
    for wrong in (
        {"kind": "explode"},
        {"kind": "reset", "probability": 0},
        {"kind": "code", "after_bytes": 5},
        {"sort": 1},
    ):
        with pytest.raises(ValidationError):
            FaultRule.model_validate(wrong)
