"""A terminal small enough to read: what a program wrote to it, and what a person then sees."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import struct
import subprocess
import termios
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

_CONTROL: Final = re.compile(r"\x1b\[(?P<number>\d*)(?P<rest>[;\d]*)(?P<what>[A-Za-z])|\x1b\[\?\d+[hl]|\r|\n")
COLUMNS: Final = 100
ROWS: Final = 40


def run_on_terminal(command: Sequence[str], *, cwd: Path, environment: Mapping[str, str]) -> tuple[int, str]:
    """Run a command with a terminal as its output and errors; its exit code, and every character it wrote."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
    with subprocess.Popen(
        command, cwd=cwd, env={**environment, "TERM": "xterm-256color"}, stdin=theirs, stdout=theirs, stderr=theirs
    ) as process:
        os.close(theirs)
        written = b""
        # Reading ends with an error, as terminals do, once nobody has it open any more.
        while chunk := _read(ours):
            written += chunk
    os.close(ours)
    return process.returncode, written.decode()


def screen(written: str) -> list[str]:
    """The lines that stand on the screen in the end, as far as programs move upwards and erase whole lines."""
    lines: dict[int, str] = {}
    row = column = 0
    position = 0
    for control in [*_CONTROL.finditer(written), None]:
        text = written[position : control.start() if control else len(written)]
        before = lines.get(row, "").ljust(column)
        lines[row] = before[:column] + text + before[column + len(text) :]
        column += len(text)
        if control is None:
            break
        position = control.end()
        number = int(control["number"] or 1) if control["what"] else 0
        match control["what"] or control[0]:
            case "\n":
                row += 1
            case "\r":
                column = 0
            case "A":
                row = max(row - number, 0)
            case "K":
                lines[row] = ""
            case _:  # colours, and whether the cursor is shown
                pass
    return [lines.get(number, "").rstrip() for number in range(max(lines) + 1)]


def _read(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, 65536)
    except OSError:
        return b""
