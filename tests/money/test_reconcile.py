"""Ledger and library disagree: it is noticed, told, and mended only on request."""

from __future__ import annotations

import shutil
from collections import Counter
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from tests.command_line import visualsearch
from visualsearch_pipeline.pipeline.agreement import AgreementReport, agree
from visualsearch_pipeline.pipeline.errors import BudgetExceeded
from visualsearch_pipeline.pipeline.ingest import ingest, look_at_source
from visualsearch_pipeline.pipeline.status import read_status
from visualsearch_pipeline.pipeline.upload import upload
from visualsearch_pipeline.sandbox import SeededVideo, TransitionPlan

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import MakeProject, Project

TABLES = {
    "videos": "SELECT video_no, media_name, state, day, size_bytes FROM videos ORDER BY ALL",
    "hits": "SELECT query_id, video_no, start_seconds, score FROM hits ORDER BY ALL",
    "transcripts": "SELECT video_no, segment_index, text FROM transcripts ORDER BY ALL",
    "archive": "SELECT kind, video_no, sha256 FROM archive ORDER BY ALL",
}


def tables(project: Project) -> dict[str, list[Any]]:
    return {name: project.sql(query) for name, query in TABLES.items()}


def reconcile(project: Project, **options: bool) -> AgreementReport:
    with project.pipeline(run_id="command line") as pipeline:
        report: AgreementReport = agree(pipeline, **options)
        return report


def kinds(report: AgreementReport) -> dict[str, int]:
    return dict(Counter(str(finding.kind) for finding in report.findings))


def delete_remotely(project: Project, *video_nos: str) -> None:
    """What a colleague does in the console."""
    response = httpx.post(
        f"{project.server.url}/serve/api/v1/delete_videos?unique_id=default",
        headers={"Authorization": project.server.api_key},
        json=list(video_nos),
    )
    assert response.json()["code"] == "0000"


def upload_remotely(project: Project, path: Path, *, tags: tuple[str, ...] = ()) -> str:
    """What another tool does."""
    with path.open("rb") as file:
        response = httpx.post(
            f"{project.server.url}/serve/api/v1/upload",
            headers={"Authorization": project.server.api_key},
            data={"unique_id": "default", "tags": list(tags)},
            files={"file": (path.name, file, "video/mp4")},
        )
    answer = response.json()
    assert answer["code"] == "0000", answer
    project.server.settle()
    return str(answer["data"]["videoNo"])


def grown_old(project: Project) -> None:
    """Let a new upload that is not listed count as missing at once."""
    project.configure(indexing={"grace_seconds": 0.001})


@pytest.fixture
def finished(project: Project) -> Project:
    project.run_steps()
    grown_old(project)
    return project


def video_no_of(project: Project, name: str) -> str:
    return str(project.sql(f"SELECT video_no FROM videos WHERE media_name = '{name}'")[0][0])  # noqa: S608  our own words


def test_a_ledger_and_a_library_that_agree_say_so_and_nothing_is_billed(finished: Project) -> None:
    mark = finished.mark()
    report = reconcile(finished)
    assert (report.listed, report.ours, report.findings) == (2, 2, ())
    assert finished.billable_calls(since=mark) == []


def test_a_video_deleted_behind_our_back_is_missing_and_never_sent_again_by_itself(finished: Project) -> None:
    delete_remotely(finished, video_no_of(finished, "red.mp4"))
    report = reconcile(finished)
    assert kinds(report) == {"missing": 1}
    mark = finished.mark()
    finished.run_steps()
    assert finished.calls("upload", since=mark) == []
    with finished.pipeline() as pipeline:
        (failure,) = read_status(pipeline).failures
    assert (failure.step, failure.retryable) == ("videos", True)
    assert failure.subject.endswith("red.mp4")
    assert "not in the library" in failure.reason
    assert finished.sql("SELECT media_name, state FROM videos ORDER BY ALL") == [
        ("blue.mp4", "ready"),
        ("red.mp4", "missing"),
    ]


def test_on_request_a_missing_video_is_sent_again_once_and_its_rows_are_those_of_the_new_entry(
    finished: Project,
) -> None:
    before = finished.sql("SELECT query_id, start_seconds, score FROM hits ORDER BY ALL")
    old = video_no_of(finished, "red.mp4")
    delete_remotely(finished, old)
    report = reconcile(finished, reupload_missing=True)
    assert report.queued_again == (old,)
    assert report.left == ()
    mark = finished.mark()
    finished.run_steps()
    assert len(finished.calls("upload", since=mark)) == 1
    assert finished.sql("SELECT query_id, start_seconds, score FROM hits ORDER BY ALL") == before != []
    assert finished.sql("SELECT media_name, state FROM videos ORDER BY ALL") == [
        ("blue.mp4", "ready"),
        ("red.mp4", "ready"),
        ("red.mp4", "replaced"),
    ]
    assert old not in {
        row[0] for row in finished.sql("SELECT video_no FROM hits UNION SELECT video_no FROM transcripts")
    }
    with finished.pipeline() as pipeline:
        assert read_status(pipeline).failures == ()
        assert pipeline.ledger.uploads.open() == ()
    assert kinds(reconcile(finished)) == {}
    mark = finished.mark()
    finished.run_steps()
    assert finished.billable_calls(since=mark) == []


def test_a_missing_video_that_comes_back_before_it_is_replaced_is_ready_again(finished: Project) -> None:
    finished.configure(api={"scope": {"unique_id": "another"}})
    assert kinds(reconcile(finished)) == {"missing": 2}
    finished.configure(api={"scope": {"unique_id": "default"}})
    before = tables(finished)
    mark = finished.mark()
    finished.run_steps()
    assert finished.billable_calls(since=mark) == []
    assert tables(finished) == before
    assert kinds(reconcile(finished)) == {}


@pytest.mark.parametrize("partition_by", ["modified", "arrival"])
def test_a_lost_ledger_is_rebuilt_from_source_and_library_without_an_upload(
    make_project: MakeProject, partition_by: str
) -> None:
    project = make_project(("red", "blue", "green"))
    project.configure(source={"partition_by": partition_by}, archive={"keyframes": False})
    yesterday = project.today - timedelta(days=1)
    project.run_steps()
    if partition_by == "arrival":  # as if it had arrived yesterday
        shutil.rmtree(project.settings.state)
        for entry in project.server.videos():
            (sha,) = (tag for tag in entry.tags if tag.startswith("sha256:"))
            delete_remotely(project, entry.video_no)
            path = project.footage / f"{entry.file_name.partition('-')[0]}.mp4"
            upload_remotely(project, path, tags=(sha, f"day:{yesterday}"))
        with project.pipeline() as pipeline:
            agree(pipeline, adopt=True)
        project.run_steps()
    before = tables(project)
    shutil.rmtree(project.settings.state)

    report = reconcile(project, adopt=True)
    assert kinds(report) == {"adoptable": 3}
    assert len(report.adopted) == 3
    mark = project.mark()
    project.run_steps()
    assert project.calls("upload", since=mark) == []
    assert tables(project) == before
    assert project.sql("SELECT DISTINCT day FROM videos") == [(yesterday,)]


def test_what_is_not_asked_for_is_not_adopted(project: Project) -> None:
    project.run_steps()
    shutil.rmtree(project.settings.state)
    report = reconcile(project)
    assert kinds(report) == {"unknown": 2}
    assert report.adopted == ()
    with project.pipeline() as pipeline:
        assert pipeline.ledger.uploads.claimed_video_nos() == frozenset()


def test_an_entry_of_another_tool_is_adopted_by_its_bytes_and_strangers_are_left_alone(project: Project) -> None:
    theirs = upload_remotely(project, project.footage / "red.mp4")
    size_bytes = (project.footage / "blue.mp4").stat().st_size
    (decoy,) = project.server.seed([SeededVideo(video_name="decoy", size_bytes=size_bytes)], account="account")
    same_size = project.footage.parent / "same-size.mp4"
    shutil.copyfile(project.footage / "blue.mp4", same_size)
    bytes_before = bytearray(same_size.read_bytes())
    bytes_before[bytes_before.index(b"take 1")] ^= 1  # in the comment: other bytes, same size, still a video
    same_size.write_bytes(bytes_before)
    stranger = upload_remotely(project, same_size)

    mark = project.mark()
    report = reconcile(project, adopt=True, by_download=True)
    assert report.adopted == (theirs,)
    assert report.compared == 2
    # The decoy has no file and could not be had; a size that fits nothing is not even asked for.
    assert {entry.params["video_no"] for entry in project.calls("download", since=mark)} == {theirs, decoy, stranger}
    mark = project.mark()
    project.run_steps()
    assert len(project.calls("upload", since=mark)) == 1
    assert video_no_of(project, "red.mp4") == theirs


def test_downloads_to_compare_are_refused_by_the_budget_before_they_are_made(project: Project) -> None:
    upload_remotely(project, project.footage / "red.mp4")
    project.configure(budget={"per_run_usd": 0})
    with pytest.raises(BudgetExceeded, match="to compare it"):
        reconcile(project, adopt=True, by_download=True)
    assert project.calls("download") == []


def test_an_entry_that_another_tool_sent_in_place_of_a_deleted_one_is_adopted_for_it(finished: Project) -> None:
    old = video_no_of(finished, "red.mp4")
    (entry,) = (entry for entry in finished.server.videos() if entry.video_no == old)
    delete_remotely(finished, old)
    new = upload_remotely(finished, finished.footage / "red.mp4", tags=tuple(tag for tag in entry.tags if ":" in tag))
    report = reconcile(finished, adopt=True)
    assert (kinds(report), report.adopted, report.left) == ({"missing": 1, "adoptable": 1}, (new,), ())
    finished.run_steps()
    assert finished.sql(f"SELECT video_no, state FROM videos WHERE video_no IN ('{old}', '{new}') ORDER BY state") == [  # noqa: S608  our own words
        (new, "ready"),
        (old, "replaced"),
    ]


def test_duplicates_failures_and_strangers_are_told_apart(make_project: MakeProject) -> None:
    project = make_project(("red", "blue", "green"))
    project.server.transitions.plan(TransitionPlan(file_name="green*", fail_with="Indexing failed. "))
    project.run_steps()
    (entry,) = (entry for entry in project.server.videos() if entry.file_name.startswith("red"))
    sha = next(tag for tag in entry.tags if tag.startswith("sha256:"))
    second = upload_remotely(project, project.footage / "red.mp4", tags=(sha,))
    project.server.seed([SeededVideo(video_name="holiday")], account="account")
    report = reconcile(project)
    assert kinds(report) == {"duplicate": 1, "failed": 1, "unknown": 1}
    (duplicate,) = (finding for finding in report.findings if finding.kind == "duplicate")
    assert (duplicate.video_no, duplicate.detail) == (second, f"same content as {entry.video_no}")
    assert {str(finding.kind) for finding in report.left} == {"duplicate", "failed"}


def test_a_video_that_is_indexed_for_too_long_is_stuck(make_project: MakeProject) -> None:
    project = make_project(("red",), indexing_seconds=3600)
    with project.pipeline() as pipeline:
        look_at_source(pipeline)
        ingest(pipeline)
        upload(pipeline)
    assert kinds(reconcile(project)) == {}
    project.configure(indexing={"stuck_after_seconds": 0.001, "stuck_after_lengths": 0})
    assert kinds(reconcile(project)) == {"stuck": 1}


def test_new_uploads_that_are_not_listed_yet_are_no_agreement(finished: Project) -> None:
    finished.configure(indexing={"grace_seconds": 3600}, api={"scope": {"unique_id": "another"}})
    answer = visualsearch("reconcile", cwd=finished.root, VISUALSEARCH_API_KEY=finished.server.api_key)
    assert "they agree" not in answer.out
    assert "2 not listed yet, too new to be called missing" in answer.out
    assert "visualsearch doctor" in answer.out


def test_the_command_tells_counts_and_remedy_and_its_exit_code_says_whether_they_agree(finished: Project) -> None:
    key = finished.server.api_key
    answer = visualsearch("reconcile", cwd=finished.root, VISUALSEARCH_API_KEY=key)
    assert (answer.code, "they agree" in answer.out) == (0, True), answer
    delete_remotely(finished, video_no_of(finished, "red.mp4"))
    answer = visualsearch("reconcile", cwd=finished.root, VISUALSEARCH_API_KEY=key)
    assert answer.code == 3
    assert "1 entries in the library, 2 in the ledger" in answer.out
    assert "1 missing" in answer.out
    assert "--reupload-missing" in answer.out
    assert max(map(len, answer.out.splitlines())) <= 80
    answer = visualsearch("reconcile", "--reupload-missing", cwd=finished.root, VISUALSEARCH_API_KEY=key)
    assert (answer.code, "1 queued again" in answer.out) == (0, True), answer
    answer = visualsearch("reconcile", "--by-download", cwd=finished.root, VISUALSEARCH_API_KEY=key)
    assert (answer.code, "--adopt" in answer.err) == (2, True)
