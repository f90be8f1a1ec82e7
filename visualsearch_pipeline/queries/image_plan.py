"""The fewest calls that cover the private images which a text has not been asked about.

As in `plan`, an answer shorter than `top_k` is complete, and a full one is asked for again in parts. The service has no
filter by image (contract §2.8), but one by tag, and each image carries the tag of its day and the hash tags of
all images that were sent with it. So the parts are: everything, a day, the images of one upload. A query with a tag of
its own leaves no room for ours: what a full answer to it lacks is truncated.

All functions here are pure.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from types import MappingProxyType
from typing import Final, TypeAlias

from visualsearch_pipeline.api.limits import MAX_TOP_K
from visualsearch_pipeline.queries.library_models import ImageLibraryQuery

IMAGE_TOP_K: Final = MAX_TOP_K
"""The `top_k` of every call: a call costs the same, and a long answer is split less."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageTarget:
    """An image that a query has not been asked about.

    Attributes:
        image_id: The image in the library.
        day: Its partition; it carries the tag of this day.
        batch: SHA-256 whose tag reaches it and all images that were sent with it.
    """

    image_id: str
    day: date
    batch: str


@dataclass(frozen=True, slots=True)
class AllImages:
    """Ask about every image in the scope."""


@dataclass(frozen=True, slots=True)
class ImagesOfDay:
    """Ask about the images with the tag of this day."""

    day: date


@dataclass(frozen=True, slots=True)
class ImagesOfBatch:
    """Ask about the images with this hash tag: those that one request sent."""

    batch: str


ImageReach: TypeAlias = AllImages | ImagesOfDay | ImagesOfBatch


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageCall:
    """One call: the query, about what, and the images it is asked for; others that it finds are dropped."""

    query: ImageLibraryQuery
    reach: ImageReach
    targets: tuple[ImageTarget, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageLibrary:
    """How many images of ours each day has in the library, asked about or not."""

    count_by_day: Mapping[date, int] = field(default_factory=lambda: MappingProxyType({}))


def plan_images(
    query: ImageLibraryQuery, targets: Collection[ImageTarget], library: ImageLibrary
) -> tuple[ImageCall, ...]:
    """The first round of calls for `targets`, newest day first; together they cover each target once.

    One call where it can be enough. What is certain to come back full is not tried: without a threshold the service
    ranks everything, so an answer about 1,000 images or more is full whatever is asked.
    """
    if not targets:
        return ()
    ordered = tuple(sorted(targets, key=lambda target: (-target.day.toordinal(), target.image_id)))
    if query.tag is not None:
        return (ImageCall(query=query, reach=AllImages(), targets=ordered),)
    days = {target.day for target in ordered}
    is_ranked_whole = query.filtering_level is None and _has_no_filter(query)
    if len(days) > 1 and not (is_ranked_whole and sum(library.count_by_day.values()) >= IMAGE_TOP_K):
        return (ImageCall(query=query, reach=AllImages(), targets=ordered),)
    calls: list[ImageCall] = []
    for call in _by_day(query, ordered):
        is_full = is_ranked_whole and library.count_by_day.get(call.targets[0].day, 0) >= IMAGE_TOP_K
        calls += _by_batch(query, call.targets) if is_full else (call,)
    return tuple(calls)


def split_images(full: Iterable[ImageCall]) -> tuple[ImageCall, ...]:
    """The next round: the targets of calls that came back full, in smaller parts; nothing for what cannot be split.

    Args:
        full: Calls, each narrowed to the targets of which its answer may lack some.
    """
    calls: list[ImageCall] = []
    for call in full:
        if not can_split_images(call):
            continue
        parts = _by_day if isinstance(call.reach, AllImages) else _by_batch
        calls += parts(call.query, call.targets)
    return tuple(calls)


def can_split_images(call: ImageCall) -> bool:
    """Whether what an answer to `call` lacks can be had by asking about smaller parts; if not, it is truncated."""
    return call.query.tag is None and not isinstance(call.reach, ImagesOfBatch)


def unfinished_images(call: ImageCall, found: Sequence[tuple[str, float | None]]) -> tuple[ImageTarget, ...]:
    """The targets that an answer may lack although they match; none if it is not full.

    Args:
        call: The call.
        found: Every image of the answer with its score, as the service sent them.
    """
    if len(found) < IMAGE_TOP_K:
        return ()
    query, scores = call.query, [score for _, score in found if score is not None]
    if query.min_score is not None and scores and min(scores) < query.min_score:
        # The service sends its best, so an answer that reaches below what counts holds all that does.
        return ()
    counting = {image_id for image_id, score in found if image_counts(query, score)}
    lacking = tuple(target for target in call.targets if target.image_id not in {image_id for image_id, _ in found})
    if query.top_k is None:
        return lacking
    found_of_day: dict[date, int] = defaultdict(int)
    for target in call.targets:
        found_of_day[target.day] += target.image_id in counting
    # Of a day with so many, what the answer lacks is worse than all that is kept.
    return tuple(target for target in lacking if found_of_day[target.day] < query.top_k)


def image_counts(query: ImageLibraryQuery, score: float | None) -> bool:
    """Whether a match with this score is kept."""
    return query.min_score is None or score is None or score >= query.min_score


def _has_no_filter(query: ImageLibraryQuery) -> bool:
    return query.camera is None and query.taken_after is None and query.near is None


def _by_day(query: ImageLibraryQuery, targets: Sequence[ImageTarget]) -> tuple[ImageCall, ...]:
    by_day: dict[date, list[ImageTarget]] = defaultdict(list)
    for target in targets:
        by_day[target.day].append(target)
    return tuple(
        ImageCall(query=query, reach=ImagesOfDay(day), targets=tuple(by_day[day]))
        for day in sorted(by_day, reverse=True)
    )


def _by_batch(query: ImageLibraryQuery, targets: Sequence[ImageTarget]) -> tuple[ImageCall, ...]:
    by_batch: dict[str, list[ImageTarget]] = defaultdict(list)
    for target in targets:
        by_batch[target.batch].append(target)
    return tuple(
        ImageCall(query=query, reach=ImagesOfBatch(batch), targets=tuple(of_batch))
        for batch, of_batch in by_batch.items()
    )
