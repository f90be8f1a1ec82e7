"""A download that is not whole, or not the one that was asked for, leaves nothing (contract §9.51-9.54)."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.scripted_server import Reply, ScriptedServer
from tests.transferred_files import JPEG, MP4, MP4_SHA256, OTHER_MP4, chunks, names_in
from visualsearch_pipeline.api import (
    ApiError,
    BadResponse,
    ConnectionLost,
    DownloadError,
    DownloadMismatch,
    IncompleteDownload,
    InsufficientCredits,
    RateLimited,
    ResourceNotFound,
    Timeout,
    Timeouts,
    TransportError,
    VisualSearchClient,
    VisualSearchError,
)

if TYPE_CHECKING:
    from tests.api.conftest import Clients


RATE_LIMITED = json.dumps({"code": "0429", "msg": "Request has exceeded the limit."}).encode()
NOT_FOUND = json.dumps({"code": "0001", "msg": "download video error", "data": None}).encode()
SUCCESS = json.dumps({"code": "0000", "msg": "success", "data": None}).encode()
OCTET_STREAM = "application/octet-stream"
FAULTS: dict[str, tuple[Reply, type[VisualSearchError]]] = {
    "short but well-formed chunks": (ScriptedServer.chunked(*chunks(MP4)[:5]), IncompleteDownload),
    "short by one byte": (ScriptedServer.chunked(MP4[:-1]), IncompleteDownload),
    "cut between boxes": (ScriptedServer.chunked(MP4[:-308]), IncompleteDownload),
    "no terminator": (ScriptedServer.chunked(*chunks(MP4), terminated=False), ConnectionLost),
    "reset half way": (ScriptedServer.chunked(*chunks(MP4)[:5], terminated=False, then="reset"), ConnectionLost),
    "stalled half way": (ScriptedServer.chunked(*chunks(MP4)[:5], terminated=False, then="stall"), Timeout),
    "empty": (ScriptedServer.chunked(), IncompleteDownload),
    "empty with a length": (ScriptedServer.http(200, b"", content_type=OCTET_STREAM), IncompleteDownload),
    "shorter than its length": (
        ScriptedServer.http(200, MP4[:500], content_type=OCTET_STREAM, length=len(MP4)),
        ConnectionLost,
    ),
    "garbage": (ScriptedServer.chunked(b"\x13\x37" * 5000), IncompleteDownload),
    "trailing garbage": (ScriptedServer.chunked(MP4, b"\x00garbage and more of it"), IncompleteDownload),
    "an error as JSON": (ScriptedServer.http(200, NOT_FOUND), ResourceNotFound),
    "a rate limit as JSON": (ScriptedServer.http(200, RATE_LIMITED), RateLimited),
    "a rate limit as a file": (ScriptedServer.chunked(RATE_LIMITED), RateLimited),
    "an error as a file": (ScriptedServer.chunked(NOT_FOUND, content_type="video/mp4"), ResourceNotFound),
    "success as JSON": (ScriptedServer.http(200, SUCCESS), IncompleteDownload),
    "success as a file": (ScriptedServer.chunked(SUCCESS), IncompleteDownload),
    "the right bytes as HTML": (ScriptedServer.chunked(MP4, content_type="text/html"), BadResponse),
    "the right bytes as JSON": (ScriptedServer.chunked(MP4, content_type="application/json"), BadResponse),
    "a page of HTML": (ScriptedServer.http(200, b"<html>hi</html>", content_type="text/html"), BadResponse),
    "a file with status 503": (ScriptedServer.http(503, MP4, content_type=OCTET_STREAM), ApiError),
    "no credits": (
        ScriptedServer.envelope("0402", "Insufficient balance to download the resource."),
        InsufficientCredits,
    ),
    "reset at once": (ScriptedServer.reset(), ConnectionLost),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_faulty_download_leaves_nothing_and_a_passing_fault_is_overcome(
    server: ScriptedServer, clients: Clients, tmp_path: Path, fault: str
) -> None:
    reply, kind = FAULTS[fault]
    server.script(reply)
    timeouts = Timeouts(read_seconds=1.0 if fault == "stalled half way" else 10)
    with pytest.raises(kind) as caught:
        clients.make(attempts=2, timeouts=timeouts).download("VI1", tmp_path / "a.mp4")
    assert "download of 'VI1'" in str(caught.value)
    assert names_in(tmp_path) == []
    is_lasting = isinstance(caught.value, ResourceNotFound | InsufficientCredits)
    assert len(server.requests) == (1 if is_lasting else 2)
    server.script(reply, server.chunked(*chunks(MP4)))
    if not is_lasting:
        clients.make(attempts=2, timeouts=timeouts).download("VI1", tmp_path / "a.mp4", expected_sha256=MP4_SHA256)
        assert (tmp_path / "a.mp4").read_bytes() == MP4
        assert names_in(tmp_path) == ["a.mp4"]


def test_a_whole_file_that_is_another_one_is_a_mismatch_and_is_not_paid_for_again(
    server: ScriptedServer, clients: Clients, tmp_path: Path
) -> None:
    server.script(server.chunked(OTHER_MP4))
    with pytest.raises(DownloadMismatch) as caught:
        clients.make(attempts=3).download("VI1", tmp_path / "a.mp4", expected_sha256=MP4_SHA256)
    assert caught.value.sha256 == hashlib.sha256(OTHER_MP4).hexdigest()
    assert caught.value.size_bytes == len(OTHER_MP4)
    assert names_in(tmp_path) == []
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("expected_size_bytes", "kind"), [(len(MP4) + 1, IncompleteDownload), (len(MP4) - 1, DownloadMismatch)]
)
def test_another_size_is_refused(
    server: ScriptedServer,
    client: VisualSearchClient,
    tmp_path: Path,
    expected_size_bytes: int,
    kind: type[DownloadError],
) -> None:
    server.script(server.chunked(MP4))
    with pytest.raises(kind):
        client.download("VI1", tmp_path / "a.mp4", expected_size_bytes=expected_size_bytes)
    assert names_in(tmp_path) == []


def test_each_download_is_tried_at_most_three_times_because_each_is_charged(
    server: ScriptedServer, clients: Clients, tmp_path: Path
) -> None:
    server.script(server.chunked(MP4[:100]))
    with pytest.raises(IncompleteDownload):
        clients.make(attempts=8).download("VI1", tmp_path / "a.mp4")
    assert [call.attempt for call in clients.calls] == [1, 2, 3]
    assert {call.outcome for call in clients.calls} == {"IncompleteDownload"}


def test_a_refusal_is_not_charged_and_does_not_count_as_one_of_them(
    server: ScriptedServer, clients: Clients, tmp_path: Path
) -> None:
    refusal = server.envelope(code="0429", msg="Request has exceeded the limit.")
    short = server.chunked(MP4[:100])
    server.script(refusal, refusal, short, refusal, short, refusal, server.chunked(MP4))
    clients.make(attempts=8).download("VI1", tmp_path / "a.mp4", expected_sha256=MP4_SHA256)
    outcomes = [call.outcome for call in clients.calls]
    assert (outcomes.count("RateLimited"), outcomes.count("IncompleteDownload"), outcomes[-1]) == (4, 2, "ok")


def test_a_keyframe_cut_short_is_noticed(server: ScriptedServer, client: VisualSearchClient, tmp_path: Path) -> None:
    server.script(server.chunked(JPEG[:-5]))
    with pytest.raises(IncompleteDownload, match="end mark"):
        client.download_blob("b", "k.jpg", tmp_path / "k.jpg")
    server.script(server.envelope("0001", "Resource does not exist"))
    with pytest.raises(ResourceNotFound):
        client.download_blob("b", "k.jpg", tmp_path / "k.jpg")
    assert names_in(tmp_path) == []


def test_transport_errors_stay_transport_errors(server: ScriptedServer, clients: Clients, tmp_path: Path) -> None:
    server.script(server.reset())
    with pytest.raises(TransportError):
        clients.make(attempts=1).download("VI1", tmp_path / "a.mp4")
