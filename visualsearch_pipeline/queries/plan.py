"""Searching is planned, not looped: the fewest calls that cover the videos which a query has not been asked about.

The service answers a text search with at most `top_k` hits and no second page. An answer shorter than that is
complete for everything it reached; a full one is not, and its part of the library is asked about again in smaller
parts, until every part is complete or one video alone fills an answer. This module says what a search begins with;
`frontier` goes on from there and tells how many calls it takes at most.

All functions here are pure. A video's hits count only in the call that `covers` it: whole scope and day tags reach
further than that.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import date
from types import MappingProxyType
from typing import Final, TypeAlias

from visualsearch_pipeline.api.limits import MAX_SEARCH_VIDEO_NOS
from visualsearch_pipeline.queries.models import (
    HitVideos,
    ImageInVideoQuery,
    ListedVideos,
    TextQuery,
    VideoQuery,
)

_LISTS_WORTH_A_TRIAL: Final = {"low": 2, "medium": 2, "high": 2, None: 6}
"""A wide call is tried where it would replace at least so many lists. Without a filtering level the service ranks
everything, an answer is full sooner, and the trial must stand to save more."""

_LISTS_WORTH_A_DAY: Final = {"low": 4, "medium": 4, "high": 4, None: 6}
"""The same for a day's tag once the whole scope came back full. Hits come in clusters, and those of a busy day are
spread over lists of many days, but not over its tag; so small days go into lists."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A video that a query has not been asked about.

    Attributes:
        video_no: The video; it is ready to be searched.
        day: Its partition.
        tagged: Whether it carries the tag of its day, so that a search by that tag reaches it.
    """

    video_no: str
    day: date
    tagged: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Library:
    """How many videos are ready to be searched, in the whole scope and per day, targets or not."""

    ready_count: int
    ready_count_by_day: Mapping[date, int] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, slots=True)
class WholeScope:
    """Ask about everything in the scope."""


@dataclass(frozen=True, slots=True)
class DayTag:
    """Ask about the videos that carry the tag of this day."""

    day: date


@dataclass(frozen=True, slots=True)
class VideoList:
    """Ask about these videos, at most 100 (contract §2.8)."""

    video_nos: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class OneVideo:
    """Ask about one video, on a route that takes no other reach (contract §2.10)."""

    video_no: str


Reach: TypeAlias = WholeScope | DayTag | VideoList | OneVideo


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchCall:
    """One call of the service.

    Attributes:
        query: What is asked.
        reach: About what.
        targets: The videos it is asked for; hits of others that it reaches are dropped.
    """

    query: VideoQuery
    reach: Reach
    targets: tuple[Target, ...]

    @property
    def covers(self) -> tuple[str, ...]:
        """The `video_no` of every target."""
        return tuple(target.video_no for target in self.targets)

    @property
    def newest_day(self) -> date:
        """The newest day among the targets; work is ordered by it."""
        return max(target.day for target in self.targets)


def candidates(
    query: VideoQuery, targets: Iterable[Target], *, hit_video_nos: AbstractSet[str] = frozenset()
) -> tuple[Target, ...]:
    """Those of `targets` that `query` looks in at all.

    Args:
        query: Any saved query; only an image within videos leaves any out.
        targets: Videos without coverage.
        hit_video_nos: The videos that the query named by `within: {query: …}` has hit.
    """
    match query:
        case ImageInVideoQuery(within=ListedVideos(video_nos=video_nos)):
            listed = frozenset(video_nos)
            return tuple(target for target in targets if target.video_no in listed)
        case ImageInVideoQuery(within=HitVideos()):
            return tuple(target for target in targets if target.video_no in hit_video_nos)
        case _:
            return tuple(targets)


def plan(query: VideoQuery, targets: Collection[Target], library: Library) -> tuple[SearchCall, ...]:
    """The first round of calls for `targets`, newest day first; together they cover each target once."""
    ordered = newest_first(targets)
    if not ordered:
        return ()
    match query:
        case ImageInVideoQuery():
            return tuple(
                SearchCall(query=query, reach=OneVideo(target.video_no), targets=(target,)) for target in ordered
            )
        case TextQuery():
            least = _LISTS_WORTH_A_TRIAL[query.filtering_level]
            if _is_worth_trying(len(ordered), reached=library.ready_count, least_lists=least):
                return (SearchCall(query=query, reach=WholeScope(), targets=ordered),)
            calls, rest = tags_and_rest(query, ordered, library.ready_count_by_day, least_lists=least)
            calls += (
                list_call(query, rest[start : start + MAX_SEARCH_VIDEO_NOS])
                for start in range(0, len(rest), MAX_SEARCH_VIDEO_NOS)
            )
            return tuple(sorted(calls, key=lambda call: call.newest_day, reverse=True))
        case _:
            # Similar images and transcripts have no filter by video or tag (contract §2.9, §2.11).
            return (SearchCall(query=query, reach=WholeScope(), targets=ordered),)


def can_split(call: SearchCall) -> bool:
    """Whether what an answer to `call` lacks can be had by asking about smaller parts; if not, it is truncated."""
    match call.reach:
        case WholeScope() | DayTag():
            return isinstance(call.query, TextQuery)
        case VideoList(video_nos=video_nos):
            return len(video_nos) > 1
        case OneVideo():
            return False


def _is_worth_trying(wanted: int, *, reached: int, least_lists: int) -> bool:
    """Whether one wide call that reaches `reached` videos should be tried for `wanted` of them, before lists.

    It should where it stands to save enough calls, and at least half of what it reaches is wanted.
    """
    return _ceil_div(wanted, MAX_SEARCH_VIDEO_NOS) >= least_lists and 2 * wanted >= reached


def tags_and_rest(
    query: TextQuery,
    targets: Sequence[Target],
    ready_count_by_day: Mapping[date, int] | None = None,
    *,
    least_lists: int | None = None,
) -> tuple[list[SearchCall], list[Target]]:
    """A call by its tag for each day that is worth one, and the targets that are left for lists.

    Args:
        query: What is asked.
        targets: About what, newest first.
        ready_count_by_day: How many videos the tag of each day reaches; None where that does not matter.
        least_lists: A tag is worth it where it would replace so many lists; by default as after a full wide answer.
    """
    counts = ready_count_by_day or {}
    least = _LISTS_WORTH_A_DAY[query.filtering_level] if least_lists is None else least_lists
    by_day: dict[date, list[Target]] = defaultdict(list)
    for target in targets:
        by_day[target.day].append(target)
    calls: list[SearchCall] = []
    rest: list[Target] = []
    for day, of_day in by_day.items():
        # One tag a request (contract §2.8): a query with a tag of its own leaves no room for the day's.
        tagged = [target for target in of_day if target.tagged] if query.tag is None else []
        if _is_worth_trying(len(tagged), reached=counts.get(day, 0), least_lists=least):
            calls.append(SearchCall(query=query, reach=DayTag(day), targets=tuple(tagged)))
            rest += [target for target in of_day if not target.tagged]
        else:
            rest += of_day
    return calls, rest


def list_call(query: VideoQuery, targets: Sequence[Target]) -> SearchCall:
    """The call about a list of videos, at most 100 (contract §2.8)."""
    reach = VideoList(tuple(target.video_no for target in targets))
    return SearchCall(query=query, reach=reach, targets=tuple(targets))


def newest_first(targets: Iterable[Target]) -> tuple[Target, ...]:
    """Sorted and each video once: today's hits are waited for, last year's are not."""
    distinct = {target.video_no: target for target in targets}
    return tuple(sorted(distinct.values(), key=lambda target: (-target.day.toordinal(), target.video_no)))


def _ceil_div(dividend: int, divisor: int) -> int:
    return -(-dividend // divisor)
