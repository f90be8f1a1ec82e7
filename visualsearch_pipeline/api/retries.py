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


def may_repeat(operation: Operation, policy: RetryPolicy) -> Callable[[Exception], bool | float]:
    """Return the decision for one call: False to give up, True for the usual wait, or the wait in seconds."""
    transient_failures = 0

    def decide(error: Exception) -> bool | float:
        nonlocal transient_failures
        if isinstance(error, RateLimited):
            # Refused at the door: safe for every operation.
            if error.retry_after_seconds is None:
                return True
            return error.retry_after_seconds if error.retry_after_seconds <= policy.total_seconds else False
        if isinstance(error, ConnectionFailed):
            return True
        if not operation.repeatable:
            return False
        if isinstance(error, TransientServiceError):
            transient_failures += 1
            return transient_failures <= policy.transient_retries
        if isinstance(error, BadResponse):
            # A shape that changed stays changed; a truncated or foreign body may pass.
            return not isinstance(error, MalformedItem)
        return isinstance(error, TransportError | IncompleteDownload)

    return decide
