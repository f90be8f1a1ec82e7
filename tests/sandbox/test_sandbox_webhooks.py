"""What the sandbox fetches and sends: upload_url and callbacks (contract §2.2, §4, §9.21, §9.60)."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.waiting import wait_until
from visualsearch_pipeline.sandbox import Sandbox

if TYPE_CHECKING:
    from tests.sandbox.conftest import Api, Footage, Start


@dataclass
class Peer:
    """A small HTTP server of the test's own: gives out files, takes callbacks."""

    files: dict[str, bytes] = field(default_factory=dict)
    received: list[dict[str, Any]] = field(default_factory=list)
    answer_status: int = 200
    url: str = ""

    def wait(self, count: int) -> list[dict[str, Any]]:
        wait_until(lambda: len(self.received) >= count, seconds=10, told=lambda: f"{count}, but {self.received}")
        return self.received


@contextmanager
def listening(peer: Peer) -> Iterator[Peer]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            content = peer.files.get(self.path.partition("?")[0])
            self.send_response(200 if content is not None else 403)
            self.end_headers()
            self.wfile.write(b"link expired" if content is None else content)

        def do_POST(self) -> None:
            peer.received.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(peer.answer_status)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it so
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        peer.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield peer
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def peer() -> Iterator[Peer]:
    with listening(Peer()) as one:
        yield one


@pytest.mark.parametrize("style", ["form", "json"])
def test_a_url_is_fetched_while_the_request_waits(
    api: Api, server: Sandbox, footage: Footage, peer: Peer, style: str
) -> None:
    peer.files["/day/red%20truck.mp4"] = footage.red_circle.read_bytes()
    fields = {"url": f"{peer.url}/day/red%20truck.mp4?signature=x", "camera_model": "X100"}
    answer = api.form("upload_url", **fields, tags="a") if style == "form" else api.post("upload_url", fields)
    peer.files.clear()  # The link expires.
    assert answer["data"]["videoName"] == "red truck"
    server.settle()
    video = api.listed()[0]
    assert (video["status"], video["camera_model"], video["size"]) == (
        "PARSE",
        "X100",
        len(footage.red_circle.read_bytes()),
    )


@pytest.mark.parametrize("path", ["/expired.mp4", "/page.html", "/empty.mp4", "/large.mp4"])
def test_a_url_that_gives_no_video_is_refused(start: Start, connect: Callable[..., Api], peer: Peer, path: str) -> None:
    server = start(max_url_video_bytes=1000)
    peer.files |= {"/page.html": b"<html>", "/empty.mp4": b"", "/large.mp4": bytes(1001)}
    assert connect(server).form("upload_url", url=f"{peer.url}{path}")["code"] == "0001"
    assert server.videos() == []
    assert list((server.config.state_dir / "incoming").iterdir()) == []


@pytest.mark.parametrize("url", ["", "ftp://127.0.0.1/a.mp4", "a.mp4", "http://", "http://127.0.0.1:1/a.mp4"])
def test_a_url_that_leads_nowhere_is_refused(api: Api, url: str) -> None:
    assert api.form("upload_url", url=url)["code"] == "0001"


def test_a_callback_tells_the_final_status(api: Api, server: Sandbox, footage: Footage, peer: Peer) -> None:
    good = api.upload(footage.red_circle, callback=f"{peer.url}/hook")
    bad = api.upload(footage.text_file, callback=f"{peer.url}/hook")
    received = {payload["videoNo"]: payload["status"] for payload in peer.wait(2)}
    assert received == {good: "PARSE", bad: "FAILED"}


def test_callbacks_can_come_twice(start: Start, connect: Callable[..., Api], footage: Footage, peer: Peer) -> None:
    server = start(callback_copies=2)
    connect(server).upload(footage.text_file, callback=peer.url)
    first, second = peer.wait(2)
    assert first == second


def test_callbacks_can_be_never_sent(start: Start, connect: Callable[..., Api], footage: Footage, peer: Peer) -> None:
    server = start(callback_copies=0)
    connect(server).upload(footage.text_file, callback=peer.url)
    server.settle()
    assert server.callbacks() == []


def test_callbacks_can_come_late(start: Start, connect: Callable[..., Api], footage: Footage, peer: Peer) -> None:
    server = start(callback_delay_seconds=0.7)
    connect(server).upload(footage.text_file, callback=peer.url)
    server.settle()
    (waiting,) = server.callbacks()
    assert waiting.sent_at is None
    assert len(peer.wait(1)) == 1


def test_callbacks_can_come_in_the_wrong_order(
    start: Start, connect: Callable[..., Api], footage: Footage, peer: Peer, tmp_path: Path
) -> None:
    server = start(callback_reversed=True, callback_delay_seconds=0.3)
    api = connect(server)
    ids = [api.upload(footage.text_file, callback=peer.url) for _ in range(3)]
    assert [payload["videoNo"] for payload in peer.wait(3)] == ids[::-1]


def test_a_callback_that_is_refused_is_not_sent_again(api: Api, server: Sandbox, footage: Footage, peer: Peer) -> None:
    peer.answer_status = 500
    api.upload(footage.text_file, callback=peer.url)
    api.upload(footage.text_file, callback="http://127.0.0.1:1/nobody")
    wait_until(
        lambda: len(server.callbacks()) == 2 and all(sent.sent_at is not None for sent in server.callbacks()),
        seconds=10,
        told=lambda: f"both sent, but {server.callbacks()}",
    )
    refused, unreachable = server.callbacks()
    assert (refused.answer_status, refused.failure) == (500, None)
    assert unreachable.failure is not None
    # A second sending would follow at once, and nothing tells that there is none.
    time.sleep(0.5)
    assert len(peer.received) == 1


def test_a_task_tells_when_it_is_done_and_each_video_when_it_is_indexed(api: Api, server: Sandbox, peer: Peer) -> None:
    url = "https://www.tiktok.com/@someone"
    task_id = api.post("scraper", {"username": url, "scraper_cnt": 1, "callback_url": peer.url})["data"]["taskId"]
    received = peer.wait(2)
    (video,) = api.get("get_video_ids_by_task_id", task_id=task_id)["data"]["videos"]
    assert {"taskId": task_id, "status": "SUCCEEDED"} in received
    assert {
        "videoId": video["video_no"],
        "message": "success",
        "taskId": task_id,
        "status": "INDEXING_SUCCEEDED",
    } in received


def test_a_task_without_a_single_post_fails(api: Api, peer: Peer) -> None:
    body = {"video_urls": ["https://www.tiktok.com/unavailable/1"], "callback": peer.url}
    task_id = api.post("scraper_url", body)["data"]["taskId"]
    assert peer.wait(1) == [{"taskId": task_id, "status": "FAILED"}]
