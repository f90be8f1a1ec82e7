"""Times, ratios and peak memory, and how they are printed."""

from __future__ import annotations

import re
import resource
import statistics
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Final

_HEADER: Final = ("what", "promised", "seen", "beside it", "ratio")


@dataclass(frozen=True)
class Figure:
    """A row of a table of results. Below a ratio of 1, ours is the faster.

    Attributes:
        what: What was measured.
        promised: What it must come to; empty where nothing is promised.
        seen: What it came to.
        beside_it: What the alternative came to in the same run.
        ratio: What was seen, divided by that.
        is_kept: Whether the promise is kept.
    """

    what: str
    promised: str
    seen: str
    beside_it: str
    ratio: str
    is_kept: bool


def seconds_of(call: Callable[[], object]) -> float:
    """How long one call takes."""
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def medians(calls: Sequence[Callable[[], object]], *, rounds: int) -> tuple[float, ...]:
    """The median time of each call, in seconds. They take turns, so that a busy machine is as busy for all."""
    times: list[list[float]] = [[] for _ in calls]
    for call in calls:
        call()
    for _ in range(rounds):
        for position, call in enumerate(calls):
            times[position].append(seconds_of(call))
    return tuple(statistics.median(measured) for measured in times)


def peak_memory_bytes() -> int:
    """The most that this process ever held in memory."""
    told = Path("/proc/self/status")
    if told.exists():
        # Not ru_maxrss: a process that another one started begins there with what that one held.
        (peak,) = re.findall(r"^VmHWM:\s+(\d+) kB$", told.read_text(), re.MULTILINE)
        return int(peak) * 1024
    peak_bytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak_bytes if sys.platform == "darwin" else peak_bytes * 1024


def compared(
    what: str,
    *,
    ours: float,
    theirs: float,
    against: str,
    most_seconds: float | None = None,
    most_ratio: float | None = None,
) -> Figure:
    """Two times, in seconds, and what is promised of them."""
    promises = [f"< {_time(most_seconds)}"] if most_seconds is not None else []
    promises += [f"\u2264 {most_ratio:g} \u00d7"] if most_ratio is not None else []
    return Figure(
        what=what,
        promised=", ".join(promises),
        seen=_time(ours),
        beside_it=f"{against}: {_time(theirs)}",
        ratio=f"{ours / theirs:.2f}",
        is_kept=(most_seconds is None or ours < most_seconds) and (most_ratio is None or ours / theirs <= most_ratio),
    )


def peak_memory(what: str, *, most_bytes: int, seen_bytes: int | None = None) -> Figure:
    """The most that a process ever held in memory, this one if `seen_bytes` is left out, and what is promised of it."""
    seen_bytes = peak_memory_bytes() if seen_bytes is None else seen_bytes
    return Figure(what, f"< {most_bytes / 1e9:g} GB", f"{seen_bytes / 1e6:.0f} MB", "", "", seen_bytes < most_bytes)


def print_table(figures: Iterable[Figure], *, is_judged: bool) -> None:
    """Print figures as a table that can be pasted into a page of documentation.

    Args:
        figures: The rows.
        is_judged: Whether a broken promise ends the benchmark with an error: promises are made for a certain size.

    Raises:
        SystemExit: a promise is broken.
    """
    shown = tuple(figures)
    rows = [_HEADER, *(astuple(figure)[: len(_HEADER)] for figure in shown)]
    widths = [max(len(row[position]) for row in rows) for position in range(len(_HEADER))]
    for number, row in enumerate(rows):
        print("| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |")
        if number == 0:
            print("|" + "|".join("-" * (width + 2) for width in widths) + "|", flush=True)
    broken = [figure.what for figure in shown if not figure.is_kept]
    if is_judged and broken:
        raise SystemExit(f"not as promised: {'; '.join(broken)}")


def report(what: str, *, ours: float, theirs: float, against: str) -> None:
    """Print two times and their ratio: below 1, ours is the faster."""
    print(f"{what:<46} {_time(ours):>12}   {against} {_time(theirs)}   ratio {ours / theirs:.2f}", flush=True)


def report_memory(what: str) -> None:
    print(f"{what:<46} {peak_memory_bytes() / 1e6:.0f} MB peak memory", flush=True)


def _time(seconds: float) -> str:
    if seconds >= 10:
        return f"{seconds:.1f} s"
    return f"{seconds * 1000:.0f} ms" if seconds >= 0.1 else f"{seconds * 1000:.1f} ms"
