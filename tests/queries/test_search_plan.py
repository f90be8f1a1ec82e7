"""The planner against a service that answers with at most `top_k` hits: nothing missing, nothing twice, few calls."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.queries.top_k_service import (
    FIRST_DAY,
    Hit,
    TopKService,
    dice,
    library_of,
    scatter,
    search,
)
from visualsearch_pipeline.queries import (
    DayTag,
    HitVideos,
    ImageInVideoQuery,
    ImageQuery,
    Library,
    ListedVideos,
    OneVideo,
    QueryImage,
    SearchCall,
    Target,
    TextQuery,
    TranscriptQuery,
    VideoList,
    WholeScope,
    can_split,
    candidates,
    is_full,
    limit_of,
    plan,
)

IMAGE = QueryImage(path=Path("/logo.png"), sha256="0" * 64, size_bytes=1, format="PNG")
ANY_TEXT = TextQuery(id="truck", text="a red truck")
LEVELLED_TEXT = TextQuery(id="truck", text="a red truck", filtering_level="medium")


hit_counts_of_a_video = st.sampled_from([0, 0, 0, 0, 1, 2, 7, 60, 400, 999, 1000, 1700])


@st.composite
def searches(draw: st.DrawFn) -> tuple[TextQuery, list[Target], TopKService]:
    day_sizes = draw(st.lists(st.integers(0, 160), min_size=1, max_size=6))
    scale = draw(st.sampled_from([1, 1, 5]))
    videos = library_of([size * scale for size in day_sizes])
    untagged = draw(st.sampled_from([0, 0, 3, 1]))
    if untagged:
        videos = {
            number: Target(video_no=number, day=video.day, tagged=position % untagged != 0)
            for position, (number, video) in enumerate(videos.items())
        }
    heavy = draw(st.lists(hit_counts_of_a_video, max_size=25))
    base = draw(st.sampled_from([0, 0, 1, 6]))
    shuffled = dice(draw(st.integers(0, 9))).sample(list(videos), k=len(videos))
    hit_counts = dict.fromkeys(videos, base) | dict(zip(shuffled, heavy, strict=False))
    asked = draw(st.sampled_from([1.0, 1.0, 0.5, 0.05]))
    targets = [videos[number] for number in shuffled[: int(len(shuffled) * asked)]]
    query = TextQuery(
        id="truck",
        text="a red truck",
        medium=draw(st.sampled_from(["clips", "audio", "captions"])),
        filtering_level=draw(st.sampled_from([None, "medium"])),
        tag=draw(st.sampled_from([None, None, "gate"])),
    )
    return query, targets, TopKService(videos, hit_counts, ranks_videos=draw(st.booleans()))


@settings(max_examples=60, deadline=None)
@given(searches())
def test_a_planned_search_finds_what_asking_each_video_alone_finds(
    search_of: tuple[TextQuery, list[Target], TopKService],
) -> None:
    query, targets, service = search_of
    limit = 200 if query.medium == "captions" else 1000

    outcome = search(query, targets, service)

    alone: list[Hit] = []
    for target in targets:
        call = SearchCall(query=query, reach=VideoList((target.video_no,)), targets=(target,))
        alone += service.ask(call)
    assert sorted(outcome.hits) == sorted(alone)
    assert outcome.truncated == {target.video_no for target in targets if service.hit_counts[target.video_no] >= limit}


@settings(max_examples=60, deadline=None)
@given(searches())
def test_a_planned_search_never_takes_more_calls_than_its_bound(
    search_of: tuple[TextQuery, list[Target], TopKService],
) -> None:
    """The bound that `queries/frontier.py` states: for dense videos, any days and tags, any part of the library."""
    query, targets, service = search_of
    limit = 200 if query.medium == "captions" else 1000
    asked = {target.video_no for target in targets}
    hits = sum(min(count, limit) for number, count in service.hit_counts.items() if number in asked)
    densest = sorted((service.hit_counts[number] for number in asked), reverse=True)[:100]
    at_most = len(targets) / 100 + 5 + (13 * hits / limit if sum(densest) >= limit else 0)

    assert search(query, targets, service).call_count <= at_most


@settings(max_examples=60, deadline=None)
@given(searches(), st.sampled_from([1, 3, 40, 1000]))
def test_the_best_of_each_day_are_those_of_asking_for_all(
    search_of: tuple[TextQuery, list[Target], TopKService], top_k: int
) -> None:
    query, targets, service = search_of
    day_of = {target.video_no: target.day for target in targets}

    def best(hits: Sequence[Hit]) -> list[Hit]:
        kept: list[Hit] = []
        for day in set(day_of.values()):
            of_day = [hit for hit in hits if day_of[hit[0]] == day]
            kept += sorted(of_day, key=service.score, reverse=True)[:top_k]
        return sorted(kept)

    outcome = search(replace(query, top_k=top_k), targets, service)

    everything = search(query, targets, service)
    if not everything.truncated:
        assert best(outcome.hits) == best(everything.hits)
    assert outcome.truncated <= everything.truncated


@pytest.mark.parametrize("query", [ANY_TEXT, LEVELLED_TEXT], ids=["no level", "level"])
@pytest.mark.parametrize("day_count", [1, 30, 365])
def test_300_hits_in_10000_videos_take_at_most_5_calls(query: TextQuery, day_count: int) -> None:
    videos = library_of([10_000 // day_count] * day_count)
    service = TopKService(videos, scatter(videos, 300))

    outcome = search(query, list(videos.values()), service)

    assert len(outcome.hits) == 300
    assert outcome.call_count <= 5


@pytest.mark.parametrize("query", [ANY_TEXT, LEVELLED_TEXT], ids=["no level", "level"])
@pytest.mark.parametrize("day_count", [1, 10, 30, 37, 99, 365])
@pytest.mark.parametrize("spread", ["everywhere", "one day in ten", "a hundred videos"])
def test_30000_hits_in_10000_videos_stay_within_the_bound_of_calls(
    query: TextQuery, day_count: int, spread: str
) -> None:
    videos = library_of([10_000 // day_count] * day_count)
    busy = {
        "everywhere": list(videos),
        "one day in ten": [number for number, video in videos.items() if (video.day - FIRST_DAY).days % 10 == 0],
        "a hundred videos": dice(3).sample(list(videos), k=100),
    }[spread]
    service = TopKService(videos, scatter(videos, 30_000, over=busy))

    outcome = search(query, list(videos.values()), service)

    assert len(outcome.hits) == 30_000
    assert outcome.truncated == set()
    assert outcome.call_count <= len(videos) / 100 + 30_000 / 1000 + 10


@pytest.mark.parametrize("day_count", [1, 30])
@pytest.mark.parametrize(
    ("dense", "hits"),
    [(300, 100), (60, 500), (30, 999)],
    ids=str,
)
def test_30000_hits_of_neighbours_stay_within_the_bound_of_calls(day_count: int, dense: int, hits: int) -> None:
    """Dense videos of one time: their day's tag is of no use, and two of 500 hits do not fit into one answer."""
    videos = library_of([10_000 // day_count] * day_count)
    service = TopKService(videos, dict.fromkeys(list(videos)[3000 : 3000 + dense], hits))

    outcome = search(LEVELLED_TEXT, list(videos.values()), service)

    assert len(outcome.hits) == dense * hits
    assert outcome.call_count <= len(videos) / 100 + dense * hits / 1000 + 10


def test_where_every_video_has_many_hits_the_lists_become_shorter() -> None:
    """Lists of a hundred would all be full, and so would be their halves: seven calls for each hundred videos."""
    videos = library_of([333] * 6)

    outcome = search(ANY_TEXT, list(videos.values()), TopKService(videos, dict.fromkeys(videos, 20)))

    assert len(outcome.hits) == 20 * len(videos)
    assert outcome.call_count <= 3 * len(videos) / 100 + 10


@pytest.mark.parametrize("query", [ANY_TEXT, LEVELLED_TEXT], ids=["no level", "level"])
@pytest.mark.parametrize("full_videos", [5, 15])
def test_videos_that_nearly_fill_an_answer_alone_do_not_take_the_bound_with_them(
    query: TextQuery, full_videos: int
) -> None:
    """Fifteen and the rest spread over all others took 275 calls when each list was halved down to such a video."""
    videos = library_of([333] * 30)
    hit_counts = scatter(videos, 30_000 - 999 * full_videos)
    hit_counts |= dict.fromkeys(dice(5).sample(list(videos), k=full_videos), 999)
    service = TopKService(videos, hit_counts)

    outcome = search(query, list(videos.values()), service)

    assert len(outcome.hits) == sum(hit_counts.values())
    assert outcome.truncated == set()
    assert outcome.call_count <= len(videos) / 100 + len(outcome.hits) / 1000 + 10


@pytest.mark.parametrize("query", [ANY_TEXT, LEVELLED_TEXT], ids=["no level", "level"])
@pytest.mark.parametrize("tagged", [True, False])
@pytest.mark.parametrize("old_days", [0, 40])
def test_270_new_videos_take_at_most_3_calls(query: TextQuery, *, tagged: bool, old_days: int) -> None:
    videos = library_of([250] * old_days + [270], tagged=tagged)
    new = [video for video in videos.values() if video.day == FIRST_DAY + timedelta(days=old_days)]
    service = TopKService(videos, scatter(videos, 900, over=[video.video_no for video in new]))

    assert search(query, new, service).call_count <= 3


def test_nothing_new_is_no_call() -> None:
    assert plan(ANY_TEXT, [], Library(ready_count=10_000)) == ()
    assert plan(TranscriptQuery(id="says", transcript="warranty"), [], Library(ready_count=10_000)) == ()


def test_a_video_that_comes_late_is_searched_alone() -> None:
    videos = library_of([300, 300])
    late = next(iter(videos.values()))

    (call,) = plan(LEVELLED_TEXT, [late], Library(ready_count=600, ready_count_by_day={FIRST_DAY: 300}))

    assert call.reach == VideoList((late.video_no,))


def test_the_newest_day_is_served_first() -> None:
    videos = library_of([250] * 4)

    calls = plan(ANY_TEXT, list(videos.values())[: 3 * 250], Library(ready_count=10_000))

    days = [target.day for call in calls for target in call.targets]
    assert days == sorted(days, reverse=True)


def test_a_day_is_asked_by_its_tag_where_that_saves_calls() -> None:
    videos = library_of([400] * 20)
    of_day = [video for video in videos.values() if video.day == FIRST_DAY]
    library = Library(ready_count=len(videos), ready_count_by_day=Counter(video.day for video in videos.values()))

    assert [call.reach for call in plan(LEVELLED_TEXT, of_day, library)] == [DayTag(FIRST_DAY)]
    assert len(plan(TextQuery(id="truck", text="truck", filtering_level="low", tag="gate"), of_day, library)) == 4


def test_videos_without_the_tag_of_their_day_are_listed_beside_it() -> None:
    videos = library_of([300, 400, 1000])
    untagged = {number for number in videos if number.endswith("7")}
    targets = [
        Target(video_no=number, day=video.day, tagged=number not in untagged)
        for number, video in videos.items()
        if video.day < FIRST_DAY + timedelta(days=2)
    ]
    service = TopKService({**videos, **{target.video_no: target for target in targets}}, scatter(videos, 1500))

    outcome = search(LEVELLED_TEXT, targets, service)

    assert len(outcome.hits) == sum(service.hit_counts.get(target.video_no, 0) for target in targets)
    assert outcome.call_count == 3, "two tags, and a list for the 70 without"


@pytest.mark.parametrize("every", [1, 100], ids=["neighbours", "one a day"])
def test_videos_with_many_hits_are_spread_over_the_lists(every: int) -> None:
    videos = library_of([100] * 100)
    service = TopKService(videos, dict.fromkeys(list(videos)[::every][:30], 900))

    outcome = search(LEVELLED_TEXT, list(videos.values()), service)

    assert len(outcome.hits) == 27_000
    assert outcome.call_count == 101, "the whole scope, and a hundred lists of which none is full"


def test_phrases_and_similar_images_are_asked_once_for_the_whole_scope_and_never_split() -> None:
    targets = list(library_of([5]).values())
    for query in (TranscriptQuery(id="says", transcript="warranty"), ImageQuery(id="logo", image=IMAGE)):
        (call,) = plan(query, targets, Library(ready_count=10_000))
        assert call.reach == WholeScope()
        assert limit_of(call) is None
        assert not is_full(call, 5_000)
        assert not can_split(call)


def test_an_image_within_videos_is_asked_of_each_candidate_alone() -> None:
    targets = list(library_of([4]).values())
    numbers = [target.video_no for target in targets]
    each = ImageInVideoQuery(id="shirt", image=IMAGE, prompt="the shirt")
    listed = ImageInVideoQuery(
        id="shirt", image=IMAGE, prompt="the shirt", within=ListedVideos(video_nos=(numbers[1], "VI9"))
    )
    hit = ImageInVideoQuery(
        id="shirt", image=IMAGE, prompt="the shirt", within=HitVideos(query_id="logo", query_version="1")
    )

    assert [target.video_no for target in candidates(each, targets)] == numbers
    assert [target.video_no for target in candidates(listed, targets)] == [numbers[1]]
    assert [target.video_no for target in candidates(hit, targets, hit_video_nos={numbers[2]})] == [numbers[2]]
    assert [target.video_no for target in candidates(ANY_TEXT, targets)] == numbers
    assert [call.reach for call in plan(each, targets, Library(ready_count=4))] == [OneVideo(n) for n in numbers]


def test_captions_are_asked_with_the_smaller_limit_of_the_service() -> None:
    targets = list(library_of([1]).values())
    (clips,) = plan(ANY_TEXT, targets, Library(ready_count=1))
    (captions,) = plan(TextQuery(id="c", text="car", medium="captions"), targets, Library(ready_count=1))

    assert (limit_of(clips), limit_of(captions)) == (1000, 200)
    assert not is_full(captions, 199)
    assert is_full(captions, 200)


def test_a_full_answer_that_reaches_below_the_minimum_score_is_complete() -> None:
    query = TextQuery(id="truck", text="truck", min_score=0.5)
    (call,) = plan(query, list(library_of([50]).values()), Library(ready_count=50))

    assert not is_full(call, 1000, lowest_score=0.49)
    assert is_full(call, 1000, lowest_score=0.5)
    assert is_full(call, 1000)
