"""A web server that alerts are posted to, and that answers as it is told to: well, badly, late or somewhere else."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class AlertReceiver:
    """What a receiver got, and what it answers: each of `answers` once, then 204 for ever.

    An answer is an HTTP status, or `"late"`: nothing until the test is over.
    """

    answers: list[int | str] = field(default_factory=list)
    received: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)
    url: str = ""

    @property
    def delivery_ids(self) -> list[str]:
        return [delivery_id for delivery_id, _ in self.received]


@contextmanager
def alert_receiver(*answers: int | str) -> Iterator[AlertReceiver]:
    """A receiver on a free port of the loopback."""
    receiver = AlertReceiver(list(answers))

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            receiver.paths.append(self.path)
            receiver.received.append((self.headers["Webhook-Id"], json.loads(body)))
            answer = receiver.answers.pop(0) if receiver.answers else 204
            if isinstance(answer, str):
                receiver.over.wait(30)
                return
            self.send_response(answer)
            if 300 <= answer < 400:
                self.send_header("Location", f"{receiver.url}/elsewhere")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        receiver.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield receiver
        finally:
            receiver.over.set()
            server.shutdown()
            thread.join()
