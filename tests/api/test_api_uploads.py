"""Uploads: what is sent, what is refused before sending, and what may be sent again (contract §9.13-9.19)."""

from __future__ import annotations

import hashlib
import io
import subprocess
import sys
import textwrap
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import pytest

from tests.scripted_server import ScriptedServer
from tests.transferred_files import ACCEPTED, CONTENT, multipart_of
from visualsearch_pipeline.api import (
    FolderScope,
    InvalidInput,
    LocalFile,
    UploadSourceError,
    VideoStatus,
    VisualSearchClient,
    limits,
    validate_upload,
)

if TYPE_CHECKING:
    from tests.api.conftest import Clients


def test_the_file_goes_out_whole_with_its_type_and_its_fields(
    server: ScriptedServer, client: VisualSearchClient, video: Path
) -> None:
    server.script(server.ok({**ACCEPTED, "videoStatus": "UNPARSE", "uploadTime": "1757285520000"}))
    progress: list[int] = []
    uploaded = client.upload(
        video,
        upload_name="red-truck.MP4",
        tags=["sha256:abc", "day:2026-05-01"],
        captured_at=datetime(2026, 5, 1, 14, 30, 59, 999_999, tzinfo=timezone(timedelta(hours=2))),
        camera_model="Nikon Z6",
        latitude=48.85,
        longitude=2.35,
        callback="https://example.org/hook",
        retain_original_video=False,
        transcription_prompt="street names",
        on_progress=progress.append,
    )
    request = server.requests[0]
    fields, files = multipart_of(request)
    assert request.path == "/serve/api/v1/upload"
    assert fields == {
        "unique_id": ["default"],
        "tags": ["sha256:abc", "day:2026-05-01"],
        "datetime_taken": ["2026-05-01 12:30:59"],
        "camera_model": ["Nikon Z6"],
        "latitude": ["48.85"],
        "longitude": ["2.35"],
        "callback": ["https://example.org/hook"],
        "retain_original_video": ["false"],
        "video_transcription_prompt": ["street names"],
    }
    assert files == {"file": ("red-truck.MP4", CONTENT)}
    assert b"\r\nContent-Type: video/mp4\r\n\r\n" in request.body
    assert "transfer-encoding" not in request.headers
    assert progress == sorted(progress)
    assert progress[-1] == len(CONTENT)
    assert uploaded.video_no == "VI1"
    assert uploaded.video_name == "red-truck"
    assert uploaded.status is VideoStatus.PROCESSING
    assert uploaded.uploaded_at == datetime(2025, 9, 7, 22, 52, tzinfo=UTC)
    assert uploaded.sent_sha256 == hashlib.sha256(CONTENT).hexdigest()
    assert uploaded.sent_bytes == len(CONTENT)


def test_an_answer_with_the_video_no_alone_is_enough(
    server: ScriptedServer, client: VisualSearchClient, video: Path
) -> None:
    server.script(server.ok({"videoNo": "VI1"}))
    uploaded = client.upload(video, upload_name="a.mp4")
    assert (uploaded.video_no, uploaded.video_name, uploaded.uploaded_at) == ("VI1", None, None)


def test_a_folder_scope_is_sent_in_place_of_a_namespace(server: ScriptedServer, clients: Clients, video: Path) -> None:
    server.script(server.ok(ACCEPTED))
    clients.make(scope=FolderScope(9007199254740993)).upload(video, upload_name="a.mkv")
    fields, _ = multipart_of(server.requests[0])
    assert fields == {"folder_id": ["9007199254740993"]}


@pytest.mark.parametrize(
    "name",
    [
        "a,b.mp4",
        "a|b.mp4",
        "-dash.mp4",
        "🚚 camión.mp4",
        "x" * 200 + ".mp4",
        "per%20cent.mp4",
        "semi;colon=1.mp4",
        "ünï.mp4",
    ],
)
def test_unusual_names_arrive_as_they_are(
    server: ScriptedServer, client: VisualSearchClient, video: Path, name: str
) -> None:
    server.script(server.ok(ACCEPTED))
    client.upload(video, upload_name=name)
    assert multipart_of(server.requests[0])[1] == {"file": (name, CONTENT)}


@pytest.mark.parametrize(
    ("name", "escaped"),
    [
        ('quo"te.mp4', 'filename="quo%22te.mp4"'),
        ("new\nline.mp4", 'filename="new%0Aline.mp4"'),
        ('a.mp4"\r\nX-Injected: 1\r\n\r\n.mp4', 'filename="a.mp4%22%0D%0AX-Injected: 1%0D%0A%0D%0A.mp4"'),
    ],
)
def test_hostile_names_cannot_break_out_of_their_header(
    server: ScriptedServer, client: VisualSearchClient, video: Path, name: str, escaped: str
) -> None:
    server.script(server.ok(ACCEPTED))
    client.upload(video, upload_name=name)
    request = server.requests[0]
    assert escaped.encode() in request.body
    fields, files = multipart_of(request)
    assert set(fields) == {"unique_id"}
    assert files["file"][1] == CONTENT


@dataclass(frozen=True)
class SourceInMemory:
    content: bytes
    size_bytes: int

    def open(self) -> BinaryIO:
        return io.BytesIO(self.content)


def test_a_source_need_not_be_a_local_file(server: ScriptedServer, client: VisualSearchClient) -> None:
    server.script(server.ok(ACCEPTED))
    uploaded = client.upload(SourceInMemory(CONTENT, len(CONTENT)), upload_name="a.mov")
    assert multipart_of(server.requests[0])[1] == {"file": ("a.mov", CONTENT)}
    assert uploaded.sent_sha256 == hashlib.sha256(CONTENT).hexdigest()


@pytest.mark.parametrize(
    ("content", "announced", "sha256", "says"),
    [
        (CONTENT, len(CONTENT) + 1, None, "ended after"),
        (CONTENT, len(CONTENT) - 1, None, "goes on after"),
        (CONTENT, len(CONTENT), "0" * 64, "SHA-256 is now"),
    ],
)
def test_a_file_that_changed_is_never_sent_to_its_end(
    server: ScriptedServer,
    clients: Clients,
    content: bytes,
    announced: int,
    sha256: str | None,
    says: str,
) -> None:
    server.script(server.ok(ACCEPTED))
    with pytest.raises(UploadSourceError, match=says) as caught:
        clients.make().upload(SourceInMemory(content, announced), upload_name="a.mp4", expected_sha256=sha256)
    assert caught.value.changed
    assert [call.outcome for call in clients.calls] == ["UploadSourceError"]
    clients.close()  # the server now sees the end of the connection, if it has not yet
    for request in server.requests:
        assert request.body_bytes < int(request.headers["content-length"])


def test_the_expected_hash_is_accepted_in_any_case(
    server: ScriptedServer, client: VisualSearchClient, video: Path
) -> None:
    server.script(server.ok(ACCEPTED))
    client.upload(video, upload_name="a.mp4", expected_sha256=hashlib.sha256(CONTENT).hexdigest().upper())


@pytest.mark.parametrize("kind", ["missing", "folder"])
def test_a_file_that_cannot_be_read_is_said_so(
    server: ScriptedServer, client: VisualSearchClient, tmp_path: Path, kind: str
) -> None:
    path = tmp_path if kind == "folder" else tmp_path / "gone.mp4"
    with pytest.raises(UploadSourceError) as caught:
        client.upload(path, upload_name="a.mp4")
    assert not caught.value.changed
    assert server.requests == []


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"upload_name": "notes.txt"}, "extension"),
        ({"upload_name": "noextension"}, "extension"),
        ({"upload_name": ".mp4"}, "extension"),
        ({"upload_name": "a\udcff.mp4"}, "Unicode"),
        ({"tags": ["t"] * 21}, "at most 20"),
        ({"tags": ["ok", " "]}, "empty"),
        ({"tags": "single"}, "list of texts"),
        ({"camera_model": "c" * 201}, "at most 200"),
        ({"callback": "https://example.org/" + "c" * 280}, "at most 299"),
        ({"latitude": 1.0}, "together"),
        ({"longitude": 1.0}, "together"),
        ({"latitude": 90.5, "longitude": 0.0}, "-90 to 90"),
        ({"latitude": float("nan"), "longitude": 0.0}, "-90 to 90"),
        ({"latitude": 0.0, "longitude": 181.0}, "-180 to 180"),
        ({"captured_at": datetime(2026, 5, 1)}, "no zone"),  # noqa: DTZ001  that it is naive is the point
    ],
)
def test_what_the_service_would_refuse_is_refused_before_sending(
    server: ScriptedServer, client: VisualSearchClient, video: Path, arguments: dict[str, object], says: str
) -> None:
    with pytest.raises(InvalidInput, match=says):
        client.upload(video, **{"upload_name": "a.mp4", **arguments})  # type: ignore[arg-type]  # wrong on purpose
    assert server.requests == []


@pytest.mark.parametrize("size_bytes", [0, -1, limits.MAX_UPLOAD_BYTES + 1])
def test_sizes_that_the_service_refuses(size_bytes: int) -> None:
    with pytest.raises(InvalidInput):
        validate_upload("a.mp4", size_bytes=size_bytes)


def test_the_limits_themselves_are_accepted() -> None:
    validate_upload(
        "A.MOV",
        size_bytes=limits.MAX_UPLOAD_BYTES,
        tags=["t"] * 20,
        camera_model="c" * 200,
        callback="c" * 299,
        latitude=-90,
        longitude=180,
        captured_at=datetime(2026, 5, 1, tzinfo=UTC),
    )


def test_a_local_file_knows_its_size(video: Path) -> None:
    assert LocalFile.of(video).size_bytes == len(CONTENT)


PROGRAM = """
    import resource, sys
    from pathlib import Path
    from visualsearch_pipeline.api import UniqueIdScope, VisualSearchClient
    url, small, large = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
    with VisualSearchClient(base_url=url, api_key="sk-mavi-1", scope=UniqueIdScope()) as client:
        client.upload(small, upload_name="small.mp4")
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        client.upload(large, upload_name="large.mp4")
        print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


def test_memory_does_not_grow_with_the_file(server: ScriptedServer, tmp_path: Path) -> None:
    server.script(server.ok(ACCEPTED))
    for name, size_bytes in (("small.mp4", 2_000_000), ("large.mp4", 200_000_000)):
        with (tmp_path / name).open("wb") as file:
            file.truncate(size_bytes)
    program = [sys.executable, "-c", textwrap.dedent(PROGRAM), server.url]
    grown = subprocess.run(
        [*program, str(tmp_path / "small.mp4"), str(tmp_path / "large.mp4")], check=True, capture_output=True, text=True
    )
    assert server.requests[1].body_bytes > 200_000_000
    assert int(grown.stdout) < 10_000, "kilobytes"
