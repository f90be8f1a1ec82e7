"""Waiting for what another process, thread or server is about to do."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

_POLL_SECONDS: Final = 0.02


def wait_until(
    holds: Callable[[], bool], *, seconds: float, told: Callable[[], str], poll_seconds: float = _POLL_SECONDS
) -> None:
    """Return as soon as `holds` does.

    Args:
        holds: Asked again and again; may assert what has to hold meanwhile, such as that a process lives.
        seconds: How long it may take.
        told: What to say if it takes longer.
        poll_seconds: How long to leave what is asked alone in between.

    Raises:
        AssertionError: The time is up.
    """
    until = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > until:
            raise AssertionError(f"not within {seconds} s: {told()}")
        # Nothing that happens in another process can be waited on from here; it shows only when it is asked for.
        time.sleep(poll_seconds)
