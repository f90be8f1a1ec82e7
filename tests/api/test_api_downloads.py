"""Downloads end with the proven file under its name, or with nothing (contract §9.51-9.54)."""

from __future__ import annotations

import hashlib
import io
import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from visualsearch_pipeline.api import (
    ApiError,
    BadResponse,
    ConnectionLost,
    DestinationError,
    DownloadError,
    DownloadMismatch,
    FolderScope,
    IncompleteDownload,
    InsufficientCredits,
    InvalidInput,
    RateLimited,
    ResourceNotFound,
    Timeout,
    Timeouts,
    TransportError,
    VisualSearchClient,
    VisualSearchError,
)

if TYPE_CHECKING:
    from tests.api.conftest import Clients, Reply, ScriptedServer


def box(kind: bytes, content: bytes) -> bytes:
    return (len(content) + 8).to_bytes(4, "big") + kind + content


MP4 = box(b"ftyp", b"mp42\x00\x00\x00\x00mp42") + box(b"mdat", bytes(range(256)) * 500) + box(b"moov", b"i" * 300)
MP4_SHA256 = hashlib.sha256(MP4).hexdigest()
OTHER_MP4 = box(b"ftyp", b"mp42\x00\x00\x00\x00mp42") + box(b"mdat", bytes(128_000)) + box(b"moov", b"i" * 300)
JPEG = b"\xff\xd8\xff\xe0" + bytes(500) + b"\xff\xd9"


def chunks(content: bytes, size: int = 10_000) -> list[bytes]:
    return [content[start : start + size] for start in range(0, len(content), size)]


def only(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_video_arrives_whole_and_proven_by_its_hash(server: ScriptedServer, clients: Clients, tmp_path: Path) -> None:
    server.script(server.chunked(*chunks(MP4)))
    progress: list[int] = []
    target = tmp_path / "truck.mp4"
    target.write_bytes(b"an older one")
    receipt = clients.make().download("VI1", target, expected_sha256=MP4_SHA256.upper(), on_progress=progress.append)
    assert target.read_bytes() == MP4
    assert (receipt.size_bytes, receipt.sha256, receipt.proven_by) == (len(MP4), MP4_SHA256, "sha256")
    assert only(tmp_path) == ["truck.mp4"]
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


def faults(server: type[ScriptedServer]) -> dict[str, tuple[Reply, type[VisualSearchError]]]:
    error = json.dumps({"code": "0429", "msg": "Request has exceeded the limit."}).encode()
    not_found = json.dumps({"code": "0001", "msg": "download video error", "data": None}).encode()
    success = json.dumps({"code": "0000", "msg": "success", "data": None}).encode()
    octet = "application/octet-stream"
    return {
        "short but well-formed chunks": (server.chunked(*chunks(MP4)[:5]), IncompleteDownload),
        "short by one byte": (server.chunked(MP4[:-1]), IncompleteDownload),
        "cut between boxes": (server.chunked(MP4[:-308]), IncompleteDownload),
        "no terminator": (server.chunked(*chunks(MP4), terminated=False), ConnectionLost),
        "reset half way": (server.chunked(*chunks(MP4)[:5], terminated=False, then="reset"), ConnectionLost),
        "stalled half way": (server.chunked(*chunks(MP4)[:5], terminated=False, then="stall"), Timeout),
        "empty": (server.chunked(), IncompleteDownload),
        "empty with a length": (server.http(200, b"", content_type=octet), IncompleteDownload),
        "shorter than its length": (server.http(200, MP4[:500], content_type=octet, length=len(MP4)), ConnectionLost),
        "garbage": (server.chunked(b"\x13\x37" * 5000), IncompleteDownload),
        "trailing garbage": (server.chunked(MP4, b"\x00garbage and more of it"), IncompleteDownload),
        "an error as JSON": (server.http(200, not_found), ResourceNotFound),
        "a rate limit as JSON": (server.http(200, error), RateLimited),
        "a rate limit as a file": (server.chunked(error), RateLimited),
        "an error as a file": (server.chunked(not_found, content_type="video/mp4"), ResourceNotFound),
        "success as JSON": (server.http(200, success), IncompleteDownload),
        "success as a file": (server.chunked(success), IncompleteDownload),
        "the right bytes as HTML": (server.chunked(MP4, content_type="text/html"), BadResponse),
        "the right bytes as JSON": (server.chunked(MP4, content_type="application/json"), BadResponse),
        "a page of HTML": (server.http(200, b"<html>hi</html>", content_type="text/html"), BadResponse),
        "a file with status 503": (server.http(503, MP4, content_type=octet), ApiError),
        "no credits": (server.envelope("0402", "Insufficient balance to download the resource."), InsufficientCredits),
        "reset at once": (server.reset(), ConnectionLost),
    }


FAULTS = [
    "short but well-formed chunks",
    "short by one byte",
    "cut between boxes",
    "no terminator",
    "reset half way",
    "stalled half way",
    "empty",
    "empty with a length",
    "shorter than its length",
    "garbage",
    "trailing garbage",
    "an error as JSON",
    "a rate limit as JSON",
    "a rate limit as a file",
    "an error as a file",
    "success as JSON",
    "success as a file",
    "the right bytes as HTML",
    "the right bytes as JSON",
    "a page of HTML",
    "a file with status 503",
    "no credits",
    "reset at once",
]


@pytest.mark.parametrize("fault", FAULTS)
def test_a_faulty_download_leaves_nothing_and_a_passing_fault_is_overcome(
    server: ScriptedServer, clients: Clients, tmp_path: Path, fault: str
) -> None:
    reply, kind = faults(type(server))[fault]
    server.script(reply)
    timeouts = Timeouts(read_seconds=1.0 if fault == "stalled half way" else 10)
    with pytest.raises(kind) as caught:
        clients.make(attempts=2, timeouts=timeouts).download("VI1", tmp_path / "a.mp4")
    assert "download of 'VI1'" in str(caught.value)
    assert only(tmp_path) == []
    is_lasting = isinstance(caught.value, ResourceNotFound | InsufficientCredits)
    assert len(server.requests) == (1 if is_lasting else 2)
    server.script(reply, server.chunked(*chunks(MP4)))
    if not is_lasting:
        clients.make(attempts=2, timeouts=timeouts).download("VI1", tmp_path / "a.mp4", expected_sha256=MP4_SHA256)
        assert (tmp_path / "a.mp4").read_bytes() == MP4
        assert only(tmp_path) == ["a.mp4"]


def test_every_fault_is_tried(server: ScriptedServer) -> None:
    assert list(faults(type(server))) == FAULTS


def test_a_whole_file_that_is_another_one_is_a_mismatch_and_is_not_paid_for_again(
    server: ScriptedServer, clients: Clients, tmp_path: Path
) -> None:
    server.script(server.chunked(OTHER_MP4))
    with pytest.raises(DownloadMismatch) as caught:
        clients.make(attempts=3).download("VI1", tmp_path / "a.mp4", expected_sha256=MP4_SHA256)
    assert caught.value.sha256 == hashlib.sha256(OTHER_MP4).hexdigest()
    assert caught.value.size_bytes == len(OTHER_MP4)
    assert only(tmp_path) == []
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
    assert only(tmp_path) == []


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


def test_a_keyframe_cut_short_is_noticed(server: ScriptedServer, client: VisualSearchClient, tmp_path: Path) -> None:
    server.script(server.chunked(JPEG[:-5]))
    with pytest.raises(IncompleteDownload, match="end mark"):
        client.download_blob("b", "k.jpg", tmp_path / "k.jpg")
    server.script(server.envelope("0001", "Resource does not exist"))
    with pytest.raises(ResourceNotFound):
        client.download_blob("b", "k.jpg", tmp_path / "k.jpg")
    assert only(tmp_path) == []


def test_names_that_the_server_sends_are_not_used(
    server: ScriptedServer, client: VisualSearchClient, tmp_path: Path
) -> None:
    folder = tmp_path / "inner"
    folder.mkdir()
    disposition = 'Content-Disposition: attachment; filename="../../evil.mp4"\r\n'
    server.script(server.chunked(MP4, headers=disposition))
    client.download("VI1", folder / "a.mp4")
    assert only(folder) == ["a.mp4"]
    assert only(tmp_path) == ["inner"]


def test_the_longest_names_have_room_for_their_part_file(
    server: ScriptedServer, client: VisualSearchClient, tmp_path: Path
) -> None:
    server.script(server.chunked(MP4))
    target = tmp_path / ("ü" * 125 + ".mp4")
    client.download("VI1", target)
    assert target.read_bytes() == MP4


@pytest.mark.parametrize("kind", ["no folder", "folder in its place", "file as folder"])
def test_a_destination_that_cannot_be_written_is_found_before_anything_is_charged(
    server: ScriptedServer, client: VisualSearchClient, tmp_path: Path, kind: str
) -> None:
    (tmp_path / "taken.mp4").mkdir()
    (tmp_path / "file").touch()
    target = {
        "no folder": tmp_path / "missing" / "a.mp4",
        "folder in its place": tmp_path / "taken.mp4",
        "file as folder": tmp_path / "file" / "a.mp4",
    }[kind]
    with pytest.raises(DestinationError, match="Cannot"):
        client.download("VI1", target)
    assert server.requests == []


def test_a_full_disk_is_said_so_and_leaves_nothing(server: ScriptedServer, tmp_path: Path) -> None:
    # A limit on the size of files stands for the disk: the kernel refuses the write the same way.
    server.script(server.chunked(*chunks(MP4)))
    program = """
        import resource, signal, sys
        from pathlib import Path
        from visualsearch_pipeline.api import DestinationError, UniqueIdScope, VisualSearchClient
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))
        with VisualSearchClient(base_url=sys.argv[1], api_key="sk-mavi-1", scope=UniqueIdScope()) as client:
            try:
                client.download("VI1", Path(sys.argv[2]))
            except DestinationError as error:
                print(error)
    """
    done = run(program, server.url, str(tmp_path / "a.mp4"))
    assert "Cannot" in done
    assert "File too large" in done
    assert only(tmp_path) == []


def run(program: str, *arguments: str) -> str:
    command = [sys.executable, "-W", "error", "-c", textwrap.dedent(program), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


STUCK_PROGRAM = """
    import sys
    from pathlib import Path
    from visualsearch_pipeline.api import UniqueIdScope, VisualSearchClient
    with VisualSearchClient(base_url=sys.argv[1], api_key="sk-mavi-1", scope=UniqueIdScope()) as client:
        client.download("VI1", Path(sys.argv[2]))
"""


def test_what_a_killed_process_left_is_cleared_and_what_a_living_one_writes_is_not(
    server: ScriptedServer, client: VisualSearchClient, tmp_path: Path
) -> None:
    server.script(server.chunked(*chunks(MP4)[:5], terminated=False, then="stall"))
    command = [sys.executable, "-c", textwrap.dedent(STUCK_PROGRAM), server.url, str(tmp_path / "a.mp4")]
    with subprocess.Popen(command) as process:
        deadline = time.monotonic() + 20
        while not only(tmp_path) and time.monotonic() < deadline:
            time.sleep(0.02)
        (left,) = only(tmp_path)
        assert left.startswith(".a.mp4.")
        assert left.endswith(".part")
        while not server.requests and time.monotonic() < deadline:
            time.sleep(0.02)
        server.script(server.chunked(*chunks(MP4)))
        client.download("VI1", tmp_path / "a.mp4")
        assert only(tmp_path) == [left, "a.mp4"], "the living process keeps its part"
        os.kill(process.pid, signal.SIGKILL)
    assert only(tmp_path) == [left, "a.mp4"], "the dead process left its part"
    client.download("VI1", tmp_path / "a.mp4")
    assert only(tmp_path) == ["a.mp4"]


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


def test_memory_does_not_grow_with_the_file(server: ScriptedServer, tmp_path: Path) -> None:
    head = box(b"ftyp", b"mp42\x00\x00\x00\x00mp42") + box(b"moov", b"i" * 300)
    piece = bytes(1 << 20)

    def large(count: int) -> Reply:
        size_bytes = count << 20
        start = server.chunked(head + (size_bytes + 8).to_bytes(4, "big") + b"mdat", terminated=False).raw
        pieces = (b"%x\r\n" % len(piece) + piece + b"\r\n",) * count
        return type(server.reset())(start, pieces=(*pieces, b"0\r\n\r\n"))

    program = """
        import resource, sys
        from pathlib import Path
        from visualsearch_pipeline.api import UniqueIdScope, VisualSearchClient
        target = Path(sys.argv[2])
        with VisualSearchClient(base_url=sys.argv[1], api_key="sk-mavi-1", scope=UniqueIdScope()) as client:
            client.download("VI1", target)
            before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            receipt = client.download("VI2", target)
            print(receipt.size_bytes, receipt.proven_by, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
    """
    server.script(large(2), large(200))
    size_bytes, proven_by, grown = run(program, server.url, str(tmp_path / "a.mp4")).split()
    assert int(size_bytes) > 200 << 20
    assert proven_by == "structure"
    assert int(grown) < 10_000, "kilobytes"


def test_transport_errors_stay_transport_errors(server: ScriptedServer, clients: Clients, tmp_path: Path) -> None:
    server.script(server.reset())
    with pytest.raises(TransportError):
        clients.make(attempts=1).download("VI1", tmp_path / "a.mp4")
