"""The run launcher of `dagster.yaml`: Dagster's default one, that also notices when a run's process is gone.

Dagster's default launcher hands a run to the code server, which starts a process for it. When that process dies, the
code server says so; but when both die, as when the machine restarts or memory runs out, nobody does: the run counts as
running for ever, its place in a pool stays taken, and its days are never asked for again. Run monitoring would mark
such a run as failed, if the launcher could say how its process is. This one can.
"""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import dagster as dg
import psutil
from dagster._core.errors import DagsterUserCodeUnreachableError

# Not public, and what every integration with a launcher of its own imports (`dagster_celery/launcher.py`).
from dagster._core.launcher import CheckRunHealthResult, WorkerStatus
from dagster._core.storage.tags import GRPC_INFO_TAG
from dagster._grpc.client import DagsterGrpcClient
from dagster._grpc.types import CanCancelExecutionRequest, CanCancelExecutionResult
from dagster._serdes import ConfigurableClassData, deserialize_value

from visualsearch_pipeline.orchestration.run_tags import HOST_TAG

_ASK_SECONDS = 10
_CODE_SERVER_SECONDS = 60
_WORKSPACE_SECONDS = 10
"""The daemon may take so long to notice that a code server is there again."""
_CLOCK_SECONDS = 1.0
"""A process and the event that names it are timed by the same clock, read in different ways."""


@dataclass(frozen=True)
class _CodeServer:
    """Where the code server of a run is, as the launcher wrote it into the run's tags."""

    host: str
    port: int | None
    socket: str | None
    use_ssl: bool

    @property
    def is_here(self) -> bool:
        """Whether its processes are among those of this machine."""
        return self.socket is not None or self.host in ("localhost", "127.0.0.1", "::1")


class WatchedRunLauncher(dg.DefaultRunLauncher):
    """Launches runs on the code server, and tells run monitoring how their processes are.

    `max_resume_run_attempts` must be 0: what was running is not resumed, but retried as `run_retries` says, from what
    its steps have committed. Dagster tries to begin a retry once, at the moment at which the run is marked as failed,
    and gives it up if the code server is not there then; so a run is told to be gone when the code server is back.

    Args:
        inst_data: What Dagster makes it anew from.
        code_server_seconds: So long it may take until the code server is back. After that the run is told to be gone
            all the same: that of `dagster dev` has another address each time.
    """

    def __init__(
        self, inst_data: ConfigurableClassData | None = None, *, code_server_seconds: float = _CODE_SERVER_SECONDS
    ) -> None:
        super().__init__(inst_data)
        self._code_server_seconds = code_server_seconds
        self._gone_since: dict[str, float] = {}

    @classmethod
    def config_type(cls) -> dict[str, Any]:
        """What `config:` may say in `dagster.yaml`."""
        return {
            "code_server_seconds": dg.Field(
                dg.Float,
                is_required=False,
                default_value=float(_CODE_SERVER_SECONDS),
                description="How long to wait for the code server of a run that is gone, before the run is failed.",
            )
        }

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData, config_value: Mapping[str, Any]) -> Self:
        """The launcher that `dagster.yaml` describes."""
        return cls(inst_data, code_server_seconds=config_value["code_server_seconds"])

    @property
    def supports_check_run_worker_health(self) -> bool:
        """Run monitoring may ask."""
        return True

    def check_run_worker_health(self, run: dg.DagsterRun) -> CheckRunHealthResult:
        """How the process of a run is.

        The code server knows best. One that was started anew does not know what an earlier one began, and the process
        of a killed one may go on without it: on this machine, the process itself is looked for. Of a code server on
        another machine that does not answer, nothing is known, and the run is left alone until it does.
        """
        server = _server_of(run)
        if server is None:
            return self._health_without_code_server(run)
        knows = _has_run(server, run.run_id)
        if knows:
            return CheckRunHealthResult(WorkerStatus.RUNNING)
        if server.is_here and self._process_is_alive(run):
            return CheckRunHealthResult(WorkerStatus.RUNNING, "its code server is gone, its process goes on")
        if knows is None and not server.is_here:
            return CheckRunHealthResult(WorkerStatus.RUNNING, f"the code server at {server.host} does not answer")
        gone_since = self._gone_since.setdefault(run.run_id, time.monotonic())
        patience = self._code_server_seconds if knows is None else min(_WORKSPACE_SECONDS, self._code_server_seconds)
        if time.monotonic() - gone_since < patience:
            return CheckRunHealthResult(WorkerStatus.RUNNING, "its process is gone, its code server may come back")
        del self._gone_since[run.run_id]
        return CheckRunHealthResult(
            WorkerStatus.NOT_FOUND,
            "the process of the run is gone, and its code server too or another one. What the run committed is kept; "
            "the rest is asked for again.",
        )

    def _health_without_code_server(self, run: dg.DagsterRun) -> CheckRunHealthResult:
        """How a run is that a command or the daily schedule executes in its own process."""
        host = run.tags.get(HOST_TAG)
        if host != socket.gethostname():
            return CheckRunHealthResult(WorkerStatus.RUNNING, f"it is executed elsewhere: on {host}")
        if self._process_is_alive(run):
            return CheckRunHealthResult(WorkerStatus.RUNNING)
        return CheckRunHealthResult(WorkerStatus.NOT_FOUND, "the process that executed the run is gone.")

    def _process_is_alive(self, run: dg.DagsterRun) -> bool:
        for entry in self._instance.all_logs(run.run_id, of_type=dg.DagsterEventType.ENGINE_EVENT):
            event = entry.dagster_event
            pid = event.engine_event_data.metadata.get("pid") if event else None
            if pid is not None:
                # The first is the run's own process; a process per step would be named later.
                return _is_alive(int(str(pid.value)), named_at=entry.timestamp)
        return False


def _server_of(run: dg.DagsterRun) -> _CodeServer | None:
    if GRPC_INFO_TAG not in run.tags:
        return None
    named = json.loads(run.tags[GRPC_INFO_TAG])
    return _CodeServer(named["host"], named.get("port"), named.get("socket"), bool(named.get("use_ssl")))


def _has_run(server: _CodeServer, run_id: str) -> bool | None:
    """Whether a code server holds a run; None if it does not answer."""
    client = DagsterGrpcClient(host=server.host, port=server.port, socket=server.socket, use_ssl=server.use_ssl)
    try:
        answer = client.can_cancel_execution(CanCancelExecutionRequest(run_id=run_id), timeout=_ASK_SECONDS)
    except DagsterUserCodeUnreachableError:
        return None
    return deserialize_value(answer, CanCancelExecutionResult).can_cancel


def _is_alive(pid: int, *, named_at: float) -> bool:
    """Whether the process is the one that was named then: the system gives numbers out again."""
    try:
        process = psutil.Process(pid)
        return process.create_time() <= named_at + _CLOCK_SECONDS and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
