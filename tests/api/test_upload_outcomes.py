"""What became of an upload: known, refused or unknown, and which of them may be sent again (contract §9.13-9.19)."""

from __future__ import annotations

import hashlib
import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.scripted_server import Reply, ScriptedServer
from tests.transferred_files import ACCEPTED, CONTENT, multipart_of
from visualsearch_pipeline.api import (
    ApiError,
    AuthenticationError,
    ConnectionFailed,
    InvalidRequest,
    RateLimited,
    Timeouts,
    UploadOutcomeUnknown,
)

if TYPE_CHECKING:
    from tests.api.conftest import Clients


AMBIGUOUS: dict[str, Reply] = {
    "reset after everything was read": ScriptedServer.reset(),
    "reset half way": ScriptedServer.reset(read_at_most=100_000),
    "gateway time-out": ScriptedServer.http(504, b"<html>504</html>", content_type="text/html"),
    "service unavailable": ScriptedServer.http(503, b'{"status":503,"error":"Service Unavailable"}'),
    "empty body": ScriptedServer.http(200, b""),
    "HTML": ScriptedServer.http(200, b"<html>", content_type="text/html"),
    "truncated JSON": ScriptedServer.http(200, b'{"code":"0000","data":{"videoNo":"VI'),
    "cut off JSON": ScriptedServer.http(200, b'{"code":"0000","da', length=500),
    "success without an id": ScriptedServer.ok(None),
    "success with another shape": ScriptedServer.ok({"video": 1}),
    "an unknown code": ScriptedServer.envelope("0500", "internal"),
    "network abnormal": ScriptedServer.network_abnormal(),
}


@pytest.mark.parametrize("answer", AMBIGUOUS)
def test_an_upload_whose_outcome_is_unknown_is_never_repeated(
    server: ScriptedServer, clients: Clients, video: Path, answer: str
) -> None:
    server.script(AMBIGUOUS[answer], server.ok(ACCEPTED))
    with pytest.raises(UploadOutcomeUnknown, match="before sending it again") as caught:
        clients.make(attempts=5).upload(video, upload_name="a.mp4")
    assert len(server.requests) == 1
    assert caught.value.upload_name == "a.mp4"
    assert caught.value.size_bytes == len(CONTENT)
    assert caught.value.request_complete is (caught.value.sent_bytes == len(CONTENT))
    assert len(clients.calls) == 1


def test_a_lost_answer_is_an_unknown_outcome_after_the_time_that_the_size_allows(
    server: ScriptedServer, clients: Clients, video: Path
) -> None:
    server.script(server.stall())
    timeouts = Timeouts(read_seconds=0.1, upload_seconds_per_gigabyte=2_000)
    with pytest.raises(UploadOutcomeUnknown) as caught:
        clients.make(timeouts=timeouts).upload(video, upload_name="a.mp4")
    assert caught.value.request_complete
    assert clients.calls[0].outcome == "Timeout"
    assert 0.1 + 2 * len(CONTENT) / 1_000_000 < clients.calls[0].duration_seconds < 15
    assert clients.calls[0].bytes_sent > len(CONTENT)


def test_an_upload_refused_at_the_door_is_sent_again_whole(
    server: ScriptedServer, clients: Clients, video: Path
) -> None:
    limited = server.envelope("0429", "Request has exceeded the limit.")
    server.script(limited, server.http(429, b""), server.ok(ACCEPTED))
    uploaded = clients.make(attempts=3).upload(video, upload_name="a.mp4")
    assert uploaded.sent_sha256 == hashlib.sha256(CONTENT).hexdigest()
    assert [multipart_of(request)[1]["file"][1] == CONTENT for request in server.requests] == [True] * 3
    assert [call.outcome for call in clients.calls] == ["RateLimited", "RateLimited", "ok"]


@pytest.mark.parametrize(
    ("code", "kind"), [("0429", RateLimited), ("0401", AuthenticationError), ("0001", InvalidRequest)]
)
def test_a_plain_refusal_is_no_unknown_outcome(
    server: ScriptedServer, clients: Clients, video: Path, code: str, kind: type[ApiError]
) -> None:
    server.script(server.envelope(code, "no"))
    with pytest.raises(kind):
        clients.make(attempts=2).upload(video, upload_name="a.mp4")


def test_no_connection_is_no_unknown_outcome(clients: Clients, video: Path) -> None:
    with pytest.raises(ConnectionFailed):
        clients.make(base_url="http://127.0.0.1:9", attempts=2).upload(video, upload_name="a.mp4")
    assert [call.outcome for call in clients.calls] == ["ConnectionFailed"] * 2


def test_a_refusal_that_comes_while_the_file_is_still_going_out_is_heard(
    server: ScriptedServer, clients: Clients, tmp_path: Path
) -> None:
    big = tmp_path / "big.mp4"
    with big.open("wb") as file:
        os.truncate(file.fileno(), 50_000_000)
    refusal = replace(server.envelope("0402", "You don't have enough points"), then="close", read_at_most=100_000)
    server.script(refusal)
    with pytest.raises((ApiError, UploadOutcomeUnknown)) as caught:
        clients.make().upload(big, upload_name="big.mp4")
    # A reset may overtake the answer; then at least nothing is claimed.
    assert getattr(caught.value, "stops_run", False) or isinstance(caught.value, UploadOutcomeUnknown)
    assert clients.calls[0].bytes_sent < 50_000_000


def test_a_caller_who_gives_up_while_sending_stops_the_upload(
    server: ScriptedServer, clients: Clients, video: Path
) -> None:
    class GivenUpError(Exception):
        pass

    def cancel(sent_bytes: int) -> None:
        raise GivenUpError

    server.script(server.ok(ACCEPTED))
    with pytest.raises(GivenUpError):
        clients.make().upload(video, upload_name="a.mp4", on_progress=cancel)
    assert [call.outcome for call in clients.calls] == ["GivenUpError"]
