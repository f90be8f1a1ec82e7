"""What a person may choose for a run; the descriptions are what the launchpad and the backfill dialog show."""

# Annotations are not deferred in this module: Dagster reads those of its config classes.

from typing import Final

import dagster as dg
from pydantic import Field

_STEP_SECONDS: Final = (
    "After this time this run begins no new item; the rest stays queued and is asked for again. Empty: the settings' "
    "`step_seconds`."
)
_MAX_ITEMS: Final = "At most so many items in this run; the rest stays queued and is asked for again. Empty: all."
_MAX_CALLS: Final = (
    "At most so many searches in this run; what lacks an answer then is asked for again. One search answers for up to "
    "the whole library. Empty: as many as it takes."
)
_RETRY_FAILED: Final = (
    "Try again what failed for good on these days, although nothing about it has changed. What failed for a passing "
    "reason is tried again in every run."
)


class DayConfig(dg.Config):
    """For every step that works on days."""

    step_seconds: float | None = Field(None, gt=0, description=_STEP_SECONDS)


class ItemsConfig(DayConfig):
    """For steps that go through items one by one."""

    max_items: int | None = Field(None, ge=1, description=_MAX_ITEMS)
    retry_failed: bool = Field(default=False, description=_RETRY_FAILED)


class TranscriptionConfig(DayConfig):
    """For transcripts and captions."""

    max_items: int | None = Field(None, ge=1, description=_MAX_ITEMS)
    force: bool = Field(
        default=False, description="Ask again about every video of these days. Costs one search per video anew."
    )


class HitsConfig(DayConfig):
    """For a query set; everything that is new, if left alone."""

    queries: list[str] = Field([], description="Ids of the saved queries to ask. Empty: all of the set.")
    force: bool = Field(default=False, description="Ask again what was answered. Costs every call anew.")
    max_calls: int | None = Field(None, ge=1, description=_MAX_CALLS)
