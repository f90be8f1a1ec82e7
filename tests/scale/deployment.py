"""What `deploy/compose.yaml` starts, as processes of this machine: the same commands, the same files, other ports."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import httpx
import psutil
import yaml

from tests.postgres_server import PostgresServer
from tests.redis_server import running_redis
from tests.running_ui import free_port
from tests.waiting import wait_until

DEPLOY: Final = Path(__file__).parents[2] / "deploy"
_BIN: Final = Path(sys.executable).parent
_START_SECONDS: Final = 120
_STOP_SECONDS: Final = 30

_LAUNCH: Final = """
mutation Launch($params: ExecutionParams!) {
  launchPipelineExecution(executionParams: $params) {
    __typename
    ... on LaunchRunSuccess { run { runId } }
    ... on PythonError { message stack }
    ... on RunConfigValidationInvalid { errors { message } }
    ... on InvalidSubsetError { message }
  }
}
"""
_RUNS: Final = "query { runsOrError { ... on Runs { results { runId status startTime endTime tags { key value } } } } }"


@dataclass
class Deployment:
    """A UI, a code server, a daemon and workers that run."""

    url: str
    folder: Path
    started: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def ask(self, query: str, **variables: object) -> Any:
        """The `data` of a GraphQL answer."""
        body = {"query": query, "variables": variables}
        answer = httpx.post(f"{self.url}/graphql", json=body, timeout=60, trust_env=False).raise_for_status().json()
        assert "errors" not in answer, answer
        return answer["data"]

    def launch(self, *assets: Sequence[str], first_day: str, last_day: str) -> str:
        """Queue one run over a range of days, as the launchpad does; its id."""
        tags = {"dagster/asset_partition_range_start": first_day, "dagster/asset_partition_range_end": last_day}
        selector = {
            "repositoryLocationName": "visualsearch_pipeline",
            "repositoryName": "__repository__",
            "pipelineName": "__ASSET_JOB",
            "assetSelection": [{"path": list(path)} for path in assets],
        }
        metadata = {"tags": [{"key": key, "value": value} for key, value in tags.items()]}
        answer = self.ask(_LAUNCH, params={"selector": selector, "mode": "default", "executionMetadata": metadata})
        launched = answer["launchPipelineExecution"]
        assert launched["__typename"] == "LaunchRunSuccess", launched
        return str(launched["run"]["runId"])

    def wait_for(self, run_ids: Sequence[str], *, timeout_seconds: float = 240) -> list[dict[str, Any]]:
        """The runs when all of them have ended."""
        runs: list[dict[str, Any]] = []

        def have_ended() -> bool:
            runs[:] = [run for run in self.ask(_RUNS)["runsOrError"]["results"] if run["runId"] in run_ids]
            self.check_alive()
            return all(run["status"] in ("SUCCESS", "FAILURE", "CANCELED") for run in runs)

        wait_until(have_ended, seconds=timeout_seconds, told=lambda: f"{runs}\n{self.logs()}", poll_seconds=0.3)
        return runs

    def check_alive(self) -> None:
        """Assert that nothing that was started has ended."""
        for name, process in self.started.items():
            assert process.poll() is None, f"{name} ended: {self.log(name)}"

    def logs(self) -> str:
        """What all processes have said so far."""
        return "\n".join(map(self.log, self.started))

    def log(self, name: str) -> str:
        """What a process has said so far."""
        return f"--- {name}\n" + (self.folder / f"{name}.log").read_text()


def compose() -> Mapping[str, Any]:
    """`deploy/compose.yaml`."""
    loaded: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    return loaded


@contextmanager
def running_deployment(
    folder: Path, postgres: PostgresServer, *, settings_path: Path, environ: Mapping[str, str]
) -> Iterator[Deployment]:
    """Start everything; stop it in the end, with all that it started.

    Args:
        folder: Where DAGSTER_HOME and the logs go.
        postgres: Its databases are made here: `dagster`'s and the ledger's are new.
        settings_path: The project's settings.
        environ: More variables: the key of the service.
    """
    home = folder / "dagster"
    home.mkdir(parents=True)
    for name in ("dagster.yaml", "workspace.yaml", "dagster_celery_config.py"):
        shutil.copyfile(DEPLOY / name, home / name)
    with ExitStack() as stack:
        redis_url = stack.enter_context(running_redis(folder))
        ledger_url, dagster_url = postgres.make_database(), postgres.make_database()
        code_port, ui_port = free_port(), free_port()
        given = {
            "VISUALSEARCH_CONFIG": str(settings_path),
            "VISUALSEARCH_LEDGER_URL": f"postgresql:///{ledger_url.rpartition('/')[2]}",
            "PGHOST": "127.0.0.1",
            "PGPORT": str(postgres.port),
            "PGUSER": "postgres",
            "PGPASSWORD": "unused",
            "DAGSTER_POSTGRES_DB": dagster_url.rpartition("/")[2],
            "DAGSTER_CELERY_BROKER_URL": f"{redis_url}/0",
            "DAGSTER_CELERY_BACKEND_URL": f"{redis_url}/1",
            "DAGSTER_CODE_HOST": "127.0.0.1",
            "DAGSTER_CODE_PORT": str(code_port),
            **environ,
        }
        needed = {name for name in compose()["x-pipeline"]["environment"] if not name.startswith("AWS_")}
        assert needed <= given.keys(), needed - given.keys()
        variables = {
            **{name: value for name, value in os.environ.items() if not name.startswith("VISUALSEARCH_")},
            **given,
            "DAGSTER_HOME": str(home),
            "PYTHONPATH": os.pathsep.join([str(home), str(DEPLOY.parent)]),
            "PATH": f"{_BIN}{os.pathsep}{os.environ['PATH']}",
            "PYTHONWARNINGS": "ignore",
        }
        deployment = Deployment(f"http://127.0.0.1:{ui_port}", folder)
        places = {"4000": str(code_port), "3000": str(ui_port), "0.0.0.0": "127.0.0.1"}  # noqa: S104  replaced

        def start(service: str, name: str = "", *more: str) -> None:
            words = [places.get(word, word) for word in compose()["services"][service]["command"]]
            command = [word.replace("/opt/dagster", str(home)) for word in (*words, *more)]
            deployment.started[name or service] = stack.enter_context(
                _running(command, folder / f"{name or service}.log", variables)
            )

        start("code")
        _wait_for_port(code_port, deployment)
        start("webserver")
        start("daemon")
        start("worker", "worker-1", "--hostname", "worker-1@%h")
        start("worker", "worker-2", "--hostname", "worker-2@%h")
        _wait_for_port(ui_port, deployment)
        yield deployment


@contextmanager
def _running(command: Sequence[str], log: Path, variables: Mapping[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    with log.open("wb") as file:
        process = subprocess.Popen(
            command, cwd=log.parent, env=variables, stdout=file, stderr=file, start_new_session=True
        )
    family = [psutil.Process(process.pid)]
    try:
        yield process
    finally:
        if process.poll() is None:
            family += family[0].children(recursive=True)
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
        for left in family:
            if left.is_running() and left.pid != process.pid:
                left.kill()
        process.wait()


def _wait_for_port(port: int, deployment: Deployment) -> None:
    def is_taken() -> bool:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=2).close()
        except OSError:
            deployment.check_alive()
            return False
        return True

    wait_until(is_taken, seconds=_START_SECONDS, told=deployment.logs, poll_seconds=0.2)
