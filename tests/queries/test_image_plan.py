"""The plan of calls over private images, against a service whose truth is known."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from visualsearch_pipeline.queries import (
    IMAGE_TOP_K,
    AllImages,
    ImageCall,
    ImageLibrary,
    ImageLibraryQuery,
    ImagesOfBatch,
    ImagesOfDay,
    ImageTarget,
    can_split_images,
    plan_images,
    split_images,
    unfinished_images,
)

FIRST_DAY = date(2026, 1, 1)
BATCH = 10


@dataclass(frozen=True)
class Service:
    """Answers as the real one does: its best `IMAGE_TOP_K` matches within the tag, and no second page."""

    images: Mapping[str, ImageTarget]
    scores: Mapping[str, float]

    def answer(self, call: ImageCall) -> list[tuple[str, float | None]]:
        reached = (image for image in self.images.values() if self._is_reached(call, image))
        matches = [(image.image_id, self.scores[image.image_id]) for image in reached]
        ranked = sorted((match for match in matches if match[1] > 0), key=lambda match: (-match[1], match[0]))
        return list(ranked[:IMAGE_TOP_K])

    @staticmethod
    def _is_reached(call: ImageCall, image: ImageTarget) -> bool:
        match call.reach:
            case ImagesOfDay(day):
                return image.day == day
            case ImagesOfBatch(batch):
                return image.batch == batch
            case _:
                return True


@dataclass(frozen=True)
class Outcome:
    found: dict[str, float]
    truncated: frozenset[str]
    calls: int


def library_of(days: list[int]) -> dict[str, ImageTarget]:
    """So many images per day, in batches of ten."""
    images = {}
    for offset, count in enumerate(days):
        day = FIRST_DAY + timedelta(days=offset)
        for number in range(count):
            image_id = f"{offset}-{number:05}"
            images[image_id] = ImageTarget(image_id=image_id, day=day, batch=f"{offset}-{number // BATCH}")
    return images


def carry_out(query: ImageLibraryQuery, service: Service, targets: list[ImageTarget]) -> Outcome:
    counts: dict[date, int] = {}
    for image in service.images.values():
        counts[image.day] = counts.get(image.day, 0) + 1
    found: dict[str, float] = {}
    truncated: set[str] = set()
    answered: list[str] = []
    calls = 0
    round_ = plan_images(query, targets, ImageLibrary(count_by_day=counts))
    while round_:
        full = []
        for call in round_:
            calls += 1
            answer = service.answer(call)
            unfinished = unfinished_images(call, answer)
            to_split = {target.image_id for target in unfinished} if can_split_images(call) else set()
            final = {target.image_id for target in call.targets} - to_split
            answered += final
            truncated |= {target.image_id for target in unfinished} & final
            minimum = query.min_score or 0.0
            found |= {
                image_id: score or 0.0 for image_id, score in answer if image_id in final and (score or 0) >= minimum
            }
            if to_split:
                full.append(replace(call, targets=tuple(t for t in call.targets if t.image_id in to_split)))
        round_ = split_images(full)
    assert sorted(answered) == sorted(target.image_id for target in targets), "each target is answered once"
    return Outcome(found, frozenset(truncated), calls)


QUERY = ImageLibraryQuery(id="q", text="a car", filtering_level="low")


@settings(deadline=None, max_examples=25)
@given(
    days=st.lists(st.integers(0, 1500), min_size=1, max_size=4),
    hit_every=st.integers(1, 7),
    has_level=st.booleans(),
    asked_share=st.integers(1, 4),
    min_score=st.sampled_from([None, 0.5]),
)
def test_the_plan_finds_what_asking_about_each_image_finds(
    days: list[int], hit_every: int, *, has_level: bool, asked_share: int, min_score: float | None
) -> None:
    images = library_of(days)
    scores = {image_id: (n % 89 + 1) / 90 if n % hit_every == 0 else 0.0 for n, image_id in enumerate(images)}
    query = replace(QUERY, filtering_level="low" if has_level else None, min_score=min_score)
    targets = [image for n, image in enumerate(images.values()) if n % asked_share == 0]

    outcome = carry_out(query, Service(images, scores), targets)

    asked = {target.image_id for target in targets}
    truth = {
        image: score for image, score in scores.items() if image in asked and score > 0 and score >= (min_score or 0)
    }
    assert outcome.found == truth
    assert outcome.truncated == frozenset()
    batches = {target.batch for target in targets}
    assert outcome.calls <= 1 + len(days) + len(batches)


@settings(deadline=None, max_examples=25)
@given(days=st.lists(st.integers(0, 1300), min_size=1, max_size=3), top_k=st.integers(1, 20))
def test_the_best_of_a_day_are_found_without_asking_for_the_rest(days: list[int], top_k: int) -> None:
    images = library_of(days)
    scores = {image_id: (n * 7919 % 997 + 1) / 998 for n, image_id in enumerate(images)}
    query = replace(QUERY, top_k=top_k)

    outcome = carry_out(query, Service(images, scores), list(images.values()))

    for offset in range(len(days)):
        of_day = sorted((score for image, score in scores.items() if image.startswith(f"{offset}-")), reverse=True)
        found = sorted(
            (score for image, score in outcome.found.items() if image.startswith(f"{offset}-")), reverse=True
        )
        assert found[:top_k] == of_day[:top_k]
    assert outcome.calls <= 1 + len(days)


def test_a_new_day_is_asked_for_by_its_tag_and_a_new_query_about_everything_at_once() -> None:
    images = library_of([300, 300, 40])
    newest = [image for image in images.values() if image.image_id.startswith("2-")]
    library = ImageLibrary(count_by_day={FIRST_DAY + timedelta(days=n): 300 for n in range(3)})

    (of_day,) = plan_images(QUERY, newest, library)
    (of_all,) = plan_images(QUERY, list(images.values()), library)

    assert of_day.reach == ImagesOfDay(FIRST_DAY + timedelta(days=2))
    assert of_all.reach == AllImages()
    assert plan_images(QUERY, [], library) == ()


def test_what_is_certain_to_come_back_full_is_not_tried() -> None:
    images = library_of([900, 1200])
    library = ImageLibrary(count_by_day={FIRST_DAY: 900, FIRST_DAY + timedelta(days=1): 1200})

    calls = plan_images(replace(QUERY, filtering_level=None), list(images.values()), library)

    assert [type(call.reach) for call in calls].count(ImagesOfDay) == 1
    assert [type(call.reach) for call in calls].count(ImagesOfBatch) == 120


@pytest.mark.parametrize("hits", [999, 1001])
def test_a_tag_of_the_querys_own_leaves_no_room_for_a_split_and_the_rest_is_truncated(hits: int) -> None:
    images = library_of([hits])
    outcome = carry_out(replace(QUERY, tag="gate"), Service(images, dict.fromkeys(images, 0.5)), list(images.values()))

    assert (len(outcome.found), len(outcome.truncated)) == (min(hits, 1000), max(0, hits - 1000))
    assert outcome.calls == 1
