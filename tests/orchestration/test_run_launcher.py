"""A run whose process is gone is told from one that goes on: real processes, a real instance."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import dagster as dg
import psutil
import pytest
import yaml
from dagster import DagsterEventType
from dagster._core.events import DagsterEvent, EngineEventData
from dagster._core.launcher import WorkerStatus
from dagster._core.storage.tags import GRPC_INFO_TAG

from tests.command_line import REPOSITORY
from tests.running_ui import free_port
from tests.waiting import wait_until
from visualsearch_pipeline.orchestration.run_launcher import WatchedRunLauncher
from visualsearch_pipeline.orchestration.run_tags import HOST_TAG

CODE_SERVER_SECONDS = 1.0


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    """An instance with the `dagster.yaml` that the package ships, but for its patience."""
    shipped = yaml.safe_load((REPOSITORY / "dagster.yaml").read_text())
    shipped["run_launcher"]["config"] = {"code_server_seconds": CODE_SERVER_SECONDS}
    (tmp_path / "dagster.yaml").write_text(yaml.safe_dump(shipped))
    with dg.DagsterInstance.from_config(str(tmp_path)) as instance:
        yield instance


@pytest.fixture
def process() -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])  # until it is killed
    yield process
    process.kill()
    process.wait()


def started_run(
    instance: dg.DagsterInstance,
    pid: int,
    *,
    host: str = "localhost",
    tags: Mapping[str, str] | None = None,
    named_at: float | None = None,
) -> dg.DagsterRun:
    """A run that counts as running, in a process; begun by a code server that is gone, if no other tags are given."""

    @dg.job
    def job() -> None: ...

    if tags is None:
        tags = {GRPC_INFO_TAG: json.dumps({"host": host, "port": free_port()})}
    run = instance.create_run_for_job(job, status=dg.DagsterRunStatus.STARTED, tags=tags)
    # As the code server's child says of itself when it begins.
    began = DagsterEvent(
        DagsterEventType.ENGINE_EVENT.value,
        run.job_name,
        message=f"Started process for run (pid: {pid}).",
        event_specific_data=EngineEventData.in_process(pid),
    )
    instance.report_dagster_event(began, run.run_id, timestamp=named_at or time.time())
    return run


def health(instance: dg.DagsterInstance, run: dg.DagsterRun) -> WorkerStatus:
    assert isinstance(instance.run_launcher, WatchedRunLauncher)
    return instance.run_launcher.check_run_worker_health(run).status


def wait_until_not_found(instance: dg.DagsterInstance, run: dg.DagsterRun) -> None:
    def is_not_found() -> bool:
        return health(instance, run) is WorkerStatus.NOT_FOUND

    wait_until(is_not_found, seconds=30, told=lambda: "the run counts as running")


def test_a_run_whose_process_and_code_server_are_gone_is_not_found_when_the_code_server_had_time_to_come_back(
    instance: dg.DagsterInstance, process: subprocess.Popen[bytes]
) -> None:
    run = started_run(instance, process.pid)
    assert health(instance, run) is WorkerStatus.RUNNING
    process.kill()
    process.wait()
    # A retry would be tried at once, and given up because nobody is there to begin it.
    killed_at = time.monotonic()
    assert health(instance, run) is WorkerStatus.RUNNING
    wait_until_not_found(instance, run)
    assert time.monotonic() - killed_at >= CODE_SERVER_SECONDS


def test_a_process_that_has_the_number_of_an_earlier_one_is_not_taken_for_the_run(
    instance: dg.DagsterInstance, process: subprocess.Popen[bytes]
) -> None:
    began_at = psutil.Process(process.pid).create_time()
    later = started_run(instance, process.pid, named_at=began_at + 5)
    wait_until_not_found(instance, started_run(instance, process.pid, named_at=began_at - 5))
    assert health(instance, later) is WorkerStatus.RUNNING


def test_nothing_is_said_of_a_run_on_another_machine_that_does_not_answer(instance: dg.DagsterInstance) -> None:
    # A name that is reserved for never being found (RFC 6761).
    assert health(instance, started_run(instance, 1, host="code-server.invalid")) is WorkerStatus.RUNNING


def test_a_run_of_a_killed_command_is_not_found_on_its_own_machine_only(
    instance: dg.DagsterInstance, process: subprocess.Popen[bytes]
) -> None:
    here, elsewhere = (
        started_run(instance, process.pid, tags={HOST_TAG: host}) for host in (socket.gethostname(), "another-machine")
    )
    assert health(instance, here) is health(instance, elsewhere) is WorkerStatus.RUNNING
    process.kill()
    process.wait()
    assert health(instance, here) is WorkerStatus.NOT_FOUND
    assert health(instance, elsewhere) is WorkerStatus.RUNNING
