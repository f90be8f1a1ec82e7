"""A server that says exactly what a test tells it to: real bytes on a real socket, however odd."""

import contextlib
import hashlib
import json
import socket
import socketserver
import struct
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import parse_qs, urlsplit

KEPT_BODY_BYTES = 1 << 20


@dataclass(frozen=True)
class SeenRequest:
    """One request as it came over the wire."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes
    body_bytes: int
    body_sha256: str
    connection: int
    at: float

    @property
    def path(self) -> str:
        return urlsplit(self.target).path

    @property
    def query(self) -> dict[str, list[str]]:
        return parse_qs(urlsplit(self.target).query, keep_blank_values=True)

    @property
    def json(self) -> object:
        return json.loads(self.body)


@dataclass(frozen=True)
class Reply:
    """Raw bytes, and what to do with the connection before and after them."""

    raw: bytes = b""
    then: Literal["keep", "close", "reset", "stall"] = "keep"
    read_at_most: int | None = None
    pieces: tuple[bytes, ...] = ()
    seconds_between: float = 0.0


Answer = Reply | Callable[[SeenRequest], Reply]


@dataclass
class ScriptedServer:
    """Plays its script, one answer per request; the last one repeats."""

    url: str = ""
    requests: list[SeenRequest] = field(default_factory=list)
    _script: list[Answer] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    closing: threading.Event = field(default_factory=threading.Event)

    def script(self, *answers: Answer) -> None:
        with self._lock:
            self._script = list(answers)

    def next_answer(self) -> Answer:
        with self._lock:
            if not self._script:
                return self.http(500, b"nothing was scripted")
            return self._script.pop(0) if len(self._script) > 1 else self._script[0]

    def note(self, request: SeenRequest) -> None:
        with self._lock:
            self.requests.append(request)

    @staticmethod
    def http(
        status: int,
        body: bytes = b"",
        *,
        content_type: str | None = "application/json",
        headers: str = "",
        length: int = -1,
    ) -> Reply:
        kind = f"Content-Type: {content_type}\r\n" if content_type is not None else ""
        size = length if length >= 0 else len(body)
        head = f"HTTP/1.1 {status} Whatever\r\n{kind}{headers}Content-Length: {size}\r\n\r\n"
        return Reply(head.encode() + body, then="keep" if size == len(body) else "close")

    @classmethod
    def ok(cls, data: object = None) -> Reply:
        return cls.envelope("0000", "success", data=data, success=True, failed=False)

    @classmethod
    def envelope(cls, code: object, msg: object = "", *, status: int = 200, headers: str = "", **rest: object) -> Reply:
        return cls.http(status, json.dumps({"code": code, "msg": msg, **rest}).encode(), headers=headers)

    @classmethod
    def network_abnormal(cls) -> Reply:
        return cls.envelope("0001", "The network is abnormal, please try again later", data=None)

    @staticmethod
    def chunked(
        *chunks: bytes,
        content_type: str = "application/octet-stream",
        terminated: bool = True,
        headers: str = "",
        then: Literal["keep", "close", "reset", "stall"] = "keep",
    ) -> Reply:
        head = (
            f"HTTP/1.1 200 OK\r\nContent-Type: {content_type}\r\n{headers}Transfer-Encoding: chunked\r\n\r\n".encode()
        )
        body = b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks if chunk)
        return Reply(
            head + body + (b"0\r\n\r\n" if terminated else b""), then=then if terminated or then != "keep" else "close"
        )

    @staticmethod
    def stall() -> Reply:
        return Reply(then="stall")

    @staticmethod
    def trickle(raw: bytes, *, pieces: int, seconds_between: float) -> Reply:
        return Reply(raw, pieces=(b" ",) * pieces, seconds_between=seconds_between, then="close")

    @staticmethod
    def reset(*, read_at_most: int | None = None) -> Reply:
        return Reply(then="reset", read_at_most=read_at_most)


class _Handler(socketserver.StreamRequestHandler):
    timeout = 30
    server: "_TcpServer"

    def handle(self) -> None:
        with contextlib.suppress(OSError):
            while self._handle_one():
                pass

    def _handle_one(self) -> bool:
        line = self.rfile.readline()
        if not line:
            return False
        method, target, _ = line.decode("latin-1").split(" ", 2)
        headers = {}
        while (header := self.rfile.readline().strip()) != b"":
            name, _, value = header.partition(b":")
            headers[name.decode("latin-1").lower()] = value.strip().decode("latin-1")
        script = self.server.script
        answer = script.next_answer()
        read_at_most = answer.read_at_most if isinstance(answer, Reply) else None
        kept, count, digest = self._read_body(headers, read_at_most)
        request = SeenRequest(method, target, headers, kept, count, digest, self.client_address[1], time.monotonic())
        script.note(request)
        reply = answer if isinstance(answer, Reply) else answer(request)
        self.wfile.write(reply.raw)
        for piece in reply.pieces:
            # The slowness is what is scripted: a client has to bear it, or to give up in time.
            time.sleep(reply.seconds_between)
            self.wfile.write(piece)
        if reply.then == "stall":
            script.closing.wait(30)
        if reply.then == "reset":
            self.request.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        return reply.then == "keep"

    def _read_body(self, headers: dict[str, str], read_at_most: int | None) -> tuple[bytes, int, str]:
        left = int(headers.get("content-length", 0))
        if read_at_most is not None:
            left = min(left, read_at_most)
        kept, count, digest = bytearray(), 0, hashlib.sha256()
        while left > 0 and (chunk := self.rfile.read(min(left, 1 << 16))):
            digest.update(chunk)
            count += len(chunk)
            left -= len(chunk)
            kept += chunk[: max(0, KEPT_BODY_BYTES - len(kept))]
        return bytes(kept), count, digest.hexdigest()


class _TcpServer(socketserver.ThreadingTCPServer):
    daemon_threads = True
    request_queue_size = 64

    def __init__(self, script: ScriptedServer) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.script = script


@contextlib.contextmanager
def scripted_server() -> Iterator[ScriptedServer]:
    """One on a free port of the loopback; what it stalled is let go in the end."""
    script = ScriptedServer()
    with _TcpServer(script) as tcp:
        script.url = f"http://127.0.0.1:{tcp.server_address[1]}"
        thread = threading.Thread(target=tcp.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield script
        script.closing.set()
        tcp.shutdown()
        thread.join()
