"""A webhook receiver served by a real uvicorn over loopback."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import uvicorn
from starlette.applications import Starlette

from tests.waiting import wait_until

SECRET = "s3cret-of-the-receiver-0123456789"  # noqa: S105  a test's own


@contextmanager
def serving(receiver: Starlette) -> Iterator[httpx.Client]:
    config = uvicorn.Config(receiver, host="127.0.0.1", port=0, log_config=None, access_log=False)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        wait_until(
            lambda: server.started or not thread.is_alive(), seconds=20, told=lambda: "the receiver does not start"
        )
        port = server.servers[0].sockets[0].getsockname()[1]
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=20) as client:
            yield client
    finally:
        server.should_exit = True
        thread.join(timeout=20)
