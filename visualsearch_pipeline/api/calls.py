"""What is known of every single HTTP attempt, for whoever keeps the books."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias


@dataclass(frozen=True)
class ApiCall:
    """One HTTP attempt, reported when it is over.

    Attributes:
        operation: Name of the API operation, such as `upload` or `list_videos`.
        item: What it was about: a file name, a `video_no`, a query; or None.
        started_at: When the request began, after any wait for the rate limit. UTC.
        duration_seconds: From there to the end of the answer, or to the fault.
        outcome: `ok`, or the name of the error class.
        code: The envelope's code, or None if the answer carried none.
        http_status: None if no answer came.
        bytes_sent: Bytes of the request's body that were handed to the connection.
        bytes_received: Bytes of the answer's body, decoded.
        attempt: 1 for the first attempt of a call.
        waited_seconds: How long the attempt was held back by the rate limit before it began.
    """

    operation: str
    item: str | None
    started_at: datetime
    duration_seconds: float
    outcome: str
    code: str | None
    http_status: int | None
    bytes_sent: int
    bytes_received: int
    attempt: int
    waited_seconds: float


OnCall: TypeAlias = Callable[[ApiCall], None]
"""Receives each attempt, in the thread that made it. What it raises is logged and goes no further: bookkeeping that
fails must not lose the answer to an upload."""
