"""Deleting from the library: only what is archived and proven now, with an account of each, and never in doubt."""

from __future__ import annotations

import hashlib
import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, get_args

import pytest
import sqlalchemy as sa

from tests.command_line import REPOSITORY, environment, visualsearch
from tests.conftest import API_KEY
from tests.pipeline.seeded_library import SeededLibrary
from visualsearch_pipeline.ledger import DeletionState, TranscriptionKind, VideoState
from visualsearch_pipeline.ledger.fetches import ArchivedObject
from visualsearch_pipeline.ledger.schema import archive as archive_table
from visualsearch_pipeline.ledger.schema import contents as contents_table
from visualsearch_pipeline.ledger.schema import videos as videos_table
from visualsearch_pipeline.pipeline.agreement import agree
from visualsearch_pipeline.pipeline.archive import archive
from visualsearch_pipeline.pipeline.pending import pending_work
from visualsearch_pipeline.pipeline.pipeline import Pipeline
from visualsearch_pipeline.pipeline.publish import publish
from visualsearch_pipeline.pipeline.remote_deletion import (
    DeletionReport,
    WrongScope,
    delete_remote_videos,
    plan_remote_deletions,
)

if TYPE_CHECKING:
    from tests.conftest import MakeProject, Project

KINDS: tuple[TranscriptionKind, ...] = get_args(TranscriptionKind)
DELETIONS = "SELECT state, count(*) FROM remote_deletions GROUP BY ALL ORDER BY ALL"


def later(days: int = 40) -> datetime:
    return datetime.now(UTC) + timedelta(days=days)


def delete(project: Project, *, days: int = 30) -> DeletionReport:
    with project.pipeline(clock=later) as pipeline:
        report = delete_remote_videos(pipeline, older_than_days=days, reason="no longer needed there")
        publish(pipeline)
    return report


def in_library(project: Project) -> set[str]:
    with project.pipeline() as pipeline:
        return {video.video_no for video in pipeline.client.iter_videos()}


def archived_file(pipeline: Pipeline, number: int = 0) -> Path:
    return Path(pipeline.ledger.fetches.archived("video")[number].path)


def test_what_is_archived_and_proven_goes_and_is_neither_missed_nor_sent_again(project: Project) -> None:
    project.run_steps()
    hits = project.sql("SELECT count(*) FROM hits")
    everything = in_library(project)

    report = delete(project)

    assert set(report.deleted) == everything
    assert report.left == ()
    assert in_library(project) == set()
    proofs = "SELECT DISTINCT gone.state, gone.sha256 = kept.sha256, reason FROM remote_deletions AS gone "
    proofs += "JOIN archive AS kept ON kept.kind = 'video' AND kept.video_no = gone.video_no"
    assert project.sql(proofs) == [("deleted", True, "no longer needed there")]
    mark = project.mark()
    with project.pipeline() as pipeline:
        found = agree(pipeline)
        assert (found.ours, found.findings) == (0, ())
        assert pipeline.ledger.failures.unresolved() == ()
        assert pending_work(pipeline).to_do == ()
    project.run_steps()
    assert project.calls("upload", "delete_videos", since=mark) == []
    assert project.sql("SELECT count(*) FROM hits") == hits
    assert delete(project) == DeletionReport()


def test_what_was_archived_too_recently_or_waits_for_an_answer_stays(project: Project) -> None:
    project.run_steps()
    with project.pipeline() as pipeline:
        assert plan_remote_deletions(pipeline, older_than_days=1).videos == ()
    with project.pipeline(clock=later) as pipeline:
        assert len(plan_remote_deletions(pipeline, older_than_days=30).videos) == 2
    project.write_queries("new", "queries:\n  - {id: green, text: green}\n")
    with project.pipeline(clock=later) as pipeline:
        plan = plan_remote_deletions(pipeline, older_than_days=30)
    assert (plan.videos, plan.waiting) == ((), 2)
    assert delete(project) == DeletionReport()


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda path: path.write_bytes(path.read_bytes()[:-1] + b"x"), "is not what was uploaded"),
        (Path.unlink, "cannot be read"),
    ],
)
def test_an_archived_file_that_changed_keeps_its_video_in_the_library(
    project: Project, damage: object, said: str
) -> None:
    project.run_steps()
    with project.pipeline() as pipeline:
        assert callable(damage)
        damage(archived_file(pipeline))
        video_no = pipeline.ledger.fetches.archived("video")[0].video_no

    report = delete(project)

    assert [(left.video_no, said in left.reason) for left in report.left] == [(video_no, True)]
    assert len(report.deleted) == 1
    assert in_library(project) == {video_no}
    ((subject, reason),) = project.sql(
        "SELECT subject, reason FROM failures WHERE step = 'remote_deletions' AND resolved_at IS NULL"
    )
    assert subject == video_no
    assert "it was not deleted" in reason
    # Fetched again, it is proven again, and may go.
    with project.pipeline() as pipeline:
        if said == "cannot be read":
            archive(pipeline)
            assert pipeline.ledger.failures.unresolved(step="archive") == ()
    if said == "cannot be read":
        assert delete(project).deleted == (video_no,)
        assert project.sql("SELECT count(*) FROM failures WHERE resolved_at IS NULL") == [(0,)]


def test_the_wrong_scope_is_refused_before_any_call(project: Project) -> None:
    project.run_steps()
    everything = in_library(project)
    right = project.settings.api.model_dump(mode="json")
    project.configure(api={"scope": {"unique_id": "elsewhere"}})
    mark = project.mark()
    with pytest.raises(WrongScope, match="none of the 2 videos to be deleted is in the library"):
        delete(project)
    assert project.calls("delete_videos", since=mark) == []
    project.configure(api={"scope": {"unique_id": right["scope"]["unique_id"]}})
    assert in_library(project) == everything


def test_more_than_one_call_takes_goes_100_at_a_time_and_each_file_is_read_before(
    make_project: MakeProject, tmp_path: Path
) -> None:
    project = make_project(())
    project.write_queries("street", "queries: [{id: giraffe, text: giraffe, filtering_level: high}]")
    day = project.today - timedelta(days=1)
    library = SeededLibrary(project)
    numbers = library.add({day: [["a zebra"]] * 230})
    library.search()
    long_ago = datetime.now(UTC) - timedelta(days=60)
    with project.pipeline() as pipeline:
        for number in numbers:
            path = tmp_path / f"{number}.mp4"
            path.write_bytes(number.encode().ljust(1000))
            kept = ArchivedObject(
                kind="video",
                object_key=number,
                video_no=number,
                day=day,
                bucket=None,
                blob=None,
                path=str(path),
                size_bytes=1000,
                sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
                proven_by="sha256",
            )
            pipeline.ledger.fetches.record_archived(kept, at=long_ago)
            for kind in KINDS:
                pipeline.ledger.fetches.record_transcription(
                    kind, video_no=number, day=day, segments=0, run_id="seeded", at=long_ago
                )
        with pipeline.ledger._database.writing() as connection:
            connection.exec_driver_sql("PRAGMA defer_foreign_keys = ON")
            of_file = sa.select(archive_table.c.sha256).where(archive_table.c.object_key == contents_table.c.sha256)
            of_archive = sa.select(archive_table.c.sha256).where(archive_table.c.object_key == videos_table.c.video_no)
            connection.execute(sa.update(contents_table).values(sha256=of_file.scalar_subquery()))
            connection.execute(sa.update(videos_table).values(sha256=of_archive.scalar_subquery()))
        plan = plan_remote_deletions(pipeline, older_than_days=30)
        assert (len(plan.videos), plan.waiting) == (230, 0)
        # In the second hundred, a byte of a file that was proven when it was archived.
        damaged = plan.videos[150]
        Path(damaged.archived_path).write_bytes(b"x" * 1000)
        report = delete_remote_videos(pipeline, older_than_days=30, reason="enough of them")
    assert [left.video_no for left in report.left] == [damaged.video_no]
    assert len(report.deleted) == 229
    # The service refuses a call that names more than 100 (contract §2.18): three, and all of them taken.
    assert [entry.code for entry in project.calls("delete_videos")] == ["0000"] * 3
    assert in_library(project) == {damaged.video_no}


KILLED = """
import os, signal, sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from visualsearch_pipeline.orchestration import VisualSearchResource
from visualsearch_pipeline.pipeline.pipeline import Pipeline
from visualsearch_pipeline.pipeline.remote_deletion import delete_remote_videos
from visualsearch_pipeline.settings import load_settings, read_api_key

function, moment = sys.argv[2:]

def die(frame, event, argument):
    if event == moment and frame.f_code.co_name == function:
        os.kill(os.getpid(), signal.SIGKILL)

settings = load_settings(Path(sys.argv[1]), environ={})
resource = VisualSearchResource.from_settings(settings).model_copy(update={"api_key": read_api_key()})
with Pipeline(
    settings,
    open_client=lambda on_call: resource.get_client(on_call=on_call),
    clock=lambda: datetime.now(UTC) + timedelta(days=40),
) as pipeline:
    sys.setprofile(die)
    delete_remote_videos(pipeline, older_than_days=30, reason="killed")
"""


@pytest.mark.parametrize(
    ("moment", "outcome"),
    [pytest.param("call", "still there", marks=pytest.mark.soak), ("return", "gone")],
    ids=["before the call", "after the call"],
)
def test_killed_between_deleting_and_recording_the_library_decides(
    project: Project, tmp_path: Path, moment: str, outcome: str
) -> None:
    project.run_steps()
    gone = outcome == "gone"
    everything = in_library(project)
    killed = subprocess.run(
        [sys.executable, "-c", KILLED, str(project.settings_path), "delete_videos", moment],
        env=environment(tmp_path, VISUALSEARCH_API_KEY=API_KEY),
        cwd=REPOSITORY,
        check=False,
        timeout=120,
    )
    assert killed.returncode == -signal.SIGKILL
    assert in_library(project) == (set() if gone else everything)

    # What compares ledger and library does not take them for missing.
    with project.pipeline() as pipeline:
        assert len(pipeline.ledger.remote_deletions.undecided(scope=str(pipeline.client.scope))) == 2
        assert agree(pipeline).findings == ()
        deleted = {one.video_no for one in pipeline.ledger.remote_deletions.deleted()}
        assert deleted == (everything if gone else set())
        assert len(pipeline.ledger.videos.in_state(VideoState.DELETED)) == (2 if gone else 0)
    assert set(delete(project).deleted) == (set() if gone else everything)
    assert project.sql(DELETIONS) == [(DeletionState.DELETED.value, 2)]
    assert project.sql("SELECT count(*) FROM failures WHERE resolved_at IS NULL") == [(0,)]


@pytest.mark.soak
def test_the_command_shows_first_and_deletes_on_request(project: Project, tmp_path: Path) -> None:
    project.run_steps()
    with project.pipeline() as pipeline:
        # Archived long ago, as far as the ledger knows.
        for kept in pipeline.ledger.fetches.archived("video"):
            pipeline.ledger.fetches.record_archived(kept, at=datetime.now(UTC) - timedelta(days=60))
    config = ("--config", str(project.settings_path))
    mark = project.mark()
    shown = visualsearch("delete-remote", *config, cwd=tmp_path, VISUALSEARCH_API_KEY=API_KEY)
    assert (shown.code, project.calls(since=mark)) == (0, [])
    assert "2 videos" in shown.out
    assert "nothing was deleted; --yes" in shown.out
    done = visualsearch("delete-remote", *config, "--yes", cwd=tmp_path, VISUALSEARCH_API_KEY=API_KEY)
    assert (done.code, in_library(project)) == (0, set())
    assert "2 videos deleted from the library" in done.out
