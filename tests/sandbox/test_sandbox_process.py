"""The sandbox as a process: one line, a clean end, and nothing lost whatever the end (contract §9.62)."""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from visualsearch_pipeline.sandbox import (
    DEFAULT_API_KEY,
    FaultKind,
    FaultRule,
    OperationFamily,
    Rate,
    Sandbox,
    SandboxAdmin,
    SandboxAdminError,
    SandboxConfig,
    SandboxStartError,
    TransitionPlan,
)

if TYPE_CHECKING:
    from tests.sandbox.conftest import Api, Footage, Start

NEW_YEAR = datetime(2026, 1, 1, tzinfo=UTC)


@contextmanager
def running(state: Path, *options: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A sandbox in a process of its own, and its URL."""
    command = [sys.executable, "-m", "visualsearch_pipeline.sandbox", "--port", "0", "--state", str(state), *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            assert line.startswith("Sandbox ready at http://127.0.0.1:"), line
            yield process, line.split()[-1]
        finally:
            if process.poll() is None:
                process.kill()


def call(url: str, operation: str, *, timeout_seconds: float = 30, **json: object) -> dict[str, object]:
    headers = {"Authorization": DEFAULT_API_KEY}
    answer: dict[str, Any] = httpx.post(
        f"{url}/serve/api/v1/{operation}", json=json, headers=headers, trust_env=False, timeout=timeout_seconds
    ).json()
    return answer


def upload(url: str, path: Path) -> str:
    with path.open("rb") as file:
        answer = httpx.post(
            f"{url}/serve/api/v1/upload",
            files={"file": (path.name, file, "video/mp4")},
            headers={"Authorization": DEFAULT_API_KEY},
            trust_env=False,
        )
    return str(answer.json()["data"]["videoNo"])


def test_it_says_where_it_is_and_ends_cleanly_on_ctrl_c(tmp_path: Path) -> None:
    with running(tmp_path) as (process, url):
        assert call(url, "list_videos")["code"] == "0000"
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=20)
    assert (process.returncode, out, err) == (0, "", "")


def test_it_ends_on_sigterm_while_a_request_is_stalled(tmp_path: Path) -> None:
    with running(tmp_path, "--admin") as (process, url), SandboxAdmin(url) as admin:
        admin.faults.add(FaultRule(kind=FaultKind.STALL, seconds=600))
        with pytest.raises(httpx.ReadTimeout):
            call(url, "list_videos", timeout_seconds=0.2)
        process.terminate()
        assert process.wait(timeout=20) == 0


def test_everything_survives_sigkill(tmp_path: Path, footage: Footage) -> None:
    options = ("--admin", "--indexing-seconds", "3600", "--frozen-at", NEW_YEAR.isoformat())
    with running(tmp_path, *options) as (process, url), SandboxAdmin(url) as admin:
        first = upload(url, footage.red_circle)
        admin.transitions.plan(TransitionPlan(file_name="harbour*", stuck=True))
        admin.faults.add(FaultRule(operation="search", kind=FaultKind.CODE))
        admin.clock.advance(1800)
        second = upload(url, footage.blue_square)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    with running(tmp_path, *options) as (_, url), SandboxAdmin(url) as admin:
        assert [video.video_no for video in admin.videos()] == [first, second]
        assert [entry.operation for entry in admin.journal()] == ["upload", "upload"]
        assert call(url, "search", search_param="red")["code"] == "0001"
        admin.settle()
        admin.clock.advance(1800)
        hits = call(url, "search", search_param="red circle")["data"]
        assert isinstance(hits, list)
        assert {hit["videoNo"] for hit in hits} == {first}
        admin.clock.advance(36000)
        assert [video.status for video in admin.videos()] == ["PARSE", "UNPARSE"]
        third = upload(url, footage.red_circle)
        assert int(third[2:]) > int(second[2:])


def test_a_killed_upload_leaves_no_half_file(tmp_path: Path, footage: Footage) -> None:
    with running(tmp_path) as (process, url):
        sent = 0

        def body() -> Iterator[bytes]:
            nonlocal sent
            yield b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.mp4"\r\n'
            yield b"Content-Type: video/mp4\r\n\r\n"
            while sent < 64 * 1024**2:
                yield bytes(1024**2)
                sent += 1024**2
                if sent == 16 * 1024**2:
                    process.kill()

        headers = {"Authorization": DEFAULT_API_KEY, "Content-Type": "multipart/form-data; boundary=b"}
        with pytest.raises(httpx.TransportError):
            httpx.post(f"{url}/serve/api/v1/upload", content=body(), headers=headers, trust_env=False)
    with running(tmp_path) as (_, url):
        assert call(url, "list_videos")["data"]["videos"] == []  # type: ignore[index]  # JSON
        assert list((tmp_path / "incoming").iterdir()) == []


def test_a_state_folder_serves_one_sandbox_at_a_time(start: Start, server: Sandbox) -> None:
    with pytest.raises(SandboxStartError, match="another sandbox is running"):
        start(state_dir=server.config.state_dir)


def test_a_taken_port_is_said_so(start: Start, server: Sandbox, tmp_path: Path) -> None:
    with pytest.raises(SandboxStartError, match=f"cannot listen on 127.0.0.1:{server.port}"):
        start(port=server.port)
    taken = [sys.executable, "-m", "visualsearch_pipeline.sandbox", "--state", str(tmp_path / "x"), "--port"]
    run = subprocess.run([*taken, str(server.port)], capture_output=True, text=True, timeout=60, check=False)
    assert (run.returncode, run.stdout) == (1, "")
    assert "choose another port" in run.stderr


def test_several_run_in_one_process(start: Start, connect: Callable[..., Api], footage: Footage) -> None:
    servers = [start() for _ in range(3)]
    assert len({server.port for server in servers}) == 3
    connect(servers[1]).upload(footage.red_circle)
    assert [len(server.videos()) for server in servers] == [0, 1, 0]


def test_a_restart_in_process_keeps_the_state(tmp_path: Path, connect: Callable[..., Api], footage: Footage) -> None:
    config = SandboxConfig(state_dir=tmp_path / "kept", indexing_seconds=0)
    with Sandbox(config) as server:
        video_no = connect(server).upload(footage.red_circle)
    with Sandbox(config) as server:
        server.settle()
        assert connect(server).get("get_metadata", video_no=video_no)["data"]["status"] == "PARSE"
        assert [entry.operation for entry in server.journal()] == ["upload", "get_metadata"]


def test_admin_routes_are_off_unless_asked_for(server: Sandbox) -> None:
    assert httpx.get(f"{server.url}/_sandbox/health", trust_env=False).json()["code"] == "0001"
    with SandboxAdmin(server.url) as admin, pytest.raises(SandboxAdminError, match="admin on"):
        admin.health()


def test_the_admin_client_does_what_the_object_does(
    start: Start, connect: Callable[..., Api], footage: Footage, tmp_path: Path
) -> None:
    server = start(admin=True, credits_usd=5.0)
    api = connect(server)
    with SandboxAdmin(server.url) as admin:
        admin.health()
        assert admin.clock.freeze(NEW_YEAR) == NEW_YEAR == server.clock.now()
        assert admin.clock.is_frozen
        assert admin.clock.advance(1.5) == server.clock.now()
        api.upload(footage.red_circle)
        admin.settle()
        assert admin.videos() == server.videos()
        assert admin.journal(operation="upload") == server.journal()
        fault_id = admin.faults.add(FaultRule(kind=FaultKind.EMPTY_BODY))
        api.http.post("/list_videos", json={})
        assert admin.faults.rules() == server.faults.rules()
        assert admin.faults.fired(fault_id) == server.faults.fired(fault_id) != []
        admin.faults.clear()
        admin.transitions.plan(TransitionPlan(stuck=True))
        assert admin.transitions.plans() == server.transitions.plans() != []
        admin.transitions.clear()
        admin.credits.grant("sandbox", 1.0)
        assert admin.credits.balance_usd("sandbox") == server.credits.balance_usd("sandbox")
        assert admin.credits.spent_usd("sandbox") == pytest.approx(0.0015)
        admin.set_rate_limits({OperationFamily.LIST: Rate(calls=1, per_seconds=60)})
        assert [api.post("list_videos", {})["code"] for _ in range(2)] == ["0000", "0429"]
        admin.set_rate_limits({})
        assert admin.clock.set(NEW_YEAR) == NEW_YEAR
        assert admin.clock.resume() >= NEW_YEAR
        assert admin.callbacks() == []
        with pytest.raises(SandboxAdminError, match="cannot advance"):
            admin.clock.advance(-1)


def test_a_state_can_be_dumped_reset_and_loaded(
    start: Start, connect: Callable[..., Api], footage: Footage, tmp_path: Path
) -> None:
    server = start(admin=True)
    api = connect(server)
    video_no = api.upload(footage.red_circle)
    server.settle()
    before = api.search("red circle")
    with SandboxAdmin(server.url) as admin:
        admin.dump(tmp_path / "state.tar")
        admin.reset()
        assert api.search("red circle") == []
        assert api.post("download", {"video_no": video_no})["code"] == "0001"
        admin.load(tmp_path / "state.tar")
        assert api.search("red circle") == before
        assert api.http.post("/download", json={"video_no": video_no}).content == footage.red_circle.read_bytes()
        with pytest.raises(SandboxAdminError, match="not the dump"):
            admin.load(footage.red_circle)
        assert api.search("red circle") == before


def test_many_requests_at_once(start: Start, footage: Footage, resources: ExitStack) -> None:
    server = start(indexing_workers=2)

    async def storm() -> list[str]:
        limits = httpx.Limits(max_connections=50)
        headers = {"Authorization": server.api_key}
        async with httpx.AsyncClient(limits=limits, headers=headers, trust_env=False, timeout=60) as client:
            content = footage.red_circle.read_bytes()

            async def one(number: int) -> str:
                if number % 2:
                    answer = await client.post(
                        f"{server.url}/serve/api/v1/upload", files={"file": (f"{number}.mp4", content, "video/mp4")}
                    )
                else:
                    answer = await client.post(f"{server.url}/serve/api/v1/list_videos", json={})
                return str(answer.json()["code"])

            return await asyncio.gather(*(one(number) for number in range(100)))

    started = time.monotonic()
    assert asyncio.run(storm()) == ["0000"] * 100
    assert time.monotonic() - started < 30
    ids = [video.video_no for video in server.videos()]
    assert len(set(ids)) == 50
    assert ids == sorted(ids, key=lambda video_no: int(video_no[2:]))
    assert [entry.sequence for entry in server.journal()] == list(range(1, 101))


def test_state_of_another_version_is_refused_with_the_remedy(start: Start, tmp_path: Path) -> None:
    config = SandboxConfig(state_dir=tmp_path / "old")
    with Sandbox(config):
        pass
    with closing(sqlite3.connect(tmp_path / "old" / "sandbox.db")) as database, database:
        database.execute("UPDATE settings SET value = '0' WHERE key = 'schema_version'")
    with pytest.raises(SandboxStartError, match="start it on an empty folder"):
        start(state_dir=tmp_path / "old")
