"""The real command line as a process of its own, and a finished demo to look at."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest
from filelock import FileLock

COMMAND: Final = (sys.executable, "-m", "visualsearch_pipeline.cli")
REPOSITORY: Final = Path(__file__).parents[1]


@dataclass(frozen=True)
class Answer:
    """What a command left behind."""

    code: int
    out: str
    err: str

    @property
    def error_text(self) -> str:
        """Standard error with its line breaks taken out: where a line is broken depends on the length of a path."""
        return " ".join(self.err.split())


def environment(home: Path, **variables: str) -> dict[str, str]:
    """What a new user's shell hands to a command, and no more: no key, no address, no terminal."""
    # Packages import from the repository, wherever the command runs.
    search_path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    return {"PATH": search_path, "HOME": str(home), "PYTHONPATH": str(REPOSITORY), "LANG": "C.UTF-8", **variables}


def visualsearch(*arguments: str, cwd: Path, timeout_seconds: float = 120, **variables: str) -> Answer:
    """Run the command line in `cwd` with nothing on standard input, and wait for its end."""
    done = subprocess.run(
        [*COMMAND, *arguments],
        cwd=cwd,
        env=environment(cwd, **variables),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=timeout_seconds,
        check=False,
    )
    return Answer(done.returncode, done.stdout, done.stderr)


@dataclass(frozen=True)
class FinishedDemo:
    """A folder in which `visualsearch demo` ran to its end, and what it said."""

    cwd: Path
    answer: Answer

    @property
    def folder(self) -> Path:
        return self.cwd / "visualsearch-demo"

    @property
    def settings_path(self) -> Path:
        return self.folder / "visualsearch.yaml"

    @property
    def sandbox_state(self) -> Path:
        return self.folder / "sandbox"

    def copied_to(self, cwd: Path) -> FinishedDemo:
        """The same demo to be changed at will. Its footage and archive stay where they are: they are only read."""
        shutil.copytree(self.folder, cwd / self.folder.name, dirs_exist_ok=True)
        return FinishedDemo(cwd, self.answer)


def finished_demo(tmp_path_factory: pytest.TempPathFactory) -> FinishedDemo:
    """The demo of this test run: made once, by whichever worker needs it first."""
    base = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        base = base.parent
    cwd = base / "demo"
    with FileLock(base / "demo.lock"):
        texts = [cwd / "code", cwd / "out", cwd / "err"]
        if not texts[0].exists():
            cwd.mkdir()
            answer = visualsearch("demo", cwd=cwd, timeout_seconds=240)
            for path, text in zip(texts[::-1], (answer.err, answer.out, str(answer.code)), strict=True):
                path.write_text(text)
        code, out, err = (path.read_text() for path in texts)
    return FinishedDemo(cwd, Answer(int(code), out, err))
