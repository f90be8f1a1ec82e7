"""A virtual environment with the package as a wheel, as somebody has it who never saw the repository."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from tests.command_line import REPOSITORY
from tests.doors.team_project import TeamProject

DG: Final = "import sys; from dagster_dg_cli.cli import main; sys.argv[0] = 'dg'; main()"


@dataclass(frozen=True)
class Environment:
    """A virtual environment with the wheel in it."""

    folder: Path

    @property
    def python(self) -> Path:
        return self.folder / "bin" / "python"

    @property
    def packages(self) -> Path:
        """Where its packages lie."""
        (packages,) = (self.folder / "lib").glob("python*/site-packages")
        return packages

    def install_editable(self, team: TeamProject) -> None:
        """Put a project on its path, as `pip install -e` does; one at a time."""
        (self.packages / "team.pth").write_text(str(team.source))

    def run(self, *command: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
        variables = {"PATH": f"{self.folder / 'bin'}:{os.environ['PATH']}", "HOME": str(cwd), "LANG": "C.UTF-8"}
        return subprocess.run(command, cwd=cwd, env=variables, capture_output=True, text=True, timeout=250, check=False)

    def dg(self, *arguments: str, team: TeamProject) -> str:
        """Run a `dg` command that should succeed; returns all that it says."""
        done = self.run(self.python, "-c", DG, *arguments, cwd=team.root)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr


def make_environment(folder: Path) -> Environment:
    """Make an empty one."""
    run_uv("venv", "--python", sys.executable, folder / "venv")
    return Environment(folder / "venv")


def build_wheel(folder: Path) -> Path:
    """Build the package as it is now."""
    run_uv("build", "--wheel", "--no-build-isolation", "--python", sys.executable, "--out-dir", folder, REPOSITORY)
    (wheel,) = folder.glob("*.whl")
    return wheel


def run_uv(*arguments: str | Path, timeout_seconds: float = 120) -> None:
    """Run a `uv` command; skips the test where it needs the package index and cannot reach it, except in CI."""
    uv = Path(sys.executable).with_name("uv")
    # pip trusts whom the machine trusts, a company's proxy for one; uv does so when it is told to.
    variables = {**os.environ, "UV_SYSTEM_CERTS": "1"}
    done = subprocess.run(
        [uv, *arguments], env=variables, capture_output=True, text=True, timeout=timeout_seconds, check=False
    )
    if done.returncode and "CI" not in os.environ and "error sending request" in done.stderr:
        pytest.skip(f"the package index cannot be reached, and `uv {arguments[0]}` needs it")
    assert done.returncode == 0, done.stderr
