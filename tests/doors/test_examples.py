"""Every example is run as its README says, against a sandbox."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.command_line import REPOSITORY
from visualsearch_pipeline.sandbox import Sandbox, SandboxConfig

if TYPE_CHECKING:
    from tests.conftest import ClipShelf

EXAMPLES = REPOSITORY / "examples"
SHELL_BLOCK = re.compile(r"^```sh\n(.*?)^```", re.MULTILINE | re.DOTALL)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Sandbox]:
    with Sandbox(SandboxConfig(state_dir=tmp_path / "sandbox", indexing_seconds=0.5)) as running:
        yield running


class Example:
    """A copy of an example, with a clip of yesterday where its README says that footage goes."""

    def __init__(self, name: str, folder: Path, server: Sandbox) -> None:
        self.folder = folder / name
        self._server = server
        kept_out = shutil.ignore_patterns("state", "footage", "__pycache__", ".pytest_cache", ".venv")
        shutil.copytree(EXAMPLES / name, self.folder, ignore=kept_out)

    def add_footage(self, clip: Path, name: str) -> None:
        path = self.folder / "footage" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(clip, path)
        yesterday = (datetime.now(UTC) - timedelta(days=1)).timestamp()
        os.utime(path, (yesterday, yesterday))

    def run_readme(self, **variables: str) -> str:
        """Run all commands of the README in one shell that stops at the first that fails; returns what they say."""
        commands = "\n".join(SHELL_BLOCK.findall((self.folder / "README.md").read_text()))
        assert commands
        home = self.folder.parent / "home"
        home.mkdir()
        # Also says that nothing is to be sent to anybody.
        shutil.copyfile(REPOSITORY / "dagster.yaml", home / "dagster.yaml")
        environment = {
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "HOME": str(home),
            "DAGSTER_HOME": str(home),
            "LANG": "C.UTF-8",
            "PYTHONWARNINGS": "error::DeprecationWarning:visualsearch_pipeline",
            "VISUALSEARCH_BASE_URL": self._server.url,
            "VISUALSEARCH_API_KEY": self._server.api_key,
            "PYTHONPATH": f"{REPOSITORY}:{self.folder / 'src'}",
            **variables,
        }
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", commands],
            cwd=self.folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=450,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def uploads(self) -> list[str]:
        """The namespaces of what was uploaded."""
        return sorted(str(e.params.get("unique_id")) for e in self._server.journal() if e.operation == "upload")


def test_every_example_is_listed_and_run_here() -> None:
    folders = {path.name for path in EXAMPLES.iterdir() if path.is_dir()}
    listed = set(re.findall(r"^\| \[(\w+)\]", (EXAMPLES / "README.md").read_text(), re.MULTILINE))
    assert listed == folders
    text = Path(__file__).read_text()
    # The notebook has tests of its own beside those of the analysts' pages.
    assert {name for name in folders if f'Example("{name}"' not in text} == {"notebook"}


def test_the_api_client_finds_moments(tmp_path: Path, server: Sandbox, clip_shelf: ClipShelf) -> None:
    example = Example("api_client", tmp_path, server)
    example.add_footage(clip_shelf.path("red"), "street.mp4")
    lines = example.run_readme().splitlines()
    assert lines
    assert all(re.fullmatch(r"[\d.]+ - [\d.]+ s  score 0\.\d+", line) for line in lines)
    assert example.uploads() == ["api_client_example"]


def test_the_sandbox_tests_pass(tmp_path: Path, server: Sandbox) -> None:
    said = Example("sandbox_tests", tmp_path, server).run_readme()
    assert "3 passed" in said


@pytest.mark.soak
@pytest.mark.timeout(600)
def test_standalone_needs_no_code(tmp_path: Path, server: Sandbox, clip_shelf: ClipShelf) -> None:
    example = Example("standalone", tmp_path, server)
    example.add_footage(clip_shelf.path("red"), "street.mp4")
    said = example.run_readme()
    assert "says_warranty" in said
    assert "street.mp4" in said
    assert example.uploads() == ["standalone_example"]


@pytest.mark.soak
@pytest.mark.timeout(600)
def test_the_factorys_assets_feed_one_of_the_users_own(tmp_path: Path, server: Sandbox, clip_shelf: ClipShelf) -> None:
    example = Example("factory", tmp_path, server)
    example.add_footage(clip_shelf.path("red"), "street.mp4")
    said = example.run_readme()
    yesterday = (datetime.now(UTC) - timedelta(days=1)).date().isoformat()
    assert f"{yesterday},red,1" in said
    assert f"{yesterday},says_warranty,1" in said
    assert example.uploads() == ["factory_example"]


@pytest.mark.soak
@pytest.mark.timeout(600)
def test_the_components_two_instances_keep_apart(tmp_path: Path, server: Sandbox, clip_shelf: ClipShelf) -> None:
    example = Example("component", tmp_path, server)
    example.add_footage(clip_shelf.path("red"), "north/street.mp4")
    example.add_footage(clip_shelf.path("blue"), "south/harbour.mp4")
    example.add_footage(clip_shelf.path("green"), "south/bridge.mp4")
    said = example.run_readme()
    assert "street.mp4" in said
    assert "harbour.mp4" not in said
    assert example.uploads() == ["north_example", "south_example", "south_example"]
    states = example.folder / "state"
    assert (states / "south" / "ledger.db").exists()
    # One account, one place for its rates.
    assert [path.parent for path in states.rglob("limits/*.db")] == [states / "limits"]
