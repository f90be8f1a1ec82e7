"""Killed anywhere and run again: the same tables as an undisturbed run, and nothing uploaded twice."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import pytest

from tests.published_tables import contents
from tests.waiting import wait_until
from visualsearch_pipeline.pipeline.upload import upload
from visualsearch_pipeline.sandbox import FaultKind, FaultRule

if TYPE_CHECKING:
    from tests.conftest import MakeProject, Project, Row

DRIVER = Path(__file__).with_name("run_all_steps.py")
CLIPS = ("red", "green")
STALL_SECONDS = 600.0
"""Longer than any test: an answer that is withheld for so long never comes."""


@pytest.fixture(scope="session")
def kept_tables() -> dict[str, list[Row]]:
    """What `undisturbed` found the first time; it is the same every time."""
    return {}


@pytest.fixture
def undisturbed(make_project: MakeProject, kept_tables: dict[str, list[Row]]) -> dict[str, list[Row]]:
    """The tables of a run that nobody disturbed."""
    if not kept_tables:
        project = make_project(CLIPS)
        project.run_steps()
        kept_tables.update(contents(project))
        assert all(rows for name, rows in kept_tables.items() if name != "failures")
    return kept_tables


def start(project: Project, *die_at: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, str(DRIVER), str(project.settings_path), *die_at]
    return subprocess.Popen(command, stderr=subprocess.PIPE)


def run_to_the_end(project: Project) -> None:
    process = start(project)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 0, said.decode()


def kill_once_fired(process: subprocess.Popen[bytes], project: Project, fault_id: int) -> None:
    """SIGKILL while the sandbox withholds an answer: a fault counts as fired before it stalls."""

    def is_held_up() -> bool:
        assert process.poll() is None, process.stderr and process.stderr.read().decode()
        return next(rule.fired for rule in project.server.faults.rules() if rule.fault_id == fault_id) > 0

    wait_until(is_held_up, seconds=60, told=lambda: "the call that was to be interrupted was never made")
    process.kill()
    assert process.wait(timeout=30) == -signal.SIGKILL
    assert process.stderr is not None
    process.stderr.close()
    project.server.faults.clear()


@pytest.mark.parametrize(
    ("operation", "when"),
    [
        pytest.param("upload", "before", marks=pytest.mark.soak),
        ("upload", "after"),
        pytest.param("list_videos", "after", marks=pytest.mark.soak),
        ("search", "after"),
        pytest.param("get_audio_transcription", "after", marks=pytest.mark.soak),
        ("download", "after"),
    ],
)
def test_killed_while_the_service_works_and_run_again(
    make_project: MakeProject, undisturbed: dict[str, list[Row]], operation: str, when: Literal["before", "after"]
) -> None:
    project = make_project(CLIPS)
    fault_id = project.server.faults.add(
        FaultRule(operation=operation, kind=FaultKind.STALL, when=when, seconds=STALL_SECONDS, count=None)
    )
    kill_once_fired(start(project), project, fault_id)
    if operation == "upload":
        # Up to the number of transfers side by side: all were accepted, or none.
        assert len(project.server.videos()) in ((0,) if when == "before" else (1, 2))
    run_to_the_end(project)
    assert contents(project) == undisturbed
    assert len(project.server.videos()) == len(CLIPS)
    assert no_leftovers(project) == []


@pytest.mark.parametrize(
    ("suffix", "moment"),
    [
        pytest.param("hits.parquet", "before", marks=pytest.mark.soak),
        ("hits.parquet", "after"),
        pytest.param("transcripts.parquet", "after", marks=pytest.mark.soak),
        pytest.param("visualsearch.duckdb", "before", marks=pytest.mark.soak),
        ("visualsearch.duckdb", "after"),
    ],
)
def test_killed_where_a_file_gets_its_name_and_run_again(
    make_project: MakeProject, undisturbed: dict[str, list[Row]], suffix: str, moment: str
) -> None:
    project = make_project(CLIPS)
    process = start(project, suffix, moment)
    process.communicate(timeout=60)
    assert process.returncode == -signal.SIGKILL
    run_to_the_end(project)
    assert contents(project) == undisturbed
    assert len(project.server.videos()) == len(CLIPS)
    # Only what could not be known to be answered was asked again.
    assert len(project.calls("upload")) == len(project.calls("download")) == len(CLIPS)


def no_leftovers(project: Project) -> list[Path]:
    """Files of the archive under other than their final names; the warehouse's own are swept when they are old."""
    return [path for path in (project.root / "state" / "archive").rglob("*") if path.suffix == ".part"]


def test_an_upload_that_was_accepted_before_the_kill_is_adopted_by_its_name(make_project: MakeProject) -> None:
    project = make_project(("red",), indexing_seconds=3600)  # it is not parsed yet, so its tags say nothing
    fault_id = project.server.faults.add(
        FaultRule(operation="upload", kind=FaultKind.STALL, when="after", seconds=STALL_SECONDS)
    )
    kill_once_fired(start(project), project, fault_id)
    with project.pipeline() as pipeline:
        report = upload(pipeline)
        assert (report.adopted, report.uploaded) == (1, 0)
        (video,) = pipeline.ledger.videos.open()
    assert video.video_no == project.server.videos()[0].video_no
