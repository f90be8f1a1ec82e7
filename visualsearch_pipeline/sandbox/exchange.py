"""One request and its answer on the wire, counted for the journal."""

import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

from anyio import open_file, to_thread
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Message, Send

from visualsearch_pipeline.sandbox.calls import FileBody
from visualsearch_pipeline.sandbox.connections import Connections, Peer
from visualsearch_pipeline.sandbox.control.models import DOWNLOAD_KINDS, FaultKind, FaultRule, StandingFault
from visualsearch_pipeline.sandbox.spoiled import spoiled_stream

STREAM_KINDS = DOWNLOAD_KINDS | {FaultKind.RESET}
"""Faults that a stream of bytes suffers while it flows."""

_CHUNK_BYTES = 1024 * 1024


@dataclass
class Exchange:
    """What the journal will say of a request, gathered while it is served."""

    request: Request
    send: Send
    journal: Callable[["Exchange"], None]
    operation: str = "unknown"
    account: str | None = None
    params: dict[str, str] = field(default_factory=dict)
    item_ids: tuple[str, ...] = ()
    status: int | None = None
    code: str | None = None
    bytes_in: int = 0
    bytes_out: int = 0
    took_effect: bool = False
    fault: StandingFault | None = None
    started: float = field(default_factory=time.monotonic)
    is_entered: bool = False
    head: Message | None = None

    @property
    def peer(self) -> Peer | None:
        """The client's address."""
        client = self.request.client
        return None if client is None else (client.host, client.port)

    @property
    def elapsed_ms(self) -> int:
        """Real time since the request began."""
        return round((time.monotonic() - self.started) * 1000)

    async def body(self) -> AsyncIterator[bytes]:
        """The request body as it arrives."""
        async for chunk in self.request.stream():
            self.bytes_in += len(chunk)
            yield chunk

    async def answer(self, response: Response, *, code: str | None = None) -> None:
        """Send a complete response."""
        self.code = code
        await response(self.request.scope, self.request.receive, self.counted_send)

    async def counted_send(self, message: Message) -> None:
        """Send a part of a response."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            # Held back until there is a body: an empty one would be complete before it is in the journal.
            self.head = message
            return
        self.bytes_out += len(message.get("body", b""))
        if not message.get("more_body", False):
            await self.enter()
        if self.head is not None:
            await self.send(self.head)
            self.head = None
        await self.send(message)

    async def enter(self) -> None:
        """Write the journal, once.

        It is written before the last byte is sent, so that whoever has an answer finds it in the journal.
        """
        if not self.is_entered:
            self.is_entered = True
            await to_thread.run_sync(self.journal, self)

    async def disconnected(self) -> None:
        """Wait until the connection is gone."""
        while (await self.request.receive())["type"] != "http.disconnect":
            pass


async def stream_file(
    exchange: Exchange, file: FileBody, connections: Connections, *, rule: FaultRule | None, seed: int
) -> None:
    """Stream a file in chunks, without Content-Length (contract §2.17), as a fault lets it through."""
    media_type = file.media_type
    chunks = _chunks(file.path)
    if rule is not None:
        chunks = spoiled_stream(chunks, rule, size_bytes=file.size_bytes, seed=seed)
        if rule.kind is FaultKind.WRONG_CONTENT_TYPE:
            media_type = rule.content_type
    headers = [
        (b"content-type", media_type.encode("latin-1")),
        (b"content-disposition", f"attachment; filename*=UTF-8''{quote(file.file_name)}".encode("ascii")),
    ]
    await exchange.counted_send({"type": "http.response.start", "status": 200, "headers": headers})
    async for chunk in chunks:
        if await exchange.request.is_disconnected():
            return
        await exchange.counted_send({"type": "http.response.body", "body": chunk, "more_body": True})
    if rule is not None and exchange.peer is not None and rule.kind in {FaultKind.RESET, FaultKind.MISSING_TERMINATOR}:
        await exchange.enter()
        end = connections.reset if rule.kind is FaultKind.RESET else connections.close
        end(exchange.peer)
        await exchange.disconnected()
        return
    await exchange.counted_send({"type": "http.response.body", "body": b"", "more_body": False})


async def _chunks(path: Path) -> AsyncIterator[bytes]:
    async with await open_file(path, "rb") as file:
        while chunk := await file.read(_CHUNK_BYTES):
            yield chunk
