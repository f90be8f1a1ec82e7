"""Connections, retries, reports, and the key (contract §9.1, §9.10-9.13)."""

from __future__ import annotations

import itertools
import logging
import socket
import threading
import time
import traceback
from typing import TYPE_CHECKING

import pytest

from tests.scripted_server import ScriptedServer
from visualsearch_pipeline import __version__
from visualsearch_pipeline.api import (
    AuthenticationError,
    ConnectionFailed,
    ConnectionLost,
    FolderScope,
    InvalidInput,
    RateLimited,
    RetryPolicy,
    Timeout,
    Timeouts,
    UniqueIdScope,
    VisualSearchClient,
    VisualSearchError,
)

if TYPE_CHECKING:
    from tests.api.conftest import Clients

KEY = "sk-mavi-5e37c0ffee5e37c0ffee"


def test_the_raw_key_and_a_versioned_user_agent_are_sent(server: ScriptedServer, client: VisualSearchClient) -> None:
    server.script(server.ok({"unique_ids": []}))
    client.list_unique_ids()
    headers = server.requests[0].headers
    assert headers["authorization"] == KEY
    assert headers["user-agent"] == f"visualsearch-pipeline/{__version__}"


def test_one_connection_serves_many_calls(server: ScriptedServer, client: VisualSearchClient) -> None:
    server.script(server.ok({"unique_ids": []}))
    for _ in range(5):
        client.list_unique_ids()
    assert len({request.connection for request in server.requests}) == 1


def test_a_client_is_shared_between_threads(server: ScriptedServer, clients: Clients) -> None:
    server.script(lambda request: server.ok({"video_no": request.query["video_no"][0], "status": "PARSE"}))
    client = clients.make()
    found: list[str] = []

    def look(worker: int) -> None:
        for number in range(20):
            video = client.get_metadata(f"VI{worker}-{number}")
            assert video is not None
            found.append(video.video_no)

    threads = [threading.Thread(target=look, args=(worker,)) for worker in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found) == sorted(f"VI{worker}-{number}" for worker in range(8) for number in range(20))
    assert len(clients.calls) == 160


def test_no_server_is_a_failed_connection_and_is_tried_again(clients: Clients) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        client = clients.make(base_url=f"http://127.0.0.1:{unused.getsockname()[1]}", attempts=3)
        with pytest.raises(ConnectionFailed, match="Check the base URL and the network"):
            client.list_unique_ids()
    assert [call.outcome for call in clients.calls] == ["ConnectionFailed"] * 3
    assert clients.calls[0].bytes_sent == 0


def test_a_reset_connection_is_asked_again_where_that_is_safe(server: ScriptedServer, clients: Clients) -> None:
    server.script(server.reset(), server.reset(), server.ok({"unique_ids": ["a"]}))
    assert clients.make(attempts=3).list_unique_ids() == ("a",)
    assert [call.outcome for call in clients.calls] == ["ConnectionLost", "ConnectionLost", "ok"]


def test_a_body_cut_off_is_a_lost_connection(server: ScriptedServer, clients: Clients) -> None:
    server.script(server.http(200, b'{"code":"0000"', length=100))
    with pytest.raises(ConnectionLost):
        clients.make(attempts=2).list_unique_ids()
    assert len(server.requests) == 2


def test_a_stalled_answer_times_out(server: ScriptedServer, clients: Clients) -> None:
    server.script(server.stall())
    began = time.monotonic()
    with pytest.raises(Timeout, match="list_unique_ids"):
        clients.make(attempts=1, timeouts=Timeouts(read_seconds=0.2)).list_unique_ids()
    assert time.monotonic() - began < 10


def test_a_trickling_answer_does_not_hold_the_caller_for_ever(server: ScriptedServer, clients: Clients) -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n"
    server.script(server.trickle(head, pieces=100, seconds_between=0.05))
    began = time.monotonic()
    with pytest.raises(Timeout, match="trickled"):
        clients.make(attempts=1, timeouts=Timeouts(read_seconds=5, answer_seconds=0.3)).list_unique_ids()
    assert time.monotonic() - began < 10


def test_waits_double_up_to_their_limit(server: ScriptedServer, clients: Clients) -> None:
    server.script(server.envelope("0429", "Request has exceeded the limit."))
    policy = RetryPolicy(attempts=6, initial_wait_seconds=0.05, max_wait_seconds=0.2, jitter_seconds=0)
    with pytest.raises(RateLimited):
        clients.make(retry=policy).list_unique_ids()
    gaps = [later.at - earlier.at for earlier, later in itertools.pairwise(server.requests)]
    for gap, expected in zip(gaps, [0.05, 0.1, 0.2, 0.2, 0.2], strict=True):
        assert expected <= gap < expected + 1


def test_the_default_waits_are_those_the_vendor_advises() -> None:
    policy = RetryPolicy()
    waits = [min(policy.max_wait_seconds, policy.initial_wait_seconds * 2**n) for n in range(7)]
    assert waits == [1, 2, 4, 8, 16, 32, 32]


def test_retry_after_is_honoured(server: ScriptedServer, clients: Clients) -> None:
    server.script(
        server.envelope("0429", "Request has exceeded the limit.", headers="Retry-After: 0.3\r\n"),
        server.ok({"unique_ids": []}),
    )
    clients.make().list_unique_ids()
    assert server.requests[1].at - server.requests[0].at >= 0.3


def test_a_retry_after_beyond_our_patience_ends_the_call(server: ScriptedServer, clients: Clients) -> None:
    server.script(server.envelope("0429", "later", headers="Retry-After: 86400\r\n"))
    with pytest.raises(RateLimited) as caught:
        clients.make().list_unique_ids()
    assert caught.value.retry_after_seconds == 86400
    assert len(server.requests) == 1


def test_total_time_limits_the_retries(server: ScriptedServer, clients: Clients) -> None:
    server.script(server.envelope("0429", "later"))
    policy = RetryPolicy(
        attempts=1000, total_seconds=0.3, initial_wait_seconds=0.05, max_wait_seconds=0.05, jitter_seconds=0
    )
    began = time.monotonic()
    with pytest.raises(RateLimited):
        clients.make(retry=policy).list_unique_ids()
    assert time.monotonic() - began < 10
    assert 2 <= len(server.requests) <= 10


def test_every_attempt_is_reported(server: ScriptedServer, clients: Clients) -> None:
    server.script(server.network_abnormal(), server.ok({"video_no": "VI7", "status": "PARSE"}))
    clients.make().get_metadata("VI7")
    first, second = clients.calls
    assert (first.operation, first.item, first.outcome) == ("get_metadata", "VI7", "TransientServiceError")
    assert (first.code, first.http_status, first.attempt) == ("0001", 200, 1)
    assert (second.outcome, second.code, second.attempt) == ("ok", "0000", 2)
    assert second.bytes_received > 0
    assert second.started_at >= first.started_at
    assert second.started_at.tzinfo is not None
    assert second.waited_seconds == 0


def test_a_bookkeeper_that_fails_does_not_lose_the_answer(
    server: ScriptedServer, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(call: object) -> None:
        raise OSError("the ledger is full")

    server.script(server.ok({"unique_ids": ["a"]}))
    with VisualSearchClient(base_url=server.url, api_key=KEY, scope=UniqueIdScope(), on_call=fail) as client:
        assert client.list_unique_ids() == ("a",)
    assert "could not be recorded" in caplog.text


def test_the_key_shows_nowhere(server: ScriptedServer, clients: Clients, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    echo = f"the key {KEY} is not known"
    server.script(
        server.envelope("0401", echo),
        server.envelope("0777", echo, data=None),
        server.http(200, echo.encode(), content_type="text/plain"),
        server.http(503, echo.encode(), content_type="text/plain"),
        server.envelope(KEY, KEY),
        server.reset(),
    )
    client = clients.make(attempts=1)
    shown = [repr(client), str(client), repr(client.scope)]
    for _ in range(6):
        with pytest.raises(VisualSearchError) as caught:
            client.list_unique_ids()
        shown.append("".join(traceback.format_exception(caught.value)))
        link: BaseException | None = caught.value
        while link is not None:
            shown += [repr(link), str(link), repr(vars(link)), repr(getattr(link, "request", None))]
            link = link.__cause__ or link.__context__
    shown += [repr(call) for call in clients.calls]
    shown.append(caplog.text)
    assert "[key]" in "".join(shown), "the service's echo should have come through, without the key"
    assert KEY not in "".join(shown)
    server.script(server.envelope("0401", "no"))
    with pytest.raises(AuthenticationError, match=r"without `Bearer`"):
        client.list_unique_ids()


@pytest.mark.parametrize(
    ("key", "explained"),
    [
        ("", "empty"),
        ("   ", "empty"),
        ('"sk-mavi-123456789"', "quotes"),
        ("'sk-mavi-123456789'", "quotes"),
        ("Bearer sk-mavi-123456789", "Bearer"),
        ("bearer sk-mavi-123456789", "Bearer"),
        (" sk-mavi-123456789", "space or a line break"),
        ("sk-mavi-123456789\n", "space or a line break"),
        ("sk-mavi-1234\n56789", "control character"),
        ("sk-mavi-12 3456789", "space"),
        ("sk-mavi-ключ-123456789", "not ASCII"),
        ("Authorization: sk-mavi-123456789", "Authorization"),
    ],
)
def test_a_mistyped_key_is_explained_without_being_shown(key: str, explained: str) -> None:
    with pytest.raises(InvalidInput, match=explained) as caught:
        VisualSearchClient(base_url="https://api.memories.ai", api_key=key, scope=UniqueIdScope())
    assert "123456789" not in "".join(traceback.format_exception(caught.value)).replace(repr(key), "")


@pytest.mark.parametrize(
    "base_url",
    [
        "api.memories.ai",
        "ftp://api.memories.ai",
        "https://",
        "https://u:secret@host",
        "https://h/?k=v",
        "http://h:99999",
    ],
)
def test_a_base_url_that_cannot_be_right_is_refused(base_url: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        VisualSearchClient(base_url=base_url, api_key=KEY, scope=UniqueIdScope())
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("suffix", ["", "/", "/serve/api/v1", "/serve/api/v1/"])
def test_a_base_url_may_carry_the_common_path(server: ScriptedServer, clients: Clients, suffix: str) -> None:
    server.script(server.ok({"unique_ids": []}))
    clients.make(base_url=server.url + suffix).list_unique_ids()
    assert server.requests[0].path == "/serve/api/v1/list_unique_ids"


def test_impossible_scopes_are_refused() -> None:
    for make in (lambda: UniqueIdScope("  "), lambda: FolderScope(0), lambda: FolderScope(-3)):
        with pytest.raises(InvalidInput):
            make()
