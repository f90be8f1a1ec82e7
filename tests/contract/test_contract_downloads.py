"""Contract §9.51-9.55: downloads."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import pytest

from visualsearch_pipeline.api import (
    DownloadError,
    DownloadMismatch,
    IncompleteDownload,
    InsufficientCredits,
    ResourceNotFound,
    RetryPolicy,
    TransportError,
    VisualSearchClient,
)
from visualsearch_pipeline.sandbox import FaultKind, FaultRule, Sandbox

if TYPE_CHECKING:
    from pathlib import Path

    from tests.contract.conftest import Answering, Connect, Speak, Start, Wire

ONCE = RetryPolicy(download_attempts=1, attempts=1)
ROUTES = ("/serve/api/v1/download", "/serve/api/v2/download", "{url}/serve/api/v2/download")


@pytest.fixture
def video_no(server: Sandbox, wire: Wire, red_clip: Path) -> str:
    uploaded = wire.upload(red_clip)
    server.settle()
    return uploaded


@pytest.mark.parametrize("kind", [FaultKind.CODE, FaultKind.JSON_AS_OCTET_STREAM])
def test_51_json_at_http_200_is_an_error_even_when_a_file_was_asked_for(
    server: Sandbox, connect: Connect, video_no: str, tmp_path: Path, kind: FaultKind
) -> None:
    client = connect(server, retry=ONCE)
    server.faults.add(FaultRule(operation="download", kind=kind, message="download video error"))
    with pytest.raises((ResourceNotFound, DownloadError)):
        client.download(video_no, tmp_path / "a.mp4")
    with pytest.raises(ResourceNotFound):
        client.download("VI1", tmp_path / "a.mp4")
    assert list(tmp_path.glob("*.mp4")) == []


@pytest.mark.parametrize(
    "kind",
    [
        FaultKind.SHORT_BODY,
        FaultKind.MISSING_TERMINATOR,
        FaultKind.GARBAGE,
        FaultKind.EMPTY_BODY,
        FaultKind.RESET,
    ],
)
def test_52_a_stream_that_is_not_whole_leaves_nothing_and_a_whole_one_is_in_place(
    server: Sandbox, connect: Connect, video_no: str, red_clip: Path, tmp_path: Path, kind: FaultKind
) -> None:
    folder = tmp_path / "archive"
    folder.mkdir()
    fault = server.faults.add(FaultRule(operation="download", kind=kind, when="after"))
    with pytest.raises((DownloadError, TransportError)):
        connect(server, retry=ONCE).download(video_no, folder / "a.mp4")
    assert list(folder.iterdir()) == []
    assert len(server.faults.fired(fault)) == 1
    connect(server).download(video_no, folder / "a.mp4")
    assert [path.name for path in folder.iterdir()] == ["a.mp4"]
    assert (folder / "a.mp4").read_bytes() == red_clip.read_bytes()


def test_52_bytes_too_many_are_noticed_where_the_size_is_known(
    server: Sandbox, connect: Connect, video_no: str, red_clip: Path, tmp_path: Path
) -> None:
    server.faults.add(FaultRule(operation="download", kind=FaultKind.WRONG_SIZE))
    with pytest.raises(DownloadMismatch):
        connect(server, retry=ONCE).download(video_no, tmp_path / "a.mp4", expected_size_bytes=red_clip.stat().st_size)
    assert list(tmp_path.glob("*.mp4")) == []


def test_52_no_length_is_announced_and_none_is_needed(
    server: Sandbox, client: VisualSearchClient, wire: Wire, video_no: str, tmp_path: Path
) -> None:
    response = wire.http.post("/download", json={"video_no": video_no})
    assert response.headers["content-type"] == "application/octet-stream"
    assert "content-length" not in response.headers
    sha256 = hashlib.sha256(response.content).hexdigest()
    assert client.download(video_no, tmp_path / "a.mp4").sha256 == sha256


def test_52_an_mp4_must_begin_like_one(answering: Answering, connect: Connect, tmp_path: Path) -> None:
    answering.say(b"\x00\x00\x00\x18free" + bytes(16), media_type="application/octet-stream")
    with pytest.raises(IncompleteDownload):
        connect(answering.url, retry=ONCE).download("VI1", tmp_path / "a.mp4")
    assert list(tmp_path.glob("*.mp4")) == []


def test_53_slashes_of_a_blob_stay_and_the_rest_is_escaped(
    answering: Answering, connect: Connect, red_clip: Path, tmp_path: Path
) -> None:
    answering.say(red_clip.read_bytes(), media_type="application/octet-stream")
    connect(answering.url).download_blob("a bucket", "day 1/100%#?&+é.mp4", tmp_path / "a.mp4")
    ((target, _),) = answering.received
    path, _, query = target.partition("?")
    assert path == "/serve/api/v2/download"
    assert query == "bucket=a%20bucket&blob=day%201/100%25%23%3F%26%2B%C3%A9.mp4"


@pytest.mark.parametrize("route", ROUTES)
def test_53_the_sandbox_serves_every_documented_address(
    server: Sandbox, connect: Connect, video_no: str, red_clip: Path, tmp_path: Path, route: str
) -> None:
    client = connect(server, download_route=route.format(url=server.url))
    video = client.list_videos().videos[0]
    assert video.bucket is not None
    assert video.blob is not None
    client.download_blob(video.bucket, video.blob, tmp_path / "a.mp4")
    assert (tmp_path / "a.mp4").read_bytes() == red_clip.read_bytes()
    assert server.journal()[-1].path == f"/serve/api/v{2 if 'v2' in route else 1}/download"


def test_54_a_name_that_the_server_sends_is_never_a_path(
    answering: Answering, connect: Connect, red_clip: Path, tmp_path: Path
) -> None:
    hostile = 'attachment; filename="../../stolen.mp4"'
    folder = tmp_path / "archive"
    folder.mkdir()
    answering.say(red_clip.read_bytes(), media_type="application/octet-stream", Content_Disposition=hostile)
    connect(answering.url).download_blob("b", "k.mp4", folder / "mine.mp4")
    assert [path.name for path in folder.iterdir()] == ["mine.mp4"]
    assert list(tmp_path.rglob("*stolen*")) == []


def test_55_a_pair_is_gone_after_the_deletion(
    server: Sandbox, client: VisualSearchClient, wire: Wire, video_no: str, tmp_path: Path
) -> None:
    video = client.list_videos().videos[0]
    assert video.bucket is not None
    assert video.blob is not None
    client.delete_videos([video_no])
    answer = wire.http.get("/download", params={"bucket": video.bucket, "blob": video.blob}).json()
    assert (answer["code"], answer["msg"]) == ("0001", "Resource does not exist")
    with pytest.raises(ResourceNotFound):
        client.download_blob(video.bucket, video.blob, tmp_path / "a.mp4")


def test_55_the_balance_is_taken_before_the_stream_even_if_it_breaks_off(
    start: Start, connect: Connect, speak: Speak, red_clip: Path, tmp_path: Path
) -> None:
    server = start(credits_usd=1.0)
    client = connect(server, retry=ONCE)
    video_no = client.upload(red_clip, upload_name="a.mp4").video_no
    server.settle()
    account = "sandbox"
    before = server.credits.spent_usd(account)
    server.faults.add(FaultRule(operation="download", kind=FaultKind.MISSING_TERMINATOR))
    with pytest.raises((DownloadError, TransportError)):
        client.download(video_no, tmp_path / "a.mp4")
    price_usd = red_clip.stat().st_size * 0.12e-9
    assert server.credits.spent_usd(account) - before == pytest.approx(price_usd)
    server.credits.charge(account, operation="test", amount_usd=1.0)
    before = server.credits.spent_usd(account)
    with pytest.raises(InsufficientCredits):
        client.download(video_no, tmp_path / "a.mp4")
    assert server.credits.spent_usd(account) == before
    missing = speak(server).http.get("/download", params={"bucket": "mavi-resource", "blob": "none.mp4"}).json()
    assert missing["msg"] == "Resource does not exist"
