"""What reaches the tables when something changed: news, hits that were lost, and only the parts concerned."""

from __future__ import annotations

import shutil
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from visualsearch_pipeline.pipeline.ledger_export import export_growing_tables
from visualsearch_pipeline.pipeline.lost_hits import forget_lost_hits
from visualsearch_pipeline.pipeline.publish import publish
from visualsearch_pipeline.pipeline.search import register_queries, search

if TYPE_CHECKING:
    from tests.conftest import MakeProject, Project

RED = "queries:\n  - {id: red, text: red, filtering_level: low}\n"
HITS = "SELECT query_id, media_uri, start_seconds, end_seconds, score, text FROM street ORDER BY ALL"
CHANGES = "SELECT query_id, media_uri, change, start_seconds, previous_start_seconds FROM hit_changes ORDER BY ALL"


def test_the_first_run_raises_no_alarm_and_footage_that_arrives_later_does(project: Project) -> None:
    project.run_steps()
    assert project.sql(HITS)
    assert project.sql(CHANGES) == []

    arrived = project.add_clip("red-2", "second.mp4", days_ago=2)
    project.run_steps(run_id="the second run")

    news = project.sql("SELECT DISTINCT media_uri, change, run_id FROM hit_changes")
    assert news == [(f"file://{arrived}", "new", "the second run")]
    counted = "SELECT query_id, count(*) FROM {} WHERE media_uri LIKE '%/second.mp4' GROUP BY ALL ORDER BY ALL"
    assert project.sql(counted.format("hit_changes")) == project.sql(counted.format("street"))


def test_a_new_query_over_old_footage_raises_no_alarm(project: Project) -> None:
    project.run_steps()
    project.write_queries("street", RED + "  - {id: blue, text: blue, filtering_level: low}\n")
    project.run_steps()

    assert project.sql("SELECT count(*) > 0 FROM street WHERE query_id = 'blue'") == [(True,)]
    assert project.sql(CHANGES) == []


def test_a_question_that_asks_for_something_else_says_what_is_gone_and_what_is_new(project: Project) -> None:
    project.write_queries("street", RED)
    project.run_steps()
    found = {row[1] for row in project.sql(HITS)}

    project.write_queries("street", RED.replace("text: red", "text: blue"))
    project.run_steps()

    now = {row[1] for row in project.sql(HITS)}
    assert found != now
    changes = project.sql("SELECT DISTINCT change, media_uri FROM hit_changes ORDER BY ALL")
    assert {uri for change, uri in changes if change == "gone"} == found - now
    assert {uri for change, uri in changes if change == "new"} == now - found
    assert project.sql("SELECT bool_and(previous_query_version <> query_version) FROM hit_changes") == [(True,)]


def test_asking_again_what_the_service_answers_alike_changes_nothing(project: Project) -> None:
    project.run_steps()
    before = project.sql(HITS)
    with project.pipeline() as pipeline:
        (street,) = pipeline.catalog.sets
        report = search(pipeline, street, days=[project.today - timedelta(days=1)], force=True)
        publish(pipeline)

    assert report.pairs > 0
    assert project.sql(HITS) == before
    assert project.sql(CHANGES) == []


def test_hits_whose_file_was_deleted_are_noticed_asked_again_and_not_called_new(project: Project) -> None:
    project.run()
    before, coverage = project.sql(HITS), project.sql("SELECT query_id, video_no, hits FROM coverage ORDER BY ALL")
    lost = [(query_id, video_no) for query_id, video_no, hits in coverage if hits]
    (file,) = (Path(project.settings.warehouse_root) / "hits").rglob("hits.parquet")
    file.unlink()
    mark = project.mark()

    status = project.run()

    assert status.is_done
    assert project.sql(HITS) == before
    assert project.sql("SELECT query_id, video_no, hits FROM coverage ORDER BY ALL") == coverage
    assert project.sql(CHANGES) == []
    # The phrase and both kinds of pictures are one call each, however many videos lost their hits.
    searches = [operation for operation in project.billable_calls(since=mark) if operation.startswith("search")]
    assert len(searches) == len({query_id for query_id, _ in lost})
    ((subject, reason, resolved),) = project.sql(
        "SELECT subject, reason, resolved_at IS NOT NULL FROM failures WHERE step = 'hits'"
    )
    assert subject == f"street/{project.today - timedelta(days=1)}"
    assert f"the file of {len(before)} hits is gone" in reason
    assert resolved


def test_answers_without_hits_lose_nothing_with_their_file(make_project: MakeProject) -> None:
    project = make_project(clips=["blue"])
    project.write_queries("street", "queries:\n  - {id: says, transcript: warranty}\n")
    project.run_steps()
    shutil.rmtree(Path(project.settings.warehouse_root) / "hits")

    with project.pipeline() as pipeline:
        assert forget_lost_hits(pipeline) == 0
        publish(pipeline)

    assert project.sql("SELECT hits FROM coverage") == [(0,)]
    assert project.sql("SELECT count(*) FROM failures WHERE step = 'hits'") == [(0,)]


def test_only_the_parts_that_changed_are_written(make_project: MakeProject) -> None:
    project = make_project(clips=[])
    project.write_queries("street", RED)
    for take, name in enumerate(("red", "red-2", "blue"), start=1):
        project.add_clip(name, days_ago=take)
    project.run_steps()

    def written() -> dict[str, int]:
        folders = (Path(project.settings.warehouse_root) / table for table in ("coverage", "api_calls"))
        return {str(path): path.stat().st_mtime_ns for folder in folders for path in folder.rglob("*.parquet")}

    before = written()
    assert len([path for path in before if "/coverage/query_set=street/day=" in path]) == 3
    with project.pipeline() as pipeline:
        assert export_growing_tables(pipeline) == 0
        register_queries(pipeline, pipeline.catalog)
        (street,) = pipeline.catalog.sets
        asked_again = project.today - timedelta(days=2)
        search(pipeline, street, days=[asked_again], force=True)
        publication = publish(pipeline)

    changed = {path for path, at in written().items() if before.get(path) != at}
    assert {Path(path).parent.name for path in changed if "/coverage/" in path} == {f"day={asked_again}"}
    assert publication.changed
    assert not publication.rebuilt


@pytest.mark.parametrize("spoiled", ["database", "files", "both"])
def test_whatever_is_lost_of_the_ledgers_tables_is_written_again(project: Project, spoiled: str) -> None:
    project.run_steps()
    tables = {name: _rows(project, name) for name in ("coverage", "api_calls", "videos", "archive")}
    if spoiled in ("files", "both"):
        for name in tables:
            shutil.rmtree(Path(project.settings.warehouse_root) / name)
    if spoiled in ("database", "both"):
        Path(project.settings.database_path).unlink()

    with project.pipeline() as pipeline:
        publish(pipeline)

    assert {name: _rows(project, name) for name in tables} == tables


def test_what_the_ledger_forgot_is_gone_from_the_tables(make_project: MakeProject) -> None:
    project = make_project(clips=["red"])
    project.write_queries("street", RED)
    project.run_steps()
    yesterday = project.today - timedelta(days=1)
    with project.pipeline() as pipeline:
        assert pipeline.ledger.searches.forget_hits("street", day=yesterday) == 1
        publish(pipeline)

    assert project.sql("FROM coverage") == []
    assert not list((Path(project.settings.warehouse_root) / "coverage").rglob("*.parquet"))
    assert project.sql("SELECT query_id FROM coverage_gaps()") == [("red",)]


def test_calls_are_filed_under_the_day_on_which_they_began(project: Project) -> None:
    project.run_steps()

    days: list[Any] = project.sql(
        "SELECT DISTINCT day, (started_at AT TIME ZONE 'UTC')::DATE FROM api_calls ORDER BY ALL"
    )
    assert days
    assert all(isinstance(day, date) and day == began for day, began in days)
    with project.pipeline() as pipeline:
        total = pipeline.ledger.calls.spent_usd()
    assert project.sql("SELECT round(sum(cost_usd), 9) FROM spend_by('day')") == [(round(total, 9),)]


def _rows(project: Project, table: str) -> list[Any]:
    return sorted(project.sql(f"FROM {table}"), key=repr)
