"""A list of URLs as a source: fetched by the service, each once, found and told like files, and no secret written."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from video_host import VideoHost, serving

from visualsearch_pipeline.ledger import UploadState
from visualsearch_pipeline.pipeline.ingest import look_at_source
from visualsearch_pipeline.pipeline.pending import pending_work
from visualsearch_pipeline.pipeline.status import read_status
from visualsearch_pipeline.pipeline.upload import upload
from visualsearch_pipeline.sandbox import FaultKind, FaultRule

if TYPE_CHECKING:
    from tests.conftest import ClipShelf, MakeProject, Project

SECRET = "tok-5f3b9e1c7a2d4e60"  # noqa: S105  a sentinel

FAULTS = {
    "reset before": FaultRule(operation="upload_url", kind=FaultKind.RESET, when="before"),
    "reset after": FaultRule(operation="upload_url", kind=FaultKind.RESET, when="after"),
    "503 before": FaultRule(operation="upload_url", kind=FaultKind.SPRING_503, when="before"),
    "503 after": FaultRule(operation="upload_url", kind=FaultKind.SPRING_503, when="after"),
    "half an answer": FaultRule(operation="upload_url", kind=FaultKind.TRUNCATED_JSON, when="after"),
    "no answer": FaultRule(operation="upload_url", kind=FaultKind.EMPTY_BODY, when="after"),
    "a code nobody knows": FaultRule(operation="upload_url", kind=FaultKind.CODE, code="7777", when="after"),
}


@pytest.fixture
def host(tmp_path: Path, clip_shelf: ClipShelf) -> Iterator[VideoHost]:
    folder = tmp_path / "host"
    folder.mkdir()
    for clip in ("red", "blue", "green"):
        shutil.copyfile(clip_shelf.path(clip), folder / f"{clip}.mp4")
    with serving(folder) as found:
        yield found


@pytest.fixture
def listed(make_project: MakeProject, host: VideoHost) -> Project:
    """A project whose source is a list alone, with one signed URL in it."""
    project = make_project(())
    project.configure(source={"urls": "urls.txt", "allow_private_addresses": True})
    write_list(project, f"{host.url}/red.mp4?token={SECRET}")
    return project


def write_list(project: Project, *lines: str, name: str = "urls.txt") -> Path:
    path = project.root / name
    path.write_text("".join(f"{line}\n" for line in lines))
    return path


def test_a_list_of_urls_becomes_hits_like_any_footage(listed: Project, host: VideoHost) -> None:
    write_list(listed, "# gate", "", f"{host.url}/red.mp4?token={SECRET}", f"{host.url}/blue.mp4")
    listed.run_steps()
    rows = listed.sql("SELECT origin, media_name, sha256, state, day FROM videos ORDER BY media_name")
    assert rows == [
        ("url", "blue.mp4", None, "ready", listed.today),
        ("url", "red.mp4", None, "ready", listed.today),
    ]
    hits = listed.sql("SELECT query_id, media_uri FROM hits WHERE query_id IN ('red', 'says') GROUP BY ALL ORDER BY 1")
    assert [query for query, _ in hits] == ["red", "says"]
    assert {uri.partition("#")[0] for _, uri in hits} == {f"{host.url}/red.mp4?token=***"}
    assert len(listed.sql("SELECT * FROM archive WHERE kind = 'video' AND state = 'archived'")) == 2
    tags = {tag for (found,) in listed.sql("SELECT tags FROM videos") for tag in found}
    assert "origin:url" in tags
    listed.run_steps()
    assert len(listed.calls("upload_url")) == 2


@pytest.mark.parametrize("fault", FAULTS)
def test_whatever_becomes_of_an_answer_the_url_is_fetched_into_one_video(listed: Project, fault: str) -> None:
    fault_id = listed.server.faults.add(FAULTS[fault])
    with listed.pipeline() as pipeline:
        look_at_source(pipeline)
        assert upload(pipeline).failed == 1
        assert len(pipeline.ledger.failures.unresolved(step="uploads")) == 1
    (met,) = listed.server.faults.fired(fault_id)
    listed.server.settle()
    with listed.pipeline() as pipeline:
        report = upload(pipeline)
        assert (report.adopted, report.uploaded) == ((1, 0) if met.took_effect else (0, 1))
        assert not pipeline.ledger.failures.unresolved()
    listed.run_steps()
    assert len(listed.server.videos()) == 1
    assert listed.sql("SELECT count(*) FROM videos WHERE state = 'ready'") == [(1,)]
