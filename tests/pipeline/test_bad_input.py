"""Bad input, each tried: a clear message, the others go on, nothing is lost, and once it is mended a run succeeds."""

from __future__ import annotations

import contextlib
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.unprivileged import unprivileged
from visualsearch_pipeline.demo.encoding import encode_clip
from visualsearch_pipeline.ledger import LedgerError
from visualsearch_pipeline.orchestration.execution import RunFailed
from visualsearch_pipeline.pipeline.errors import PipelineError, SourceProblem
from visualsearch_pipeline.pipeline.ingest import ingest, look_at_source
from visualsearch_pipeline.pipeline.status import read_status
from visualsearch_pipeline.pipeline.upload import upload
from visualsearch_pipeline.sandbox import FaultKind, FaultRule, Sandbox
from visualsearch_pipeline.settings import API_KEY_VARIABLE, SettingsError
from visualsearch_pipeline.warehouse import WarehouseError

if TYPE_CHECKING:
    from tests.conftest import MakeProject, Project

HOSTILE_NAMES = (
    "comma, and more.mp4",
    "pipe|tee.mp4",
    "new\nline.mp4",
    "emoji 🚚🌙.mp4",
    f"{'n' * 196}.mp4",
    "-rf.mp4",
    "percent %03d %2F.mp4",
    "\"quoted\" 'twice'.mp4",
    "back\\slash #1?.mp4",
    "[bracket] {brace} *.mp4",
)

HITS = """
    SELECT query_id, media_name, start_seconds, round(score, 6), text
    FROM hits JOIN videos USING (video_no) ORDER BY ALL
"""


def failures(project: Project) -> dict[str, str]:
    """What is open, by the last part of its subject."""
    with project.pipeline() as pipeline:
        return {Path(failure.subject).name: failure.reason for failure in pipeline.ledger.failures.unresolved()}


def test_files_that_are_no_good_video_are_set_aside_in_words_and_taken_once_mended(project: Project) -> None:
    footage = project.footage
    (footage / "text.mp4").write_text("this is not a video")
    (footage / "empty.mp4").touch()
    encode_clip(footage / "no frames.mp4", seconds=0)
    encode_clip(footage / "old codec.avi", seconds=1, codec="mpeg4")
    whole = project.shelf.path("green").read_bytes()
    (footage / "cut short.mp4").write_bytes(whole[: len(whole) * 6 // 10])
    status = project.run()
    assert status.is_done
    reasons = failures(project)
    assert set(reasons) == set(SAYS)
    assert [reasons[name] for name, words in SAYS.items() if words not in reasons[name]] == []
    assert {entry.file_name.partition("-")[0] for entry in project.server.videos()} == {"red", "blue"}
    assert status.items == {"accepted": 2, "refused": 5}

    for number, name in enumerate(SAYS):
        (footage / name).unlink()
        project.add_clip(f"red-{number + 2}", Path(name).with_suffix(".mp4").name)
    status = project.run()
    assert status.is_done
    assert not status.failures
    assert len(project.server.videos()) == 7
    assert len(project.calls("upload")) == 7


SAYS = {
    "text.mp4": "no video but text",
    "empty.mp4": "no bytes",
    "no frames.mp4": "without a single picture",
    "old codec.avi": "mpeg4",
    "cut short.mp4": "cut short",
}
"""For each bad file what its reason has to name."""


def test_hostile_names_travel_unharmed(make_project: MakeProject) -> None:
    project = make_project(())
    for number, name in enumerate(HOSTILE_NAMES):
        project.add_clip(f"red-{number + 2}", name)
    status = project.run()
    assert status.is_done
    assert not status.failures
    assert {row[0] for row in project.sql("SELECT media_name FROM videos")} == set(HOSTILE_NAMES)
    found = project.sql("SELECT DISTINCT media_uri FROM hits WHERE query_id = 'red'")
    assert len(found) == len(HOSTILE_NAMES)
    # The archive's names are made of the service's ids, so no name of a file can lead out of its folder.
    archived = [Path(row[0]) for row in project.sql("SELECT path FROM archive WHERE kind = 'video'")]
    assert {path.read_bytes() for path in archived} == {path.read_bytes() for path in project.footage.iterdir()}
    assert all(path.stem.startswith("VI") for path in archived)


@pytest.fixture
def shared_folder() -> Iterator[Path]:
    """A folder that every user may write to."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o777)
    yield folder
    shutil.rmtree(folder)


def test_a_file_that_may_not_be_read_is_tried_again_without_being_touched(
    project: Project, shared_folder: Path
) -> None:
    footage = shared_folder / "footage"
    shutil.copytree(project.footage, footage)
    for path in (footage, *footage.iterdir()):
        path.chmod(0o755)
    locked = footage / "red.mp4"
    locked.chmod(0)
    project.server.stop()  # it would lose its rights in the midst of its work, too
    project.configure(
        source={"path": str(footage)}, ledger_url=f"sqlite:///{shared_folder / 'ledger.db'}", queries=str(shared_folder)
    )
    with project.pipeline() as pipeline, unprivileged():
        look_at_source(pipeline)
        report = ingest(pipeline)
        assert (report.accepted, report.refused) == (1, 1)
        (failure,) = pipeline.ledger.failures.unresolved()
    assert failure.subject.endswith("red.mp4")
    assert "ermission" in failure.reason
    locked.chmod(0o644)
    with project.pipeline() as pipeline, unprivileged():
        look_at_source(pipeline)
        assert ingest(pipeline).accepted == 1
        assert not pipeline.ledger.failures.unresolved()
        assert len(pipeline.ledger.uploads.open()) == 2


def test_a_folder_that_cannot_be_listed_forgets_nothing_that_was_in_it(project: Project, shared_folder: Path) -> None:
    footage = shared_folder / "footage"
    (footage / "locked").mkdir(parents=True)
    shutil.copyfile(project.shelf.path("red"), footage / "locked" / "red.mp4")
    shutil.copyfile(project.shelf.path("blue"), footage / "blue.mp4")
    for path in (footage, footage / "locked"):
        path.chmod(0o755)
    project.server.stop()  # it would lose its rights in the midst of its work, too
    project.configure(
        source={"path": str(footage)}, ledger_url=f"sqlite:///{shared_folder / 'ledger.db'}", queries=str(shared_folder)
    )
    with project.pipeline() as pipeline, unprivileged():
        assert look_at_source(pipeline).files == 2
    (footage / "locked").chmod(0)
    with project.pipeline() as pipeline, unprivileged():
        report = look_at_source(pipeline)
        assert report.gone == 0
        assert len(report.problems) == 1
        assert "locked" in pipeline.ledger.failures.unresolved(step="source")[0].subject
    (footage / "locked").chmod(0o755)
    with project.pipeline() as pipeline, unprivileged():
        look_at_source(pipeline)
        assert not pipeline.ledger.failures.unresolved(step="source")
        assert ingest(pipeline).accepted == 2


def test_a_source_that_is_not_there_is_an_error_that_names_it_and_loses_nothing(project: Project) -> None:
    project.run_steps()
    elsewhere = project.footage.with_name("unmounted")
    project.footage.rename(elsewhere)
    with project.pipeline() as pipeline, pytest.raises(SourceProblem, match="footage"):
        look_at_source(pipeline)
    elsewhere.rename(project.footage)
    mark = project.mark()
    project.run_steps()
    assert project.calls(since=mark) == []


def test_a_date_pattern_that_can_mean_nothing_is_refused_in_words(project: Project) -> None:
    project.configure(source={"partition_by": "%Y-%m-%d_%H"})
    with project.pipeline() as pipeline, pytest.raises(SourceProblem, match=r"partition_by.*%H"):
        look_at_source(pipeline)


def test_a_typo_in_a_query_file_stops_that_set_only_and_retires_nothing(project: Project) -> None:
    project.write_queries("quay", "queries: [{id: ship, text: blue}]")
    project.run()
    before = project.sql("SELECT * EXCLUDE (rank) FROM quay ORDER BY ALL")
    assert before
    project.write_queries("quay", "queries:\n  - id: ship\n    txet: blue\n")
    project.add_clip("blue-2")
    mark = project.mark()
    status = project.run()
    (broken,) = status.broken_query_sets
    assert status.has_failures
    assert "quay.yaml, line 2" in str(broken)
    assert "text" in str(broken)  # the word that was meant
    assert project.calls("search", since=mark)[0].params["search_param"] == "red"
    assert project.sql("SELECT * EXCLUDE (rank) FROM quay ORDER BY ALL") == before
    project.write_queries("quay", "queries: [{id: ship, text: blue}]")
    mark = project.mark()
    assert not project.run().has_failures
    asked = [operation for operation in project.billable_calls(since=mark) if operation != "download_blob"]
    assert asked == ["search"]  # about the one video that came meanwhile
    assert len(project.sql("SELECT DISTINCT video_no FROM quay")) == 2


def test_a_missing_image_stops_its_queries_only(project: Project) -> None:
    image = project.root / "queries" / "images" / "red.png"
    elsewhere = image.rename(image.with_name("moved.png"))
    status = project.run()
    reasons = failures(project)
    assert set(reasons) == {"street.looks", "street.inside"}
    assert all("images/red.png" in reason and "line " in reason for reason in reasons.values())
    assert status.has_failures
    assert {row[0] for row in project.sql("SELECT DISTINCT query_id FROM hits")} == {"red", "says"}
    elsewhere.rename(image)
    mark = project.mark()
    assert not project.run().has_failures
    assert {row[0] for row in project.sql("SELECT DISTINCT query_id FROM hits")} == {"red", "says", "looks", "inside"}
    asked = set(project.billable_calls(since=mark)) - {"download_blob"}
    assert asked == {"search_similar_images", "search_clips_by_image"}


def test_a_wrong_key_stops_the_run_before_a_second_try(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(API_KEY_VARIABLE, "sk-mavi-not-the-right-one")
    with pytest.raises(RunFailed, match="0401") as refused:
        project.run()
    assert "sk-mavi" not in str(refused.value)
    # Transfers that were under way beside the first may have met the refusal too; none was repeated.
    assert len(project.calls("upload")) <= 2
    assert not project.server.videos()
    monkeypatch.setenv(API_KEY_VARIABLE, project.server.api_key)
    assert project.run().is_done
    assert len(project.server.videos()) == 2


def test_no_key_is_told_by_the_name_of_its_variable(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(API_KEY_VARIABLE)
    with pytest.raises(SettingsError, match=API_KEY_VARIABLE):
        project.run()
    assert project.calls() == []


def test_a_server_that_is_down_leaves_everything_queued(project: Project) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        nobody = f"http://127.0.0.1:{listener.getsockname()[1]}"
    project.configure(api={"base_url": nobody})
    with pytest.raises(RunFailed, match=nobody.removeprefix("http://")):
        project.run()
    project.configure(api={"base_url": project.server.url})
    assert project.run().is_done
    assert len(project.calls("upload")) == 2


def test_a_server_that_goes_down_in_the_middle_is_taken_up_where_it_was_left(make_project: MakeProject) -> None:
    project = make_project()
    with project.pipeline() as pipeline:
        look_at_source(pipeline)
        ingest(pipeline)
        upload(pipeline)
    config = project.server.config
    project.server.stop()
    with pytest.raises(RunFailed, match="connect"):
        project.run()
    with Sandbox(config) as again:
        project.server = again
        project.configure(api={"base_url": again.url})
        assert project.run().is_done
        assert len(project.calls("upload")) == 2
        assert len(project.sql("SELECT * FROM videos WHERE state = 'ready'")) == 2


@pytest.mark.soak
def test_one_endpoint_in_trouble_does_not_hold_up_the_others(project: Project) -> None:
    project.server.faults.add(
        FaultRule(
            operation="search_similar_images", kind=FaultKind.CODE, code="0003", message="no such thing", count=None
        )
    )
    status = project.run()
    assert [failure.subject for failure in status.failures] == ["street.looks"]
    assert "no such thing" in status.failures[0].reason
    assert {row[0] for row in project.sql("SELECT DISTINCT query_id FROM hits")} == {"red", "says", "inside"}
    project.server.faults.clear()
    mark = project.mark()
    assert not project.run().has_failures
    assert set(project.billable_calls(since=mark)) - {"download_blob"} == {"search_similar_images"}
    with project.pipeline() as pipeline:
        assert not read_status(pipeline).failures


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 24 MB of its own."""
    folder = tmp_path / "small disk"
    folder.mkdir()
    mount = ["/usr/bin/mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", str(folder)]
    if subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        pytest.skip("only root can mount a small file system")
    yield folder
    subprocess.run(["/usr/bin/umount", "--lazy", str(folder)], check=True)


def fill(disk: Path) -> Path:
    """Use up the last byte."""
    filler = disk / "filler"
    with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(bytes(64 * 1024))
    with filler.open("ab", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(b"0")
    return filler


@pytest.mark.parametrize("full_from", ["the beginning", "the upload", "the search", "the archive"])
def test_a_full_disk_is_told_in_words_and_loses_nothing(
    make_project: MakeProject, small_disk: Path, full_from: str
) -> None:
    undisturbed = make_project(("red", "green"))
    undisturbed.run_steps()
    project = make_project(("red", "green"))
    project.configure(state=str(small_disk / "state"))
    if full_from != "the beginning":
        with project.pipeline() as pipeline:
            look_at_source(pipeline)
            ingest(pipeline)
    if full_from in ("the search", "the archive"):
        with project.pipeline() as pipeline:
            upload(pipeline)
    if full_from == "the archive":
        project.configure(archive={"videos": False, "keyframes": False})
        project.run_steps()
        project.configure(archive={"videos": True, "keyframes": True})
    filler = fill(small_disk)
    with pytest.raises((LedgerError, PipelineError, WarehouseError), match=r"(?i)full|no space"):
        project.run_steps()
    filler.unlink()
    project.run_steps()
    assert project.sql(HITS) == undisturbed.sql(HITS) != []
    assert project.sql("SELECT count(*) FROM archive WHERE state = 'archived' AND kind = 'video'") == [(2,)]
    assert len(project.server.videos()) == 2


@pytest.mark.soak
def test_a_full_archive_fails_file_by_file_and_is_filled_once_there_is_room(project: Project, small_disk: Path) -> None:
    project.configure(archive={"path": str(small_disk / "archive")})
    (small_disk / "archive").mkdir()
    filler = fill(small_disk)
    status = project.run()
    assert len(status.failures) >= 2
    assert {failure.step for failure in status.failures} == {"archive"}
    assert all("No space left" in failure.reason for failure in status.failures)
    assert len(project.sql("SELECT DISTINCT query_id FROM hits")) == 4
    filler.unlink()
    assert not project.run().has_failures
    archived = {Path(row[0]).read_bytes() for row in project.sql("SELECT path FROM archive WHERE kind = 'video'")}
    assert archived == {path.read_bytes() for path in project.footage.iterdir()}
