"""Telling that a call is made again, in words instead of a retry library's fields."""

from __future__ import annotations

import stamina

from visualsearch_pipeline.pipeline.progress import Progress


def tell_retries(progress: Progress) -> None:
    """Tell each retry of this process to whoever follows `progress`: what failed, and when it is tried again."""

    def tell(details: stamina.instrumentation.RetryDetails) -> None:
        progress.waiting(f"{details.caused_by} Trying again in {details.wait_for:.0f} s.", subject="retry")

    stamina.instrumentation.set_on_retry_hooks([tell])
