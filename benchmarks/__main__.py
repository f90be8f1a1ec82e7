"""Runs benchmarks, each in a process of its own, so that its peak memory is its own.

python -m benchmarks                 all of them
python -m benchmarks --list          their names
python -m benchmarks questions …     those
BENCHMARK_HITS=200000 python -m benchmarks     smaller, to see that they work
"""

from __future__ import annotations

import argparse
import importlib
import os
import pkgutil
import subprocess
import sys
import tempfile
from pathlib import Path

import benchmarks


def names() -> tuple[str, ...]:
    """Every module with a function `main`; those that begin with an underscore are not benchmarks."""
    found = (module.name for module in pkgutil.iter_modules(benchmarks.__path__))
    return tuple(sorted(name for name in found if not name.startswith("_")))


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=benchmarks.__doc__)
    parser.add_argument("name", nargs="*", help="which; all if none is named")
    parser.add_argument("--list", action="store_true", help="only list the names")
    parser.add_argument("--in-process", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    unknown = set(arguments.name) - set(names())
    if unknown:
        parser.error(f"no such benchmark: {', '.join(sorted(unknown))}; there are {', '.join(names())}")
    if arguments.list:
        for name in names():
            print(f"{name:<14} {(importlib.import_module(f'benchmarks.{name}').__doc__ or '').splitlines()[0]}")
        return 0
    if arguments.in_process:
        importlib.import_module(f"benchmarks.{arguments.name[0]}").main()
        return 0
    failed = 0
    with tempfile.TemporaryDirectory(prefix="visualsearch-benchmarks-") as shared:
        # What is expensive to make is made by the first that needs it and used by the others.
        environment = {**os.environ, "BENCHMARK_FOLDER": os.environ.get("BENCHMARK_FOLDER", shared)}
        for name in arguments.name or names():
            print(f"\n== {name}", flush=True)
            command = [sys.executable, "-m", "benchmarks", "--in-process", name]
            failed += (
                subprocess.run(command, env=environment, cwd=Path(__file__).parent.parent, check=False).returncode != 0
            )
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
