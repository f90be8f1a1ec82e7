"""An operator at work, on a real `dagster dev`: runs cancelled in the middle, backfills with a bad day in them.

The sandbox is the test's own, so that it can stall and be asked what it saw.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.command_line import REPOSITORY
from tests.running_ui import RunningUi, free_port, running
from tests.waiting import wait_until
from visualsearch_pipeline.orchestration.partitions import DayRange
from visualsearch_pipeline.orchestration.run_tags import partition_tags
from visualsearch_pipeline.sandbox import FaultKind, FaultRule
from visualsearch_pipeline.settings import API_KEY_VARIABLE, CONFIG_VARIABLE

if TYPE_CHECKING:
    from tests.conftest import MakeProject, Project

pytestmark = pytest.mark.soak

BIN = Path(sys.executable).parent
LOCATION = {"repositoryName": "__repository__", "repositoryLocationName": "visualsearch_pipeline"}
LAUNCH = """
mutation Launch($params: ExecutionParams!) { launchRun(executionParams: $params) { __typename
  ... on LaunchRunSuccess { run { runId } } ... on PythonError { message } } }
"""
RUN = "query Run($id: ID!) { runOrError(runId: $id) { ... on Run { status startTime endTime } } }"
TERMINATE = "mutation Terminate($id: String!) { terminateRun(runId: $id) { __typename } }"
BACKFILL = """
mutation Backfill($params: LaunchBackfillParams!) { launchPartitionBackfill(backfillParams: $params) { __typename
  ... on LaunchBackfillSuccess { backfillId } ... on PythonError { message } } }
"""
BACKFILL_STATUS = """
query Status($id: String!) { partitionBackfillOrError(backfillId: $id) { ... on PartitionBackfill { status } } }
"""
PARTITIONS = """
query Partitions($keys: [AssetKeyInput!]) { assetNodes(assetKeys: $keys) { assetKey { path }
  assetPartitionStatuses { ... on TimePartitionStatuses { ranges { status startKey endKey } } } } }
"""
ENDED = ("SUCCESS", "FAILURE", "CANCELED")
CLIPS = 12


@dataclass(frozen=True)
class Operator:
    """A person at the Dagster UI, by its own interface."""

    project: Project
    ui: RunningUi

    def day(self, days_ago: int) -> date:
        return self.project.today - timedelta(days=days_ago)

    def launch(self, *names: str, days_ago: tuple[int, int] = (1, 1)) -> str:
        tags = partition_tags(DayRange(self.day(days_ago[0]), self.day(days_ago[1])))
        params = {
            "selector": {
                **LOCATION,
                "jobName": "__ASSET_JOB",
                "assetSelection": [{"path": name.split("/")} for name in names],
            },
            "mode": "default",
            "runConfigData": {},
            "executionMetadata": {"tags": [{"key": key, "value": value} for key, value in tags.items()]},
        }
        answer = self.ui.ask(LAUNCH, params=params)["launchRun"]
        assert answer["__typename"] == "LaunchRunSuccess", answer
        return str(answer["run"]["runId"])

    def run(self, run_id: str) -> dict[str, Any]:
        found: dict[str, Any] = self.ui.ask(RUN, id=run_id)["runOrError"]
        return found

    def ended(self, run_id: str, *, seconds: float = 60) -> str:
        return self._until(lambda: self.run(run_id)["status"], ENDED, seconds=seconds)

    def terminate(self, run_id: str) -> None:
        assert self.ui.ask(TERMINATE, id=run_id)["terminateRun"]["__typename"] == "TerminateRunSuccess"

    def backfill(self, *names: str, days_ago: Sequence[int]) -> str:
        """Launch a backfill, wait for its end, and say how it ended."""
        params = {
            "assetSelection": [{"path": name.split("/")} for name in names],
            "partitionNames": [self.day(number).isoformat() for number in days_ago],
        }
        answer = self.ui.ask(BACKFILL, params=params)["launchPartitionBackfill"]
        assert answer["__typename"] == "LaunchBackfillSuccess", answer
        ended = ("COMPLETED", "COMPLETED_SUCCESS", "COMPLETED_FAILED", "FAILED", "CANCELED")
        return self._until(
            lambda: self.ui.ask(BACKFILL_STATUS, id=answer["backfillId"])["partitionBackfillOrError"]["status"],
            ended,
            seconds=300,
        )

    def days_by_status(self, name: str) -> dict[str, set[int]]:
        """How many days ago the days are that the UI shows green and red."""
        (node,) = self.ui.ask(PARTITIONS, keys=[{"path": name.split("/")}])["assetNodes"]
        shown: dict[str, set[int]] = {"MATERIALIZED": set(), "FAILED": set()}
        for stretch in node["assetPartitionStatuses"]["ranges"]:
            first, last = (date.fromisoformat(stretch[key]) for key in ("startKey", "endKey"))
            for number in range((last - first).days + 1):
                day = first + timedelta(days=number)
                shown.setdefault(stretch["status"], set()).add((self.project.today - day).days)
        return shown

    def open_uploads(self) -> int:
        with self.project.pipeline() as pipeline:
            return len(pipeline.ledger.uploads.open())

    def wait_until(self, holds: Callable[[], bool], *, seconds: float = 90) -> None:
        self._until(lambda: str(holds()), ("True",), seconds=seconds)

    def _until(self, ask: Callable[[], str], wanted: Sequence[str], *, seconds: float) -> str:
        found = ""

        def is_found() -> bool:
            nonlocal found
            found = ask()
            return found in wanted

        def told() -> str:
            return f"still {found}:\n{self.ui.log.read_text()[-3000:]}"

        wait_until(is_found, seconds=seconds, told=told, poll_seconds=0.2)
        return found


@pytest.fixture
def operator(make_project: MakeProject) -> Iterator[Operator]:
    """`dagster dev` on an empty project."""
    project = make_project(())
    home = project.root / "dagster home"
    home.mkdir()
    (home / "dagster.yaml").write_text((REPOSITORY / "dagster.yaml").read_text())
    port = free_port()
    variables = {
        "PATH": f"{BIN}:/usr/bin:/bin",
        "PYTHONPATH": str(REPOSITORY),
        "HOME": str(project.root),
        "DAGSTER_HOME": str(home),
        API_KEY_VARIABLE: project.server.api_key,
        CONFIG_VARIABLE: str(project.settings_path),
    }
    with running(
        [str(BIN / "dagster"), "dev", "-w", str(REPOSITORY / "workspace.yaml"), "--port", str(port), "-h", "127.0.0.1"],
        cwd=project.root,
        variables=variables,
        port=port,
        log=project.root / "dev.log",
    ) as ui:
        yield Operator(project, ui)


def test_a_cancelled_run_stops_within_seconds_and_leaves_nothing_in_doubt(operator: Operator) -> None:
    project = operator.project
    for number in range(CLIPS):
        project.add_clip(f"red-{number + 2}")
    assert operator.ended(operator.launch("media")) == "SUCCESS"
    # The service takes each request in full, and then a while to answer.
    project.server.faults.add(FaultRule(operation="upload", kind=FaultKind.STALL, seconds=20, count=None, when="after"))
    run_id = operator.launch("uploads")
    operator.wait_until(lambda: bool(project.server.videos()))
    asked = time.monotonic()
    operator.terminate(run_id)
    assert operator.ended(run_id) == "CANCELED"
    assert time.monotonic() - asked < 10
    project.server.faults.clear()
    assert 0 < len(project.server.videos()) < CLIPS
    # The pool's one place is free. What arrived is adopted or still answered for by the first run; nothing goes twice.
    operator.wait_until(lambda: operator.ended(operator.launch("uploads")) == "SUCCESS" and not operator.open_uploads())
    names = [video.video_name for video in project.server.videos()]
    assert len(names) == len(set(names)) == CLIPS


def test_a_cancelled_search_or_download_stops_likewise_and_goes_on_where_it_was(operator: Operator) -> None:
    project = operator.project
    for number in range(3):
        project.add_clip(f"red-{number + 2}")
    assert operator.ended(operator.launch("media", "uploads")) == "SUCCESS"
    project.server.settle()
    assert operator.ended(operator.launch("videos")) == "SUCCESS"
    for asset, operation in (("hits/street", "search"), ("archive", "download")):
        project.server.faults.add(
            FaultRule(operation=operation, kind=FaultKind.STALL, seconds=20, count=None, when="after")
        )
        run_id = operator.launch(asset)
        operator.wait_until(lambda: any(rule.fired for rule in project.server.faults.rules()))
        asked = time.monotonic()
        operator.terminate(run_id)
        assert operator.ended(run_id) == "CANCELED"
        assert time.monotonic() - asked < 10
        project.server.faults.clear()
        assert operator.ended(operator.launch(asset)) == "SUCCESS"
    mark = project.mark()
    assert project.run().is_done
    assert {entry.operation for entry in project.calls(since=mark)} <= {"get_audio_transcription", "get_video_caption"}
    assert project.sql("SELECT query_id, count(DISTINCT video_no) FROM hits WHERE query_id = 'red' GROUP BY ALL") == [
        ("red", 3)
    ]
    assert project.sql("SELECT kind, state, count(*) FROM archive WHERE kind = 'video' GROUP BY ALL") == [
        ("video", "archived", 3)
    ]


def test_a_backfill_goes_on_with_the_good_days_and_the_bad_one_is_all_that_is_run_again(operator: Operator) -> None:
    project = operator.project
    for number in (1, 2, 3):
        project.add_clip(f"red-{number + 1}", days_ago=number)
    broken = project.footage / "broken.mp4"
    broken.write_text("no video")
    project.touch(broken, days_ago=2)
    chain = ("media", "uploads", "videos")
    assert operator.backfill(*chain, days_ago=(3, 2, 1)) in ("COMPLETED", "COMPLETED_FAILED")
    for name in chain:
        assert operator.days_by_status(name)["MATERIALIZED"] == {1, 3}
    assert operator.days_by_status("media")["FAILED"] == {2}
    sent = len(project.calls("upload"))
    assert sent == 2
    project.add_clip("green", "broken.mp4", days_ago=2)
    assert operator.backfill(*chain, days_ago=(2,)) in ("COMPLETED", "COMPLETED_SUCCESS")
    for name in chain:
        assert operator.days_by_status(name) == {"MATERIALIZED": {1, 2, 3}, "FAILED": set()}
    assert len(project.calls("upload")) == sent + 2
