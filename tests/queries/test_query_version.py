"""A comment changes nothing and a word re-runs just that query."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest
from PIL import Image

from visualsearch_pipeline.queries import (
    VideoQuery,
    load_query_set,
    query_definition,
    query_version,
    request_definition,
)
from visualsearch_pipeline.queries.names import RESERVED_SET_NAMES, SQL_KEYWORDS
from visualsearch_pipeline.warehouse import TABLES

WriteSet = Callable[[str, str], Path]

BASE = "queries: [{id: truck, text: a red truck, filtering_level: low, min_score: 0.25, taken_after: 2026-01-31}]"


def versions(write_set: WriteSet, text: str) -> list[str]:
    return [query_version(query) for query in load_query_set(write_set("street.yaml", text)).queries]


@pytest.mark.parametrize(
    "same",
    [
        f"# a comment\ndescription: other\nowner: a@b.example\n{BASE}",
        "queries: [{taken_after: 2026-01-31, min_score: 0.25, filtering_level: low, text: a red truck, id: truck}]",
        BASE.replace("id: truck", "id: lorry, description: Trucks., tags: [vehicles]"),
        BASE.replace("text:", "in: clips, text:"),
        BASE.replace("2026-01-31", "2026-01-31 00:00:00"),
        BASE.replace("2026-01-31", "'2026-01-31T01:00:00+01:00'"),
        BASE.replace("text: a red truck", "text: '  a red truck '"),
    ],
)
def test_what_is_written_around_a_question_does_not_change_its_version(write_set: WriteSet, same: str) -> None:
    assert versions(write_set, same) == versions(write_set, BASE)


@pytest.mark.parametrize(
    "other",
    [
        BASE.replace("red", "blue"),
        BASE.replace("low", "high"),
        BASE.replace("filtering_level: low, ", ""),
        BASE.replace("0.25", "0.26"),
        BASE.replace("01-31", "01-30"),
        BASE.replace("text:", "in: audio, text:"),
        BASE.replace("text:", "tag: gate, text:"),
        BASE.replace("text:", "camera: gate, text:"),
        BASE.replace("text:", "near: {latitude: 1, longitude: 2}, text:"),
        "queries: [{id: truck, transcript: a red truck}]",
    ],
)
def test_what_is_asked_changes_the_version(write_set: WriteSet, other: str) -> None:
    assert versions(write_set, other) != versions(write_set, BASE)


def requests(write_set: WriteSet, text: str) -> list[str]:
    queries = load_query_set(write_set("street.yaml", text)).queries
    return [request_definition(query) for query in queries if isinstance(query, VideoQuery)]


@pytest.mark.parametrize("limits", ["", ", min_score: 0.9", ", top_k: 5", ", min_score: 0.1, top_k: 7"])
def test_what_a_query_keeps_is_no_part_of_its_request(write_set: WriteSet, limits: str) -> None:
    text = f"queries: [{{id: truck, text: a red truck, filtering_level: low{limits}}}]"

    assert [json.loads(request) for request in requests(write_set, text)] == [
        {"kind": "text", "text": "a red truck", "in": "clips", "filtering_level": "low"}
    ]


def test_a_query_that_differs_in_what_is_sent_is_another_request(write_set: WriteSet) -> None:
    other = [BASE.replace("red", "blue"), BASE.replace("low", "high"), BASE.replace("text:", "in: audio, text:")]
    other += [BASE.replace("01-31", "01-30"), BASE.replace("text:", "tag: gate, text:")]

    assert len({request for text in [BASE, *other] for request in requests(write_set, text)}) == 6


def test_a_byte_of_the_image_changes_the_version_and_its_place_does_not(folder: Path, write_set: WriteSet) -> None:
    text = "queries: [{id: logo, image: images/logo.png}]"
    before = versions(write_set, text)
    logo = folder / "images" / "logo.png"
    logo.rename(folder / "moved.png")
    moved = versions(write_set, "queries: [{id: logo, image: moved.png, similarity: 0.85}]")
    Image.new("RGB", (32, 16), (255, 0, 1)).save(logo)

    assert moved == before
    assert versions(write_set, text) != before


def test_a_query_within_the_hits_of_another_changes_with_it(write_set: WriteSet) -> None:
    text = """\
        queries:
          - {id: inside, image: images/logo.png, prompt: the shirt, within: {query: truck}}
          - {id: truck, text: a red truck}
        """
    inside, truck = versions(write_set, text)
    renamed, _ = versions(write_set, text.replace("query: truck", "query: lorry").replace("id: truck", "id: lorry"))
    inside_changed, truck_changed = versions(write_set, text.replace("a red truck", "a blue truck"))

    assert truck != truck_changed
    assert inside != inside_changed
    assert renamed == inside


def test_a_version_is_the_same_on_every_machine_and_in_every_release(write_set: WriteSet) -> None:
    (query,) = load_query_set(write_set("street.yaml", BASE)).queries

    assert json.loads(query_definition(query)) == {
        "kind": "text",
        "text": "a red truck",
        "in": "clips",
        "filtering_level": "low",
        "min_score": 0.25,
        "taken_after": "2026-01-31T00:00:00+00:00",
    }
    assert query_version(query) == "c9610eae05f3f5a9"


def test_no_query_set_can_shadow_a_table_of_the_warehouse_or_a_word_of_sql() -> None:
    with duckdb.connect() as connection:
        connection.execute("SELECT keyword_name FROM duckdb_keywords() WHERE keyword_category = 'reserved'")
        reserved = connection.fetchall()

    assert set(TABLES) <= RESERVED_SET_NAMES
    assert {word for (word,) in reserved} <= SQL_KEYWORDS
