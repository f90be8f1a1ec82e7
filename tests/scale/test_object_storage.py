"""Source, warehouse and archive in an object store: the same tables, nothing seen before it is whole."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import boto3
import pytest

from tests.published_tables import contents
from tests.s3_server import S3Server
from visualsearch_pipeline.analysts import open_warehouse
from visualsearch_pipeline.pipeline.archive import archive
from visualsearch_pipeline.pipeline.publish import publish
from visualsearch_pipeline.warehouse import NotPublishedError, query

if TYPE_CHECKING:
    from tests.conftest import MakeProject, Project


def move_to(s3: S3Server, project: Project) -> None:
    """Let all that a project shares with others lie in the store."""
    footage = s3.make_bucket("footage")
    client = boto3.client("s3")
    for path in sorted(project.footage.iterdir()):
        client.upload_file(str(path), "footage", path.name)
    s3.make_bucket("tables")
    project.configure(
        source={"path": footage}, warehouse="s3://tables/warehouse", archive={"path": "s3://tables/archive"}
    )


def test_a_run_over_an_object_store_makes_the_same_tables(make_project: MakeProject, s3: S3Server) -> None:
    alone, project = make_project(), make_project()
    # Today is the day on which an object is written.
    for path in alone.footage.iterdir():
        alone.touch(path, days_ago=0)
    move_to(s3, project)
    alone.run_steps()
    project.run_steps()
    assert contents(project) == contents(alone)
    keys = s3.keys("tables")
    assert "warehouse/visualsearch.duckdb" in keys
    day = project.today.isoformat()
    assert f"warehouse/hits/query_set=street/day={day}/hits.parquet" in keys
    assert sum(key.startswith(f"archive/videos/{day}/") for key in keys) == 2
    assert not [key for key in keys if ".part" in key or key.rpartition("/")[2].startswith(".")]
    assert s3.unfinished_uploads("tables") == []
    assert not (project.root / "state" / "warehouse").exists()
    assert not (project.root / "state" / "archive").exists()


@pytest.mark.soak
def test_nothing_is_made_twice_and_what_was_removed_comes_back(make_project: MakeProject, s3: S3Server) -> None:
    project = make_project(clips=("red",))
    move_to(s3, project)
    project.run_steps()
    mark, before = project.mark(), s3.keys("tables")
    project.run_steps()
    assert project.billable_calls(since=mark) == []
    assert s3.keys("tables") == before
    (original,) = [key for key in before if key.startswith("archive/videos/")]
    boto3.client("s3").delete_object(Bucket="tables", Key=original)
    with project.pipeline() as pipeline:
        assert archive(pipeline).videos == 1
    assert s3.keys("tables") == before


@pytest.mark.soak
def test_readers_get_what_is_published_now_and_fetch_it_once(
    make_project: MakeProject, s3: S3Server, tmp_path: Path
) -> None:
    project = make_project(clips=("red",))
    move_to(s3, project)
    location = "s3://tables/warehouse/visualsearch.duckdb"
    with pytest.raises(NotPublishedError, match=f"nothing is published at {location}"):
        query(location, "FROM hits")
    project.run_steps()
    with open_warehouse(location) as first:
        before = first.sql("SELECT count(*) FROM queries").to_pandas()
        (copy,) = (tmp_path / "cache").rglob("*.duckdb")
        inode = copy.stat().st_ino
        query(location, "FROM hits")
        assert [path.stat().st_ino for path in (tmp_path / "cache").rglob("*.duckdb")] == [inode]
        project.write_queries("other", "queries: [{id: blue, text: blue}]")
        project.run_steps()
        assert query(location, "SELECT count(*) FROM queries").rows == ((5,),)
        after = first.sql("SELECT count(*) FROM queries").to_pandas()
        assert after.equals(before), "an open connection reads on"
    snapshots = [key for key in s3.keys("tables") if key.startswith("warehouse/snapshots/")]
    assert len(snapshots) == 1
    assert query(f"s3://tables/{snapshots[0]}", "SELECT count(*) FROM queries").rows == ((4,),)


@pytest.mark.soak
def test_another_machine_goes_on_from_what_is_published(
    make_project: MakeProject, s3: S3Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = make_project(clips=("red",))
    move_to(s3, project)
    project.run_steps()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "another machine's cache"))
    before = s3.keys("tables")
    with project.pipeline() as pipeline:
        assert not publish(pipeline).changed
        assert s3.keys("tables") == before
        pipeline.ledger.failures.record("hits", subject="a", day=None, reason="b", retryable=True, at=pipeline.now())
        made = publish(pipeline)
    assert made.changed
    assert not made.rebuilt, "brought up to date, from what the first machine published"
    assert project.sql("SELECT subject FROM failures") == [("a",)]
