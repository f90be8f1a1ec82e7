"""The views and macros of the published database, on rows whose answers are worked out by hand."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path

import pyarrow as pa
import pytest

from visualsearch_pipeline.warehouse import InvalidSqlError, ParquetStore, publish, query
from visualsearch_pipeline.warehouse.view_specs import ViewSpec
from visualsearch_pipeline.warehouse.views import MACROS, VIEWS, query_set_view

MakeTable = Callable[..., pa.Table]
DAY, NEXT_DAY = date(2026, 1, 31), date(2026, 2, 1)


def hit(
    query_id: str, video_no: str, start: float | None, end: float | None, score: float | None, **more: object
) -> dict[str, object]:
    of_query = {"query_set": "street", "query_id": query_id, "query_version": f"{query_id} 1", "day": DAY}
    return of_query | {"video_no": video_no, "start_seconds": start, "end_seconds": end, "score": score} | more


def a_query(query_id: str, kind: str, asks: str, *, within: object = None, **more: object) -> dict[str, object]:
    definition = json.dumps({"kind": kind, **({"within": within} if within is not None else {})})
    named = {"query_set": "street", "query_id": query_id, "query_version": f"{query_id} 1"}
    return named | {"kind": kind, "asks": asks, "definition": definition, "is_current": True} | more


def a_call(number: int, operation: str, item: str, at: datetime, cost_usd: float, outcome: str) -> dict[str, object]:
    row = {"call_id": str(number), "operation": operation, "item": item, "started_at": at, "day": at.date()}
    return row | {"cost_usd": cost_usd, "outcome": outcome}


@pytest.fixture
def database(tmp_path: Path, store: ParquetStore, make_table: MakeTable) -> Path:
    hits = [
        hit("dog", "VI1", 0, 5, 0.9, text="first", keyframe_bucket="b", keyframe_blob="1.jpg", rank=1),
        hit("dog", "VI1", 3, 8, 0.7, rank=3),
        hit("dog", "VI1", 8, 9, 0.5, rank=5),
        hit("dog", "VI1", 20, 25, 0.6, keyframe_bucket="b", keyframe_blob="2.jpg", rank=4),
        hit("dog", "VI2", None, None, None, text="a", rank=6),
        hit("dog", "VI2", None, None, None, text="b", rank=7),
        hit("dog", "VI2", 0, None, 0.8, keyframe_bucket="b", keyframe_blob="1.jpg", rank=2),
        hit("dog", "VI1", 0, 100, 0.1, query_version="dog 0", rank=1),
        hit("cat", "VI1", 0, 5, 0.3, rank=1),
    ]
    store.write_hits("street", DAY, make_table("hits", *hits))
    videos = [{"video_no": f"VI{number}", "state": "ready", "day": DAY} for number in (1, 2, 3)]
    videos.append({"video_no": "VI4", "state": "indexing", "day": DAY})
    covered = {"query_set": "street", "day": DAY}
    at = datetime(2026, 1, 31, 23, 59, tzinfo=UTC)
    next_day = datetime(2026, 2, 1, 0, 1, tzinfo=UTC)
    calls = [
        ("search", "a dog", at, 0.25, "ok"),
        ("search", "a dog in snow", next_day, 0.25, "ok"),
        ("search_clips_by_image", "the shirt in red in VI2", next_day, 0.5, "Timeout"),
        ("search_clips_by_image", "the shirt in red in VI3", next_day, 0.5, "ok"),
        ("upload", "film.mp4", next_day, 4.0, "ok"),
    ]
    ledger_tables = {
        "videos": make_table("videos", *videos),
        "queries": make_table(
            "queries",
            a_query("dog", "text", "a dog"),
            a_query("dog", "text", "a dog", query_version="dog 0", is_current=False),
            a_query("cat", "text", "a cat"),
            a_query("shirt", "image_in_video", "the shirt in red", within={"query_version": "dog 1"}),
            a_query("listed", "image_in_video", "the other", within=["VI3"]),
        ),
        "coverage": make_table(
            "coverage",
            covered | {"query_id": "dog", "query_version": "dog 1", "video_no": "VI1", "hits": 0},
            covered | {"query_id": "dog", "query_version": "dog 1", "video_no": "VI2", "hits": 1},
            covered | {"query_id": "cat", "query_version": "cat 1", "video_no": "VI1", "hits": 1},
            covered | {"query_id": "cat", "query_version": "cat 0", "video_no": "VI2", "hits": 1},
        ),
        "archive": make_table(
            "archive",
            {"kind": "keyframe", "bucket": "b", "blob": "1.jpg", "path": "/a/1.jpg", "state": "archived"},
            {"kind": "video", "bucket": "b", "blob": "2.jpg", "path": "/a/2.mp4", "state": "archived"},
        ),
        "api_calls": make_table("api_calls", *(a_call(number, *call) for number, call in enumerate(calls))),
    }
    path = tmp_path / "visualsearch.duckdb"
    publish(store, path, ledger_tables, ["street"])
    return path


def test_moments_merge_hits_that_overlap_or_touch_and_leave_the_hits_alone(database: Path) -> None:
    sql = """
        SELECT query_id, query_version, video_no, start_seconds, end_seconds, score, hits, text, keyframe_blob
        FROM moments ORDER BY ALL
    """
    assert query(database, sql).rows == (
        ("cat", "cat 1", "VI1", 0.0, 5.0, 0.3, 1, None, None),
        ("dog", "dog 0", "VI1", 0.0, 100.0, 0.1, 1, None, None),
        ("dog", "dog 1", "VI1", 0.0, 9.0, 0.9, 3, "first", "1.jpg"),
        ("dog", "dog 1", "VI1", 20.0, 25.0, 0.6, 1, None, "2.jpg"),
        ("dog", "dog 1", "VI2", 0.0, 0.0, 0.8, 1, None, "1.jpg"),
        ("dog", "dog 1", "VI2", None, None, None, 1, "a", None),
        ("dog", "dog 1", "VI2", None, None, None, 1, "b", None),
    )
    assert query(database, "SELECT count(*) FROM hits").rows == ((9,),)


def test_keyframes_say_where_they_lie_and_which_are_missing(database: Path) -> None:
    sql = "SELECT video_no, bucket, blob, hits, state, path FROM keyframes ORDER BY ALL"

    assert query(database, sql).rows == (
        ("VI1", "b", "1.jpg", 1, "archived", "/a/1.jpg"),
        ("VI1", "b", "2.jpg", 1, None, None),
        ("VI2", "b", "1.jpg", 1, "archived", "/a/1.jpg"),
    )


def test_hits_of_gives_what_a_query_finds_today_best_first(database: Path) -> None:
    assert query(database, "SELECT score FROM hits_of('dog')").rows[:5] == ((0.9,), (0.8,), (0.7,), (0.6,), (0.5,))
    assert len(query(database, "FROM hits_of('dog')").rows) == 7
    assert query(database, "FROM hits_of('nothing')").rows == ()


def test_top_hits_gives_the_best_of_each_query(database: Path) -> None:
    assert query(database, "SELECT query_id, score FROM top_hits(2)").rows == (("cat", 0.3), ("dog", 0.9), ("dog", 0.8))


def test_coverage_gaps_are_the_ready_videos_that_a_query_concerns_and_was_not_asked_about(database: Path) -> None:
    gaps = query(database, "SELECT query_id, video_no FROM coverage_gaps() ORDER BY ALL").rows

    assert gaps == (
        ("cat", "VI2"),
        ("cat", "VI3"),
        ("dog", "VI3"),
        ("listed", "VI3"),
        # Only the videos that the other query hit.
        ("shirt", "VI2"),
    )


@pytest.mark.parametrize(
    ("what", "expected"),
    [
        ("day", (("2026-02-01", 4, 1, 5.25), ("2026-01-31", 1, 0, 0.25))),
        ("operation", (("upload", 1, 0, 4.0), ("search_clips_by_image", 2, 1, 1.0), ("search", 2, 0, 0.5))),
        ("query", (("street.shirt", 2, 1, 1.0), ("a dog in snow", 1, 0, 0.25), ("street.dog", 1, 0, 0.25))),
    ],
)
def test_spend_is_summed_by_day_operation_or_query(database: Path, what: str, expected: tuple[object, ...]) -> None:
    assert query(database, f"FROM spend_by('{what}')").rows == expected


def test_spend_by_anything_else_says_what_there_is(database: Path) -> None:
    with pytest.raises(InvalidSqlError, match="spend_by takes 'day', 'operation' or 'query'"):
        query(database, "FROM spend_by('weather')")


@pytest.mark.parametrize("view", [*VIEWS, query_set_view("street")], ids=lambda view: view.name)
def test_a_view_has_the_columns_and_types_that_it_promises(database: Path, view: ViewSpec) -> None:
    found = query(database, f"DESCRIBE {view.name}").rows

    assert tuple(row[:2] for row in found) == tuple((column.name, column.sql_type) for column in view.columns)


@pytest.mark.parametrize("macro", MACROS, ids=lambda macro: macro.name)
def test_each_macros_example_works_and_its_comment_is_in_the_database(database: Path, macro: object) -> None:
    name, example, description = (getattr(macro, field) for field in ("name", "example", "description"))
    query(database, example)

    comments = query(database, "SELECT function_name, comment FROM duckdb_functions() WHERE NOT internal").rows
    assert (name, description) in comments
