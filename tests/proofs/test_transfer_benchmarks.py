"""The benchmarks of the API boundary run, at a size that takes seconds. How fast they are is not judged here."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROGRAMS = ("curl", "ip", "tc", "unshare", "sha256sum")


def why_not_here() -> str | None:
    missing = [program for program in PROGRAMS if shutil.which(program) is None]
    if missing:
        return f"not installed: {', '.join(missing)}"
    as_root = [] if os.geteuid() == 0 else ["--map-root-user"]
    allowed = subprocess.run(["unshare", "--net", *as_root, "true"], capture_output=True, check=False)
    return None if allowed.returncode == 0 else f"no network namespace can be made: {allowed.stderr.decode().strip()}"


@pytest.mark.soak
def test_each_benchmark_of_the_boundary_prints_a_ratio() -> None:
    reason = why_not_here()
    if reason is not None and "CI" not in os.environ:
        pytest.skip(reason)
    small = {
        "BENCHMARK_UPLOAD_BYTES": "16000000",
        "BENCHMARK_DOWNLOAD_BYTES": "16000000",
        "BENCHMARK_ROUNDS": "1",
        "BENCHMARK_VIRTUAL_SECONDS": "60",
    }
    names = ("uploads", "downloads", "rate_limits")

    ended = subprocess.run(
        [sys.executable, "-m", "benchmarks", *names],
        cwd=ROOT,
        env={**os.environ, **small},
        capture_output=True,
        text=True,
        check=False,
    )

    assert ended.returncode == 0, ended.stderr
    reports = dict(zip(names, ended.stdout.split("\n== ")[1:], strict=True))
    assert all("ratio" in report for report in reports.values()), ended.stdout
    assert reports["rate_limits"].count("ratio 1.0") == 4
