"""Which failed attempts may be made again, and after how long (contract §9.10-9.13)."""

from __future__ import annotations

from collections.abc import Callable

from visualsearch_pipeline.api.errors import (
    BadResponse,
    ConnectionFailed,
    IncompleteDownload,
    MalformedItem,
    RateLimited,
    TransientServiceError,
    TransportError,
)
from visualsearch_pipeline.api.operations import Operation
from visualsearch_pipeline.api.policies import RetryPolicy


def may_repeat(
    operation: Operation, policy: RetryPolicy, *, most_carried_out: int | None = None
) -> Callable[[Exception], bool | float]:
    """Return the decision for one call: False to give up, True for the usual wait, or the wait in seconds.

    Args:
        operation: What is called.
        policy: How often and how long.
        most_carried_out: Most attempts that may have been carried out, and charged; None for no such limit. What was
            refused at the door, or never left, does not count.
    """
    transient_failures = carried_out = 0

    def decide(error: Exception) -> bool | float:
        nonlocal transient_failures, carried_out
        if isinstance(error, RateLimited):
            # Refused at the door: safe for every operation.
            if error.retry_after_seconds is None:
                return True
            return error.retry_after_seconds if error.retry_after_seconds <= policy.total_seconds else False
        if isinstance(error, ConnectionFailed):
            return True
        if not operation.repeatable:
            return False
        carried_out += 1
        if most_carried_out is not None and carried_out >= most_carried_out:
            return False
        if isinstance(error, TransientServiceError):
            transient_failures += 1
            return transient_failures <= policy.transient_retries
        if isinstance(error, BadResponse):
            # A shape that changed stays changed; a truncated or foreign body may pass.
            return not isinstance(error, MalformedItem)
        return isinstance(error, TransportError | IncompleteDownload)

    return decide
