"""A list of URLs as a source: fetched by the service, each once, found and told like files, and no secret written."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest

from tests.video_host import VideoHost, serving
from visualsearch_pipeline.ledger import UploadState
from visualsearch_pipeline.pipeline.agreement import agree
from visualsearch_pipeline.pipeline.comparing import Difference
from visualsearch_pipeline.pipeline.index import poll
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
        listed.server.settle()
        assert poll(pipeline).ready == 1
        assert pipeline.ledger.calls.spent_usd() == pytest.approx(5 * 15 / 1000)
    assert len(listed.server.videos()) == 1


def look(project: Project) -> list[tuple[str, str, bool]]:
    with project.pipeline() as pipeline:
        look_at_source(pipeline)
        found = pipeline.ledger.url_uploads.all_by_identity().values()
        return sorted((upload.name, upload.state.value, upload.is_wanted) for upload in found)


def bytes_with(folder: Path, sentinel: str) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file() and sentinel.encode() in path.read_bytes()]


def test_a_link_signed_anew_is_the_same_item_and_is_sent_as_it_stands_now(listed: Project, host: VideoHost) -> None:
    write_list(listed, f"{host.url}/red.mp4?X-Amz-Date=1&X-Amz-Signature={SECRET}-old")
    listed.server.faults.add(FAULTS["reset before"])
    with listed.pipeline() as pipeline:
        look_at_source(pipeline)
        upload(pipeline)
    write_list(listed, f"{host.url}/red.mp4?X-Amz-Date=2&X-Amz-Signature={SECRET}-new")
    listed.run_steps()
    listed.run_steps()
    assert [asked.rpartition("-")[2] for asked in host.asked] == ["new"]
    assert listed.sql("SELECT count(*) FROM videos") == [(1,)]


def test_no_byte_that_is_written_holds_a_token_of_a_link(
    listed: Project, host: VideoHost, caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever the service repeats in its messages, and however a run ends."""
    caplog.set_level("DEBUG")
    secrets = [f"{SECRET}-{number}" for number in range(3)]
    write_list(
        listed,
        f"{host.url}/red.mp4?token={secrets[0]}",
        f"{host.url}/gone.mp4?token={secrets[1]}",
        f"{host.url}/blue.mp4?token={secrets[2]}",
        f"https://user:{SECRET}@example.com/x.mp4",
        f"no address {SECRET}",
    )
    listed.server.faults.add(
        FaultRule(
            operation="upload_url",
            kind=FaultKind.CODE,
            code="0001",
            message=f"cannot fetch {host.url}/blue.mp4?token={secrets[2]} ({secrets[2]})",
            when="before",
        )
    )
    listed.configure(api={"concurrent_transfers": 1})
    status = listed.run()
    assert status.urls == {"uploaded": 1, "refused": 2}
    reasons = " ".join(failure.reason for failure in status.failures)
    assert f"cannot fetch {host.url}/blue.mp4?token=***#" in reasons
    assert "carries a user name or a password" in reasons
    # The sandbox fetches in this process, so that httpx tells of its requests too.
    told = [record.getMessage() for record in caplog.records if not record.name.startswith("http")]
    assert told
    assert not [line for line in told if SECRET in line]
    assert bytes_with(listed.root / "state", "red.mp4")
    # The list is where the tokens stand, and the sandbox plays the service, which has to know them.
    left = [path.relative_to(listed.root) for path in bytes_with(listed.root, SECRET)]
    assert [path for path in left if path.parts[0] not in ("urls.txt", "sandbox")] == []


def test_lines_come_and_go_like_files(listed: Project, host: VideoHost) -> None:
    red, blue = f"{host.url}/red.mp4", f"{host.url}/blue.mp4"
    write_list(listed, red, blue)
    assert look(listed) == [("blue.mp4", "pending", True), ("red.mp4", "pending", True)]
    write_list(listed, red)
    assert look(listed) == [("blue.mp4", "pending", False), ("red.mp4", "pending", True)]
    listed.run_steps()
    assert host.asked == ["/red.mp4"]
    write_list(listed, blue)
    listed.run_steps()
    assert host.asked == ["/red.mp4", "/blue.mp4"]
    assert listed.sql("SELECT count(*) FROM videos") == [(2,)]


def test_a_list_that_cannot_be_read_forgets_nothing(listed: Project) -> None:
    assert look(listed) == [("red.mp4", "pending", True)]
    text = (listed.root / "urls.txt").read_text()
    (listed.root / "urls.txt").unlink()
    assert look(listed) == [("red.mp4", "pending", True)]
    with listed.pipeline() as pipeline:
        (failure,) = pipeline.ledger.failures.unresolved(step="source")
        assert "does not exist" in failure.reason
    (listed.root / "urls.txt").write_text(text)
    look(listed)
    with listed.pipeline() as pipeline:
        assert not pipeline.ledger.failures.unresolved()


def test_a_private_address_is_refused_before_any_call_unless_it_is_allowed(listed: Project, host: VideoHost) -> None:
    listed.configure(source={"allow_private_addresses": False})
    write_list(listed, f"{host.url}/red.mp4", host.url.replace("127.0.0.1", "0x7f.1") + "/blue.mp4")
    with listed.pipeline() as pipeline:
        look_at_source(pipeline)
        assert upload(pipeline).uploaded == 0
        reasons = [failure.reason for failure in pipeline.ledger.failures.unresolved()]
        assert len(reasons) == 2
        assert all("allow_private_addresses" in reason and "127.0.0.1" in reason for reason in reasons)
        assert not pending_work(pipeline).to_do
    assert listed.calls("upload_url") == []
    listed.configure(source={"allow_private_addresses": True})
    listed.run_steps()
    assert sorted(host.asked) == ["/blue.mp4", "/red.mp4"]
    with listed.pipeline() as pipeline:
        assert not pipeline.ledger.failures.unresolved()


def test_what_the_service_cannot_fetch_is_set_aside_and_stops_no_other(listed: Project, host: VideoHost) -> None:
    write_list(listed, f"{host.url}/gone.mp4", f"{host.url}/red.mp4")
    listed.run_steps()
    listed.run_steps()
    assert host.asked.count("/gone.mp4") == 1
    with listed.pipeline() as pipeline:
        (failure,) = pipeline.ledger.failures.unresolved()
        assert failure.subject == f"{host.url}/gone.mp4"
        status = read_status(pipeline)
        assert (status.urls, status.is_done) == ({"refused": 1, "uploaded": 1}, True)


def test_files_and_urls_go_side_by_side_and_days_come_from_the_line(listed: Project, host: VideoHost) -> None:
    day = listed.today - timedelta(days=3)
    (listed.root / "urls.csv").write_text(f"url,day,name,tags\n{host.url}/blue.mp4,{day},Gate,north\n")
    listed.configure(source={"urls": "urls.csv", "path": "footage"})
    listed.add_clip("red", days_ago=1)
    listed.run_steps()
    rows = listed.sql("SELECT origin, day, media_name, list_contains(tags, 'north') FROM videos ORDER BY day")
    assert rows == [("url", day, "Gate", True), ("file", listed.today - timedelta(days=1), "red.mp4", False)]


def test_a_fetch_under_way_when_its_process_died_is_looked_for_first(listed: Project) -> None:
    with listed.pipeline() as pipeline:
        look_at_source(pipeline)
        (queued,) = pipeline.ledger.url_uploads.open()
        pipeline.ledger.url_uploads.record_intent(queued.identity, at=pipeline.now())
    with listed.pipeline() as pipeline:
        assert upload(pipeline).uploaded == 1
        (call,) = listed.calls("list_videos")
        assert call.sequence < listed.calls("upload_url")[0].sequence
        (known,) = pipeline.ledger.url_uploads.all_by_identity().values()
        assert known.state is UploadState.UPLOADED


def delete_remotely(project: Project) -> None:
    answer = httpx.post(
        f"{project.server.url}/serve/api/v1/delete_videos",
        params={"unique_id": "default"},
        json=[video.video_no for video in project.server.videos()],
        headers={"Authorization": project.server.api_key},
        trust_env=False,
    )
    assert answer.json()["code"] == "0000"


def test_a_fetched_video_that_was_deleted_is_fetched_again_when_a_person_asks(listed: Project, host: VideoHost) -> None:
    listed.run_steps()
    delete_remotely(listed)
    with listed.pipeline(clock=lambda: datetime.now(UTC) + timedelta(hours=1)) as pipeline:
        assert [finding.kind for finding in agree(pipeline).left] == [Difference.MISSING]
        upload(pipeline)
        assert len(host.asked) == 1
        assert len(agree(pipeline, reupload_missing=True).queued_again) == 1
        assert upload(pipeline).uploaded == 1
        assert not pipeline.ledger.failures.unresolved()
    listed.run_steps()
    assert sorted(state for (state,) in listed.sql("SELECT state FROM videos")) == ["ready", "replaced"]


def test_a_lost_ledger_is_rebuilt_from_the_list_and_the_library(listed: Project, host: VideoHost) -> None:
    listed.run_steps()
    for path in (listed.root / "state").glob("ledger.db*"):
        path.unlink()
    with listed.pipeline() as pipeline:
        assert len(agree(pipeline, adopt=True).adopted) == 1
        assert not pending_work(pipeline).uploads
    listed.run_steps()
    assert len(host.asked) == 1
    assert listed.sql("SELECT origin, state FROM videos") == [("url", "ready")]
