"""Starting and stopping a sandbox: in a thread of this process, or for good until a signal comes."""

import logging
import signal
import socket
import sys
import threading
from pathlib import Path
from types import TracebackType
from typing import Self

import uvicorn
from filelock import FileLock, Timeout
from starlette.types import ASGIApp

from visualsearch_pipeline.sandbox.assembly import assemble
from visualsearch_pipeline.sandbox.calls import Services
from visualsearch_pipeline.sandbox.config import SandboxConfig
from visualsearch_pipeline.sandbox.connections import Connections
from visualsearch_pipeline.sandbox.control.admin_routes import ADMIN_PREFIX, AdminRoutes
from visualsearch_pipeline.sandbox.control.controls import Controls
from visualsearch_pipeline.sandbox.endpoints.table import routes_of
from visualsearch_pipeline.sandbox.front_door import FrontDoor
from visualsearch_pipeline.sandbox.gateway import Gateway
from visualsearch_pipeline.sandbox.platforms.public_library import seed_public_library
from visualsearch_pipeline.sandbox.signed_links import STORAGE_PREFIX
from visualsearch_pipeline.sandbox.state.database import StateSchemaError

_START_SECONDS = 30
_BACKLOG = 512


class _AnnouncingServer(uvicorn.Server):
    """uvicorn, saying when it accepts connections."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.accepts = threading.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.accepts.set()


class SandboxStartError(RuntimeError):
    """A sandbox could not be started; the message says why and what to do."""


class Sandbox(Controls):
    """A sandbox in this process, listening on loopback.

    Several may run at once, each over its own state folder.

    Example::

        with Sandbox(SandboxConfig(state_dir=tmp_path, indexing_seconds=0)) as server:
            httpx.post(f"{server.url}/serve/api/v1/list_videos", headers={"Authorization": server.api_key}, json={})
            assert [entry.operation for entry in server.journal()] == ["list_videos"]

    Raises:
        SandboxStartError: The state folder is in use or of another version, or the port is taken.
    """

    def __init__(self, config: SandboxConfig) -> None:
        self.config = config
        self._lock = _lock_state(config.state_dir)
        try:
            self._socket = _listen(config.host, config.port)
            self._services: Services = _assemble_or_close(config, self._socket)
        except BaseException:
            self._lock.release()
            raise
        super().__init__(self._services)
        connections = Connections()
        gateway = Gateway(self._services, routes_of(config), connections)
        others: dict[str, ASGIApp] = {STORAGE_PREFIX: self._services.signed_links}
        if config.admin:
            others[f"{ADMIN_PREFIX}/"] = AdminRoutes(self)
        self._server = _AnnouncingServer(
            uvicorn.Config(
                FrontDoor(gateway, others),
                http=connections.protocol(),
                loop="asyncio",
                ws="none",
                lifespan="off",
                interface="asgi3",
                access_log=False,
                log_config=None,
                log_level=logging.WARNING,
                timeout_keep_alive=30,
                timeout_graceful_shutdown=2,
                server_header=False,
                backlog=_BACKLOG,
            )
        )
        self._thread = threading.Thread(
            target=self._server.run, kwargs={"sockets": [self._socket]}, name="sandbox-server", daemon=True
        )
        self._host, self._port = self._socket.getsockname()[:2]
        self._running = False

    @property
    def url(self) -> str:
        """Base URL without a path, e.g. `http://127.0.0.1:40123`."""
        return f"http://[{self._host}]:{self._port}" if ":" in self._host else f"http://{self._host}:{self._port}"

    @property
    def port(self) -> int:
        """The port it listens on."""
        return int(self._port)

    @property
    def api_key(self) -> str:
        """The first of the configured API keys."""
        return next(iter(self.config.api_keys))

    def start(self) -> Self:
        """Accept connections; returns once it does."""
        self._running = True
        self._services.indexer.start()
        self._services.callbacks.start()
        self._services.scraper_tasks.start()
        if self.config.public_library:
            seed_public_library(self._services)
        self._thread.start()
        if not self._server.accepts.wait(_START_SECONDS):
            self.stop()
            message = f"the sandbox did not start on {self.config.host}:{self.config.port} within {_START_SECONDS} s"
            raise SandboxStartError(message)
        return self

    def stop(self) -> None:
        """End open requests, workers and connections. What was accepted is kept in the state folder."""
        if self._running:
            self._running = False
            self._server.should_exit = True
            self._thread.join()
            self._services.scraper_tasks.stop()
            self._services.indexer.stop()
            self._services.callbacks.stop()
        self._socket.close()
        self._services.database.close()
        self._lock.release()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()


def serve(config: SandboxConfig) -> None:
    """Run a sandbox until SIGTERM or SIGINT; prints one line with its URL once it accepts connections.

    Raises:
        SandboxStartError: The state folder is in use by another sandbox, or the port is taken.
    """
    ended = threading.Event()
    previous = {number: signal.signal(number, lambda *_: ended.set()) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        with Sandbox(config) as server:
            sys.stdout.write(f"Sandbox ready at {server.url}\n")
            sys.stdout.flush()
            ended.wait()
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def _lock_state(state_dir: Path) -> FileLock:
    state_dir.mkdir(parents=True, exist_ok=True)
    lock = FileLock(state_dir / "sandbox.lock")
    try:
        lock.acquire(blocking=False)
    except Timeout as error:
        message = f"another sandbox is running on {state_dir}; stop it, or choose another state folder"
        raise SandboxStartError(message) from error
    return lock


def _assemble_or_close(config: SandboxConfig, listener: socket.socket) -> Services:
    try:
        return assemble(config)
    except StateSchemaError as error:
        listener.close()
        raise SandboxStartError(str(error)) from error
    except BaseException:
        listener.close()
        raise


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # With the protocol named, asyncio switches Nagle's algorithm off; otherwise each answer waits 40 ms for an ACK.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        message = f"cannot listen on {host}:{port}: {error.strerror or error}; choose another port, or 0 for a free one"
        raise SandboxStartError(message) from error
    return listener
