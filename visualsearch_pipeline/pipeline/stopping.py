"""Which errors of the service concern one item, and which concern them all."""

from __future__ import annotations

from visualsearch_pipeline.api import ConnectionFailed, VisualSearchError
from visualsearch_pipeline.pipeline.errors import PipelineError, ServiceRefuses, ServiceUnreachable
from visualsearch_pipeline.pipeline.pipeline import Pipeline


def stopping_error(pipeline: Pipeline, error: VisualSearchError) -> PipelineError | None:
    """What to raise instead of going on to the next item, if `error` concerns every item alike."""
    if error.stops_run:
        return ServiceRefuses(str(error))
    if isinstance(error, ConnectionFailed):
        return ServiceUnreachable(f"{pipeline.settings.api.base_url}: {error}")
    return None
