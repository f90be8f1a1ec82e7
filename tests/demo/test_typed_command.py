"""What the demo prints can be typed as it is printed, whether or not the command is on the search path."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.command_line import environment
from visualsearch_pipeline import __version__

PROGRAM = "from visualsearch_pipeline.demo.typed_command import typed_command; print(typed_command())"
INSTALLED = Path(sys.executable).parent


@pytest.mark.parametrize(
    ("search_path", "is_by_name"),
    [(f"{INSTALLED}:/usr/bin:/bin", True), ("/usr/bin:/bin", False)],
    ids=["on the search path", "elsewhere"],
)
def test_the_command_runs_as_it_is_printed(tmp_path: Path, search_path: str, is_by_name: bool) -> None:  # noqa: FBT001  a parameter
    shell = {**environment(tmp_path), "PATH": search_path}
    printed = subprocess.run(
        [sys.executable, "-c", PROGRAM], cwd=tmp_path, env=shell, capture_output=True, text=True, check=True
    ).stdout.strip()
    assert (printed == "visualsearch") is is_by_name
    typed = subprocess.run(  # noqa: S602  # as a person types it
        f"{printed} --version",
        shell=True,
        cwd=tmp_path,
        env=shell,
        capture_output=True,
        text=True,
        check=True,
    )
    assert typed.stdout == f"visualsearch {__version__}\n"


def test_a_command_of_another_environment_is_not_taken_for_ours(tmp_path: Path) -> None:
    other = tmp_path / "bin" / "visualsearch"
    other.parent.mkdir()
    other.write_text("#!/bin/sh\necho other\n")
    other.chmod(0o755)
    shell = {**environment(tmp_path), "PATH": f"{other.parent}{os.pathsep}/usr/bin:/bin"}
    printed = subprocess.run(
        [sys.executable, "-c", PROGRAM], cwd=tmp_path, env=shell, capture_output=True, text=True, check=True
    ).stdout.strip()
    assert printed != "visualsearch"
