"""Writes a report in forked children, each killed before its n-th step that touches the disk, n = 1, 3, 5, …

    python killed_writer.py <database> <archive> <folder of the standing report> <folder of trials>

Each trial is a copy of the standing report. JSON lines are printed: the trial's folder and how its child ended (0: it
finished, which ends the trials).
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import av
import jinja2

from visualsearch_pipeline.report import write_report

MOST_STEPS = 300
STRIDE = 2
"""Every other step: most are the files of a build, one like the next."""

# Imported when they are first used, which would be once in every child.
IMPORTED_ONCE = (av, jinja2)


def die_before_step(wanted: int) -> None:
    """Let SIGKILL fall before the `wanted`-th step."""
    taken = 0

    def dying(call: Callable[..., object]) -> Callable[..., object]:
        def step(*args: object, **kwargs: object) -> object:
            nonlocal taken
            taken += 1
            if taken == wanted:
                os.kill(os.getpid(), signal.SIGKILL)
            return call(*args, **kwargs)

        return step

    for name in ("fsync", "replace", "rename", "unlink", "rmdir", "mkdir"):
        setattr(os, name, dying(getattr(os, name)))


def main() -> None:
    database, archive, standing, trials = (Path(argument) for argument in sys.argv[1:])
    for number in range(1, MOST_STEPS, STRIDE):
        folder = trials / str(number)
        shutil.copytree(standing, folder)
        child = os.fork()
        if child == 0:
            die_before_step(number)
            try:
                write_report(database, folder, archive_root=str(archive), picture_workers=1)
            except BaseException as error:  # noqa: BLE001 - reported, and the child must not go on
                os.write(2, repr(error).encode())
                os._exit(3)
            os._exit(0)
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        os.write(1, json.dumps({"folder": str(folder), "code": code}).encode() + b"\n")
        if code >= 0:
            return


if __name__ == "__main__":
    main()
