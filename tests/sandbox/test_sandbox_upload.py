"""What upload promises (contract §2.1, §9.15-23)."""

from __future__ import annotations

import resource
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.waiting import wait_until
from visualsearch_pipeline.sandbox import Sandbox

if TYPE_CHECKING:
    from tests.sandbox.conftest import Api, Footage, Start

MEBIBYTE = 1024**2


def test_two_uploads_of_one_file_are_two_videos(api: Api, footage: Footage) -> None:
    first, second = api.upload(footage.red_circle), api.upload(footage.red_circle)
    assert first != second
    assert [video["video_no"] for video in api.listed()] == [second, first]


def test_the_bytes_that_were_uploaded_are_what_is_stored(api: Api, server: Sandbox, footage: Footage) -> None:
    video_no = api.upload(footage.red_circle)
    (video,) = server.videos()
    assert video.video_no == video_no
    assert video.size_bytes == footage.red_circle.stat().st_size
    assert api.http.post("/download", json={"video_no": video_no}).content == footage.red_circle.read_bytes()


@pytest.mark.parametrize(
    ("name", "media_type", "fields"),
    [
        ("clip.txt", "video/mp4", {}),
        ("clip.webm", "video/webm", {}),
        ("clip", "video/mp4", {}),
        ("clip.mp4", "application/octet-stream", {}),
        ("clip.mp4", "video/mp4", {"tags": [str(number) for number in range(21)]}),
        ("clip.mp4", "video/mp4", {"callback": "http://127.0.0.1/" + "x" * 300}),
        ("clip.mp4", "video/mp4", {"callback": "not a url"}),
        ("clip.mp4", "video/mp4", {"camera_model": "x" * 201}),
        ("clip.mp4", "video/mp4", {"latitude": "52.5"}),
        ("clip.mp4", "video/mp4", {"longitude": "13.4"}),
        ("clip.mp4", "video/mp4", {"latitude": "north", "longitude": "13.4"}),
        ("clip.mp4", "video/mp4", {"latitude": "91", "longitude": "13.4"}),
        ("clip.mp4", "video/mp4", {"datetime_taken": "2026-01-02T03:04:05"}),
        ("clip.mp4", "video/mp4", {"datetime_taken": "2026-02-30 03:04:05"}),
        ("clip.mp4", "video/mp4", {"retain_original_video": "perhaps"}),
        ("clip.mp4", "video/mp4", {"unique_id": " "}),
    ],
)
def test_what_the_service_refuses_is_refused_and_leaves_nothing_behind(
    api: Api, server: Sandbox, footage: Footage, name: str, media_type: str, fields: dict[str, object]
) -> None:
    answer = api.send_file("upload", footage.red_circle, name=name, media_type=media_type, **fields)
    assert answer["code"] in {"0001", "0003"}
    assert (answer["data"], answer["success"], answer["failed"]) == (None, False, True)
    assert server.videos() == []
    assert list((server.config.state_dir / "incoming").iterdir()) == []


@pytest.mark.parametrize(
    "name", ["CLIP.MP4", "a.b.mov", "-leading.mkv", "comma, pipe | and 'quotes'.avi", "日本🎬.mp4"]
)
def test_names_are_kept_as_the_stem(api: Api, footage: Footage, name: str) -> None:
    answer = api.send_file("upload", footage.red_circle, name=name)
    assert answer["data"]["videoName"] == name.rpartition(".")[0]


def test_an_empty_file_is_refused(api: Api, tmp_path: Path) -> None:
    empty = tmp_path / "empty.mp4"
    empty.touch()
    assert api.send_file("upload", empty)["code"] == "0001"


def test_a_missing_file_part_is_refused(api: Api) -> None:
    response = api.http.post("/upload", data={"unique_id": "default"}, files={"other": ("a.mp4", b"x", "video/mp4")})
    assert response.json()["code"] == "0001"
    assert api.http.post("/upload", json={}).json()["code"] == "0001"


def test_a_file_over_the_limit_is_refused_after_it_was_read(
    start: Start, connect: Callable[..., Api], footage: Footage
) -> None:
    server = start(max_video_bytes=1000)
    answer = connect(server).send_file("upload", footage.red_circle)
    assert answer["code"] == "0001"
    assert "larger than 1000 bytes" in answer["msg"]
    assert server.journal()[0].bytes_in > footage.red_circle.stat().st_size


def test_the_tag_api_is_added_once(api: Api, footage: Footage) -> None:
    api.upload(footage.red_circle, tags=["sha256:ab", "day:2026-01-02"])
    api.upload(footage.red_circle, tags=["api", "x"])
    api.upload(footage.red_circle)
    assert [video["tags"] for video in api.listed()] == [
        ["api"],
        ["api", "x"],
        ["sha256:ab", "day:2026-01-02", "api"],
    ]


@pytest.mark.parametrize("style", [{"tags[0]": "a", "tags[1]": "b"}, {"tags": ["a", "b"]}, {"tags[]": ["a", "b"]}])
def test_tags_are_understood_in_every_style(api: Api, footage: Footage, style: dict[str, object]) -> None:
    with footage.red_circle.open("rb") as file:
        api.http.post("/upload", files={"file": ("a.mp4", file, "video/mp4")}, data=style)
    assert api.listed()[0]["tags"] == ["a", "b", "api"]


def test_capture_details_come_back_in_the_list(api: Api, footage: Footage) -> None:
    api.upload(
        footage.red_circle,
        datetime_taken="2025-09-07 22:52:00",
        camera_model="Canon EOS 5D",
        latitude="39.9042",
        longitude="116.4074",
    )
    video = api.listed()[0]
    assert video["datetime_taken"] == 1757285520000  # The pair that the vendor's pages show: UTC (contract §1.7).
    assert (video["camera_model"], video["latitude"], video["longitude"]) == ("Canon EOS 5D", 39.9042, 116.4074)


def test_a_large_upload_and_its_download_leave_memory_flat(api: Api, server: Sandbox) -> None:
    size_bytes = 192 * MEBIBYTE
    boundary = "frontier"
    head = (
        f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="big.mp4"\r\n'
        "Content-Type: video/mp4\r\n\r\n"
    ).encode()
    tail = f"\r\n--{boundary}--\r\n".encode()
    block = bytes(range(256)) * 4096

    def body() -> Iterator[bytes]:
        yield head
        for _ in range(size_bytes // MEBIBYTE):
            yield block
        yield tail

    before_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    headers = {
        "Content-Type": f"multipart/form-data; boundary={boundary}",
        "Content-Length": str(len(head) + size_bytes + len(tail)),
    }
    video_no = api.http.post("/upload", content=body(), headers=headers).json()["data"]["videoNo"]
    received = 0
    with api.http.stream("POST", "/download", json={"video_no": video_no}) as response:
        assert "content-length" not in response.headers
        for chunk in response.iter_bytes():
            assert chunk[:16] == block[received % MEBIBYTE :][:16] or len(chunk) < 16
            received += len(chunk)
    assert received == size_bytes == server.videos()[0].size_bytes
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kib < 48 * 1024


def test_an_upload_that_breaks_off_leaves_nothing_behind(api: Api, server: Sandbox) -> None:
    def body() -> Iterator[bytes]:
        yield b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.mp4"\r\nContent-Type: video/mp4\r\n\r\n'
        yield b"x" * 5 * MEBIBYTE
        raise ConnectionAbortedError

    with pytest.raises(ConnectionAbortedError):
        api.http.post("/upload", content=body(), headers={"Content-Type": "multipart/form-data; boundary=b"})
    wait_until(lambda: bool(server.journal(operation="upload")), seconds=10, told=lambda: "the server noticed nothing")
    assert [(entry.status, entry.took_effect) for entry in server.journal(operation="upload")] == [(None, False)]
    assert server.videos() == []
    assert list((server.config.state_dir / "incoming").iterdir()) == []


def test_a_body_that_is_not_multipart_is_refused(api: Api) -> None:
    broken = {"Content-Type": "multipart/form-data; boundary=b"}
    assert api.http.post("/upload", content=b"nonsense", headers=broken).json()["code"] == "0001"
    assert (
        api.http.post("/upload", content=b"x", headers={"Content-Type": "multipart/form-data"}).json()["code"] == "0001"
    )
