"""Downloads end with the proven file under its name, or with nothing (contract §9.51-9.54)."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.scripted_server import ScriptedServer
from tests.transferred_files import JPEG, MP4, MP4_SHA256, chunks, names_in
from visualsearch_pipeline.api import (
    DownloadError,
    FolderScope,
    IncompleteDownload,
    InvalidInput,
    VisualSearchClient,
)

if TYPE_CHECKING:
    from tests.api.conftest import Clients


def test_a_video_arrives_whole_and_proven_by_its_hash(server: ScriptedServer, clients: Clients, tmp_path: Path) -> None:
    server.script(server.chunked(*chunks(MP4)))
    progress: list[int] = []
    target = tmp_path / "truck.mp4"
    target.write_bytes(b"an older one")
    receipt = clients.make().download("VI1", target, expected_sha256=MP4_SHA256.upper(), on_progress=progress.append)
    assert target.read_bytes() == MP4
    assert (receipt.size_bytes, receipt.sha256, receipt.proven_by) == (len(MP4), MP4_SHA256, "sha256")
    assert names_in(tmp_path) == ["truck.mp4"]
    assert progress == sorted(progress)
    assert progress[-1] == len(MP4)
    request = server.requests[0]
    assert (request.method, request.path) == ("POST", "/serve/api/v1/download")
    assert request.json == {"video_no": "VI1", "unique_id": "default"}
    assert request.headers["accept-encoding"] == "identity"
    assert clients.calls[0].bytes_received == len(MP4)


@pytest.mark.parametrize(("size_bytes", "proof"), [(len(MP4), "size"), (None, "structure")])
def test_without_a_hash_size_or_structure_is_the_proof(
    server: ScriptedServer, client: VisualSearchClient, tmp_path: Path, size_bytes: int | None, proof: str
) -> None:
    server.script(server.chunked(*chunks(MP4)))
    receipt = client.download("VI1", tmp_path / "a.mp4", expected_size_bytes=size_bytes)
    assert receipt.proven_by == proof


def test_in_folder_style_no_scope_is_sent(server: ScriptedServer, clients: Clients, tmp_path: Path) -> None:
    server.script(server.chunked(MP4))
    clients.make(scope=FolderScope(7)).download("VI1", tmp_path / "a.mp4")
    assert server.requests[0].json == {"video_no": "VI1"}


def test_a_hash_that_holds_outweighs_a_structure_that_does_not(
    server: ScriptedServer, client: VisualSearchClient, tmp_path: Path
) -> None:
    odd = MP4 + b"trailing"
    server.script(server.chunked(odd))
    receipt = client.download("VI1", tmp_path / "a.mp4", expected_sha256=hashlib.sha256(odd).hexdigest())
    assert receipt.proven_by == "sha256"


def test_a_file_that_begins_like_json_is_still_a_file(
    server: ScriptedServer, client: VisualSearchClient, tmp_path: Path
) -> None:
    for content in (b'{"code": 1', b'{"kind": "manifest"}', b"{" + bytes(200_000)):
        server.script(server.chunked(*chunks(content)))
        client.download_blob("b", "notes.bin", tmp_path / "notes.bin")
        assert (tmp_path / "notes.bin").read_bytes() == content


@pytest.mark.parametrize(
    ("blob", "target"),
    [
        ("VI1.mp4", "bucket=mavi-resource&blob=VI1.mp4"),
        ("uuid/keyframe-000013.jpg", "bucket=mavi-resource&blob=uuid/keyframe-000013.jpg"),
        ("a b/#1?100%&x=1+ü.mp4", "bucket=mavi-resource&blob=a%20b/%231%3F100%25%26x%3D1%2B%C3%BC.mp4"),
    ],
)
def test_blobs_keep_their_slashes_and_escape_the_rest(
    server: ScriptedServer, client: VisualSearchClient, tmp_path: Path, blob: str, target: str
) -> None:
    content = JPEG if blob.endswith("jpg") else MP4
    server.script(server.chunked(content, content_type="image/jpeg" if blob.endswith("jpg") else "video/mp4"))
    client.download_blob("mavi-resource", blob, tmp_path / "x")
    assert server.requests[0].method == "GET"
    assert server.requests[0].target == f"/serve/api/v2/download?{target}"
    assert server.requests[0].query == {"bucket": ["mavi-resource"], "blob": [blob]}
    assert (tmp_path / "x").read_bytes() == content


@pytest.mark.parametrize("route", ["/serve/api/v1/download", "{url}/elsewhere/download"])
def test_the_route_of_blobs_is_a_setting(server: ScriptedServer, clients: Clients, tmp_path: Path, route: str) -> None:
    server.script(server.chunked(JPEG))
    client = clients.make(download_route=route.format(url=server.url))
    client.download_blob("b", "k.jpg", tmp_path / "k.jpg")
    assert server.requests[0].path == ("/serve/api/v1/download" if route.startswith("/") else "/elsewhere/download")


@pytest.mark.parametrize("route", ["download", "//host/download", "ftp://host/download"])
def test_an_impossible_route_is_refused(clients: Clients, route: str) -> None:
    with pytest.raises(InvalidInput):
        clients.make(download_route=route)


def test_a_stream_can_go_anywhere_and_proves_itself_at_its_end(
    server: ScriptedServer, client: VisualSearchClient
) -> None:
    server.script(server.chunked(*chunks(MP4)))
    with client.open_download("VI1", expected_sha256=MP4_SHA256) as stream:
        with pytest.raises(DownloadError, match="not been read"):
            _ = stream.receipt
        assert b"".join(stream) == MP4
        assert stream.receipt.proven_by == "sha256"
    server.script(server.chunked(JPEG))
    with client.open_blob_download("b", "k.jpg") as stream:
        assert b"".join(stream) == JPEG
    server.script(server.chunked(MP4[:-1]))
    received = io.BytesIO()
    with client.open_download("VI1") as stream, pytest.raises(IncompleteDownload):
        received.writelines(stream)
    assert received.getvalue() == MP4[:-1], "the bytes came, the proof did not"


def test_a_stream_left_early_is_closed(server: ScriptedServer, clients: Clients) -> None:
    client = clients.make()
    server.script(server.chunked(*chunks(MP4 * 20)))
    with client.open_download("VI1") as stream:
        next(iter(stream))
    server.script(server.ok({"unique_ids": []}))
    assert client.list_unique_ids() == ()


def test_a_download_without_an_id_or_a_location_is_not_sent(
    server: ScriptedServer, client: VisualSearchClient, tmp_path: Path
) -> None:
    with pytest.raises(InvalidInput):
        client.download(" ", tmp_path / "a.mp4")
    for bucket, blob in (("", "x"), ("x", " ")):
        with pytest.raises(InvalidInput):
            client.download_blob(bucket, blob, tmp_path / "a.mp4")
    assert server.requests == []
