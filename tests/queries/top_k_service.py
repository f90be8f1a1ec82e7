"""A service that answers with the best `top_k` hits, and a search through it to its end: what plans are tried on."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import assert_never
from zlib import crc32

from visualsearch_pipeline.api import ClipHit
from visualsearch_pipeline.queries import (
    DayTag,
    Frontier,
    Library,
    OneVideo,
    SearchCall,
    Target,
    TextQuery,
    VideoList,
    WholeScope,
    can_split,
    limit_of,
    unfinished,
)

FIRST_DAY = date(2026, 1, 1)

Hit = tuple[str, int]

_MORE_THAN_A_VIDEO_HAS = 10_000


@dataclass(frozen=True)
class TopKService:
    """A library whose hits are known: the `index`-th hit of a video, in an order of scores that is the same for all.

    With `ranks_videos`, all hits of one video come before all of the next: a full answer shows hits of few videos, and
    tells nothing about the others.
    """

    videos: Mapping[str, Target]
    hit_counts: Mapping[str, int]
    ranks_videos: bool = False

    def ask(self, call: SearchCall) -> list[Hit]:
        match call.reach:
            case WholeScope():
                reached = list(self.videos)
            case DayTag(day=day):
                assert isinstance(call.query, TextQuery)
                assert call.query.tag is None, "one request has room for one tag"
                reached = [number for number, video in self.videos.items() if video.tagged and video.day == day]
            case VideoList(video_nos=video_nos):
                assert len(video_nos) <= 100
                assert len(set(video_nos)) == len(video_nos)
                reached = list(video_nos)
            case OneVideo(video_no=video_no):
                reached = [video_no]
            case _:
                assert_never(call.reach)
        hits = [(video_no, index) for video_no in reached for index in range(self.hit_counts.get(video_no, 0))]
        return sorted(hits, key=self.score, reverse=True)[: limit_of(call)]

    def score(self, hit: Hit) -> float:
        """From 0 to 1, and hardly two hits share one."""
        video_no, index = hit
        if self.ranks_videos:
            return max(0.0, crc32(video_no.encode()) - index / _MORE_THAN_A_VIDEO_HAS) / 2**32
        return crc32(f"{video_no}/{index}".encode()) / 2**32


@dataclass(frozen=True)
class Outcome:
    hits: list[Hit]
    truncated: set[str]
    call_count: int


def search(query: TextQuery, targets: Sequence[Target], service: TopKService) -> Outcome:
    """What `pipeline/search_run.py` does: call after call until every target is covered."""
    ready_by_day = Counter(video.day for video in service.videos.values())
    library = Library(ready_count=len(service.videos), ready_count_by_day=ready_by_day)
    frontier = Frontier.of(query, targets, library)
    hits: list[Hit] = []
    covered: list[str] = []
    truncated: set[str] = set()
    call_count = 0
    while (call := frontier.next_call) is not None:
        call_count += 1
        answer = service.ask(call)
        left = unfinished(call, [ClipHit.model_construct(video_no=hit[0], score=service.score(hit)) for hit in answer])
        to_split = left if can_split(call) else ()
        if not to_split:
            truncated.update(target.video_no for target in left)
        final = {*call.covers} - {target.video_no for target in to_split}
        covered += final
        hits += [hit for hit in answer if hit[0] in final]
        frontier = frontier.after(call, unfinished=to_split, hits=[video_no for video_no, _ in answer])
        assert call_count <= 10 * len(targets) + 10, "it does not end"
    assert sorted(covered) == sorted(target.video_no for target in targets), "each target is covered exactly once"
    return Outcome(hits, truncated, call_count)


def library_of(day_sizes: Sequence[int], *, tagged: bool = True) -> dict[str, Target]:
    targets = [
        Target(video_no=f"VI{day:04}{index:06}", day=FIRST_DAY + timedelta(days=day), tagged=tagged)
        for day, size in enumerate(day_sizes)
        for index in range(size)
    ]
    return {target.video_no: target for target in targets}


def dice(seed: int) -> random.Random:
    return random.Random(seed)  # noqa: S311 - a test's dice must fall the same way each time


def scatter(videos: Mapping[str, Target], hit_count: int, *, over: Sequence[str] | None = None) -> dict[str, int]:
    chosen = dice(7).choices(list(over or videos), k=hit_count)
    return dict(Counter(chosen))
