"""Dagster's daemon and code server as processes of their own, to be killed and started again while they work."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

import dagster as dg
import psutil
import yaml

from tests.command_line import REPOSITORY, environment
from tests.running_ui import free_port
from tests.waiting import wait_until
from visualsearch_pipeline.settings import API_KEY_VARIABLE, CONFIG_VARIABLE

if TYPE_CHECKING:
    from tests.conftest import Project

BIN: Final = Path(sys.executable).parent
STOP_SECONDS: Final = 20
FASTER: Final = {"start_timeout_seconds": 30, "poll_interval_seconds": 2, "free_slots_after_run_end_seconds": 2}
"""What `run_monitoring` waits for, in a twentieth or so of the shipped times: a test has no hour."""


@dataclass
class DagsterProcesses:
    """A daemon and a code server that work on a project, with an instance of their own.

    Attributes:
        project: What they work on.
        home: `DAGSTER_HOME`, with the `dagster.yaml` that the package ships.
        killed_runs: How many runs lost their process so far.
    """

    project: Project
    home: Path
    port: int
    killed_runs: int = 0
    _running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    _every: list[psutil.Process] = field(default_factory=list)

    @property
    def variables(self) -> Mapping[str, str]:
        return environment(
            self.project.root,
            DAGSTER_HOME=str(self.home),
            **{API_KEY_VARIABLE: self.project.server.api_key, CONFIG_VARIABLE: str(self.project.settings_path)},
        )

    @property
    def workspace(self) -> Path:
        return self.home / "workspace.yaml"

    def start(self, name: str) -> None:
        """Start the daemon or the code server."""
        commands = {
            "daemon": ["dagster-daemon", "run", "-w", str(self.workspace)],
            "code server": [
                *("dagster", "code-server", "start", "-m", "visualsearch_pipeline.definitions"),
                *("-h", "localhost", "-p", str(self.port)),
            ],
        }
        program, *arguments = commands[name]
        with self.log.open("ab") as log:
            self._running[name] = subprocess.Popen(
                [str(BIN / program), *arguments],
                cwd=self.project.root,
                env=self.variables,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def kill(self, name: str, *, with_all_it_started: bool = False) -> None:
        """Kill the daemon or the code server; alone, or with all that it started, as when a machine restarts."""
        process = self._running.pop(name)
        tree = psutil.Process(process.pid).children(recursive=True)
        self._every += tree
        process.kill()
        if with_all_it_started:
            self.killed_runs += len([child for child in tree if _is_run(child)])
            for child in tree:
                _kill(child)
        process.wait()

    def kill_a_run(self) -> None:
        """Kill the process of a run, if there is one, as when memory runs out."""
        tree = psutil.Process(self._running["code server"].pid).children(recursive=True)
        for child in [child for child in tree if _is_run(child)][:1]:
            _kill(child)
            self.killed_runs += 1

    def start_sensors(self) -> None:
        """Turn on every sensor, as the switch in the UI does."""
        command = [str(BIN / "dagster"), "sensor", "start", "--start-all", "-w", str(self.workspace)]
        command += ["-l", "visualsearch_pipeline"]
        done = subprocess.run(
            command, cwd=self.project.root, env=self.variables, capture_output=True, text=True, check=False, timeout=120
        )
        assert done.returncode == 0, done.stdout + done.stderr + self.log.read_text()[-3000:]

    @property
    def log(self) -> Path:
        return self.home / "processes.log"

    @contextmanager
    def instance(self) -> Iterator[dg.DagsterInstance]:
        with dg.DagsterInstance.from_config(str(self.home)) as instance:
            yield instance

    def unfinished(self) -> list[dg.RunRecord]:
        """The runs that are queued or count as running."""
        with self.instance() as instance:
            return [record for record in instance.get_run_records() if not record.dagster_run.is_finished]

    def wait_until(self, holds: Callable[[], bool], *, seconds: float) -> None:
        def told() -> str:
            left = [(one.dagster_run.status.value, dict(one.dagster_run.tags)) for one in self.unfinished()]
            return f"runs: {left}\n{self.log.read_text()[-4000:]}"

        wait_until(holds, seconds=seconds, told=told, poll_seconds=0.5)

    def stop(self) -> None:
        """Stop what runs, and whatever a killed process left behind."""
        for process in self._running.values():
            self._every += [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]
            process.send_signal(signal.SIGINT)
        for process in self._running.values():
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        for left in self._every:
            _kill(left)


@contextmanager
def dagster_processes(project: Project) -> Iterator[DagsterProcesses]:
    """A daemon, a code server, and all sensors on; stopped, with all they started, when the context is left."""
    home = project.root / "dagster home"
    home.mkdir()
    shipped = yaml.safe_load((REPOSITORY / "dagster.yaml").read_text())
    (home / "dagster.yaml").write_text(
        yaml.safe_dump({**shipped, "run_monitoring": {**shipped["run_monitoring"], **FASTER}})
    )
    port = free_port()
    server = {"host": "localhost", "port": port, "location_name": "visualsearch_pipeline"}
    (home / "workspace.yaml").write_text(yaml.safe_dump({"load_from": [{"grpc_server": server}]}))
    processes = DagsterProcesses(project, home, port)
    try:
        processes.start("code server")
        processes.wait_until(lambda: _listens(port), seconds=90)
        processes.start_sensors()
        processes.start("daemon")
        yield processes
    finally:
        processes.stop()


def _listens(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


def _is_run(process: psutil.Process) -> bool:
    """Whether a process under the code server is that of a run: the code server spawns them with multiprocessing."""
    try:
        return "multiprocessing.spawn" in " ".join(process.cmdline())
    except psutil.NoSuchProcess:
        return False


def _kill(process: psutil.Process) -> None:
    with suppress(psutil.NoSuchProcess):
        process.kill()
