"""A scripted server, and clients of it that report every attempt."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import pytest

from tests.limiter_place import Place
from tests.postgres_server import PostgresServer
from tests.scripted_server import ScriptedServer, scripted_server
from tests.transferred_files import CONTENT
from visualsearch_pipeline.api import (
    ApiCall,
    RateLimiter,
    RetryPolicy,
    Scope,
    Timeouts,
    UniqueIdScope,
    VisualSearchClient,
)

API_KEY = "sk-mavi-5e37c0ffee5e37c0ffee"


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with scripted_server() as script:
        yield script


@pytest.fixture
def video(tmp_path: Path) -> Path:
    path = tmp_path / "on disk.mp4"
    path.write_bytes(CONTENT)
    return path


@dataclass
class Clients:
    """Makes clients of the scripted server, and keeps the report of every attempt."""

    server: ScriptedServer
    calls: list[ApiCall] = field(default_factory=list)
    _stack: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)

    def make(
        self,
        *,
        scope: Scope | None = None,
        attempts: int = 3,
        timeouts: Timeouts | None = None,
        retry: RetryPolicy | None = None,
        limiter: RateLimiter | None = None,
        base_url: str | None = None,
        caption_route: Literal["get_video_caption", "get_video_transcription"] = "get_video_caption",
        download_route: str = "/serve/api/v2/download",
    ) -> VisualSearchClient:
        no_waits = RetryPolicy(
            attempts=attempts, initial_wait_seconds=0, max_wait_seconds=0, jitter_seconds=0, total_seconds=30
        )
        client = VisualSearchClient(
            base_url=base_url or self.server.url,
            api_key=API_KEY,
            scope=scope or UniqueIdScope("default"),
            timeouts=timeouts or Timeouts(connect_seconds=5, read_seconds=5, write_seconds=5),
            retry=retry or no_waits,
            limiter=limiter,
            on_call=self.calls.append,
            caption_route=caption_route,
            download_route=download_route,
        )
        return self._stack.enter_context(client)

    def close(self) -> None:
        self._stack.close()


@pytest.fixture
def clients(server: ScriptedServer) -> Iterator[Clients]:
    clients = Clients(server)
    yield clients
    clients.close()


@pytest.fixture
def client(clients: Clients) -> VisualSearchClient:
    return clients.make()


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """A place where nothing is shared yet."""
    if request.param == "sqlite":
        return Place(str(tmp_path / "folder" / "limits.db"))
    server: PostgresServer = request.getfixturevalue("postgres")
    return Place(server.make_schema())
