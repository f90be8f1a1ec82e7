"""Contract §9.9-9.14: rate limits, retries, and calls whose answer was lost."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Literal

import pytest

from visualsearch_pipeline.api import (
    ApiCall,
    FolderScope,
    InvalidRequest,
    OutcomeUnknown,
    RateLimited,
    RateLimits,
    RetryPolicy,
    SharedRateLimiter,
    Timeouts,
    TransientServiceError,
    VisualSearchClient,
    account_id,
)
from visualsearch_pipeline.pipeline.ingest import ingest, look_at_source
from visualsearch_pipeline.pipeline.upload import upload
from visualsearch_pipeline.sandbox import (
    Dialect,
    FaultKind,
    FaultRule,
    OperationFamily,
    Rate,
    RateLimitShape,
    Sandbox,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.conftest import MakeProject
    from tests.contract.conftest import Answering, Connect, Speak, Start

SHAPES = {
    FaultKind.RATE_LIMIT_CODE_ONLY: (200, {"code": "0429", "msg": "Request has exceeded the limit."}),
    FaultKind.RATE_LIMIT_NULL_DATA: (200, {"code": "0429", "msg": "Rate limit exceeded", "data": None}),
    FaultKind.RATE_LIMIT_INTEGER_CODE: (200, {"code": 429, "msg": "Rate limit exceeded", "data": None}),
    FaultKind.RATE_LIMIT_BARE_429: (429, None),
}


@pytest.mark.parametrize("kind", SHAPES)
def test_09_the_four_shapes_of_too_fast_are_one_error(
    server: Sandbox, speak: Speak, connect: Connect, kind: FaultKind
) -> None:
    server.faults.add(FaultRule(operation="list_videos", kind=kind, count=2))
    response = speak(server).http.post("/list_videos", json={})
    status, body = SHAPES[kind]
    assert response.status_code == status
    assert body is None or response.json() == body
    with pytest.raises(RateLimited):
        connect(server, retry=RetryPolicy(attempts=1)).list_videos()


@pytest.mark.parametrize("shape", list(RateLimitShape))
def test_09_the_sandbox_s_own_limits_speak_each_shape(start: Start, connect: Connect, shape: RateLimitShape) -> None:
    server = start(rate_limits={OperationFamily.LIST: Rate(calls=1, per_seconds=60)}, rate_limit_shape=shape)
    client = connect(server, retry=RetryPolicy(attempts=1))
    client.list_videos()
    with pytest.raises(RateLimited):
        client.list_videos()


def test_10_waits_double_up_to_their_limit(server: Sandbox, connect: Connect) -> None:
    calls: list[ApiCall] = []
    retry = RetryPolicy(attempts=9, initial_wait_seconds=0.05, max_wait_seconds=0.2, jitter_seconds=0)
    server.faults.add(FaultRule(operation="list_videos", kind=FaultKind.RATE_LIMIT_CODE_ONLY, count=8))
    connect(server, retry=retry, on_call=calls.append).list_videos()
    starts = [call.started_at.timestamp() for call in calls]
    waits = [later - earlier for earlier, later in pairwise(starts)]
    assert all(wait >= least for wait, least in zip(waits, [0.05, 0.1, *[0.2] * 6], strict=True))
    # Without the limit the last would be 6.4 s; a busy machine takes its own time.
    assert waits[-1] < 3


def test_10_the_defaults_are_the_vendor_s_advice_with_jitter_and_an_end() -> None:
    default = RetryPolicy()
    assert (default.initial_wait_seconds, default.max_wait_seconds) == (1, 32)
    assert default.jitter_seconds > 0
    assert default.total_seconds < float("inf")


def test_10_a_retry_after_is_honoured_and_the_total_time_is_an_end(answering: Answering, connect: Connect) -> None:
    calls: list[ApiCall] = []
    answering.say({"code": "0429", "msg": "later"}, Retry_After="1")
    answering.say_data({"videos": []})
    connect(answering.url, on_call=calls.append).list_videos()
    assert (calls[1].started_at - calls[0].started_at).total_seconds() >= 1
    answering.answers.clear()
    answering.say({"code": "0429", "msg": "later"}, Retry_After="3600")
    with pytest.raises(RateLimited):
        connect(answering.url, retry=RetryPolicy(total_seconds=5)).list_videos()


def test_11_two_keys_of_an_account_share_a_bucket_per_family(start: Start, connect: Connect) -> None:
    keys = {"sk-mavi-one": "a", "sk-mavi-two": "a", "sk-mavi-other": "b"}
    server = start(api_keys=keys, rate_limits={OperationFamily.LIST: Rate(calls=1, per_seconds=60)})
    once = RetryPolicy(attempts=1)
    connect(server, key="sk-mavi-one").list_videos()
    with pytest.raises(RateLimited):
        connect(server, key="sk-mavi-two", retry=once).list_videos()
    connect(server, key="sk-mavi-two", retry=once).search("red", top_k=1)
    connect(server, key="sk-mavi-other", retry=once).list_videos()


def test_11_one_limiter_holds_all_clients_of_an_account_to_an_upload_a_minute(
    start: Start, connect: Connect, red_clip: Path, tmp_path: Path
) -> None:
    server = start(rate_limits="p-2026")
    server.clock.freeze()
    began = now = server.clock.now().timestamp()
    limits = RateLimits.from_setting({"upload": "1/minute"})
    account = account_id(api_key=server.api_key, base_url=server.url)

    def sleep(seconds: float) -> None:
        server.clock.advance(seconds)

    def limiter() -> SharedRateLimiter:
        return SharedRateLimiter(
            tmp_path / "limits.db", limits, account=account, clock=lambda: server.clock.now().timestamp(), sleep=sleep
        )

    clients = [connect(server, retry=RetryPolicy(attempts=1), limiter=limiter()) for _ in range(2)]
    for number in range(4):
        clients[number % 2].upload(red_clip, upload_name=f"{number}.mp4")
        now = server.clock.now().timestamp()
    assert 180 <= now - began < 190
    assert {entry.code for entry in server.journal(operation="upload")} == {"0000"}


def test_12_network_abnormal_is_asked_again_three_times_and_other_0001_never(
    server: Sandbox, client: VisualSearchClient
) -> None:
    abnormal = server.faults.add(FaultRule(operation="list_videos", kind=FaultKind.CODE, count=3))
    assert client.list_videos().videos == ()
    assert len(server.faults.fired(abnormal)) == 3
    lasting = server.faults.add(FaultRule(operation="search", kind=FaultKind.CODE, count=None))
    with pytest.raises(TransientServiceError):
        client.search("red", top_k=5)
    assert len(server.faults.fired(lasting)) == 4
    other = server.faults.add(
        FaultRule(operation="get_metadata", kind=FaultKind.CODE, message="The parameter is wrong", count=None)
    )
    with pytest.raises(InvalidRequest):
        client.get_metadata("VI1")
    assert len(server.faults.fired(other)) == 1


UNREPEATABLE: dict[str, Callable[[VisualSearchClient, Path], object]] = {
    "upload": lambda client, clip: client.upload(clip, upload_name="a.mp4"),
    "scraper_url": lambda client, _clip: client.import_posts(["https://www.tiktok.com/@wolves/video/1"]),
    "folders/move": lambda client, _clip: client.move_videos(["VI1"], folder_id=-1),
}


@pytest.mark.parametrize("operation", UNREPEATABLE)
def test_13_what_may_have_taken_effect_is_not_repeated_after_a_timeout(
    start: Start, connect: Connect, red_clip: Path, operation: str
) -> None:
    server = start(dialect=Dialect.OPENAPI)
    impatient = Timeouts(read_seconds=0.3, upload_seconds_per_gigabyte=0)
    client = connect(server, scope=FolderScope(-1), timeouts=impatient)
    stall = FaultRule(operation=operation, kind=FaultKind.STALL, when="after", seconds=1, count=None)
    server.faults.add(stall)
    with pytest.raises(OutcomeUnknown):
        UNREPEATABLE[operation](client, red_clip)
    assert [(standing.seen, standing.fired) for standing in server.faults.rules()] == [(1, 1)]


@pytest.mark.parametrize("when", ["before", "after"])
def test_14_a_lost_answer_ends_in_one_video_here_and_there(
    make_project: MakeProject, when: Literal["before", "after"]
) -> None:
    project = make_project(("red",))
    fault = project.server.faults.add(FaultRule(operation="upload", kind=FaultKind.RESET, when=when))
    with project.pipeline() as pipeline:
        look_at_source(pipeline)
        ingest(pipeline)
        reports = [upload(pipeline), upload(pipeline)]
        (content,) = pipeline.ledger.uploads.claimed_video_nos()
    assert len(project.server.faults.fired(fault)) == 1
    assert [video.video_no for video in project.server.videos()] == [content]
    assert sum(report.adopted for report in reports) == (1 if when == "after" else 0)
    assert len(project.calls("upload")) == (1 if when == "after" else 2)
