"""Running benchmarks of the project as a person does, at a size that takes seconds."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

_ROOT = Path(__file__).parents[1]


def run_benchmarks(*names: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """`python -m benchmarks` with these names, and these variables in its environment."""
    return subprocess.run(
        [sys.executable, "-m", "benchmarks", *names],
        cwd=_ROOT,
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        check=False,
    )


def benchmark_reports(*names: str, **variables: str) -> dict[str, str]:
    """What each of them prints, by its name."""
    ended = run_benchmarks(*names, **variables)
    assert ended.returncode == 0, ended.stderr
    return dict(zip(names, ended.stdout.split("\n== ")[1:], strict=True))
