"""A web server on loopback that videos can be fetched from, and that keeps what it was asked for."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit


class VideoHost:
    """Serves the files of a folder; `asked` are the paths with their queries, in order."""

    def __init__(self, folder: Path, port: int) -> None:
        self.folder = folder
        self.url = f"http://127.0.0.1:{port}"
        self.asked: list[str] = []


@contextmanager
def serving(folder: Path) -> Iterator[VideoHost]:
    """Serve a folder until the block ends."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            host.asked.append(self.path)
            path = folder / urlsplit(self.path).path.lstrip("/")
            if not path.is_file():
                self.send_error(404)
                return
            self.send_response(200)
            self.send_header("Content-Length", str(path.stat().st_size))
            self.end_headers()
            self.wfile.write(path.read_bytes())

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the base's name
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        host = VideoHost(folder, server.server_address[1])
        thread = threading.Thread(target=server.serve_forever, name="video-host")
        thread.start()
        try:
            yield host
        finally:
            server.shutdown()
            thread.join()
