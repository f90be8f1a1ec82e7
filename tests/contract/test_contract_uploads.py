"""Contract §9.15-9.23: uploading videos and images."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any, BinaryIO, cast

import pytest

from visualsearch_pipeline.api import (
    FolderScope,
    InvalidInput,
    InvalidRequest,
    OutcomeUnknown,
    Timeouts,
    VideoStatus,
    VisualSearchClient,
)
from visualsearch_pipeline.pipeline.ingest import ingest, look_at_source
from visualsearch_pipeline.pipeline.upload import upload
from visualsearch_pipeline.sandbox import Dialect, FaultKind, FaultRule, Sandbox

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.conftest import MakeProject
    from tests.contract.conftest import Answering, Connect, Speak, Start, Wire

GIBIBYTE = 1024**3
BEYOND_2_53 = 606_404_158_946_574_337

# What is wrong, as the client is asked for it, and as it goes over the wire without the client.
REFUSED: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "extension": ({"upload_name": "a.webm"}, {"name": "a.webm"}),
    "callback": ({"callback": "https://a.example/" + "x" * 300}, {"callback": "https://a.example/" + "x" * 300}),
    "camera model": ({"camera_model": "x" * 201}, {"camera_model": "x" * 201}),
    "tags": ({"tags": [str(number) for number in range(21)]}, {"tags": [str(number) for number in range(21)]}),
    "latitude alone": ({"latitude": 48.0}, {"latitude": "48.0"}),
    "longitude alone": ({"longitude": 2.0}, {"longitude": "2.0"}),
}


@pytest.mark.parametrize("wrong", REFUSED)
def test_15_what_the_service_refuses_is_refused_on_both_sides(
    server: Sandbox, client: VisualSearchClient, wire: Wire, red_clip: Path, wrong: str
) -> None:
    asked, sent = REFUSED[wrong]
    with pytest.raises(InvalidInput):
        client.upload(red_clip, **{"upload_name": "a.mp4", **asked})
    assert server.journal() == []
    assert wire.send("upload", red_clip, **sent)["code"] in {"0001", "0003"}
    assert server.videos() == []


def test_15_empty_and_too_large_files_are_refused_on_both_sides(
    start: Start, connect: Connect, speak: Speak, tmp_path: Path
) -> None:
    server = start(max_video_bytes=1000)
    empty, huge, large = tmp_path / "empty.mp4", tmp_path / "huge.mp4", tmp_path / "large.mp4"
    empty.touch()
    large.write_bytes(bytes(1001))
    with huge.open("wb") as file:
        file.truncate(3 * GIBIBYTE + 1)
    for path in (empty, huge):
        with pytest.raises(InvalidInput):
            connect(server).upload(path, upload_name="a.mp4")
    assert server.journal() == []
    for path in (empty, large):
        assert speak(server).send("upload", path)["code"] == "0001"
    assert server.videos() == []


def test_15_a_capture_time_is_a_time_in_one_form_only(
    client: VisualSearchClient, wire: Wire, server: Sandbox, red_clip: Path
) -> None:
    from datetime import datetime

    with pytest.raises(InvalidInput, match="zone"):
        client.upload(red_clip, upload_name="a.mp4", captured_at=datetime(2026, 5, 1))  # noqa: DTZ001  the fault
    for text in ("2026-05-01", "2026-05-01T10:00:00", "2026-13-01 10:00:00", "soon"):
        assert wire.send("upload", red_clip, datetime_taken=text)["code"] == "0001"
    assert server.videos() == []


class _Measured(io.RawIOBase):
    """Bytes without end, made as they are read, that remember how much was asked for at once."""

    def __init__(self, size_bytes: int) -> None:
        super().__init__()
        self.left = size_bytes
        self.largest_read = 0

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        self.largest_read = max(self.largest_read, self.left if size < 0 else size)
        given = bytes(min(size if size >= 0 else self.left, self.left))
        self.left -= len(given)
        return given


class _Source:
    name = "large.mov"
    size_bytes = 64 * 1024 * 1024

    def __init__(self) -> None:
        self.file = _Measured(self.size_bytes)

    def open(self) -> BinaryIO:
        return cast("BinaryIO", self.file)


def test_16_a_file_is_streamed_in_small_pieces_as_a_video(server: Sandbox, client: VisualSearchClient) -> None:
    source = _Source()
    uploaded = client.upload(source, upload_name="large.mov")
    assert uploaded.sent_bytes == source.size_bytes
    assert source.file.left == 0
    assert source.file.largest_read <= 1024 * 1024
    assert [video.size_bytes for video in server.videos()] == [source.size_bytes]


def test_16_the_sandbox_takes_only_parts_that_say_video(server: Sandbox, wire: Wire, red_clip: Path) -> None:
    assert wire.send("upload", red_clip, media_type="application/octet-stream")["code"] == "0001"
    assert wire.send("upload", red_clip, media_type="video/mp4")["code"] == "0000"


def test_16_the_time_out_grows_with_the_file(server: Sandbox, connect: Connect, red_clip: Path) -> None:
    server.faults.add(FaultRule(operation="upload", kind=FaultKind.STALL, seconds=0.6, count=2))
    per_gigabyte = 10 * 1e9 / red_clip.stat().st_size
    patient = Timeouts(read_seconds=0.2, upload_seconds_per_gigabyte=per_gigabyte)
    assert connect(server, timeouts=patient).upload(red_clip, upload_name="a.mp4").video_no
    with pytest.raises(OutcomeUnknown):
        connect(server, timeouts=Timeouts(read_seconds=0.2, upload_seconds_per_gigabyte=0)).upload(
            red_clip, upload_name="b.mp4"
        )


def test_17_only_video_no_is_needed_in_an_upload_answer(
    start: Start, speak: Speak, connect: Connect, answering: Answering, red_clip: Path
) -> None:
    server = start(dialect=Dialect.LIVE_2025)
    answer = speak(server).send("upload", red_clip)["data"]
    assert answer.keys() == {"videoNo", "videoName"}
    answering.say_data({"videoNo": "VI606404158946574336"})
    for address in (server, answering.url):
        uploaded = connect(address).upload(red_clip, upload_name="a.mp4")
        assert uploaded.video_no.startswith("VI")
        assert (uploaded.status, uploaded.uploaded_at) == (VideoStatus.PROCESSING, None)


def test_18_the_tag_api_is_added_once_and_is_none_of_ours(
    server: Sandbox, client: VisualSearchClient, wire: Wire, red_clip: Path
) -> None:
    client.upload(red_clip, upload_name="a.mp4", tags=["street"])
    client.upload(red_clip, upload_name="b.mp4", tags=["api", "street"])
    client.upload(red_clip, upload_name="c.mp4")
    server.settle()
    sent = {item["video_name"]: item["tags"] for item in wire.listed()}
    assert {name: tags.count("api") for name, tags in sent.items()} == {"a": 1, "b": 1, "c": 1}
    assert {video.video_name: video.tags for video in client.iter_videos()} == {
        "a": ("street",),
        "b": ("street",),
        "c": (),
    }


def test_19_the_service_keeps_a_file_twice_and_the_pipeline_sends_it_once(
    make_project: MakeProject, speak: Speak, red_clip: Path
) -> None:
    project = make_project(("red",))
    project.add_clip("red", "copy/of-red.mp4")
    with project.pipeline() as pipeline:
        look_at_source(pipeline)
        ingest(pipeline)
        upload(pipeline)
        upload(pipeline)
    assert len(project.calls("upload")) == len(project.server.videos()) == 1
    wire = speak(project.server)
    assert wire.upload(red_clip) != wire.upload(red_clip)
    assert len(project.server.videos()) == 3


@pytest.mark.parametrize("sent", [BEYOND_2_53, str(BEYOND_2_53)])
def test_20_ids_beyond_2_53_survive_as_numbers_and_as_text(
    answering: Answering, connect: Connect, red_picture: Path, sent: int | str
) -> None:
    client = connect(answering.url, scope=FolderScope(BEYOND_2_53))
    answering.say_data([{"id": sent}])
    (image,) = client.upload_images([red_picture])
    assert image.image_id == str(BEYOND_2_53)
    answering.say_data({"folder_id": sent, "folder_name": "Street"})
    answering.answers.pop(0)
    folder = client.create_folder("Street")
    assert folder.folder_id == BEYOND_2_53
    client.rename_folder(folder.folder_id, new_name="Road")
    assert f"folder_id={BEYOND_2_53}".encode() in answering.received[-1][1]


@pytest.mark.parametrize("dialect", [Dialect.LIVE_2025, Dialect.OPENAPI])
def test_20_ids_make_the_round_trip_through_the_sandbox(
    start: Start, connect: Connect, red_picture: Path, dialect: Dialect
) -> None:
    client = connect(start(dialect=dialect))
    (image,) = client.upload_images([red_picture])
    assert int(image.image_id) > 2**53
    assert [hit.image_id for hit in client.search_images("red", top_k=5)] == [image.image_id]
    if dialect is Dialect.OPENAPI:
        folder = client.create_folder("Street")
        assert folder.folder_id > 2**53
        assert folder in client.list_folders()


def test_21_a_url_is_fetched_at_once_from_a_form_or_from_json(
    server: Sandbox, client: VisualSearchClient, wire: Wire, answering: Answering, red_clip: Path
) -> None:
    answering.say(red_clip.read_bytes(), media_type="video/mp4")
    link = f"{answering.url}/footage/night%20shift.mp4?Expires=1&Signature=abc"
    ways: tuple[Callable[[], str], ...] = (
        lambda: client.upload_url(link).video_no,
        lambda: str(wire.form("upload_url", url=link)["data"]["videoNo"]),
        lambda: str(wire.post("upload_url", {"url": link})["data"]["videoNo"]),
    )
    for number, upload_url in enumerate(ways, start=1):
        assert upload_url() in {video.video_no for video in server.videos()}
        assert len(answering.received) == number
    assert {video.video_name for video in server.videos()} == {"night shift"}


def test_21_an_expired_link_brings_nothing(server: Sandbox, client: VisualSearchClient, answering: Answering) -> None:
    answering.say(b"ExpiredToken", status=403, media_type="text/plain")
    with pytest.raises(InvalidRequest):
        client.upload_url(f"{answering.url}/a.mp4?Expires=1")
    assert server.videos() == []


def test_22_one_bad_image_rejects_the_whole_batch(
    server: Sandbox, client: VisualSearchClient, red_picture: Path, tmp_path: Path
) -> None:
    bad = tmp_path / "bad.png"
    bad.write_text("no picture")
    with pytest.raises(InvalidRequest):
        client.upload_images([red_picture, bad, red_picture])
    assert client.search_images("red", top_k=10) == ()
    assert len(client.upload_images([red_picture, red_picture])) == 2
    assert len(client.search_images("red", top_k=10)) == 2


@pytest.mark.parametrize(
    "fields", [{"tags": ["day", "night"]}, {"tags[0]": "day", "tags[1]": "night"}, {"tags[]": ["day", "night"]}]
)
def test_23_tags_are_understood_repeated_and_numbered(
    server: Sandbox, wire: Wire, red_clip: Path, fields: dict[str, Any]
) -> None:
    wire.upload(red_clip, **fields)
    server.settle()
    assert [video.tags for video in server.videos()] == [("day", "night", "api")]
