"""The benchmarks of the warehouse run, at a size that takes seconds. What they measure is not judged here."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.soak
def test_each_benchmark_prints_a_ratio_and_its_answers_agree() -> None:
    small = {"BENCHMARK_HITS": "24000", "BENCHMARK_DAYS": "12"}
    names = ("questions", "publishing", "writing")

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
    assert all(report.startswith(name) for name, report in reports.items())
    assert all("ratio" in report for report in reports.values())
    assert reports["questions"].count("ratio") == 6


def test_a_name_that_is_no_benchmark_is_refused_with_those_there_are() -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "benchmarks", "weather"], cwd=ROOT, capture_output=True, text=True, check=False
    )

    assert ended.returncode == 2
    assert "no such benchmark: weather; there are" in ended.stderr
    assert "publishing" in ended.stderr
