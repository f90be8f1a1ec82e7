"""Killed, cut short or refused: an object store never shows half of anything."""

from __future__ import annotations

import subprocess
import sys
from contextlib import suppress
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.s3_server import S3Server
from tests.scale.test_object_storage import move_to
from visualsearch_pipeline.api import DestinationError
from visualsearch_pipeline.pipeline.archive import archive
from visualsearch_pipeline.pipeline.archive_places import PartObject, open_archive
from visualsearch_pipeline.pipeline.errors import StateProblem
from visualsearch_pipeline.pipeline.publish import publish
from visualsearch_pipeline.sandbox import FaultKind, FaultRule
from visualsearch_pipeline.warehouse import ParquetStore, PublicationError, ReadError, StorageWriteError, query
from visualsearch_pipeline.warehouse import publish as publish_tables
from visualsearch_pipeline.warehouse.object_store import ObjectStore

if TYPE_CHECKING:
    from tests.conftest import MakeProject

ROOT = Path(__file__).parents[2]
LOCATION = "s3://tables/warehouse/visualsearch.duckdb"
MEBIBYTE = 2**20
DAY = date(2026, 1, 1)


@pytest.fixture
def store(s3: S3Server) -> ObjectStore:
    return ObjectStore(s3.make_bucket("tables"))


def test_an_object_appears_when_it_is_complete_and_not_before(s3: S3Server, store: ObjectStore) -> None:
    content = bytes(range(256)) * 4096 * 60  # 60 MiB: sent in parts
    with PartObject(store, "a/large.mp4") as part:
        for start in range(0, len(content), MEBIBYTE):
            part.write(content[start : start + MEBIBYTE])
        assert s3.unfinished_uploads("tables") == ["a/large.mp4"]
        assert s3.keys("tables") == []
        part.commit()
    assert s3.keys("tables") == ["a/large.mp4"]
    assert s3.unfinished_uploads("tables") == []
    assert store.read("a/large.mp4") == content


@pytest.mark.parametrize("size_bytes", [0, 1, pytest.param(60 * MEBIBYTE, marks=pytest.mark.soak)])
def test_what_is_not_committed_leaves_what_was_there_and_nothing_else(
    s3: S3Server, store: ObjectStore, size_bytes: int
) -> None:
    store.write("kept.mp4", b"before")
    with suppress(ZeroDivisionError), PartObject(store, "kept.mp4") as part:
        part.write(bytes(size_bytes))
        raise ZeroDivisionError
    assert store.read("kept.mp4") == b"before"
    assert s3.keys("tables") == ["kept.mp4"]
    assert s3.unfinished_uploads("tables") == []


def test_an_empty_and_a_small_download_are_kept_too(store: ObjectStore) -> None:
    for content in (b"", b"small"):
        with PartObject(store, "x") as part:
            part.write(content)
            part.commit()
        assert store.read("x") == content


@pytest.mark.soak
def test_a_download_cut_short_leaves_nothing_in_the_archive(make_project: MakeProject, s3: S3Server) -> None:
    project = make_project(clips=("red",))
    move_to(s3, project)
    project.run_steps()
    with project.pipeline() as pipeline:
        (kept,) = pipeline.ledger.fetches.archived("video")
        key = kept.path.removeprefix("s3://tables/")
        ObjectStore("s3://tables").remove(key)
        project.server.faults.add(FaultRule(operation="download", kind=FaultKind.SHORT_BODY, count=None))
        report = archive(pipeline)
        assert (report.videos, report.failed) == (0, 1)
        assert all(fault.fired for fault in project.server.faults.rules())
        assert key not in s3.keys("tables")
        assert s3.unfinished_uploads("tables") == []


def test_a_store_that_refuses_is_told_in_words(s3: S3Server, tmp_path: Path) -> None:
    store = ParquetStore("s3://no-such-bucket/warehouse")
    nothing = store.read_day("captions", DAY)
    with pytest.raises(StorageWriteError, match=r"cannot write s3://no-such-bucket/warehouse/captions.*run again"):
        store.write_day("captions", DAY, nothing)
    with pytest.raises(PublicationError, match=r"cannot publish s3://no-such-bucket/t\.duckdb.*is untouched"):
        publish_tables(ParquetStore(str(tmp_path)), "s3://no-such-bucket/t.duckdb", {}, [])


def test_a_store_that_cannot_be_reached_is_told_in_words(s3: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    s3.make_bucket("tables")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    with pytest.raises(ReadError, match=r"cannot fetch s3://tables/elsewhere\.duckdb.*network, the credentials"):
        query("s3://tables/elsewhere.duckdb", "FROM hits")
    with pytest.raises(StateProblem, match="the archive cannot be looked at"):
        open_archive("s3://tables/archive").sizes_bytes({"s3://tables/archive/videos/x": DAY}, folder="videos")
    with PartObject(ObjectStore("s3://tables"), "a") as part:
        part.write(b"x")
        with pytest.raises(DestinationError, match="Cannot finish the download to s3://tables/a"):
            part.commit()


@pytest.mark.soak
def test_a_publisher_killed_at_any_request_leaves_the_old_tables_or_the_new(
    make_project: MakeProject, s3: S3Server
) -> None:
    project = make_project(clips=("red",))
    move_to(s3, project)
    project.run_steps()
    killed_at: list[str] = []
    failures = 0
    for moment in ("before", "after"):
        for number in range(1, 100):
            with project.pipeline() as pipeline:
                pipeline.ledger.failures.record(
                    "hits", subject=f"{moment} {number}", day=None, reason="a change", retryable=True, at=pipeline.now()
                )
            command = [sys.executable, "-m", "tests.scale.killed_publisher"]
            arguments = [str(project.settings_path), moment, str(number)]
            child = subprocess.run([*command, *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
            ((seen,),) = query(LOCATION, "SELECT count(*) FROM failures").rows
            assert seen in (failures, failures + 1), child.stdout
            with project.pipeline() as pipeline:
                publish(pipeline)
            failures += 1
            assert query(LOCATION, "SELECT count(*) FROM failures").rows == ((failures,),)
            if child.stdout == "finished\n":
                break
            assert child.returncode == -9, child.stderr
            killed_at.append(f"{moment} {child.stdout.split()[0]}")
    assert {"before put_object", "after put_object", "before copy_object", "after copy_object"} <= set(killed_at)
    assert s3.unfinished_uploads("tables") == []
    print(f"{len(killed_at)} moments")  # noqa: T201  the number of cells
