"""Counts the system calls of a process, over all of its threads, and kills it at the n-th.

`strace -e inject=…:signal=SIGKILL:when=N` counts for each thread by itself: a call that a worker thread makes for the
first time can never be reached once the main thread has made one. So the kernel's own mechanism is used directly: a
seccomp filter that hands chosen calls to a supervisor before they are made (seccomp_unotify(2), Linux 5.5 and later).
Every other call runs at full speed, and no other program is needed. `test_kill_matrix.py` compares with strace.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import platform
import select
import signal
import socket
import struct
import sys
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_ARCHITECTURES: Final = {
    # The audit number of the architecture, the number of seccomp(2), and those of the calls (asm/unistd.h).
    "x86_64": (
        0xC000003E,
        317,
        {
            "connect": 42,
            "sendto": 44,
            "recvfrom": 45,
            "fsync": 74,
            "fdatasync": 75,
            "ftruncate": 77,
            "rename": 82,
            "link": 86,
            "unlink": 87,
            "unlinkat": 263,
            "renameat": 264,
            "linkat": 265,
            "renameat2": 316,
        },
    ),
    "aarch64": (
        0xC00000B7,
        277,
        {
            "unlinkat": 35,
            "linkat": 37,
            "renameat": 38,
            "ftruncate": 46,
            "fsync": 82,
            "fdatasync": 83,
            "connect": 203,
            "sendto": 206,
            "recvfrom": 207,
            "renameat2": 276,
        },
    ),
}
_PATH_ARGUMENT: Final = {"rename": 1, "renameat": 3, "renameat2": 3, "link": 1, "linkat": 3, "unlink": 0, "unlinkat": 1}

_NO_NEW_PRIVILEGES: Final = 38
_SET_MODE_FILTER: Final = 1
_NEW_LISTENER: Final = 8
_ALLOW: Final = 0x7FFF0000
_ASK_SUPERVISOR: Final = 0x7FC00000
_LOAD, _JUMP_IF_EQUAL, _RETURN = 0x20, 0x15, 0x06
_RECEIVE: Final = 0xC0502100
_ANSWER: Final = 0xC0182101
_CONTINUE: Final = 1
_CALL: Final = struct.Struct("=QIIiIQ6Q")
_REPLY: Final = struct.Struct("=QqiI")
_LONGEST_PATH: Final = 4096


def why_not_here() -> str | None:
    """Why this machine cannot count system calls, or None if it can."""
    if sys.platform != "linux" or platform.machine() not in _ARCHITECTURES:
        return f"seccomp notifications are known here for Linux on {', '.join(_ARCHITECTURES)} only"
    return None


def calls_known() -> tuple[str, ...]:
    """The calls that can be counted on this machine."""
    return tuple(_ARCHITECTURES[platform.machine()][2])


@dataclass(frozen=True)
class SystemCall:
    """A call that was about to be made: its name, and the file or address it concerns as far as it can be told."""

    name: str
    about: str

    def __str__(self) -> str:
        return f"{self.name} {self.about}"


class _Instruction(ctypes.Structure):
    _fields_ = (
        ("code", ctypes.c_uint16),
        ("if_true", ctypes.c_uint8),
        ("if_false", ctypes.c_uint8),
        ("value", ctypes.c_uint32),
    )


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_uint16), ("instructions", ctypes.POINTER(_Instruction)))


def submit(names: Iterable[str]) -> int:
    """From now on let a supervisor decide over these calls of this process, its threads and children.

    Returns:
        The descriptor through which the supervisor is asked.
    """
    architecture, seccomp, numbers = _ARCHITECTURES[platform.machine()]
    chosen = [numbers[name] for name in names]
    instructions = [
        _Instruction(_LOAD, 0, 0, 4),
        _Instruction(_JUMP_IF_EQUAL, 0, 1 + len(chosen), architecture),
        _Instruction(_LOAD, 0, 0, 0),
        *(_Instruction(_JUMP_IF_EQUAL, len(chosen) - position, 0, number) for position, number in enumerate(chosen)),
        _Instruction(_RETURN, 0, 0, _ALLOW),
        _Instruction(_RETURN, 0, 0, _ASK_SUPERVISOR),
    ]
    program = _Program(len(instructions), (_Instruction * len(instructions))(*instructions))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_NO_NEW_PRIVS) was refused")
    listener: int = libc.syscall(
        ctypes.c_long(seccomp),
        ctypes.c_ulong(_SET_MODE_FILTER),
        ctypes.c_ulong(_NEW_LISTENER),
        ctypes.byref(program),
    )
    if listener < 0:
        raise OSError(ctypes.get_errno(), "seccomp(SECCOMP_FILTER_FLAG_NEW_LISTENER) was refused")
    return listener


def supervise(
    listener: int,
    *,
    pid: int,
    until: socket.socket,
    kill_at: int | None,
    of_kind: str | None,
    timeout_seconds: float,
) -> tuple[tuple[SystemCall, ...], bool]:
    """Let a process make its calls, and kill it before its `kill_at`-th.

    Returns:
        The calls that it was about to make, and whether it was killed before the last of them.

    Args:
        listener: What `submit` returned in that process.
        pid: The process.
        until: Readable once the process has said something or is gone.
        kill_at: Which call it does not live to make, counted from 1; None for none.
        of_kind: Count only the calls of this name.
        timeout_seconds: For which a process may make no call at all before it counts as hanging.

    Raises:
        TimeoutError: It hangs; it was killed.
    """
    names = {number: name for name, number in _ARCHITECTURES[platform.machine()][2].items()}
    seen: list[SystemCall] = []
    counted = 0
    end = until.fileno()
    while True:
        ready, _, _ = select.select([listener, end], [], [], timeout_seconds)
        if not ready:
            os.kill(pid, signal.SIGKILL)
            message = (
                f"process {pid} hung for {timeout_seconds} s after {len(seen)} calls, the last of them {seen[-1:]}"
            )
            raise TimeoutError(message)
        if listener in ready:
            asked = bytearray(_CALL.size)
            try:
                fcntl.ioctl(listener, _RECEIVE, asked)
            except OSError:  # The thread that asked is gone already.
                if end in ready:
                    return tuple(seen), False
                continue
            call_id, thread, _, number, _, _, *arguments = _CALL.unpack(asked)
            seen.append(SystemCall(names[number], _about(names[number], thread, arguments)))
            counted += of_kind in {None, names[number]}
            if counted == kill_at:
                os.kill(pid, signal.SIGKILL)
                return tuple(seen), True
            with suppress(FileNotFoundError):
                fcntl.ioctl(listener, _ANSWER, _REPLY.pack(call_id, 0, 0, _CONTINUE))
        elif end in ready:
            return tuple(seen), False


def _about(name: str, thread: int, arguments: list[int]) -> str:
    try:
        if name not in _PATH_ARGUMENT:
            return Path(f"/proc/{thread}/fd/{arguments[0]}").readlink().name.partition(":")[0]
        with Path(f"/proc/{thread}/mem").open("rb", buffering=0) as memory:
            memory.seek(arguments[_PATH_ARGUMENT[name]])
            return Path(os.fsdecode(memory.read(_LONGEST_PATH).partition(b"\0")[0])).name
    except OSError:
        return "?"
