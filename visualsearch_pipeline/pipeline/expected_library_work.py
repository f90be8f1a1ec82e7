"""What a run would send to the image library, and ask of it and of the public library. No call is made."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import date

from visualsearch_pipeline.pipeline.image_search import image_questions, image_target
from visualsearch_pipeline.pipeline.image_source import look_at_images
from visualsearch_pipeline.pipeline.pipeline import Pipeline
from visualsearch_pipeline.pipeline.public_search import public_questions, unasked_platforms
from visualsearch_pipeline.queries import ImageLibrary, ImageTarget, QuerySet, plan_images


@dataclass(frozen=True)
class ExpectedImages:
    """Images that are not in the library yet.

    Attributes:
        days: The day of each.
        requests: How many requests send them, if all can be sent together that are of one day.
        size_bytes: All of them.
    """

    days: tuple[date, ...]
    requests: int
    size_bytes: int


def read_expected_images(pipeline: Pipeline, *, look: bool) -> ExpectedImages:
    """The images that a run would send; with `look` after a look at the source.

    Raises:
        SourceProblem: the source cannot be listed.
    """
    if look:
        look_at_images(pipeline)
    images, at_most = pipeline.ledger.images, pipeline.settings.api.images_per_upload
    waiting = [
        *((item.day, item.size_bytes) for item in images.to_inspect()),
        *((item.day, item.size_bytes) for item in images.open()),
    ]
    per_day = Counter(day for day, _ in waiting)
    return ExpectedImages(
        days=tuple(day for day, _ in waiting),
        requests=sum(-(-count // at_most) for count in per_day.values()),
        size_bytes=sum(size_bytes for _, size_bytes in waiting),
    )


def expected_library_calls(pipeline: Pipeline, query_set: QuerySet, coming: ExpectedImages) -> int:
    """The fewest calls that the queries of a set about private images and the public library can do with."""
    return _image_calls(pipeline, query_set, coming) + _public_calls(pipeline, query_set)


def _image_calls(pipeline: Pipeline, query_set: QuerySet, coming: ExpectedImages) -> int:
    searches, now = pipeline.ledger.image_searches, pipeline.now()
    by_day = Counter(searches.count_by_day(uploaded_before=now)) + Counter(coming.days)
    library = ImageLibrary(count_by_day=by_day)
    calls = 0
    for query, question in image_questions(query_set):
        targets = [image_target(image) for image in searches.unanswered(question, uploaded_before=now)]
        # Under names that no service gives.
        targets += [ImageTarget(image_id=f"coming {n}", day=day, batch=f"{n}") for n, day in enumerate(coming.days)]
        calls += len(plan_images(query, targets, library))
    return calls


def _public_calls(pipeline: Pipeline, query_set: QuerySet) -> int:
    return sum(len(unasked_platforms(pipeline, query, question)) for query, question in public_questions(query_set))
