"""A second chance for what failed for good, on request: the file is the same, and something else has changed."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Literal

from visualsearch_pipeline.pipeline.pipeline import Pipeline

RetriedStep = Literal["media", "uploads", "archive"]
"""The steps in which something can fail for good: refused here, refused by the service, not to be had whole."""


def retry_failed(pipeline: Pipeline, step: RetriedStep, *, days: Sequence[date]) -> int:
    """Let a step try again what it gave up on some days. Makes no call.

    What failed for a passing reason needs no permission: every run tries it again.

    Returns:
        How many items get another chance.
    """
    count = pipeline.ledger.failures.allow_retry(step, days=days)
    if step == "uploads":
        queued = pipeline.ledger.uploads.queue_refused(days=days) + pipeline.ledger.url_uploads.queue_refused(days=days)
        count = max(count, queued)
    return count
