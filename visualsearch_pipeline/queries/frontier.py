"""What of a search is still to be asked, and how each answer changes it: wide calls first, lists where they were full.

    frontier = Frontier.of(query, targets, library)
    while call := frontier.next_call:
        hits = ...ask the call...
        frontier = frontier.after(call, unfinished=unfinished(call, hits), hits=...their video_no...)

A frontier is a value: the same answers lead to the same calls. One call at a time, because each answer tells how long
the next list may be, and whether a day's tag is worth another trial.

**How many calls at most.** With N targets, H hits in them (of each video at most `top_k` count) and K = `top_k`:

* Where no list fills an answer, N / 100 + 5. A search by lists alone takes N / 100, rounded up; more than that are the
  whole scope tried in vain, three trials of a day's tag (they stop when they have cost three calls more than they
  saved), and a last list that is shorter than 100.
* Otherwise at most 13 * H / K more, whatever the order of scores:

  - A full list leads to two calls. Its videos are divided so that neither part has more than two thirds of the hits
    that the answer showed (`_halves`), hence a part that is full again shows K / 3 that no list had shown. With H to be
    shown there are at most 3 * H / K full lists, which cost two calls each.
  - Each of them halves the length of the lists that follow at most once; a list with less than 0.35 K hits doubles it
    again. Short lists with more hits than that number 3 * H / K at most, since no two lists share a hit.

That is what the worst order of scores could do. Where scores and hits have nothing to do with each other, it takes
N / 100 + H / K + 10 for 10,000 videos with 30,000 hits, however they lie. No planner could promise that for more hits:
of videos with more than K / 2 no two fit into one answer; where every tenth is such a video, each takes 1.8 calls.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from itertools import islice
from types import MappingProxyType
from typing import Final

from visualsearch_pipeline.api.limits import MAX_SEARCH_VIDEO_NOS
from visualsearch_pipeline.queries.completeness import limit_of
from visualsearch_pipeline.queries.models import TextQuery, VideoQuery
from visualsearch_pipeline.queries.plan import (
    DayTag,
    Library,
    SearchCall,
    Target,
    VideoList,
    WholeScope,
    can_split,
    list_call,
    newest_first,
    plan,
    tags_and_rest,
)

_TAG_TRIALS: Final = 3
"""So many calls may trials of days' tags cost more than they save."""

_WANTED_FILL: Final = 0.7
"""How much of an answer a list should fill: the next videos may have more hits than those before."""

_SLACK: Final = 1.1
"""A list may hold a little more than its share, so that a new day is whole without waiting for a last video."""

_ENOUGH_TO_COMPARE: Final = 10
"""So many videos of each kind say whether the wide answers told where the hits are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Frontier:
    """The open part of one query's search.

    Attributes:
        query: What is asked.
        calls: Planned and not asked yet, without the lists that are cut from `unlisted`.
        unlisted: Targets that wait to be put in a list, newest first.
        known: Hits per video in the full wide answers, as many as an answer of the widest would hold. Videos with
            many are spread over the lists.
        list_length: How many videos the next list has.
        tag_credit: How many more calls the trials of days' tags may cost than they saved.
    """

    query: VideoQuery
    calls: tuple[SearchCall, ...]
    unlisted: tuple[Target, ...] = ()
    known: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))
    list_length: int = MAX_SEARCH_VIDEO_NOS
    tag_credit: int = _TAG_TRIALS

    @classmethod
    def of(cls, query: VideoQuery, targets: Collection[Target], library: Library) -> Frontier:
        """Where the search for `targets` begins: the calls of `plan`."""
        planned = plan(query, targets, library)
        lists = [call for call in planned if isinstance(call.reach, VideoList)]
        return cls(
            query=query,
            calls=tuple(call for call in planned if not isinstance(call.reach, VideoList)),
            unlisted=newest_first(target for call in lists for target in call.targets),
        )

    @property
    def next_call(self) -> SearchCall | None:
        """What to ask now: about the newest day that is open; None when nothing is.

        A list that would be too short waits until no wide call is open: what a full one leaves shares it.
        """
        planned = self.calls[0] if self.calls else None
        if not self.unlisted or (planned is not None and planned.newest_day >= self.unlisted[0].day):
            return planned
        if len(self.unlisted) < self.list_length:
            wide = next((call for call in self.calls if not isinstance(call.reach, VideoList)), None)
            return wide or self._next_list()
        return self._next_list()

    def without(self, call: SearchCall) -> Frontier:
        """The frontier when `call` is not going to be asked, or could not be."""
        if call in self.calls:
            at = self.calls.index(call)
            return replace(self, calls=self.calls[:at] + self.calls[at + 1 :])
        if self.unlisted[: len(call.targets)] == call.targets:
            return replace(self, unlisted=self.unlisted[len(call.targets) :])
        gone = frozenset(call.covers)
        return replace(self, unlisted=tuple(target for target in self.unlisted if target.video_no not in gone))

    def after(self, call: SearchCall, *, unfinished: Collection[Target], hits: Iterable[str]) -> Frontier:
        """The frontier once `call` was answered.

        Args:
            call: The one that `next_call` gave.
            unfinished: The targets of which the answer may lack hits that count.
            hits: The `video_no` of each hit that the service sent.
        """
        left, counts = self.without(call), Counter(hits)
        if not isinstance(self.query, TextQuery):
            return left
        length = _length_after(call, counts, length=self.list_length, is_full=bool(unfinished))
        credit = self.tag_credit
        match call.reach:
            case DayTag():
                credit += -1 if unfinished else max(0, len(call.targets) // MAX_SEARCH_VIDEO_NOS - 1)
            case VideoList():
                left = replace(left, list_length=length)
                if not unfinished and _is_no_guide(call, counts, self.known):
                    left = replace(left, known=MappingProxyType({}))
        left = replace(left, tag_credit=credit)
        if not unfinished or not can_split(call):
            return left
        targets = newest_first(unfinished)
        if isinstance(call.reach, VideoList):
            return replace(left, calls=_ordered((*left.calls, *_halves(self.query, targets, seen=counts))))
        left = replace(left, known=MappingProxyType({**left.known, **_at_one_rate(counts, left.known)}))
        tags, rest = tags_and_rest(self.query, targets) if isinstance(call.reach, WholeScope) else ((), targets)
        calls = [*left.calls, *tags]
        if credit <= 0:
            given_up = [call for call in calls if isinstance(call.reach, DayTag)]
            calls = [call for call in calls if not isinstance(call.reach, DayTag)]
            rest = (*rest, *(target for call in given_up for target in call.targets))
        return replace(left, calls=_ordered(calls), unlisted=newest_first((*left.unlisted, *rest)))

    def _next_list(self) -> SearchCall:
        """The next list: the newest videos, with their share of the hits that are expected, no more and no less."""
        length = self.list_length
        if len(self.unlisted) <= length or not self.known:
            return list_call(self.query, self.unlisted[:length])
        expected = _expected_hits(self.unlisted, self.known)
        lists = _ceil_div(len(self.unlisted), length)
        share = sum(expected.values()) / lists
        promising = (target for target in self.unlisted if target.video_no in expected)
        ranked = sorted(promising, key=lambda target: -expected[target.video_no])
        # Two of these would be more than a share, and may be more than an answer; there is a list for each of them.
        dense = {target.video_no for target in ranked[: lists + 1] if 2 * expected[target.video_no] > share}
        dense = dense if len(dense) <= lists else set()
        taken = {target.video_no: target for target in ranked[:1] if dense}
        hits = sum(expected[number] for number in taken)
        for target in self.unlisted:
            more = expected.get(target.video_no, 0.0)
            if target.video_no in taken or target.video_no in dense or (more and hits + more > share * _SLACK):
                continue
            taken[target.video_no] = target
            hits += more
            if len(taken) == length:
                break
        # Videos of older days that must not all be left for the end take the places of those that promise least.
        places = sorted(taken, key=lambda number: (expected[number], taken[number].day))
        for target, number in zip(ranked, places, strict=False):
            hits += expected[target.video_no] - expected[number]
            if hits > share or expected[target.video_no] <= 2 * expected[number]:
                break
            if target.video_no not in taken and target.video_no not in dense:
                del taken[number]
                taken[target.video_no] = target
        # No list is shorter than it may be, whatever is expected: there would be more of them.
        least = (target for target in reversed(ranked) if target.video_no not in taken)
        taken |= {target.video_no: target for target in islice(least, length - len(taken))}
        return list_call(self.query, newest_first(taken.values()))


def _at_one_rate(counts: Counter[str], known: Mapping[str, float]) -> dict[str, float]:
    """The hits of a full answer, as if it had shown as many of its videos as a wider answer before it did.

    A full answer shows its best hits only; those of the whole scope and of one day are not the same share of all.
    """
    before = sum(known.get(number, 0) for number in counts)
    rate = before / counts.total() if before else 1.0
    return {number: rate * count for number, count in counts.items()}


def _expected_hits(targets: Sequence[Target], known: Mapping[str, float]) -> defaultdict[str, float]:
    """How many hits of each target an answer like the ones so far would hold: its own, and what its day suggests."""
    of_day: defaultdict[date, float] = defaultdict(float)
    for target in targets:
        if target.video_no in known:
            of_day[target.day] += known[target.video_no]
    sizes = Counter(target.day for target in targets)
    expected = {
        target.video_no: known.get(target.video_no, 0) + of_day[target.day] / sizes[target.day]
        for target in targets
        if target.day in of_day
    }
    return defaultdict(float, expected)


def _halves(query: TextQuery, targets: Sequence[Target], *, seen: Mapping[str, int]) -> tuple[SearchCall, ...]:
    """`targets` of a full answer in two lists of as many seen hits each as can be, and about as many videos.

    A video that fills most of the answer by itself gets one of its own: with others it would fill a list again and
    again. For the rest: the videos in falling order, each to the list with fewer hits so far, leaves neither list with
    more than two thirds of them, as no video has more than half.
    """
    if len(targets) == 1:
        return (list_call(query, targets),)
    ranked = sorted(targets, key=lambda target: -seen.get(target.video_no, 0))
    hits = [seen.get(target.video_no, 0) for target in ranked]
    if 2 * hits[0] > sum(hits):
        return (list_call(query, ranked[:1]), list_call(query, newest_first(ranked[1:])))
    parts: tuple[list[Target], list[Target]] = ([], [])
    sums = [0, 0]
    for target, count in zip(ranked, hits, strict=True):
        lighter = 0 if (sums[0], len(parts[0])) <= (sums[1], len(parts[1])) else 1
        if not count:
            # Nothing is known of it: only the lengths are evened out.
            lighter = 0 if len(parts[0]) <= len(parts[1]) else 1
        parts[lighter].append(target)
        sums[lighter] += count
    return tuple(list_call(query, newest_first(part)) for part in parts)


def _length_after(call: SearchCall, counts: Counter[str], *, length: int, is_full: bool) -> int:
    """How many videos the next list has: half as many after a full one, else so many that it should be well filled.

    Videos that fill a list by themselves say nothing about the next ones: where three of them hold most of the answer,
    the next list is no shorter.
    """
    limit, found, size = limit_of(call), counts.total(), len(call.targets)
    if is_full:
        is_of_few = 2 * sum(count for _, count in counts.most_common(3)) > found
        return length if is_of_few or size > length else max(1, length // 2)
    if limit is None or found >= limit:
        return length
    fitting = int(_WANTED_FILL * limit * size / max(1, found))
    return max(length, min(fitting, 2 * length, MAX_SEARCH_VIDEO_NOS))


def _is_no_guide(call: SearchCall, counts: Counter[str], known: Mapping[str, float]) -> bool:
    """Whether videos of which nothing is known had as many hits as those that are known to have some.

    Then the wide answers were of the best hits of a library that has them everywhere, and to spread these videos over
    the lists would only make the newest day wait.
    """
    with_hits = [counts[number] for number in call.covers if known.get(number)]
    others = [counts[number] for number in call.covers if not known.get(number)]
    if min(len(with_hits), len(others)) < _ENOUGH_TO_COMPARE:
        return False
    return 2 * sum(others) / len(others) >= sum(with_hits) / len(with_hits)


def _ceil_div(dividend: int, divisor: int) -> int:
    return -(-dividend // divisor)


def _ordered(calls: Iterable[SearchCall]) -> tuple[SearchCall, ...]:
    return tuple(sorted(calls, key=lambda call: call.newest_day, reverse=True))
