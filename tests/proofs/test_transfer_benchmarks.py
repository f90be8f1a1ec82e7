"""The benchmarks of the API boundary run, at a size that takes seconds. How fast they are is not judged here."""

from __future__ import annotations

import os
import shutil
import subprocess

import pytest

from tests.benchmark_reports import benchmark_reports

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

    reports = benchmark_reports("uploads", "downloads", "rate_limits", **small)

    assert all("ratio" in report for report in reports.values()), reports
    assert reports["rate_limits"].count("ratio 1.0") == 4
