import os
import socket
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import fsspec
import pytest
from fsspec.implementations.memory import MemoryFileSystem
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.unprivileged import unprivileged
from visualsearch_pipeline.media import (
    FolderMet,
    InvalidPattern,
    SourceContent,
    SourceFile,
    SourceUnavailable,
    discover,
    listing_order,
    scan,
)

VIDEOS = ["**/*.mp4"]

HOSTILE_NAMES = [
    "a,comma.mp4",
    "a|pipe.mp4",
    "a\nnewline.mp4",
    "a\ttab and  spaces .mp4",
    "emoji 🚚 red.mp4",
    "u\u0308mlaut.mp4",
    "n" * 196 + ".mp4",
    "-leading-dash.mp4",
    "hash#question?percent%20.mp4",
    "double::colon.mp4",
    "back\\slash.mp4",
    "quote'and\".mp4",
    "star*[x]{a,b}.mp4",
    "file:with:colons.mp4",
    "~tilde.mp4",
    "trailing.mp4",
]


def write(path: Path, content: bytes = b"x") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


@pytest.fixture
def memory_root() -> Iterator[str]:
    filesystem = fsspec.filesystem("memory")
    yield "memory://bucket/footage"
    filesystem.rm("/bucket", recursive=True)


def test_files_are_described_as_the_storage_lists_them(tmp_path: Path) -> None:
    clip = write(tmp_path / "gate" / "clip.mp4", b"12345")
    os.utime(clip, (1_767_600_000.5, 1_767_600_000.5))

    result = discover(str(tmp_path), include=VIDEOS)

    assert result.files == (
        SourceFile(
            uri=f"file://{clip}",
            relative_path="gate/clip.mp4",
            name="clip.mp4",
            size_bytes=5,
            modified_at=datetime(2026, 1, 5, 8, 0, 0, 500_000, tzinfo=UTC),
            etag=None,
        ),
    )
    assert result.problems == ()
    assert result.files[0].local_path == clip


@pytest.mark.parametrize("spelling", ["{path}", "{path}/", "file://{path}", "file://{path}/"])
def test_uris_do_not_depend_on_how_the_source_is_spelled(tmp_path: Path, spelling: str) -> None:
    write(tmp_path / "clip.mp4")
    result = discover(spelling.format(path=tmp_path), include=VIDEOS)
    assert [file.uri for file in result.files] == [f"file://{tmp_path}/clip.mp4"]


def test_a_relative_source_gives_absolute_uris(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "footage" / "clip.mp4")
    monkeypatch.chdir(tmp_path)
    assert [file.uri for file in discover("./footage", include=VIDEOS).files] == [f"file://{tmp_path}/footage/clip.mp4"]


def test_hostile_names_are_found_once_each_and_their_uris_open_them(tmp_path: Path) -> None:
    for name in HOSTILE_NAMES:
        write(tmp_path / "a::b #1" / name, name.encode())

    files = discover(str(tmp_path), include=VIDEOS).files

    assert sorted(file.name for file in files) == sorted(HOSTILE_NAMES)
    for file in files:
        with file.open() as stream:
            assert stream.read() == file.name.encode()
        assert file.look_again() == file


def test_nothing_assumes_a_local_disk(memory_root: str) -> None:
    filesystem = fsspec.filesystem("memory")
    names = [name for name in HOSTILE_NAMES if "/" not in name]
    for name in names:
        filesystem.pipe(f"/bucket/footage/2026/01/{name}", name.encode())
    filesystem.pipe("/bucket/footage/notes.txt", b"no video")
    filesystem.pipe("/bucket/other/clip.mp4", b"not in the source")

    files = discover(memory_root, include=VIDEOS).files

    assert sorted(file.relative_path for file in files) == sorted(f"2026/01/{name}" for name in names)
    for file in files:
        assert file.uri == f"memory:///bucket/footage/2026/01/{file.name}"
        assert file.local_path is None
        assert file.modified_at is not None
        assert file.modified_at.tzinfo is UTC
        with SourceContent(file).open() as stream:
            assert len(stream.read()) == file.size_bytes


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(name=st.text(st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1, max_size=40))
def test_any_name_a_disk_can_hold_round_trips(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "any"
    written = write(folder / f"x{name}.mp4", b"content")
    try:
        (file,) = discover(str(folder), include=VIDEOS).files
        assert file.name == written.name
        with file.open() as stream:
            assert stream.read() == b"content"
    finally:
        written.unlink()


def test_a_name_that_is_not_utf8_is_reported_and_the_rest_is_found(tmp_path: Path) -> None:
    write(tmp_path / "good.mp4")
    with open(os.fsencode(tmp_path) + b"/b\xffd.mp4", "wb") as file:  # noqa: PTH123 (a path of bytes)
        file.write(b"x")

    result = discover(str(tmp_path), include=VIDEOS)

    assert [file.name for file in result.files] == ["good.mp4"]
    (problem,) = result.problems
    assert "not valid UTF-8" in problem.reason
    problem.uri.encode()


def test_what_begins_with_a_dot_is_passed_over(tmp_path: Path) -> None:
    for name in [".DS_Store", "._clip.mp4", ".clip.mp4.Xa81", ".trash/clip.mp4", "-clip.mp4", "clip.mp4"]:
        write(tmp_path / name)
    result = discover(str(tmp_path), include=["**"])
    assert [file.relative_path for file in result.files] == ["-clip.mp4", "clip.mp4"]
    assert result.problems == ()


def test_pipes_and_sockets_are_passed_over_without_being_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.mp4")
    (tmp_path / "link to pipe.mp4").symlink_to("pipe.mp4")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(os.path.relpath(tmp_path / "socket.mp4"))
        result = discover(str(tmp_path), include=VIDEOS)
    assert result.files == ()
    assert result.problems == ()


def test_a_loop_of_links_ends_and_lists_each_file_once(tmp_path: Path) -> None:
    source, elsewhere = tmp_path / "source", tmp_path / "elsewhere"
    write(source / "a" / "one.mp4")
    write(elsewhere / "two.mp4")
    (source / "a" / "up").symlink_to(source)
    (source / "A first").symlink_to(source / "a")
    (source / "b").symlink_to(elsewhere)
    (source / "c").symlink_to(elsewhere)
    (elsewhere / "back").symlink_to(source)
    (source / "self").symlink_to(source / "self")

    result = discover(str(source), include=VIDEOS)

    assert [file.relative_path for file in result.files] == ["a/one.mp4", "b/two.mp4"]


def test_a_linked_file_counts_under_its_own_name_with_the_times_of_what_it_leads_to(tmp_path: Path) -> None:
    target = write(tmp_path / "store" / ".objects" / "ab12", b"12345")
    os.utime(target, (1_767_600_000, 1_767_600_000))
    (tmp_path / "store" / "clip.mp4").symlink_to(target)
    (file,) = discover(str(tmp_path), include=VIDEOS).files
    assert file.relative_path == "store/clip.mp4"
    assert file.size_bytes == 5
    assert file.modified_at == datetime(2026, 1, 5, 8, 0, tzinfo=UTC)
    assert file.look_again() == file


def test_a_link_that_leads_nowhere_is_reported(tmp_path: Path) -> None:
    write(tmp_path / "good.mp4")
    (tmp_path / "gone.mp4").symlink_to(tmp_path / "nowhere")
    (tmp_path / "gone.txt").symlink_to(tmp_path / "nowhere")
    result = discover(str(tmp_path), include=VIDEOS)
    assert [file.name for file in result.files] == ["good.mp4"]
    assert [problem.uri for problem in result.problems] == [f"file://{tmp_path}/gone.mp4"]
    assert "leads nowhere" in result.problems[0].reason


def test_a_folder_that_may_not_be_read_is_reported_and_the_rest_is_found(public_folder: Path) -> None:
    write(public_folder / "a" / "clip.mp4")
    write(public_folder / "locked" / "deep" / "clip.mp4")
    write(public_folder / "z" / "clip.mp4")
    (public_folder / "locked").chmod(0)

    with unprivileged():
        result = discover(str(public_folder), include=VIDEOS)

    assert [file.relative_path for file in result.files] == ["a/clip.mp4", "z/clip.mp4"]
    (problem,) = result.problems
    assert problem.uri == f"file://{public_folder}/locked"
    assert "Permission denied" in problem.reason


def test_a_source_that_may_not_be_read_is_an_error(public_folder: Path) -> None:
    public_folder.chmod(0)
    with unprivileged(), pytest.raises(SourceUnavailable, match="Permission denied"):
        scan(str(public_folder), include=VIDEOS)


def test_a_folder_that_vanishes_during_the_walk_is_harmless(tmp_path: Path) -> None:
    write(tmp_path / "a" / "clip.mp4")
    gone = write(tmp_path / "b" / "clip.mp4")
    items = scan(str(tmp_path), include=VIDEOS)
    first = next(item for item in items if isinstance(item, SourceFile))
    gone.unlink()
    gone.parent.rmdir()
    assert isinstance(first, SourceFile)
    assert first.relative_path == "a/clip.mp4"
    assert list(items) == [FolderMet("b/")]


def test_a_new_walk_of_a_caching_storage_sees_what_came_since(
    memory_root: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Object stores keep listings; here the memory filesystem does the same until it is told to forget."""
    listings: dict[str, list[dict[str, object]]] = {}
    original = MemoryFileSystem.ls

    def ls(self: MemoryFileSystem, path: str, detail: bool = True, **options: object) -> list[dict[str, object]]:  # noqa: FBT001, FBT002 (fsspec's signature)
        if path not in listings:
            listings[path] = original(self, path, detail=detail, **options)
        return listings[path]

    monkeypatch.setattr(MemoryFileSystem, "ls", ls)
    monkeypatch.setattr(MemoryFileSystem, "invalidate_cache", lambda _self, _path=None: listings.clear())
    filesystem = fsspec.filesystem("memory")
    filesystem.pipe("/bucket/footage/one.mp4", b"1")
    assert len(discover(memory_root, include=VIDEOS).files) == 1
    filesystem.pipe("/bucket/footage/two.mp4", b"2")
    assert len(discover(memory_root, include=VIDEOS).files) == 2


@pytest.mark.parametrize(
    ("source_url", "says"),
    [
        ("{tmp}/missing", "does not exist"),
        ("{tmp}/file.mp4", "is a file"),
        ("memory://nowhere/at/all", "does not exist"),
        ("nosuch://bucket", "nosuch"),
        ("simplecache::memory://bucket", "chained"),
    ],
)
def test_a_source_that_cannot_be_listed_is_an_error_that_names_it(tmp_path: Path, source_url: str, says: str) -> None:
    write(tmp_path / "file.mp4")
    url = source_url.format(tmp=tmp_path)
    with pytest.raises(SourceUnavailable, match=says) as caught:
        scan(url, include=VIDEOS)
    assert caught.value.source_url == url
    assert url in str(caught.value)


def test_an_empty_source_is_no_error(tmp_path: Path) -> None:
    assert discover(str(tmp_path), include=VIDEOS).files == ()


def test_patterns_are_checked_before_anything_is_listed(tmp_path: Path) -> None:
    with pytest.raises(InvalidPattern):
        scan(str(tmp_path / "missing"), include=["**/*.{mp4,mov}"])


def test_excluded_folders_are_not_even_entered(public_folder: Path) -> None:
    write(public_folder / "raw" / "clip.mp4")
    write(public_folder / "cut" / "raw" / "clip.mp4")
    write(public_folder / "cut" / "clip.mp4")
    (public_folder / "raw").chmod(0)

    with unprivileged():
        result = discover(str(public_folder), include=VIDEOS, exclude=["raw/**"])

    assert [file.relative_path for file in result.files] == ["cut/clip.mp4", "cut/raw/clip.mp4"]
    assert result.problems == ()


def test_a_hundred_thousand_files_take_one_listing_per_folder_and_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Counted on a storage that answers from memory, so that the disk of the test machine has no say."""
    entries_per_folder, folders = 1_000, 100
    calls = {"ls": 0, "info": 0}
    tree: dict[str, list[dict[str, object]]] = {
        "/big": [{"name": f"/big/d{n}", "size": 0, "type": "directory"} for n in range(folders)]
    }
    for n in range(folders):
        tree[f"/big/d{n}"] = [
            {"name": f"/big/d{n}/c{m}.mp4", "size": m, "type": "file", "created": 1_767_600_000.0}
            for m in range(entries_per_folder)
        ]

    def ls(_self: MemoryFileSystem, path: str, **_options: object) -> list[dict[str, object]]:
        calls["ls"] += 1
        return tree[path]

    def info(_self: MemoryFileSystem, path: str, **_options: object) -> dict[str, object]:
        calls["info"] += 1
        raise FileNotFoundError(path)

    monkeypatch.setattr(MemoryFileSystem, "ls", ls)
    monkeypatch.setattr(MemoryFileSystem, "info", info)
    started = time.process_time()
    files = discover("memory://big", include=VIDEOS).files
    elapsed_seconds = time.process_time() - started

    assert len({file.uri for file in files}) == folders * entries_per_folder
    assert calls == {"ls": folders + 1, "info": 0}
    assert elapsed_seconds < 10


_NAMES = st.sampled_from(["a", "a.mp4", "b", "b.mp4", "c.mp4", "a-b", "ab.mp4"])


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(paths=st.sets(st.lists(_NAMES, min_size=1, max_size=4).map(lambda names: [*names, "clip.mp4"]).map("/".join)))
def test_a_walk_in_pieces_meets_each_file_once_and_in_the_order_of_a_whole_one(
    tmp_path_factory: pytest.TempPathFactory, paths: set[str]
) -> None:
    root = tmp_path_factory.mktemp("pieces")
    for path in paths:
        write(root / path)
    whole = [file.relative_path for file in discover(str(root), include=VIDEOS).files]
    assert whole == sorted(paths, key=listing_order)
    in_pieces: list[str] = []
    after: str | None = None
    while True:
        met = next(scan(str(root), include=VIDEOS, after=after), None)
        if met is None:
            break
        assert isinstance(met, SourceFile | FolderMet)
        place = met.relative_path if isinstance(met, SourceFile) else met.place
        assert after is None or listing_order(place) > listing_order(after)
        if isinstance(met, SourceFile):
            in_pieces.append(place)
        after = place
    assert in_pieces == whole
