"""Times, ratios and peak memory, and how they are printed."""

from __future__ import annotations

import resource
import statistics
import sys
import time
from collections.abc import Callable, Sequence


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
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def report(what: str, *, ours: float, theirs: float, against: str) -> None:
    """Print two times and their ratio: below 1, ours is the faster."""
    print(f"{what:<46} {_time(ours)}   {against} {_time(theirs)}   ratio {ours / theirs:.2f}", flush=True)


def report_memory(what: str) -> None:
    print(f"{what:<46} {peak_memory_bytes() / 1e6:.0f} MB peak memory", flush=True)


def _time(seconds: float) -> str:
    return f"{seconds * 1000:9.1f} ms" if seconds < 10 else f"{seconds:9.2f} s "
