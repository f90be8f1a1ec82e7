from __future__ import annotations

from datetime import UTC, date, datetime

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from visualsearch_pipeline.warehouse import TABLES, SearchedPair, merge_hits

DAY = date(2026, 1, 31)
NOON = datetime(2026, 2, 1, 12, tzinfo=UTC)
Key = tuple[str, str, float | None, str | None]


def rows(hits: list[tuple[str, str, float | None, str | None, float | None]]) -> pa.Table:
    """Hits given as query, video, start, text, score."""
    schema = TABLES["hits"].arrow_schema
    empty = dict.fromkeys(schema.names)
    return pa.Table.from_pylist(
        [
            empty
            | {
                "query_set": "street",
                "query_id": query_id,
                "query_version": f"version of {query_id}",
                "day": DAY,
                "video_no": video_no,
                "start_seconds": start,
                "text": text,
                "score": score,
                "rank": 0,
                "searched_at": NOON,
            }
            for query_id, video_no, start, text, score in hits
        ],
        schema=schema,
    )


def pair(query_id: str, video_no: str) -> SearchedPair:
    return SearchedPair(query_id, f"version of {query_id}", video_no)


a_hit = st.tuples(
    st.sampled_from(["dog", "cat"]),
    st.sampled_from(["VI1", "VI2", "VI3"]),
    st.sampled_from([None, 0.0, 1.5]),
    st.sampled_from([None, "woof"]),
    st.none() | st.floats(0, 1),
)


@settings(max_examples=60, deadline=None)
@given(st.lists(a_hit, max_size=20), st.lists(a_hit, max_size=20))
def test_asked_pairs_are_replaced_and_all_others_stay(
    before: list[tuple[str, str, float | None, str | None, float | None]],
    found: list[tuple[str, str, float | None, str | None, float | None]],
) -> None:
    asked = {(hit[0], hit[1]) for hit in found} | {("dog", "VI1")}
    existing = merge_hits(rows([]), rows(before), searched=[])

    merged = merge_hits(existing, rows(found), searched=[pair(*key) for key in asked])

    best: dict[Key, float | None] = {}
    for query_id, video_no, start, text, score in [*(hit for hit in before if (hit[0], hit[1]) not in asked), *found]:
        known = best.get((query_id, video_no, start, text))
        best[query_id, video_no, start, text] = score if known is None else max(known, score or 0.0)
    merged_rows = merged.to_pylist()
    assert {
        (row["query_id"], row["video_no"], row["start_seconds"], row["text"]): row["score"] for row in merged_rows
    } == best
    assert len(merged_rows) == len(best)
    for query_id in ("dog", "cat"):
        ranked = sorted((row for row in merged_rows if row["query_id"] == query_id), key=lambda row: row["rank"])
        scores = [-1.0 if row["score"] is None else row["score"] for row in ranked]
        assert [row["rank"] for row in ranked] == list(range(1, len(ranked) + 1))
        assert scores == sorted(scores, reverse=True)


def test_the_same_search_again_gives_the_same_table() -> None:
    found = rows([("dog", "VI1", 0.0, None, 0.5), ("dog", "VI1", 3.0, None, 0.5), ("cat", "VI1", 0.0, None, None)])
    searched = [pair("dog", "VI1"), pair("cat", "VI1")]
    once = merge_hits(rows([]), found, searched=searched)

    assert merge_hits(once, found.drop_columns(["rank"]), searched=searched).equals(once)


def test_a_pair_that_has_no_hits_any_more_loses_its_earlier_ones() -> None:
    before = merge_hits(rows([]), rows([("dog", "VI1", 0.0, None, 0.5), ("dog", "VI2", 0.0, None, 0.4)]), searched=[])

    merged = merge_hits(before, rows([]), searched=[pair("dog", "VI1")])

    assert [(row["video_no"], row["rank"]) for row in merged.to_pylist()] == [("VI2", 1)]
