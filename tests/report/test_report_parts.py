from __future__ import annotations

import json
import re
from pathlib import Path
from urllib.parse import unquote, urljoin, urlsplit

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from PIL import Image

from visualsearch_pipeline.demo.encoding import encode_clip
from visualsearch_pipeline.report.data_files import data_script, finite
from visualsearch_pipeline.report.links import archive_link
from visualsearch_pipeline.report.pictures import PictureSource, make_pictures

NAMES = st.text(st.characters(codec="utf-8", exclude_characters="/\0"), min_size=1, max_size=12).filter(
    lambda name: name not in {".", ".."}
)
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(st.lists(NAMES, min_size=1, max_size=4), st.lists(NAMES, min_size=1, max_size=3))
@example(["a:b", "50% off?.mp4"], ["re#port"])
def test_a_link_leads_to_the_file_whatever_it_is_called(below: list[str], page: list[str]) -> None:
    archive = Path("/srv/team/archive")
    page_folder = Path("/srv/team").joinpath(*page)
    file = archive.joinpath(*below)
    link = archive_link(str(file), page_folder=page_folder, archive_root=str(archive))
    assert link is not None
    assert not urlsplit(link).scheme
    address = urljoin((page_folder / "index.html").as_uri(), link)
    assert Path(unquote(urlsplit(address).path)) == file
    # Only percent-encoded characters, so that it is the same link in an attribute.
    assert re.fullmatch(r"[A-Za-z0-9_.~/%-]+", link)


@pytest.mark.parametrize(
    ("location", "archive_root", "link"),
    [
        ("/srv/archive/a.mp4", "/srv/archive", "../archive/a.mp4"),
        ("file:///srv/archive/a%20b.mp4", "file:///srv/archive", "../archive/a%20b.mp4"),
        ("/srv/archive/a b.mp4", None, "file:///srv/archive/a%20b.mp4"),
        ("/mnt/archive/a.mp4", "/mnt/archive", "file:///mnt/archive/a.mp4"),
        ("/old/place/a.mp4", "/srv/archive", "file:///old/place/a.mp4"),
        ("https://footage.example/a.mp4", "https://footage.example", "https://footage.example/a.mp4"),
        ("s3://bucket/a.mp4", "s3://bucket", None),
        ("javascript://%0aalert(1)", "/srv/archive", None),
    ],
)
def test_links_are_relative_below_a_common_folder_and_never_run_anything(
    location: str, archive_root: str | None, link: str | None
) -> None:
    assert archive_link(location, page_folder=Path("/srv/report"), archive_root=archive_root) == link


@given(JSON)
@example({"</script><!--": ["\u2028", "<script>", "&lt;", "'\"\\"]})
@example(["\ud83c broken"])
def test_a_data_script_says_exactly_its_value_and_no_markup(value: object) -> None:
    script = data_script("name", value)  # type: ignore[arg-type]  # hypothesis cannot say that it is JSON
    match = re.fullmatch(r'visualSearchReport\.receive\("name", (.*)\);\n', script)
    assert match is not None
    assert not set(script) & set("<>&\u2028\u2029")
    script.encode("utf-8")
    assert json.loads(match[1]) == value


def test_numbers_that_json_lacks_are_left_out() -> None:
    assert [finite(number) for number in (1.5, None, float("nan"), float("inf"))] == [1.5, None, None, None]


def test_a_hit_without_a_keyframe_gets_the_frame_of_its_second(tmp_path: Path) -> None:
    def draw(seconds: float) -> Image.Image:
        return Image.new("RGB", (160, 120), "red" if seconds < 3 else "blue")

    clip = str(encode_clip(tmp_path / "clip.mp4", seconds=6, fps=10, draw=draw))
    sources = [PictureSource(clip, "clip", at_seconds=seconds) for seconds in (0.0, 2.8, 3.2, 5.9, 60.0)]
    names = make_pictures(sources, tmp_path / "pictures", time_limit_seconds=60, workers=2)
    colours = []
    for source in sources:
        with Image.open(tmp_path / "pictures" / names[source]) as picture:
            red, _, blue = picture.getpixel((80, 60))  # type: ignore[misc]  # a colour, since it is RGB
            colours.append("red" if red > blue else "blue")
    assert colours == ["red", "red", "blue", "blue", "blue"]


def test_what_is_damaged_gone_or_remote_has_no_picture_and_stops_nothing(tmp_path: Path) -> None:
    (tmp_path / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 no picture")
    (tmp_path / "broken.mp4").write_bytes(b"no video")
    Image.new("RGB", (2000, 1000), "green").save(tmp_path / "whole.png")
    whole = PictureSource(str(tmp_path / "whole.png"), "whole")
    bad = [
        PictureSource(str(tmp_path / "broken.jpg"), "a"),
        PictureSource(str(tmp_path / "broken.mp4"), "b", at_seconds=1.0),
        PictureSource(str(tmp_path / "gone.jpg"), "c"),
        PictureSource("s3://bucket/frame.jpg", "d"),
    ]
    names = make_pictures([*bad, whole], tmp_path / "pictures", time_limit_seconds=60, workers=2)
    assert set(names) == {whole}
    assert [path.name for path in (tmp_path / "pictures").iterdir()] == [names[whole]]
    with Image.open(tmp_path / "pictures" / names[whole]) as picture:
        assert picture.size == (400, 200)


def test_pictures_stop_at_their_time_and_go_on_in_the_next_report(tmp_path: Path) -> None:
    sources = []
    for number in range(6):
        Image.new("RGB", (64, 64), (40 * number, 0, 0)).save(tmp_path / f"{number}.png")
        sources.append(PictureSource(str(tmp_path / f"{number}.png"), str(number)))
    ticks = iter(range(100))

    def clock() -> float:
        return float(next(ticks))

    first = make_pictures(sources, tmp_path / "pictures", time_limit_seconds=4, workers=1, clock=clock)
    assert list(first) == sources[:3]
    second = make_pictures(sources, tmp_path / "pictures", time_limit_seconds=4, workers=1, clock=clock)
    assert list(second) == sources
