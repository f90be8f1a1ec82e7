"""Publishes in forked children that are killed: before the n-th step that touches the disk, or after some time.

    python crashing_publisher.py steps|times update|rebuild <template folder> <folder of trials>

Each trial is a copy of the template, in which a first version is published and the inputs of a second are ready. JSON
lines are printed: the step that a child was killed before, then the trial's folder and how it ended (0: it finished).
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pyarrow.dataset as ds
import pyarrow.parquet as pq

from visualsearch_pipeline.warehouse import ParquetStore, publish

MAX_STEPS = 200

# DuckDB and pyarrow import these when they are first used, which would be once in every child.
IMPORTED_ONCE = (pd, ds)


def write_second_version(folder: Path, *, rebuild: bool) -> None:
    """Two days of hits and two tables of the ledger, all of version 2, then the publication."""
    store = ParquetStore(str(folder / "tables"))
    ready = folder / "ready"
    for path in sorted(ready.glob("hits-*.parquet")):
        rows = pq.read_table(path)
        store.write_hits("street", rows.column("day")[0].as_py(), rows)
    ledger_tables = {name: pq.read_table(ready / f"{name}.parquet") for name in ("videos", "queries")}
    publish(store, folder / "warehouse.duckdb", ledger_tables, ["street"], rebuild=rebuild)


def die_before_step(wanted: int) -> None:
    """Let SIGKILL fall before the `wanted`-th fsync, rename or removal."""
    taken = 0

    def dying(name: str, call: Callable[..., object]) -> Callable[..., object]:
        def step(*args: object, **kwargs: object) -> object:
            nonlocal taken
            taken += 1
            if taken == wanted:
                os.write(1, json.dumps({"step": name, "number": wanted}).encode() + b"\n")
                os.kill(os.getpid(), signal.SIGKILL)
            return call(*args, **kwargs)

        return step

    for name in ("fsync", "replace", "unlink", "mkdir", "link", "copy_file_range"):
        setattr(os, name, dying(name, getattr(os, name)))


def run_trial(template: Path, folder: Path, *, rebuild: bool, step: int | None, seconds: float | None) -> int:
    """Publish in a child that dies; say by which signal."""
    shutil.copytree(template, folder, symlinks=True)
    child = os.fork()
    if child == 0:
        if step is not None:
            die_before_step(step)
        try:
            write_second_version(folder, rebuild=rebuild)
        except BaseException as error:  # noqa: BLE001 - reported, and the child must not go on
            os.write(2, repr(error).encode())
            os._exit(3)
        os._exit(0)
    if seconds is not None:
        # The moment of death is what a trial is about.
        time.sleep(seconds)
        os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status)


def main() -> None:
    mode, rebuild, template, trials = sys.argv[1], sys.argv[2] == "rebuild", Path(sys.argv[3]), Path(sys.argv[4])
    if mode == "steps":
        for number in range(1, MAX_STEPS):
            code = run_trial(template, trials / str(number), rebuild=rebuild, step=number, seconds=None)
            os.write(1, json.dumps({"folder": str(trials / str(number)), "code": code}).encode() + b"\n")
            if code >= 0:
                return
        return
    for number in range(8):
        folder = trials / str(number)
        code = run_trial(template, folder, rebuild=rebuild, step=None, seconds=0.005 + 0.03 * number)
        os.write(1, json.dumps({"folder": str(folder), "code": code}).encode() + b"\n")


if __name__ == "__main__":
    main()
