import hashlib
import os
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import fsspec
import pytest

from tests.unprivileged import unprivileged
from visualsearch_pipeline.api.upload_source import UploadSource
from visualsearch_pipeline.demo.encoding import encode_clip
from visualsearch_pipeline.media import (
    ContentHash,
    FileChanged,
    FileVanished,
    MediaRejected,
    RejectionReason,
    SourceContent,
    SourceFile,
    discover,
    inspect,
    sha256_of,
)

MIB = 1024**2


def the_file(folder: str) -> SourceFile:
    (file,) = discover(folder, include=["**"]).files
    return file


def written(path: Path, content: bytes) -> SourceFile:
    path.write_bytes(content)
    return the_file(str(path.parent))


def test_the_hash_is_that_of_the_bytes(tmp_path: Path) -> None:
    content = os.urandom(3 * MIB + 17)
    file = written(tmp_path / "clip.mp4", content)
    progress: list[int] = []
    result = sha256_of(file, on_progress=progress.append)
    assert result == ContentHash(hashlib.sha256(content).hexdigest(), len(content))
    assert progress == sorted(progress)
    assert progress[-1] == len(content)


def test_a_file_that_is_on_no_disk_is_hashed_alike() -> None:
    filesystem = fsspec.filesystem("memory")
    filesystem.pipe("/hashing/clip.mp4", b"content")
    try:
        assert sha256_of(the_file("memory://hashing")).sha256 == hashlib.sha256(b"content").hexdigest()
    finally:
        filesystem.rm("/hashing", recursive=True)


def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    path = tmp_path / "large.mp4"
    path.touch()
    os.truncate(path, 200 * MIB)
    file = the_file(str(tmp_path))
    tracemalloc.start()
    try:
        sha256_of(file)
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak_bytes < 8 * MIB


def append(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"more")


def rewrite_in_place(path: Path) -> None:
    path.write_bytes(b"y" * path.stat().st_size)
    os.utime(path, (1_900_000_000, 1_900_000_000))


def replace_by_another(path: Path) -> None:
    other = path.with_suffix(".new")
    other.write_bytes(b"z" * 10)
    other.replace(path)


def shorten(path: Path) -> None:
    os.truncate(path, MIB + 1)


CHANGES = pytest.mark.parametrize("change", [append, rewrite_in_place, replace_by_another, shorten])


@CHANGES
def test_a_file_that_changes_while_it_is_read_has_no_hash(tmp_path: Path, change: Callable[[Path], None]) -> None:
    path = tmp_path / "clip.mp4"
    file = written(path, b"x" * (2 * MIB))
    done: list[int] = []

    def change_once(size_bytes: int) -> None:
        if not done:
            change(path)
        done.append(size_bytes)

    with pytest.raises(FileChanged, match=r"then, .* now"):
        sha256_of(file, on_progress=change_once)
    assert done


@CHANGES
def test_a_file_that_changed_since_it_was_discovered_has_no_hash(
    tmp_path: Path, change: Callable[[Path], None]
) -> None:
    path = tmp_path / "clip.mp4"
    file = written(path, b"x" * (2 * MIB))
    change(path)
    with pytest.raises(FileChanged):
        sha256_of(file)
    path.with_suffix(".new").unlink(missing_ok=True)
    assert sha256_of(the_file(str(tmp_path))).size_bytes == path.stat().st_size


def test_a_file_that_vanishes_while_it_is_read_has_no_hash(tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    file = written(path, b"x" * MIB)
    with pytest.raises(FileVanished):
        sha256_of(file, on_progress=lambda _size_bytes: path.unlink())


def test_a_file_that_may_not_be_read_says_so(public_folder: Path) -> None:
    file = written(public_folder / "clip.mp4", b"content")
    (public_folder / "clip.mp4").chmod(0)
    with unprivileged(), pytest.raises(MediaRejected) as caught:
        sha256_of(file)
    assert caught.value.reason is RejectionReason.UNREADABLE


def test_a_hashed_file_can_be_handed_to_the_uploader_as_it_is(tmp_path: Path) -> None:
    file = written(tmp_path / "clip.mp4", b"content")
    source: UploadSource = SourceContent(file, storage_options={"secret": "s3cr3t"})
    assert source.size_bytes == 7
    with SourceContent(file).open() as stream:
        assert stream.read() == b"content"
    assert "s3cr3t" not in repr(source)


def test_inspection_tells_what_it_is_and_which_it_is(tmp_path: Path) -> None:
    path = encode_clip(tmp_path / "clip.mp4", seconds=0.5)
    inspected = inspect(the_file(str(tmp_path)))
    assert inspected.info.video_codec == "h264"
    assert inspected.content.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


def test_what_would_be_refused_is_not_read_through(tmp_path: Path) -> None:
    file = written(tmp_path / "notes.mp4", b"only text")
    with pytest.raises(MediaRejected):
        inspect(file, on_progress=lambda _size_bytes: pytest.fail("it was hashed"))
