"""Bringing a day's image hits and public hits together: what was asked anew replaces, all else stays."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from visualsearch_pipeline.warehouse import (
    TABLES,
    AskedQuery,
    ParquetStore,
    SchemaMismatchError,
    SearchedImage,
    merge_image_hits,
    merge_public_hits,
)

MakeTable = Callable[..., pa.Table]
DAY = date(2026, 1, 31)

PAIRS = st.dictionaries(
    st.tuples(st.sampled_from(["a", "b"]), st.sampled_from(["1", "2", "3", "4"])), st.integers(0, 100), max_size=8
)


def found_of(make_table: MakeTable, table: str, hits: dict[tuple[str, str], int]) -> pa.Table:
    key = "image_id" if table == "image_hits" else "video_no"
    rows = [
        {"query_set": "street", "query_id": query, "query_version": "v", "day": DAY, key: place, "score": score / 100}
        for (query, place), score in hits.items()
    ]
    return make_table(table, *rows)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(before=PAIRS, now=PAIRS, also_asked=st.sets(st.tuples(st.sampled_from("ab"), st.sampled_from("1234"))))
def test_answers_given_anew_replace_the_earlier_ones_and_all_others_stay(
    make_table: MakeTable,
    before: dict[tuple[str, str], int],
    now: dict[tuple[str, str], int],
    also_asked: set[tuple[str, str]],
) -> None:
    searched = set(now) | also_asked
    existing = found_of(make_table, "image_hits", before)
    found = found_of(make_table, "image_hits", now).drop_columns("rank")

    pairs = [SearchedImage(query, "v", image) for query, image in searched]
    merged = merge_image_hits(existing, found, searched=pairs)

    expected = {pair: score for pair, score in before.items() if pair not in searched} | now
    rows = merged.to_pylist()
    assert {(row["query_id"], row["image_id"]): round(row["score"] * 100) for row in rows} == expected
    assert len(rows) == len(expected)
    for query in "ab":
        ranked = [row for row in rows if row["query_id"] == query]
        assert [row["rank"] for row in ranked] == list(range(1, len(ranked) + 1))
        scores = [row["score"] for row in ranked]
        assert scores == sorted(scores, reverse=True)


def test_a_public_question_is_answered_as_a_whole(make_table: MakeTable) -> None:
    existing = found_of(make_table, "public_hits", {("a", "1"): 90, ("a", "2"): 80, ("b", "1"): 70})
    found = found_of(make_table, "public_hits", {("a", "3"): 60}).drop_columns("rank")

    merged = merge_public_hits(existing, found, asked=[AskedQuery("a", "v")])

    assert [(row["query_id"], row["video_no"], row["rank"]) for row in merged.to_pylist()] == [
        ("a", "3", 1),
        ("b", "1", 1),
    ]


@pytest.mark.parametrize("most", [1, 2])
def test_only_the_best_are_kept_of_a_query_that_says_so(make_table: MakeTable, most: int) -> None:
    found = found_of(make_table, "image_hits", {("a", "1"): 10, ("a", "2"): 30, ("a", "3"): 20, ("b", "1"): 5})
    searched = [SearchedImage("a", "v", image) for image in "123"]

    merged = merge_image_hits(
        TABLES["image_hits"].empty(), found.drop_columns("rank"), searched=searched, top_k={("a", "v"): most}
    )

    assert [row["image_id"] for row in merged.to_pylist()] == [*["2", "3"][:most], "1"]


def test_the_same_match_twice_is_one_with_its_best_score(make_table: MakeTable) -> None:
    row = {"query_set": "street", "query_id": "a", "query_version": "v", "day": DAY, "video_no": "1"}
    found = make_table("public_hits", {**row, "score": 0.2}, {**row, "score": 0.4}, {**row, "start_seconds": 3.0})

    merged = merge_public_hits(
        TABLES["public_hits"].empty(), found.drop_columns("rank"), asked=[AskedQuery("a", "v")]
    ).to_pylist()

    assert [(hit["start_seconds"], hit["score"]) for hit in merged] == [(None, 0.4), (3.0, None)]


def test_what_is_merged_is_what_a_file_takes(make_table: MakeTable, store: ParquetStore) -> None:
    found = found_of(make_table, "image_hits", {("a", "1"): 10}).drop_columns("rank")
    merged = merge_image_hits(TABLES["image_hits"].empty(), found, searched=[SearchedImage("a", "v", "1")])

    store.write_part("image_hits", merged, query_set="street", day=DAY)

    assert store.read_part("image_hits", query_set="street", day=DAY).equals(merged)
    with pytest.raises(SchemaMismatchError):
        merge_image_hits(TABLES["image_hits"].empty(), found.drop_columns("score"), searched=[])
