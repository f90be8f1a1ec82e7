"""A file that failed and was mended a moment ago: waited for, so that the run that a person starts then takes it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import date
from typing import Final

from visualsearch_pipeline.ledger import ItemState
from visualsearch_pipeline.pipeline.pipeline import Pipeline

_LONGEST_SECONDS: Final = 60.0
"""Waiting is the sensors' work: a source that wants longer rest is left to them."""

_MARGIN_SECONDS: Final = 0.1


def wait_for_mended(pipeline: Pipeline, *, days: Sequence[date]) -> bool:
    """Wait until files of `days` that failed, and have changed since, have rested for `source.settle_seconds`.

    Whoever mends a file and runs its day again would otherwise be told the old reason: a file that has changed is left
    alone until a later look finds it unchanged, since it may still be being written.

    Returns:
        Whether there were such files: look at the source again then.
    """
    failed = {failure.subject for failure in pipeline.ledger.failures.unresolved(step="media")}
    changed = [
        item.changed_at for item in pipeline.ledger.items.in_state(ItemState.SETTLING, days=days) if item.uri in failed
    ]
    rest_seconds = pipeline.settings.source.settle_seconds
    if not changed or rest_seconds > _LONGEST_SECONDS:
        return False
    rested_seconds = (pipeline.now() - max(changed)).total_seconds()
    time.sleep(min(max(0.0, rest_seconds - rested_seconds) + _MARGIN_SECONDS, _LONGEST_SECONDS))
    return True
