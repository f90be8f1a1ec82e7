from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import duckdb
import filelock
import pytest

from tests.report.report_reading import missing_files, shown_build, shown_data
from tests.sample_warehouse import HITS, VIDEOS, Hit, SampleWarehouse, make_sample_warehouse
from visualsearch_pipeline.report import ReportBusyError, ReportDestinationError, write_report
from visualsearch_pipeline.warehouse import NotPublishedError


def write(sample: SampleWarehouse, destination: Path, **options: Any) -> Any:
    return write_report(sample.database_path, destination, archive_root=str(sample.archive), **options)


def test_report_shows_every_hit_of_what_is_asked_today_and_none_of_what_was(
    sample: SampleWarehouse, tmp_path: Path
) -> None:
    report = write(sample, tmp_path / "report")
    hits, media = shown_data(tmp_path / "report", "hits"), shown_data(tmp_path / "report", "media")
    queries = shown_data(tmp_path / "report", "overview")["queries"]
    shown = {
        (f"{queries[query]['set']}.{queries[query]['id']}", media["name"][medium], start, end, score, text)
        for query, medium, start, end, score, text in zip(
            *(hits[name] for name in ("query", "medium", "start", "end", "score", "text")), strict=True
        )
    }
    assert shown == {(hit.query, sample.video(hit.video).name, hit.start, hit.end, hit.score, hit.text) for hit in HITS}
    assert (report.hits, report.hits_total, report.pictures) == (10, 10, 10)
    assert report.path == tmp_path / "report" / "index.html"
    assert missing_files(tmp_path / "report") == []


def test_the_same_hits_again_leave_every_file_untouched(sample: SampleWarehouse, tmp_path: Path) -> None:
    assert write(sample, tmp_path / "report").changed
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "report").rglob("*") if path.is_file()}
    assert not write(sample, tmp_path / "report").changed
    after = {path: path.stat().st_mtime_ns for path in (tmp_path / "report").rglob("*") if path.is_file()}
    assert after == before


def test_what_nothing_shows_any_more_is_removed_and_files_of_others_stay(
    sample: SampleWarehouse, tmp_path: Path
) -> None:
    report = tmp_path / "report"
    write(sample, report, title="first")
    first = shown_build(report)
    (report / "notes.txt").write_text("mine")
    (report / "build-mine").mkdir()
    (report / ".build-0123456789abcdef.1.aa.part").mkdir()
    (report / "pictures" / f"{'0' * 32}.jpg").write_bytes(b"of a hit that is gone")
    with_one_hit = make_sample_warehouse(tmp_path / "second", hits=HITS[:1])
    write(with_one_hit, report)
    second = shown_build(report)
    assert first.is_dir(), "someone may have opened the page just before"
    assert len(list((report / "pictures").iterdir())) == 1
    write(sample, report, max_hits=2)
    left = {path.name for path in report.iterdir()}
    assert left == {
        "index.html",
        "pictures",
        ".report.lock",
        "notes.txt",
        "build-mine",
        second.name,
        shown_build(report).name,
    }


def test_each_query_gets_its_share_when_there_are_too_many_hits(sample: SampleWarehouse, tmp_path: Path) -> None:
    report = write(sample, tmp_path / "report", max_hits=5)
    assert (report.hits, report.hits_total) == (5, 10)
    hits = shown_data(tmp_path / "report", "hits")
    queries = shown_data(tmp_path / "report", "overview")["queries"]
    shown = [(queries[query]["id"], score) for query, score in zip(hits["query"], hits["score"], strict=True)]
    assert sorted(shown, key=str) == [
        ("logo", 0.98),
        ("red_shirt", 0.86),
        ("red_truck", 0.91),
        ("says_warranty", None),
        ("says_warranty", None),
    ]


def test_a_page_of_someone_else_is_not_overwritten(sample: SampleWarehouse, tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text("<h1>My home page</h1>")
    with pytest.raises(ReportDestinationError, match=r"index\.html is there and is not a report"):
        write(sample, tmp_path)
    assert (tmp_path / "index.html").read_text() == "<h1>My home page</h1>"


def test_a_file_where_the_folder_should_be_is_named_in_the_message(sample: SampleWarehouse, tmp_path: Path) -> None:
    (tmp_path / "report").write_text("a file")
    with pytest.raises(ReportDestinationError, match=r"cannot write the report .*report: File exists"):
        write(sample, tmp_path / "report")


def test_nothing_published_yet_leaves_no_folder_behind(tmp_path: Path) -> None:
    with pytest.raises(NotPublishedError, match="visualsearch run"):
        write_report(tmp_path / "none.duckdb", tmp_path / "report", archive_root=None)
    assert not (tmp_path / "report").exists()


def test_two_writers_do_not_mix(sample: SampleWarehouse, tmp_path: Path) -> None:
    (tmp_path / "report").mkdir()
    with filelock.FileLock(tmp_path / "report" / ".report.lock"), pytest.raises(ReportBusyError, match="wait for it"):
        write(sample, tmp_path / "report", lock_timeout_seconds=0.01)


def test_spend_coverage_failures_and_changes_are_those_of_the_tables(sample: SampleWarehouse, tmp_path: Path) -> None:
    write(sample, tmp_path)
    spend = shown_data(tmp_path, "spend")
    uploads = [row for row in spend if row["operation"] == "upload"]
    assert [(row["day"], row["calls"], row["usd"]) for row in uploads] == [
        ("2026-03-02", 2, 0.3),
        ("2026-03-03", 2, 0.3),
        ("2026-03-04", 2, 0.3),
    ]
    assert sum(row["usd"] for row in spend) == pytest.approx(0.9203)
    assert shown_data(tmp_path, "coverage") == [
        {"day": "2026-03-02", "videos": 2, "pairs": 8, "searched": 8},
        {"day": "2026-03-03", "videos": 2, "pairs": 8, "searched": 8},
        {"day": "2026-03-04", "videos": 1, "pairs": 4, "searched": 4},
        {"day": "2026-03-05", "videos": 1, "pairs": 4, "searched": 0},
    ]
    overview = shown_data(tmp_path, "overview")
    coverage = [
        (query["id"], query["searched"], query["to_search"], query["truncated"]) for query in overview["queries"]
    ]
    assert coverage == [
        ("says_warranty", 5, 6, 0),
        ("logo", 5, 6, 1),
        ("red_shirt", 5, 6, 0),
        ("red_truck", 5, 6, 0),
    ]
    assert [failure["subject"] for failure in overview["failures"]] == ["/footage/broken upload.mp4"]
    changes = shown_data(tmp_path, "changes")
    assert [(row["query"], row["change"], row["name"], row["start"]) for row in changes] == [
        ("red_truck", "gone", "dock.mp4", 7.0),
        ("red_truck", "new", "shop floor.mp4", 2.5),
    ]
    hits = shown_data(tmp_path, "hits")
    assert [start for start, new in zip(hits["start"], hits["new"], strict=True) if new] == [2.5]


def test_a_query_within_some_videos_is_whole_when_those_are_searched(sample: SampleWarehouse, tmp_path: Path) -> None:
    other = tmp_path / "other.duckdb"
    shutil.copyfile(sample.database_path, other)
    with duckdb.connect(str(other)) as connection:
        within = json.dumps({"within": [VIDEOS[0].video_no, VIDEOS[3].video_no]})
        connection.execute("UPDATE queries SET definition = ? WHERE query_id = 'red_shirt'", [within])
        connection.execute(
            "DELETE FROM coverage WHERE query_id = 'red_shirt' AND video_no NOT IN (?, ?)",
            [VIDEOS[0].video_no, VIDEOS[3].video_no],
        )
    write_report(other, tmp_path / "report", archive_root=None)
    queries = {query["id"]: query for query in shown_data(tmp_path / "report", "overview")["queries"]}
    assert (queries["red_shirt"]["searched"], queries["red_shirt"]["to_search"]) == (2, 2)


def test_a_database_of_an_earlier_version_has_a_report_without_changes(sample: SampleWarehouse, tmp_path: Path) -> None:
    older = tmp_path / "older.duckdb"
    shutil.copyfile(sample.database_path, older)
    with duckdb.connect(str(older)) as connection:
        connection.execute("DROP TABLE hit_changes")
        connection.execute("DROP MACRO TABLE coverage_gaps")
    write_report(older, tmp_path / "report", archive_root=None)
    coverage = shown_data(tmp_path / "report", "coverage")
    assert [(day["pairs"], day["searched"]) for day in coverage] == [(8, 8), (8, 8), (4, 4), (4, 0)]
    assert shown_data(tmp_path / "report", "changes") is None
    assert 'id="tab-changes"' not in (tmp_path / "report" / "index.html").read_text()


def test_an_empty_warehouse_has_a_report(tmp_path: Path) -> None:
    empty = make_sample_warehouse(tmp_path / "empty", videos=(), hits=(), media=False)
    report = write(empty, tmp_path / "report")
    assert (report.hits, report.pictures) == (0, 0)
    assert "0 hits of" in report.path.read_text()


@pytest.mark.soak
def test_killed_before_any_step_the_earlier_report_or_the_new_one_stands(
    sample: SampleWarehouse, tmp_path: Path
) -> None:
    standing = tmp_path / "standing"
    other = Hit("street.red_truck", 3, 0.0, 1.0, 0.5)
    earlier = make_sample_warehouse(tmp_path / "earlier", hits=(*HITS[:2], other))
    write(earlier, standing)
    new = tmp_path / "new"
    write(sample, new)
    (tmp_path / "trials").mkdir()
    arguments = [str(sample.database_path), str(sample.archive), str(standing), str(tmp_path / "trials")]
    command = [sys.executable, str(Path(__file__).with_name("killed_writer.py")), *arguments]
    finished = subprocess.run(command, capture_output=True, text=True, timeout=200, check=True)
    trials = [json.loads(line) for line in finished.stdout.splitlines()]
    assert trials[-1]["code"] == 0, finished.stderr
    assert {trial["code"] for trial in trials[:-1]} == {-9}
    assert len(trials) > 20
    seen = set()
    for trial in trials:
        folder = Path(trial["folder"])
        hits = shown_data(folder, "hits")["start"]
        seen.add(len(hits))
        assert hits == shown_data(standing if len(hits) == 3 else new, "hits")["start"]
        assert missing_files(folder) == []
    assert seen == {3, 10}
    # Whatever the killed ones left is cleaned up by the next.
    last_killed = Path(trials[len(trials) // 2]["folder"])
    write(sample, last_killed)
    assert not list(last_killed.glob(".*.part"))
    assert shown_data(last_killed, "hits") == shown_data(new, "hits")
    assert missing_files(last_killed) == []


FULL_DISK = """
import resource, sys
from pathlib import Path
from visualsearch_pipeline.report import ReportDestinationError, write_report
resource.setrlimit(resource.RLIMIT_FSIZE, (30_000, 30_000))
try:
    write_report(Path(sys.argv[1]), Path(sys.argv[2]), archive_root=None, title="another")
except ReportDestinationError as error:
    print(error)
"""


def test_a_disk_that_takes_no_more_leaves_the_earlier_report(sample: SampleWarehouse, tmp_path: Path) -> None:
    earlier = make_sample_warehouse(tmp_path / "earlier", hits=HITS[:2])
    write(earlier, tmp_path / "report")
    command = [sys.executable, "-c", FULL_DISK, str(sample.database_path), str(tmp_path / "report")]
    finished = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    # The page's libraries are larger than any file may be; some of the build was written before them.
    assert "cannot write the report" in finished.stdout
    assert "The earlier report, if any, stands; make room" in finished.stdout
    assert len(shown_data(tmp_path / "report", "hits")["start"]) == 2
    assert missing_files(tmp_path / "report") == []
    assert not list((tmp_path / "report").glob(".*.part"))
