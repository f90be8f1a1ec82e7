"""What counts as success, and what every other answer becomes (contract §9.1-9.9)."""

from __future__ import annotations

import json
import pickle
from typing import TYPE_CHECKING

import pytest

from tests.scripted_server import Reply, ScriptedServer
from visualsearch_pipeline.api import (
    ApiError,
    AuthenticationError,
    BadResponse,
    EndpointUnavailable,
    InsufficientCredits,
    InvalidRequest,
    MalformedItem,
    NotRepeatable,
    PermissionDenied,
    RateLimited,
    TransientServiceError,
    UnexpectedCode,
    VisualSearchClient,
    VisualSearchError,
)

if TYPE_CHECKING:
    from tests.api.conftest import Clients

STOPPING = (AuthenticationError, InsufficientCredits, PermissionDenied)


@pytest.mark.parametrize(
    ("code", "msg", "kind"),
    [
        ("0001", "The prompt parameter cannot be empty!", InvalidRequest),
        ("0003", "bad parameter", InvalidRequest),
        ("0401", "invalid key", AuthenticationError),
        ("0402", "You don't have enough points", InsufficientCredits),
        ("0001", "You don't have enough points", InsufficientCredits),
        ("0403", "account disabled", PermissionDenied),
        ("9009", "permission denied", PermissionDenied),
        ("0409", "not repeatable", NotRepeatable),
        ("0409", "service busy, try later", TransientServiceError),
        ("0429", "Request has exceeded the limit.", RateLimited),
        ("0001", "network abnormal", TransientServiceError),
        ("0001", "The network is abnormal, please try again later", TransientServiceError),
        ("0001", "No static resource serve/api/v1/search.", EndpointUnavailable),
        ("0001", "Request method 'GET' is not supported", EndpointUnavailable),
        ("0777", "something new", UnexpectedCode),
        ("SUCCESS", "", UnexpectedCode),
        ("", "", BadResponse),
        # The sister product's integers (contract §1.4).
        (401, "no", AuthenticationError),
        (402, "no", InsufficientCredits),
        (429, "Rate limit exceeded", RateLimited),
        (500, "oops", TransientServiceError),
        # 0 and 200 are not "0000".
        (0, "success", UnexpectedCode),
        (200, "success", UnexpectedCode),
        (True, "success", BadResponse),
        (None, "success", BadResponse),
        ("0", "success", UnexpectedCode),
        (" 0000", "success", UnexpectedCode),
    ],
)
@pytest.mark.parametrize("http_status", [200, 500])
def test_only_0000_is_success_and_the_code_decides_at_any_http_status(
    server: ScriptedServer,
    clients: Clients,
    code: object,
    msg: str,
    kind: type[VisualSearchError],
    http_status: int,
) -> None:
    server.script(server.envelope(code, msg, status=http_status, data={"unique_ids": ["fooled"]}, success=True))
    expected = TransientServiceError if kind is BadResponse and http_status == 500 else kind
    with pytest.raises(VisualSearchError) as caught:
        clients.make(attempts=1).list_unique_ids()
    assert type(caught.value) is expected
    assert caught.value.stops_run is isinstance(caught.value, STOPPING)
    if isinstance(caught.value, ApiError) and caught.value.code is not None:
        assert caught.value.code == str(code)
        assert caught.value.operation == "list_unique_ids"
        assert caught.value.http_status == http_status
        assert "list_unique_ids" in str(caught.value)


@pytest.mark.parametrize("http_status", [200, 201, 404, 429, 500])
def test_success_needs_neither_success_nor_failed_nor_a_friendly_status(
    server: ScriptedServer, client: VisualSearchClient, http_status: int
) -> None:
    server.script(server.envelope("0000", status=http_status, data={"unique_ids": ["default", "street"]}))
    assert client.list_unique_ids() == ("default", "street")
    assert len(server.requests) == 1


def test_a_stopping_error_is_not_retried(server: ScriptedServer, clients: Clients) -> None:
    server.script(server.envelope("0402", "You don't have enough points"))
    with pytest.raises(InsufficientCredits):
        clients.make(attempts=5).list_unique_ids()
    assert len(server.requests) == 1


RATE_LIMIT_SHAPES = [
    ScriptedServer.envelope("0429", "Request has exceeded the limit."),
    ScriptedServer.envelope("0429", "Rate limit exceeded", data=None),
    ScriptedServer.envelope(429, "Rate limit exceeded", data=None),
    ScriptedServer.envelope(429, "Rate limit exceeded", data=None, status=429),
    ScriptedServer.http(429, b"", content_type=None),
    ScriptedServer.http(429, b"<html>slow down</html>", content_type="text/html"),
]


@pytest.mark.parametrize("reply", RATE_LIMIT_SHAPES)
def test_every_shape_of_a_rate_limit_answer_is_recognised(
    server: ScriptedServer, clients: Clients, reply: Reply
) -> None:
    server.script(reply, reply, server.ok({"unique_ids": []}))
    assert clients.make(attempts=3).list_unique_ids() == ()
    assert [call.outcome for call in clients.calls] == ["RateLimited", "RateLimited", "ok"]
    assert [call.attempt for call in clients.calls] == [1, 2, 3]


@pytest.mark.parametrize(
    ("status", "kind", "requests"),
    [(404, EndpointUnavailable, 1), (503, TransientServiceError, 3), (502, TransientServiceError, 3)],
)
def test_spring_bodies_are_judged_by_their_status_and_only_5xx_is_retried(
    server: ScriptedServer, clients: Clients, status: int, kind: type[ApiError], requests: int
) -> None:
    body = {
        "timestamp": "2026-05-01T00:00:00.000+00:00",
        "path": "/serve/api/v1/list_unique_ids",
        "status": status,
        "error": "Whatever",
        "requestId": "1a2b3c",
    }
    server.script(server.http(status, json.dumps(body).encode()))
    with pytest.raises(kind) as caught:
        clients.make(attempts=3).list_unique_ids()
    assert len(server.requests) == requests
    assert caught.value.code is None
    assert caught.value.http_status == status


@pytest.mark.parametrize("status", [401, 403])
def test_a_bare_http_status_can_refuse_the_key_too(
    server: ScriptedServer, client: VisualSearchClient, status: int
) -> None:
    server.script(server.http(status, b"", content_type=None))
    with pytest.raises(STOPPING) as caught:
        client.list_unique_ids()
    assert caught.value.stops_run


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html><body>Welcome to the hotel</body></html>",
        b'{"code":"0000","data":{"unique_ids":["a"',
        b'[{"code":"0000"}]',
        b'"0000"',
        b"null",
        b'{"data":{"unique_ids":[]},"success":true}',
        b'{"code":"0000","data":NaN}',
        b"\xff\xfe\x00",
        b"[" * 100_000,
    ],
)
def test_what_is_no_envelope_is_a_bad_response_and_is_asked_again(
    server: ScriptedServer, clients: Clients, body: bytes
) -> None:
    server.script(server.http(200, body))
    with pytest.raises(BadResponse) as caught:
        clients.make(attempts=3).list_unique_ids()
    assert len(server.requests) == 3
    assert len(str(caught.value)) < 1000


def test_a_passing_bad_response_does_not_reach_the_caller(server: ScriptedServer, client: VisualSearchClient) -> None:
    server.script(server.http(200, b"<html>"), server.ok({"unique_ids": ["a"]}))
    assert client.list_unique_ids() == ("a",)


def test_network_abnormal_is_retried_three_times_and_no_more(server: ScriptedServer, clients: Clients) -> None:
    server.script(server.network_abnormal())
    with pytest.raises(TransientServiceError):
        clients.make(attempts=8).list_unique_ids()
    assert len(server.requests) == 1 + 3


def test_a_redirect_is_reported_and_the_key_is_not_carried_along(
    server: ScriptedServer, client: VisualSearchClient
) -> None:
    server.script(server.http(302, b"", headers=f"Location: {server.url}/elsewhere\r\n"))
    with pytest.raises(BadResponse):
        client.list_unique_ids()
    assert {request.path for request in server.requests} == {"/serve/api/v1/list_unique_ids"}


def test_an_unreadable_item_is_an_error_that_names_endpoint_and_item(server: ScriptedServer, clients: Clients) -> None:
    videos = [{"video_no": "VI1", "status": "PARSE"}, {"video_no": "VI2", "duration": "twelve"}]
    server.script(server.ok({"videos": videos}))
    with pytest.raises(MalformedItem) as caught:
        clients.make(attempts=3).list_videos()
    assert caught.value.operation == "list_videos"
    assert caught.value.position == 1
    assert "VI2" in str(caught.value)
    assert "twelve" in str(caught.value)
    assert len(server.requests) == 1, "a shape that changed stays changed: asking again is of no use"


@pytest.mark.parametrize("data", ["text", 7, ["list"], {"videos": {"a": 1}}, {"videos": ["text"]}])
def test_data_of_another_shape_is_an_error_and_not_an_empty_result(
    server: ScriptedServer, client: VisualSearchClient, data: object
) -> None:
    server.script(server.ok(data))
    with pytest.raises(BadResponse):
        client.list_videos()


def test_errors_survive_the_way_between_processes(server: ScriptedServer, client: VisualSearchClient) -> None:
    server.script(server.envelope("0777", "something new"))
    with pytest.raises(UnexpectedCode) as caught:
        client.get_metadata("VI1")
    copy = pickle.loads(pickle.dumps(caught.value))  # noqa: S301  our own object
    assert type(copy) is UnexpectedCode
    assert str(copy) == str(caught.value)
    assert (copy.code, copy.operation, copy.item) == ("0777", "get_metadata", "VI1")
