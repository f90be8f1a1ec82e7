"""What the sandbox's README shows can be done as shown."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import httpx

import visualsearch_pipeline.sandbox as package
from visualsearch_pipeline.sandbox import DEFAULT_API_KEY, FaultKind, SandboxConfig

if TYPE_CHECKING:
    from tests.sandbox.conftest import Footage

README = Path(package.__file__).with_name("README.md").read_text()


def fenced(language: str) -> str:
    found = re.search(rf"```{language}\n(.*?)```", README, re.DOTALL)
    assert found is not None
    return found.group(1)


def test_the_command_starts_a_sandbox(tmp_path: Path) -> None:
    words = shlex.split(fenced("sh"))
    words[words.index("8765")] = "0"
    with subprocess.Popen([sys.executable, *words[1:]], cwd=tmp_path, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            url = process.stdout.readline().split()[-1]
            assert httpx.get(f"{url}/_sandbox/health", trust_env=False).json() == {"status": "ok"}
        finally:
            process.terminate()


def test_the_example_shows_a_lost_answer(tmp_path: Path, footage: Footage) -> None:
    def my_upload(url: str, key: str) -> None:
        headers = {"Authorization": key}
        part = {"file": ("clip.mp4", footage.red_circle.read_bytes(), "video/mp4")}
        try:
            httpx.post(f"{url}/serve/api/v1/upload", files=part, headers=headers, trust_env=False)
        except httpx.TransportError:
            listed = httpx.post(f"{url}/serve/api/v1/list_videos", json={}, headers=headers, trust_env=False)
            assert len(listed.json()["data"]["videos"]) == 1

    exec(fenced("python"), {"tmp_path": tmp_path, "my_upload": my_upload})  # noqa: S102 - the documented example


def test_everything_named_exists() -> None:
    assert {kind.value for kind in FaultKind} <= set(re.findall(r"`([a-z0-9-]+)`", README))
    for field in ("dialect", "indexing_seconds", "frozen_at", "rate_limits", "credits_usd", "missing_routes"):
        assert field in SandboxConfig.model_fields
    assert DEFAULT_API_KEY in README


def test_the_public_names_are_all_there() -> None:
    assert [name for name in package.__all__ if not hasattr(package, name)] == []
