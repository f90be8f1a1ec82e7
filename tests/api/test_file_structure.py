"""Whole files are told from broken ones by their own structure (contract §9.52)."""

from __future__ import annotations

import io
import tempfile
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from visualsearch_pipeline.api.file_structure import FileKind, FileStructure


def encoded_video(container_format: str, *, options: dict[str, str] | None = None) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        # A real file: moving the index to the front reads it again by its name.
        path = Path(folder) / "clip"
        _encode(path, container_format, options or {})
        return path.read_bytes()


def _encode(path: Path, container_format: str, options: dict[str, str]) -> None:
    with av.open(str(path), "w", format=container_format, options=options) as container:
        stream = container.add_stream("mpeg4", rate=Fraction(10))
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for number in range(10):
            picture = np.full((48, 64, 3), number * 20, dtype=np.uint8)
            for packet in stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")):
                container.mux(packet)
        for packet in stream.encode():
            container.mux(packet)


def encoded_image(image_format: str) -> bytes:
    target = io.BytesIO()
    Image.new("RGB", (32, 24), (200, 30, 30)).save(target, image_format)
    return target.getvalue()


VIDEOS = {
    "mp4": encoded_video("mp4"),
    "mp4 with its index first": encoded_video("mp4", options={"movflags": "faststart"}),
    "fragmented mp4": encoded_video("mp4", options={"movflags": "frag_keyframe+empty_moov"}),
    "mov": encoded_video("mov"),
    "avi": encoded_video("avi"),
}
IMAGES = {image_format: encoded_image(image_format) for image_format in ("JPEG", "PNG", "GIF", "BMP", "WEBP")}


def examine(content: bytes, kind: FileKind, *, piece_bytes: int = 1 << 16) -> FileStructure:
    structure = FileStructure(kind)
    for start in range(0, len(content), piece_bytes):
        structure.feed(content[start : start + piece_bytes])
    return structure


@pytest.mark.parametrize("name", VIDEOS)
@pytest.mark.parametrize("piece_bytes", [1, 7, 1 << 16])
def test_whole_videos_pass_in_pieces_of_any_length(name: str, piece_bytes: int) -> None:
    structure = examine(VIDEOS[name], FileKind.VIDEO, piece_bytes=piece_bytes)
    assert structure.problem() is None
    assert structure.proves_wholeness


@pytest.mark.parametrize("name", ["mp4", "mp4 with its index first", "mov", "avi"])
@given(data=st.data())
@settings(max_examples=60, deadline=None)
def test_a_video_cut_off_anywhere_is_noticed(name: str, data: st.DataObject) -> None:
    content = VIDEOS[name]
    length = data.draw(st.integers(0, len(content) - 1))
    assert examine(content[:length], FileKind.VIDEO).problem() is not None


@pytest.mark.parametrize("name", IMAGES)
@given(data=st.data())
@settings(max_examples=40, deadline=None)
def test_an_image_cut_off_anywhere_is_noticed(name: str, data: st.DataObject) -> None:
    content = IMAGES[name]
    assert examine(content, FileKind.IMAGE).problem() is None
    assert examine(content + bytes(20), FileKind.IMAGE).problem() is None, "some writers pad with zeros"
    assert examine(content, FileKind.IMAGE).proves_wholeness
    length = data.draw(st.integers(0, len(content) - 1))
    assert examine(content[:length], FileKind.IMAGE).problem() is not None


def test_matroska_is_accepted_but_proves_nothing() -> None:
    structure = examine(encoded_video("matroska"), FileKind.VIDEO)
    assert structure.problem() is None
    assert not structure.proves_wholeness


def test_a_last_box_that_reaches_to_the_end_proves_nothing() -> None:
    content = (
        b"\x00\x00\x00\x10ftypmp42\x00\x00\x00\x00" + b"\x00\x00\x00\x08moov" + b"\x00\x00\x00\x00mdat" + b"x" * 99
    )
    structure = examine(content, FileKind.VIDEO, piece_bytes=5)
    assert structure.problem() is None
    assert not structure.proves_wholeness


def test_a_box_of_more_than_four_gigabytes_is_understood() -> None:
    content = b"\x00\x00\x00\x10ftypmp42\x00\x00\x00\x00\x00\x00\x00\x08moov\x00\x00\x00\x01mdat" + (2**33).to_bytes(
        8, "big"
    )
    assert str(2**33 + 24) in str(examine(content, FileKind.VIDEO, piece_bytes=3).problem())


@pytest.mark.parametrize("kind", [FileKind.VIDEO, FileKind.IMAGE])
@given(content=st.binary(max_size=4096))
@settings(deadline=None)
def test_garbage_is_no_file(kind: FileKind, content: bytes) -> None:
    assert examine(b"\x07garbage" + content, kind).problem() is not None


@given(content=st.binary(max_size=4096), piece_bytes=st.integers(1, 64))
@settings(deadline=None)
def test_no_bytes_break_the_reader_and_pieces_make_no_difference(content: bytes, piece_bytes: int) -> None:
    for beginning in (b"", b"\x00\x00\x00\x10ftypmp42\x00\x00\x00\x00", b"RIFF\x00\x00\x00\x00AVI ", b"BM"):
        for kind in FileKind:
            whole, pieces = (examine(beginning + content, kind, piece_bytes=n) for n in (1 << 16, piece_bytes))
            assert whole.problem() == pieces.problem()
            assert whole.proves_wholeness == pieces.proves_wholeness


def test_a_box_of_impossible_length_is_said_so() -> None:
    content = b"\x00\x00\x00\x10ftypmp42\x00\x00\x00\x00" + b"\x00\x00\x00\x03moov" + b"x" * 30
    assert "impossible length" in str(examine(content, FileKind.VIDEO).problem())


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("VI1.mp4", "video"),
        ("a/b/KEY.JPG", "image"),
        ("keyframe-000013.jpg", "image"),
        ("notes.txt", "file"),
        ("x", "file"),
    ],
)
def test_a_name_says_what_its_bytes_must_be(name: str, kind: str) -> None:
    assert FileKind.of_name(name) == kind
