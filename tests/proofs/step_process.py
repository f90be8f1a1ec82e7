"""Runs every step of a project in processes of their own, each forked from one that has imported everything already.

    python -m tests.proofs.step_process SOCKET

A matrix of kills starts a process hundreds of times; nine tenths of that would be imports. The process that is forked
from has run nothing and has no threads; each child runs `tests/pipeline/run_all_steps.py` and ends.
"""

from __future__ import annotations

import array
import importlib
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from tests.pipeline import run_all_steps
from tests.proofs.syscall_gate import SystemCall, calls_known, submit, supervise

_READY: Final = b"ready\n"
_DONE: Final = b"done"
_TIMEOUT_SECONDS: Final = 120.0
_HEAVY_MODULES: Final = ("av", "duckdb", "httpx", "pandas", "pyarrow.dataset", "pyarrow.parquet", "sqlite3")
"""What a run imports late; here it is imported before any run."""


@dataclass(frozen=True)
class StepsRun:
    """How a run of all steps ended: killed, or with what was wrong (None if nothing), and the calls it got to."""

    was_killed: bool
    error: str | None
    calls: tuple[SystemCall, ...]


class StepProcesses:
    """The process that is forked from. Runs may be made from several threads at once.

    Args:
        api_key: The key that every run uses.
    """

    def __init__(self, *, api_key: str) -> None:
        # Not in a test's folder: the path of a socket has to be short.
        self._folder = tempfile.TemporaryDirectory(prefix="steps-")
        self._address = Path(self._folder.name) / "socket"
        self._environment = {**os.environ, "VISUALSEARCH_API_KEY": api_key, "OPENBLAS_NUM_THREADS": "1"}

    def __enter__(self) -> Self:
        command = [sys.executable, "-m", "tests.proofs.step_process", str(self._address)]
        root = Path(__file__).parent.parent.parent
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(command, cwd=root, env=self._environment, stdin=pipe, stdout=pipe)
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == _READY
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        # It ends with its input, so that it outlives nobody: not a test that was killed either.
        self._process.communicate(timeout=30)
        self._folder.cleanup()

    def run(
        self,
        settings_path: Path,
        *,
        kill_at: int | None = None,
        of_kind: str | None = None,
        before: Callable[[int], None] = lambda _: None,
    ) -> StepsRun:
        """Run all steps of a project; killed before the `kill_at`-th call that counts, if it comes to that.

        Args:
            settings_path: The project's settings.
            kill_at: Counted from 1; None for never.
            of_kind: Count only the calls of this name, e.g. `connect`.
            before: Is told the process id before the first step begins.
        """
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(_TIMEOUT_SECONDS)
            connection.connect(str(self._address))
            connection.sendall(os.fsencode(settings_path))
            said, descriptors, _, _ = socket.recv_fds(connection, 64, 1)
            pid, listener = int(said), descriptors[0]
            try:
                before(pid)
                connection.sendall(b"go")
                calls, was_killed = supervise(
                    listener,
                    pid=pid,
                    until=connection,
                    kill_at=kill_at,
                    of_kind=of_kind,
                    timeout_seconds=_TIMEOUT_SECONDS,
                )
                ended = _read_all(connection)
            finally:
                os.close(listener)
        _wait_until_gone(pid)
        wrong = None if was_killed or ended == _DONE else ended.decode(errors="replace") or "it ended without a word"
        return StepsRun(was_killed=was_killed, error=wrong, calls=calls)


def _read_all(connection: socket.socket) -> bytes:
    said = bytearray()
    while part := connection.recv(65536):
        said += part
    return bytes(said)


def _wait_until_gone(pid: int) -> None:
    until = time.monotonic() + _TIMEOUT_SECONDS
    with suppress(ProcessLookupError):
        while time.monotonic() < until:
            os.kill(pid, 0)
            # Nobody but its parent can wait for its end. So short, since there are thousands of kills.
            time.sleep(0.001)


def _serve(address: str) -> None:
    for module in _HEAVY_MODULES:
        importlib.import_module(module)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(address)
        listener.listen(16)
        # Ended children leave no zombies: a lease's holder is dead once its process is no more.
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)
        sys.stdout.buffer.write(_READY)
        sys.stdout.flush()
        while sys.stdin.fileno() not in select.select([listener.fileno(), sys.stdin.fileno()], [], [])[0]:
            connection, _ = listener.accept()
            if os.fork() == 0:
                listener.close()
                _run(connection)
            connection.close()


def _run(connection: socket.socket) -> None:
    """All that a forked process does."""
    try:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        settings_path = Path(os.fsdecode(connection.recv(4096)))
        # The calls are handed to the supervisor only now: what was done before is the test's own.
        gate = submit(calls_known())
        connection.sendmsg(
            [str(os.getpid()).encode()],
            [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [gate]))],
        )
        os.close(gate)
        # Read and written, not sent and received: those calls are counted.
        assert os.read(connection.fileno(), 2) == b"go"
        run_all_steps.main(settings_path)
        os.write(connection.fileno(), _DONE)
    except BaseException:  # noqa: BLE001  the boundary of the process: whatever it was is told, and then it ends
        os.write(connection.fileno(), traceback.format_exc().encode())
    finally:
        os._exit(0)


if __name__ == "__main__":
    _serve(sys.argv[1])
