"""A Redis server of one's own, on a free port of the loopback interface; it keeps nothing."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest
import redis

from tests.running_ui import free_port
from tests.waiting import wait_until

_START_SECONDS: Final = 30


@contextmanager
def running_redis(folder: Path) -> Iterator[str]:
    """Start a server that logs to `folder`, and stop it in the end; its URL without a database's number."""
    program = shutil.which("redis-server")
    if program is None:
        message = "Redis is not installed: run scripts/install-system-packages"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    port = free_port()
    command = [program, "--bind", "127.0.0.1", "--port", str(port), "--save", "", "--appendonly", "no"]
    with (folder / "redis.log").open("wb") as log:
        server = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log)
    try:
        with redis.Redis(host="127.0.0.1", port=port) as client:

            def is_serving() -> bool:
                try:
                    client.ping()
                except redis.ConnectionError:
                    assert server.poll() is None, (folder / "redis.log").read_text()
                    return False
                return True

            wait_until(is_serving, seconds=_START_SECONDS, told=lambda: "Redis does not start")
        yield f"redis://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait(timeout=30)
