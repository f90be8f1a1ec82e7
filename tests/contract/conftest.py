"""Both sides of the contract at once: sandboxes, the client, plain HTTP, and a server that says one thing only."""

from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import httpx
import pytest

from tests.conftest import ClipShelf
from visualsearch_pipeline.api import (
    ApiCall,
    FolderScope,
    RateLimiter,
    RetryPolicy,
    Scope,
    Timeouts,
    UniqueIdScope,
    VisualSearchClient,
)
from visualsearch_pipeline.sandbox import Dialect, Sandbox, SandboxConfig

Json = dict[str, Any]

IMMEDIATELY = RetryPolicy(initial_wait_seconds=0, max_wait_seconds=0, jitter_seconds=0, total_seconds=30)


class Wire:
    """The sandbox as any HTTP client sees it: nothing of our client in between."""

    def __init__(self, server: Sandbox, *, key: str | None) -> None:
        headers = {} if key is None else {"Authorization": key}
        self.http = httpx.Client(
            base_url=f"{server.url}/serve/api/v1", headers=headers, timeout=30, trust_env=False, follow_redirects=False
        )

    def get(self, operation: str, **params: Any) -> Json:
        return self._envelope(self.http.get(f"/{operation}", params=params))

    def post(self, operation: str, body: object = None, **params: Any) -> Json:
        return self._envelope(self.http.post(f"/{operation}", json={} if body is None else body, params=params))

    def form(self, operation: str, **fields: Any) -> Json:
        return self._envelope(self.http.post(f"/{operation}", data=fields))

    def send(
        self,
        operation: str,
        path: Path,
        *,
        name: str | None = None,
        media_type: str = "video/mp4",
        part: str = "file",
        **fields: Any,
    ) -> Json:
        with path.open("rb") as file:
            files = {part: (name or path.name, file, media_type)}
            return self._envelope(self.http.post(f"/{operation}", files=files, data=fields))

    def upload(self, path: Path, **fields: Any) -> str:
        """Upload a clip and return its id."""
        answer = self.send("upload", path, **fields)
        assert answer["code"] == "0000", answer
        return str(answer["data"]["videoNo"])

    def listed(self, **body: Any) -> list[Json]:
        """The first 200 videos of a listing, as sent."""
        answer = self.post("list_videos", {"page": 1, "size": 200, **body})
        assert answer["code"] == "0000", answer
        return list(answer["data"]["videos"])

    @staticmethod
    def _envelope(response: httpx.Response) -> Json:
        assert response.status_code == 200, response.text
        decoded: Json = response.json()
        return decoded


class Start(Protocol):
    """Start a sandbox; anything of its configuration may be given."""

    def __call__(self, **config: object) -> Sandbox: ...


class Connect(Protocol):
    """Make a client of a sandbox, or of any other address; scope and retries fit the sandbox's dialect by default."""

    def __call__(
        self,
        server: Sandbox | str,
        *,
        key: str | None = None,
        scope: Scope | None = None,
        retry: RetryPolicy = IMMEDIATELY,
        timeouts: Timeouts | None = None,
        limiter: RateLimiter | None = None,
        on_call: Callable[[ApiCall], None] | None = None,
        **more: Any,
    ) -> VisualSearchClient: ...


class Speak(Protocol):
    """Talk to a sandbox over plain HTTP; `key=None` sends none."""

    def __call__(self, server: Sandbox, *, key: str | None = "its own") -> Wire: ...


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as resources:
        yield resources


@pytest.fixture
def start(tmp_path: Path, stack: ExitStack) -> Start:
    numbers = iter(range(100))

    def start_one(**config: object) -> Sandbox:
        given: Json = {"state_dir": tmp_path / f"state-{next(numbers)}", "indexing_seconds": 0, **config}
        return stack.enter_context(Sandbox(SandboxConfig(**given)))

    return start_one


@pytest.fixture
def connect(stack: ExitStack) -> Connect:
    def connect_one(
        server: Sandbox | str,
        *,
        key: str | None = None,
        scope: Scope | None = None,
        retry: RetryPolicy = IMMEDIATELY,
        timeouts: Timeouts | None = None,
        limiter: RateLimiter | None = None,
        on_call: Callable[[ApiCall], None] | None = None,
        **more: Any,
    ) -> VisualSearchClient:
        speaks_folders = isinstance(server, Sandbox) and server.config.dialect is Dialect.OPENAPI
        return stack.enter_context(
            VisualSearchClient(
                base_url=server.url if isinstance(server, Sandbox) else server,
                api_key=key or (server.api_key if isinstance(server, Sandbox) else "sk-mavi-anything"),
                scope=scope or (FolderScope(-1) if speaks_folders else UniqueIdScope("default")),
                retry=retry,
                timeouts=timeouts,
                limiter=limiter,
                on_call=on_call,
                **more,
            )
        )

    return connect_one


@pytest.fixture
def speak(stack: ExitStack) -> Speak:
    def speak_one(server: Sandbox, *, key: str | None = "its own") -> Wire:
        wire = Wire(server, key=server.api_key if key == "its own" else key)
        stack.callback(wire.http.close)
        return wire

    return speak_one


@pytest.fixture
def server(start: Start) -> Sandbox:
    return start()


@pytest.fixture
def client(server: Sandbox, connect: Connect) -> VisualSearchClient:
    return connect(server)


@pytest.fixture
def wire(server: Sandbox, speak: Speak) -> Wire:
    return speak(server)


@pytest.fixture(params=list(Dialect))
def dialect(request: pytest.FixtureRequest) -> Dialect:
    return Dialect(request.param)


@pytest.fixture(scope="session")
def red_clip(clip_shelf: ClipShelf) -> Path:
    """Three seconds of a red square on black; "The warranty ends in May" is said from 0.5 to 2.5 s."""
    return clip_shelf.path("red")


@pytest.fixture(scope="session")
def blue_clip(clip_shelf: ClipShelf) -> Path:
    """Three silent seconds of a blue square on white."""
    return clip_shelf.path("blue")


@dataclass
class Answering:
    """A server on loopback that answers every request from a list, its last entry for ever; it keeps what it got."""

    url: str
    answers: list[tuple[int, dict[str, str], bytes]] = field(default_factory=list)
    received: list[tuple[str, bytes]] = field(default_factory=list)

    def say(self, body: object, *, status: int = 200, media_type: str = "application/json", **headers: str) -> None:
        """Add an answer: bytes as they are, anything else as JSON."""
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        self.answers.append((status, {"Content-Type": media_type, **given}, raw))

    def say_data(self, data: object) -> None:
        """Add a success with this `data`."""
        self.say({"code": "0000", "msg": "success", "data": data, "success": True, "failed": False})


@pytest.fixture
def answering(stack: ExitStack) -> Answering:
    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            script.received.append((self.path, body))
            answers = script.answers
            status, headers, raw = answers.pop(0) if len(answers) > 1 else answers[0]
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(raw)))
            self.end_headers()
            self.wfile.write(raw)

        do_POST = do_GET  # noqa: N815  the name that http.server looks for

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  as http.server has it
            """Say nothing."""

    listener = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    listener.daemon_threads = True
    script = Answering(f"http://127.0.0.1:{listener.server_address[1]}")
    thread = threading.Thread(target=listener.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    stack.callback(thread.join)
    stack.callback(listener.server_close)
    stack.callback(listener.shutdown)
    return script
