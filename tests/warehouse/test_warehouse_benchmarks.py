"""The benchmarks of the warehouse run, at a size that takes seconds. What they measure is not judged here."""

from __future__ import annotations

import pytest

from benchmarks._measuring import compared, print_table
from tests.benchmark_reports import benchmark_reports, run_benchmarks


@pytest.mark.soak
def test_each_benchmark_prints_a_table_to_paste_and_its_answers_agree() -> None:
    names = ("questions", "publishing", "writing")

    reports = benchmark_reports(*names, BENCHMARK_HITS="24000", BENCHMARK_DAYS="12")

    assert all(report.startswith(name) for name, report in reports.items())
    tables = {name: pasted(report) for name, report in reports.items()}
    promised = {name: [row["promised"] for row in rows if row["promised"]] for name, rows in tables.items()}
    assert all(row["seen"] for rows in tables.values() for row in rows)
    figures = [row for rows in tables.values() for row in rows]
    assert all(bool(row["ratio"]) != row["what"].startswith("peak memory") for row in figures)
    twice, memory = "\u2264 2 \u00d7", "< 1.5 GB"
    assert promised["questions"] == [*6 * [f"< 200 ms, {twice}"], twice, memory]
    assert promised["publishing"] == ["\u2264 0.1 \u00d7", memory]
    assert promised["writing"] == [twice, twice, memory]


def pasted(report: str) -> list[dict[str, str]]:
    """The rows of the table that a benchmark prints, by the names of their columns."""
    lines = [line.strip("| ").split("|") for line in report.splitlines() if line.startswith("|")]
    header, _, *rows = [[cell.strip() for cell in line] for line in lines]
    return [dict(zip(header, row + [""] * (len(header) - len(row)), strict=True)) for row in rows]


def test_a_broken_promise_ends_a_benchmark_of_full_size_with_its_name() -> None:
    kept = compared("kept", ours=0.1, theirs=0.1, against="by hand", most_seconds=0.2, most_ratio=2)
    slow = compared("slow", ours=0.3, theirs=0.3, against="by hand", most_seconds=0.2, most_ratio=2)
    slower = compared("slower", ours=0.1, theirs=0.01, against="by hand", most_seconds=0.2, most_ratio=2)

    with pytest.raises(SystemExit, match=r"^not as promised: slow; slower$"):
        print_table([kept, slow, slower], is_judged=True)
    print_table([kept], is_judged=True)
    print_table([slow, slower], is_judged=False)


def test_a_name_that_is_no_benchmark_is_refused_with_those_there_are() -> None:
    ended = run_benchmarks("weather")

    assert ended.returncode == 2
    assert "no such benchmark: weather; there are" in ended.stderr
    assert "publishing" in ended.stderr
