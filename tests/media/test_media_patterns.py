import pytest
from hypothesis import given
from hypothesis import strategies as st

from visualsearch_pipeline.media import InvalidPattern, PathFilter


@pytest.mark.parametrize(
    ("pattern", "path", "matches"),
    [
        ("**/*.mp4", "clip.mp4", True),
        ("**/*.mp4", "2026/01/clip.mp4", True),
        ("**/*.mp4", "CLIP.MP4", True),
        ("**/*.mp4", "clip.mp4.part", False),
        ("**/*.mp4", "line\nend.mp4", True),
        ("*.mp4", "deep/down/clip.mp4", True),
        ("/*.mp4", "clip.mp4", True),
        ("/*.mp4", "deep/clip.mp4", False),
        ("gate/*.mp4", "gate/clip.mp4", True),
        ("gate/*.mp4", "gate/deep/clip.mp4", False),
        ("gate/**/*.mp4", "gate/deep/clip.mp4", True),
        ("gate/**", "gate/clip.mp4", True),
        ("gate/**", "other/clip.mp4", False),
        ("cam?.mp4", "cam1.mp4", True),
        ("cam[0-3].mp4", "cam7.mp4", False),
        ("**", "anything/at all", True),
        ("a{b}.mp4", "a{b}.mp4", True),
    ],
)
def test_patterns_mean_what_gitignore_and_pathlib_mean(pattern: str, path: str, *, matches: bool) -> None:
    assert PathFilter.compile(include=[pattern]).accepts(path) is matches


@pytest.mark.parametrize(
    ("exclude", "path", "accepted"),
    [
        ("raw/**", "raw/clip.mp4", False),
        ("raw/**", "cut/raw/clip.mp4", True),
        ("raw", "cut/raw/clip.mp4", False),
        ("raw/", "cut/raw/clip.mp4", False),
        ("raw/", "raw", True),
        ("**/raw/**", "cut/raw/clip.mp4", False),
        ("/raw/", "raw/clip.mp4", False),
        ("*_proxy.mp4", "deep/clip_PROXY.mp4", False),
        ("*_proxy.mp4", "deep/clip.mp4", True),
    ],
)
def test_exclusion_wins_over_inclusion(exclude: str, path: str, *, accepted: bool) -> None:
    assert PathFilter.compile(include=["**"], exclude=[exclude]).accepts(path) is accepted


@pytest.mark.parametrize(
    ("exclude", "folder", "entered"),
    [
        ("raw/**", "raw", False),
        ("raw/**", "cut/raw", True),
        ("**/raw/**", "cut/raw", False),
        ("raw", "cut/raw", False),
        ("raw/", "cut/raw", False),
        ("/raw/", "cut/raw", True),
        ("*.mp4", "raw", True),
        ("**/*.mp4", "raw", True),
        ("raw/*.mp4", "raw", True),
        ("**", "raw", True),
    ],
)
def test_only_folders_that_can_hold_nothing_wanted_are_skipped(exclude: str, folder: str, *, entered: bool) -> None:
    assert PathFilter.compile(include=["**"], exclude=[exclude]).enters(folder) is entered


PARTS = st.lists(st.sampled_from(["raw", "old", "b1", "c", "x.mp4", "RAW"]), min_size=1, max_size=4)


@given(folder=PARTS, below=PARTS, exclude=st.lists(st.sampled_from(["raw/**", "old/", "b*/c", "c", "/x.mp4", "**"])))
def test_a_folder_that_is_skipped_holds_no_file_that_is_wanted(
    folder: list[str], below: list[str], exclude: list[str]
) -> None:
    wanted = PathFilter.compile(include=["**"], exclude=exclude)
    if not wanted.enters("/".join(folder)):
        assert not wanted.accepts("/".join(folder + below))


@pytest.mark.parametrize(
    ("pattern", "says"),
    [
        ("", "empty"),
        ("/", "empty"),
        ("**/*.{mp4,mov}", "braces"),
        ("../*.mp4", "leaves the source"),
        ("s3://bucket/*.mp4", "URL"),
        ("a**b/*.mp4", r"\*\*"),
    ],
)
def test_patterns_that_can_match_nothing_are_refused(pattern: str, says: str) -> None:
    with pytest.raises(InvalidPattern, match=says) as caught:
        PathFilter.compile(include=[pattern])
    assert caught.value.pattern == pattern


def test_no_include_pattern_at_all_is_refused() -> None:
    with pytest.raises(InvalidPattern, match="no include pattern"):
        PathFilter.compile(include=[])
