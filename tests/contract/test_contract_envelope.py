"""Contract §9.1-9.8: authentication and the envelope."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest

from visualsearch_pipeline.api import (
    ApiError,
    AuthenticationError,
    BadResponse,
    EndpointUnavailable,
    InsufficientCredits,
    InvalidInput,
    InvalidRequest,
    PermissionDenied,
    TransientServiceError,
    UnexpectedCode,
    UploadOutcomeUnknown,
    VisualSearchClient,
)
from visualsearch_pipeline.pipeline.errors import ServiceRefuses
from visualsearch_pipeline.pipeline.ingest import ingest, look_at_source
from visualsearch_pipeline.pipeline.upload import upload
from visualsearch_pipeline.sandbox import AuthFailure, Dialect, FaultKind, FaultRule, Sandbox

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.conftest import MakeProject
    from tests.contract.conftest import Answering, Connect, Speak, Start, Wire

CALLS: dict[str, Callable[[VisualSearchClient], object]] = {
    "list_videos": lambda client: client.list_videos(),
    "get_metadata": lambda client: client.get_metadata("VI1"),
    "search": lambda client: client.search("red", top_k=5),
    "search_audio_transcripts": lambda client: client.search_audio_transcripts("may"),
    "get_audio_transcription": lambda client: client.get_audio_transcription("VI1"),
    "delete_videos": lambda client: client.delete_videos(["VI1"]),
}


@pytest.mark.parametrize("shape", list(AuthFailure))
def test_01_only_the_raw_key_opens_the_door(start: Start, speak: Speak, shape: AuthFailure) -> None:
    server = start(auth_failure=shape)
    assert speak(server).post("list_videos")["code"] == "0000"
    for key in (None, "sk-mavi-unknown", f"Bearer {server.api_key}"):
        response = speak(server, key=key).http.post("/list_videos", json={})
        assert response.json()["code"] == "0401", key
        assert response.status_code == (401 if shape is AuthFailure.HTTP_401 else 200)


@pytest.mark.parametrize("shape", list(AuthFailure))
def test_01_a_refused_key_is_an_authentication_error_and_shows_nowhere(
    start: Start, connect: Connect, shape: AuthFailure, caplog: pytest.LogCaptureFixture
) -> None:
    key = "sk-mavi-0a1b2c3d4e5f"
    caplog.set_level(logging.DEBUG)
    client = connect(start(auth_failure=shape), key=key)
    with pytest.raises(AuthenticationError) as refused:
        client.list_videos()
    for text in (str(refused.value), repr(refused.value), repr(client), repr(client.__dict__), caplog.text):
        assert key not in text
    with pytest.raises(InvalidInput, match="Bearer") as mistyped:
        connect("http://127.0.0.1:1", key=f"Bearer {key}")
    assert key not in str(mistyped.value)


@pytest.mark.parametrize("status", [200, 400, 500])
def test_02_the_code_decides_before_data_and_status(answering: Answering, connect: Connect, status: int) -> None:
    page = {"videos": [{"video_no": "VI1", "status": "PARSE"}]}
    answering.say({"code": "0003", "msg": "no", "data": page, "success": True}, status=status)
    with pytest.raises(InvalidRequest):
        connect(answering.url).list_videos()
    answering.say({"code": "0000", "msg": "ok", "data": page, "success": False}, status=status)
    answering.answers.pop(0)
    assert [video.video_no for video in connect(answering.url).list_videos().videos] == ["VI1"]


def test_03_flags_and_data_may_be_missing(answering: Answering, connect: Connect) -> None:
    answering.say({"code": "0000", "msg": "success"})
    client = connect(answering.url)
    assert client.list_videos().videos == ()
    assert client.get_metadata("VI1") is None
    assert client.search("red", top_k=5) == ()
    client.delete_videos(["VI1"])


@pytest.mark.parametrize(
    ("code", "error"), [(401, AuthenticationError), (402, InsufficientCredits), (403, PermissionDenied), (0, ApiError)]
)
def test_03_a_code_may_be_a_number_and_means_what_it_means_as_text(
    answering: Answering, connect: Connect, code: int, error: type[ApiError]
) -> None:
    # 0 is no source's success: only "0000" is (contract §9.2).
    answering.say({"code": code, "msg": "success", "data": {"videos": []}})
    with pytest.raises(error) as met:
        connect(answering.url).list_videos()
    assert met.value.code is not None


def test_03_the_sandbox_s_answers_about_folders_have_no_flags(start: Start, speak: Speak, connect: Connect) -> None:
    server = start(dialect=Dialect.OPENAPI)
    assert speak(server).form("folders/create", name="raw").keys().isdisjoint({"success", "failed"})
    assert connect(server).create_folder("Street").folder_name == "Street"


@pytest.mark.parametrize("operation", CALLS)
def test_04_an_unknown_code_is_a_typed_error_and_never_an_empty_result(
    server: Sandbox, client: VisualSearchClient, operation: str
) -> None:
    server.faults.add(FaultRule(operation=operation, kind=FaultKind.CODE, code="7777", message="new weather"))
    with pytest.raises(UnexpectedCode, match="new weather") as met:
        CALLS[operation](client)
    assert (met.value.code, met.value.service_message, met.value.operation) == ("7777", "new weather", operation)


@pytest.mark.parametrize("kind", [FaultKind.HTML_200, FaultKind.EMPTY_BODY, FaultKind.TRUNCATED_JSON])
def test_05_what_is_no_envelope_is_asked_again_only_where_that_is_safe(
    server: Sandbox, client: VisualSearchClient, red_clip: Path, kind: FaultKind
) -> None:
    server.faults.add(FaultRule(operation="list_videos", kind=kind, when="after"))
    server.faults.add(FaultRule(operation="upload", kind=kind, when="after"))
    assert client.list_videos().videos == ()
    with pytest.raises(UploadOutcomeUnknown):
        client.upload(red_clip, upload_name="red.mp4")
    assert len(server.journal(operation="list_videos")) == 2
    assert len(server.journal(operation="upload")) == len(server.videos()) == 1


def test_05_json_that_is_no_object_is_no_envelope(answering: Answering, connect: Connect) -> None:
    answering.say(["0000", "success"])
    with pytest.raises(BadResponse):
        connect(answering.url).list_videos()
    assert len(answering.received) > 1


def test_06_a_gateway_s_503_is_asked_again_and_its_404_is_not(server: Sandbox, client: VisualSearchClient) -> None:
    server.faults.add(FaultRule(operation="list_videos", kind=FaultKind.SPRING_503, count=2))
    assert client.list_videos().videos == ()
    assert [entry.status for entry in server.journal()] == [503, 503, 200]
    before = server.journal()[-1].sequence
    server.faults.add(FaultRule(operation="list_videos", kind=FaultKind.SPRING_404))
    with pytest.raises(EndpointUnavailable):
        client.list_videos()
    assert [entry.status for entry in server.journal(since=before)] == [404]


@pytest.mark.parametrize(("kind", "status"), [(FaultKind.SPRING_404, 404), (FaultKind.SPRING_503, 503)])
def test_06_the_sandbox_s_gateway_errors_have_spring_s_body(
    server: Sandbox, wire: Wire, kind: FaultKind, status: int
) -> None:
    server.faults.add(FaultRule(operation="list_videos", kind=kind))
    response = wire.http.post("/list_videos", json={})
    assert response.status_code == status
    assert response.json().keys() == {"timestamp", "path", "status", "error", "requestId"}


@pytest.mark.parametrize("operation", CALLS)
def test_07_a_route_that_is_gone_is_said_so_and_is_not_an_empty_result(
    start: Start, speak: Speak, connect: Connect, operation: str
) -> None:
    server = start(missing_routes={operation})
    response = speak(server).http.post(f"/{operation}", json={})
    assert (response.status_code, response.json()["code"]) == (200, "0001")
    assert response.json()["msg"].startswith("No static resource")
    with pytest.raises(EndpointUnavailable):
        CALLS[operation](connect(server))


@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("0401", AuthenticationError),
        ("0402", InsufficientCredits),
        ("0403", PermissionDenied),
        ("9009", PermissionDenied),
    ],
)
def test_08_refusals_of_the_account_stop_the_whole_run_at_once(
    make_project: MakeProject, code: str, error: type[ApiError]
) -> None:
    project = make_project(("red", "red-2", "red-3", "red-4", "blue"))
    project.configure(api={"concurrent_transfers": 1})
    project.server.faults.add(FaultRule(operation="upload", kind=FaultKind.CODE, code=code, count=None))
    with project.pipeline() as pipeline:
        look_at_source(pipeline)
        ingest(pipeline)
        with pytest.raises(ServiceRefuses) as stopped:
            upload(pipeline)
    assert isinstance(stopped.value.__cause__, error)
    assert error.stops_run
    assert not TransientServiceError.stops_run
    # The one that was next in the queue may have left before the refusal was read; none was sent twice.
    sent = [entry.params["file"] for entry in project.calls("upload")]
    assert len(sent) <= 2
    assert len(set(sent)) == len(sent)
