"""Killed before any of its syncs, renames and connections, and run again once: nothing lost, nothing sent twice.

The steps between which a process is killed by name are in `tests/pipeline/test_kills.py`. Here a run is killed at its
first call, its second, and so on until a run comes to its end: every moment that leaves a different trace on disk or
at the service is between two of them.
"""

from __future__ import annotations

import itertools
import os
import re
import shutil
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from tests.conftest import API_KEY, STREET, lay_out_project, sandbox_config
from tests.proofs.step_process import StepProcesses, StepsRun
from tests.proofs.syscall_gate import SystemCall, calls_known, why_not_here
from tests.published_tables import contents
from visualsearch_pipeline.sandbox import Sandbox

if TYPE_CHECKING:
    from tests.conftest import ClipShelf, Project, Row

UNABLE = why_not_here()
pytestmark = pytest.mark.skipif(UNABLE is not None and "CI" not in os.environ, reason=str(UNABLE))

CLIPS = ("red", "green")
QUERIES = f"{STREET}  - {{id: best, text: red circle, filtering_level: low, top_k: 1}}"
"""One of each kind, and one that keeps the best hit of a day, which counts anew what others keep."""

WORKERS = 2
EVERY: Final = int(os.environ.get("KILL_MATRIX_EVERY", "1"))
"""1 for every cell; 10 for every tenth."""


@dataclass(frozen=True)
class Bench:
    """What the cells share."""

    folder: Path
    shelf: ClipShelf
    picture: Path
    processes: StepProcesses

    @contextmanager
    def project(self, name: str) -> Iterator[Project]:
        """A new project with a sandbox of its own; both are gone afterwards."""
        root = self.folder / name
        with Sandbox(sandbox_config(root / "sandbox")) as server:
            yield lay_out_project(root, server, shelf=self.shelf, picture=self.picture, clips=CLIPS, queries=QUERIES)
        shutil.rmtree(root)

    def undisturbed(self) -> tuple[StepsRun, dict[str, list[Row]]]:
        """A run that nobody disturbed, and its tables."""
        with self.project("undisturbed") as project:
            run = self.processes.run(project.settings_path)
            assert run.error is None, run.error
            tables = contents(project)
        assert all(rows for name, rows in tables.items() if name != "failures")
        return run, tables


@pytest.fixture
def bench(tmp_path: Path, clip_shelf: ClipShelf, red_picture: Path) -> Iterator[Bench]:
    for clip in CLIPS:
        clip_shelf.path(clip)  # made here, so that two threads do not make it at once
    with StepProcesses(api_key=API_KEY) as processes:
        yield Bench(tmp_path, clip_shelf, red_picture, processes)


@dataclass(frozen=True)
class Cell:
    """A run killed before its `number`-th call and run again; `problems` is empty if nothing was lost or doubled.

    Counted are all calls, or those of one kind.
    """

    number: int
    of_kind: str | None
    killed_before: SystemCall | None
    problems: tuple[str, ...]


def try_cell(bench: Bench, number: int, of_kind: str | None, expected: dict[str, list[Row]]) -> Cell:
    with bench.project(f"cell-{of_kind}-{number}") as project:
        first = bench.processes.run(project.settings_path, kill_at=number, of_kind=of_kind)
        if not first.was_killed:
            return Cell(number, of_kind, None, () if first.error is None else (first.error,))
        again = bench.processes.run(project.settings_path)
        problems = [] if again.error is None else [again.error]
        if again.error is None:
            found = contents(project)
            problems += [f"{name}: {found[name]}" for name in expected if found[name] != expected[name]]
        if len(project.server.videos()) != len(CLIPS):
            problems.append(f"{len(project.server.videos())} videos in the library")
        accepted = [entry for entry in project.calls("upload") if entry.took_effect]
        if len(accepted) != len(CLIPS):
            problems.append(f"{len(accepted)} uploads were accepted")
        problems += [f"left over: {path.name}" for path in (project.root / "state" / "archive").rglob("*.part")]
    return Cell(number, of_kind, first.calls[-1], tuple(problems))


def try_cells(bench: Bench, numbers: Iterator[int]) -> list[Cell]:
    """Cell after cell, some at a time, until a run is not killed any more."""
    _, expected = bench.undisturbed()
    cells: list[Cell] = []
    is_over = threading.Event()
    lock = threading.Lock()

    def work() -> None:
        while not is_over.is_set():
            with lock:
                number = next(numbers, None)
            if number is None:
                return
            cell = try_cell(bench, number, None, expected)
            if cell.killed_before is None:
                is_over.set()
            if cell.problems:
                sys.stdout.write(f"{cell}\n")
            cells.append(cell)

    with ThreadPoolExecutor(WORKERS) as pool:
        for future in [pool.submit(work) for _ in range(WORKERS)]:
            future.result()
    return sorted(cells, key=lambda cell: cell.number)


def try_first_of_each_kind(bench: Bench) -> list[Cell]:
    """Before the first call of each kind: threads decide anew which is the n-th, and a kind may be made once."""
    undisturbed, expected = bench.undisturbed()
    return [try_cell(bench, 1, kind, expected) for kind in sorted({call.name for call in undisturbed.calls})]


def show(cells: list[Cell], *, seconds: float) -> None:
    killed = [cell.killed_before for cell in cells if cell.killed_before is not None]
    kinds = ", ".join(f"{count} {name}" for name, count in sorted(Counter(call.name for call in killed).items()))
    bad = sum(1 for cell in cells if cell.problems)
    sys.stdout.write(f"kill matrix: {len(killed)} cells ({kinds}), {bad} with a problem, {seconds:.0f} s\n")


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_killed_before_any_sync_rename_or_connection_and_run_again(bench: Bench) -> None:
    began = time.monotonic()
    cells = [*try_cells(bench, itertools.count(1, EVERY)), *try_first_of_each_kind(bench)]
    show(cells, seconds=time.monotonic() - began)
    assert [cell for cell in cells if cell.problems] == []
    # A matrix that ended early, or counted next to nothing, would prove nothing.
    assert any(cell.killed_before is None for cell in cells)
    assert all(cell.killed_before.name == cell.of_kind for cell in cells if cell.killed_before and cell.of_kind)
    assert {cell.killed_before.name for cell in cells if cell.killed_before} >= {"fdatasync", "fsync", "connect"}


def test_killed_before_a_few_syncs_spread_over_a_run_and_run_again(bench: Bench) -> None:
    run, _ = bench.undisturbed()
    spread = [round(len(run.calls) * part) for part in (0.35, 0.7)]
    cells = try_cells(bench, iter(spread))
    assert [cell for cell in cells if cell.problems] == []
    assert [cell.number for cell in cells if cell.killed_before] == spread


@pytest.mark.skipif(shutil.which("strace") is None and "CI" not in os.environ, reason="strace is not installed")
def test_no_call_escapes_the_count(bench: Bench, tmp_path: Path) -> None:
    """strace looks on while a run is counted, and must have seen the same calls."""
    log = tmp_path / "strace.log"
    watching: list[subprocess.Popen[bytes]] = []

    def attach(pid: int) -> None:
        command = ["strace", "-f", "-e", f"trace={','.join(calls_known())}", "-o", str(log), "-p", str(pid)]
        watching.append(subprocess.Popen(command, stderr=subprocess.PIPE))
        stderr = watching[0].stderr
        assert stderr is not None
        assert b"attached" in stderr.readline()

    with bench.project("traced") as project:
        run = bench.processes.run(project.settings_path, before=attach)
    watching[0].communicate(timeout=30)
    assert run.error is None
    traced = Counter(re.findall(r"^\d+ +(\w+)\(", log.read_text(), flags=re.MULTILINE))
    assert traced == Counter(call.name for call in run.calls)
