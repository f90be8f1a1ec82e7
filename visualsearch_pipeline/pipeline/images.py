"""The step `images`: found, decoded, hashed and sent to the library of private images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from visualsearch_pipeline.pipeline.image_search import searchable_before
from visualsearch_pipeline.pipeline.image_source import ImageIngestReport, ingest_images
from visualsearch_pipeline.pipeline.image_uploads import ImageUploadReport, upload_images
from visualsearch_pipeline.pipeline.pipeline import Pipeline


@dataclass(frozen=True)
class ImagesReport:
    """What the step did: what it looked into, and what became of the queued images."""

    ingested: ImageIngestReport
    uploads: ImageUploadReport


def send_images(pipeline: Pipeline, *, days: Sequence[date] | None = None) -> ImagesReport:
    """Look into the settled images of `days` (all days if None) and upload what is new.

    Raises:
        ServiceRefuses: the service refuses every call (key, credits, permission).
        ServiceUnreachable: no connection can be made.
        BudgetExceeded: looking for a lost image would pass a budget.
    """
    ingested = ingest_images(pipeline, days=days)
    return ImagesReport(ingested=ingested, uploads=upload_images(pipeline, days=days))


def pending_image_days(pipeline: Pipeline) -> tuple[date, ...]:
    """The days with images to look into or to send, oldest first."""
    images = pipeline.ledger.images
    days = {item.day for item in images.to_inspect()} | {image.day for image in images.open()}
    return tuple(sorted(days))


def waiting_images(pipeline: Pipeline) -> int:
    """How many images only time can move on: still being written, of unknown fate, or not searchable yet."""
    images, searches = pipeline.ledger.images, pipeline.ledger.image_searches
    unsearchable = 0
    if any(query_set.image_library_queries for query_set in pipeline.catalog.sets):
        unsearchable = searches.count_waiting(uploaded_before=searchable_before(pipeline))
    return images.count_settling() + len(images.open()) + unsearchable
