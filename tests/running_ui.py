"""The Dagster UI as a process: started, asked over GraphQL, stopped, and looked after for what it leaves behind."""

from __future__ import annotations

import shlex
import signal
import socket
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx
import psutil

from tests.command_line import COMMAND, FinishedDemo, environment
from tests.waiting import wait_until

START_SECONDS: Final = 90
STOP_SECONDS: Final = 45


@dataclass(frozen=True)
class RunningUi:
    """A Dagster UI that answers."""

    url: str
    process: subprocess.Popen[bytes]
    log: Path

    def ask(self, query: str, **variables: object) -> Any:
        """The `data` of a GraphQL answer."""
        answer = httpx.post(
            f"{self.url}/graphql", json={"query": query, "variables": variables}, timeout=30, trust_env=False
        )
        body = answer.raise_for_status().json()
        assert "errors" not in body, body
        return body["data"]

    def descendants(self) -> list[psutil.Process]:
        """Every process that it started, directly or not."""
        return psutil.Process(self.process.pid).children(recursive=True)


def free_port() -> int:
    """A port that was free a moment ago."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def start_dev(demo: FinishedDemo, *, port: int, prefix: str = "") -> AbstractContextManager[RunningUi]:
    """`visualsearch dev` on a demo, until the context is left; `prefix` is said to the shell first."""
    command = shlex.join([*COMMAND, "dev", "--folder", str(demo.folder), "--port", str(port)])
    shell = ["bash", "-euc", f"{prefix}exec {command}"]
    return running(shell, cwd=demo.cwd, variables=environment(demo.cwd), port=port, log=demo.cwd / "dev.log")


@contextmanager
def running(
    command: Sequence[str], *, cwd: Path, variables: Mapping[str, str], port: int, log: Path
) -> Iterator[RunningUi]:
    """Run a command that serves the UI on `port`; stop it, and all it started, when the context is left."""
    with log.open("wb") as file:
        process = subprocess.Popen(command, cwd=cwd, env=variables, stdout=file, stderr=file, start_new_session=True)
        started = [psutil.Process(process.pid)]
        try:
            ui = RunningUi(f"http://127.0.0.1:{port}", process, log)
            _wait_until_it_answers(ui)
            started += ui.descendants()
            yield ui
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGINT)
                try:
                    process.wait(STOP_SECONDS)
                except subprocess.TimeoutExpired:
                    started += started[0].children(recursive=True)
            for left in started:
                if left.is_running():
                    left.kill()
            process.wait()


def _wait_until_it_answers(ui: RunningUi) -> None:
    def is_answering() -> bool:
        assert ui.process.poll() is None, ui.log.read_text()
        try:
            return httpx.get(f"{ui.url}/server_info", timeout=5, trust_env=False).status_code == httpx.codes.OK
        except httpx.HTTPError:
            return False

    told = f"no answer at {ui.url}:\n"
    wait_until(is_answering, seconds=START_SECONDS, told=lambda: told + ui.log.read_text(), poll_seconds=0.2)
