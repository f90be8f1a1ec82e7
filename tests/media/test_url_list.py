"""The list of URLs: three formats, each line on its own, and days that are fixed."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from visualsearch_pipeline.media import SourceUnavailable
from visualsearch_pipeline.media.url_list import day_of_url, read_url_list

NOW = datetime(2026, 3, 4, 5, 6, tzinfo=UTC)


def write(folder: Path, name: str, text: str) -> str:
    path = folder / name
    path.write_text(text)
    return str(path)


def test_a_text_file_is_a_url_a_line(tmp_path: Path) -> None:
    found = read_url_list(
        write(tmp_path, "urls.txt", "\ufeff# gate\n\n https://a.example/x.mp4 \r\nhttps://a.example/y.mp4#t=3\n")
    )
    assert [(listed.url.shown, listed.place, listed.name) for listed in found.urls] == [
        ("https://a.example/x.mp4", "urls.txt:3", "x.mp4"),
        ("https://a.example/y.mp4", "urls.txt:4", "y.mp4"),
    ]
    assert not found.problems


def test_a_table_gives_day_name_and_tags(tmp_path: Path) -> None:
    found = read_url_list(
        write(
            tmp_path,
            "urls.csv",
            'url, day, name, tags\nhttps://a.example/x.mp4,2026-02-01,Gate,north; night\n,,,\n"https://a.example/y.mp4"\n',
        )
    )
    first, second = found.urls
    assert (first.day, first.name, first.tags, first.place) == (
        date(2026, 2, 1),
        "Gate",
        ("north", "night"),
        "urls.csv:2",
    )
    assert (second.day, second.name, second.tags, second.place) == (None, "y.mp4", (), "urls.csv:4")


def test_json_lines_give_the_same(tmp_path: Path) -> None:
    found = read_url_list(
        write(
            tmp_path,
            "urls.jsonl",
            '{"url": "https://a.example/x.mp4", "day": "2026-02-01", "name": "Gate", "tags": ["north", "night"]}\n\n'
            '{"url": "https://a.example/y.mp4"}\n',
        )
    )
    first, second = found.urls
    assert (first.day, first.name, first.tags) == (date(2026, 2, 1), "Gate", ("north", "night"))
    assert second.place == "urls.jsonl:3"


BAD_LINES = {
    "no address": ("urls.txt", "clip.mp4", "no web address"),
    "a password": ("urls.txt", "https://u:hunter22@a.example/x.mp4", "user name or a password"),
    "no JSON": ("urls.jsonl", "{url: x}", "no JSON object"),
    "a JSON list": ("urls.jsonl", "[1]", "no JSON object"),
    "no url": ("urls.jsonl", '{"name": "x"}', "has no url"),
    "an unknown key": ("urls.jsonl", '{"url": "https://a.example/x.mp4", "dey": 1}', "'dey'"),
    "an impossible day": ("urls.jsonl", '{"url": "https://a.example/x.mp4", "day": "2026-02-30"}', "2026-02-30"),
    "tags that are no list": ("urls.jsonl", '{"url": "https://a.example/x.mp4", "tags": "a"}', "list of texts"),
    "a tag of ours": ("urls.jsonl", '{"url": "https://a.example/x.mp4", "tags": ["day:x"]}', "are ours"),
    "a name that is a number": ("urls.jsonl", '{"url": "https://a.example/x.mp4", "name": 3}', "no text"),
}


@pytest.mark.parametrize("mistake", BAD_LINES)
def test_a_bad_line_is_told_with_its_place_and_stops_no_other(tmp_path: Path, mistake: str) -> None:
    name, line, said = BAD_LINES[mistake]
    good = "https://a.example/good.mp4" if name.endswith("txt") else '{"url": "https://a.example/good.mp4"}'
    found = read_url_list(write(tmp_path, name, f"{line}\n{good}\n"))
    assert [listed.name for listed in found.urls] == ["good.mp4"]
    (problem,) = found.problems
    assert problem.place == f"{name}:1"
    assert said in problem.reason
    assert "hunter22" not in problem.reason


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("urls.csv", "link\nhttps://a.example/x.mp4\n", "the column 'link'"),
        ("urls.csv", "", "no column `url`"),
        ("urls.csv", "url,colour\nhttps://a.example/x.mp4,red\n", "the column 'colour'"),
    ],
)
def test_a_table_with_other_columns_is_refused_as_a_whole(tmp_path: Path, name: str, text: str, said: str) -> None:
    with pytest.raises(SourceUnavailable, match=said):
        read_url_list(write(tmp_path, name, text))


def test_a_list_that_is_not_there_or_no_text_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceUnavailable, match=r"does not exist; create it or correct `source.urls`"):
        read_url_list(str(tmp_path / "urls.txt"))
    (tmp_path / "urls.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(SourceUnavailable, match="not UTF-8"):
        read_url_list(str(tmp_path / "urls.txt"))


def test_of_lines_with_one_address_the_first_counts(tmp_path: Path) -> None:
    found = read_url_list(
        write(
            tmp_path,
            "urls.csv",
            "url,name\nhttps://a.example/x.mp4?X-Amz-Signature=1,first\nhttps://a.example/x.mp4?X-Amz-Signature=2,second\n",
        )
    )
    assert [listed.name for listed in found.urls] == ["first"]
    assert found.repeated == 1


@pytest.mark.parametrize(
    ("line", "partition_by", "day"),
    [
        ('{"url": "https://a.example/x.mp4", "day": "2026-01-02"}', "arrival", date(2026, 1, 2)),
        ('{"url": "https://a.example/2026/01/03/x.mp4"}', "%Y/%m/%d", date(2026, 1, 3)),
        ('{"url": "https://a.example/2026/01/03/x.mp4", "day": "2026-01-02"}', "%Y/%m/%d", date(2026, 1, 2)),
        ('{"url": "https://a.example/x.mp4?at=2026/01/03"}', "%Y/%m/%d", NOW.date()),
        ('{"url": "https://a.example/x.mp4"}', "modified", NOW.date()),
        ('{"url": "https://a.example/x.mp4", "day": "2030-01-01"}', "arrival", NOW.date()),
    ],
)
def test_a_day_comes_from_the_line_the_path_or_the_arrival(
    tmp_path: Path, line: str, partition_by: str, day: date
) -> None:
    (listed,) = read_url_list(write(tmp_path, "urls.jsonl", line)).urls
    assert day_of_url(listed, partition_by=partition_by, seen_at=NOW) == day


@given(text=st.text(max_size=400), name=st.sampled_from(("urls.txt", "urls.csv", "urls.jsonl")))
def test_no_text_breaks_the_reading(tmp_path_factory: pytest.TempPathFactory, text: str, name: str) -> None:
    folder = tmp_path_factory.getbasetemp() / "lists"
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text(text, encoding="utf-8", errors="replace")
    try:
        found = read_url_list(str(path))
    except SourceUnavailable:
        return
    assert len({listed.url.identity for listed in found.urls}) == len(found.urls)
