"""What is new, gone or moved between two answers; and that no kill loses or doubles a change."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from visualsearch_pipeline.warehouse import Answer, ParquetStore, SearchedPair, merge_hits, replace_hits
from visualsearch_pipeline.warehouse.hit_changes import match_clips

MakeTable = Callable[..., pa.Table]
Clip = tuple[str, float | None, float | None]
Seen = list[tuple[str, str, object, object]]
DAY = date(2026, 1, 31)
NOON = datetime(2026, 2, 1, 12, tzinfo=UTC)


class Street:
    """The set `street` on one day: `answer` is what a search commits."""

    def __init__(self, store: ParquetStore, make_table: MakeTable) -> None:
        self.store = store
        self._make_table = make_table
        self._answers = 0

    def answer(
        self, *clips: Clip, version: str = "v1", videos: tuple[str, ...] = ("VI1",), arrived: bool = False
    ) -> None:
        """Commit an answer about `videos` that found `clips`: video, start and end."""
        self._answers += 1
        of_query = {"query_set": "street", "query_id": "dog", "query_version": version, "day": DAY}
        rows = [
            of_query | {"video_no": video_no, "start_seconds": start, "end_seconds": end, "score": 0.5}
            for video_no, start, end in clips
        ]
        searched = {SearchedPair("dog", version, video_no) for video_no in videos}
        existing = self.store.read_hits("street", DAY)
        merged = merge_hits(existing, self._make_table("hits", *rows), searched=searched)
        answer = Answer(
            searched, searched if arrived else (), NOON + timedelta(hours=self._answers), f"run {self._answers}"
        )
        replace_hits(self.store, "street", DAY, merged, answer)

    def changes(self) -> Seen:
        """Every change: video, what, and where it was and is."""
        rows = self.store.read_part("hit_changes", query_set="street", day=DAY).to_pylist()
        return [(row["video_no"], row["change"], row["previous_start_seconds"], row["start_seconds"]) for row in rows]

    def hits(self) -> list[tuple[str, float]]:
        rows = self.store.read_hits("street", DAY).to_pylist()
        return sorted((row["video_no"], row["start_seconds"]) for row in rows)


@pytest.fixture
def street(store: ParquetStore, make_table: MakeTable) -> Street:
    return Street(store, make_table)


def test_a_first_run_over_old_footage_raises_no_alarm(street: Street) -> None:
    street.answer(("VI1", 0, 5), ("VI1", 60, 70))
    street.answer(("VI2", 0, 5), videos=("VI2",))

    assert street.changes() == []


def test_footage_that_arrived_since_the_first_answer_brings_new_hits(street: Street) -> None:
    street.answer(("VI1", 0, 5))
    street.answer(("VI2", 0, 5), ("VI2", 60, 70), videos=("VI2", "VI3"), arrived=True)

    assert street.changes() == [("VI2", "new", None, 0.0), ("VI2", "new", None, 60.0)]


def test_what_is_new_gone_and_moved_is_told_apart_and_what_stays_is_not_told(street: Street) -> None:
    street.answer(("VI1", 0, 5), ("VI1", 20, 30), ("VI1", 40, 50), ("VI1", 80, 90))
    street.answer(("VI1", 0, 5), ("VI1", 22, 33), ("VI1", 40.2, 50.3), ("VI1", 100, 110))

    assert street.changes() == [("VI1", "gone", 80.0, None), ("VI1", "moved", 20.0, 22.0), ("VI1", "new", None, 100.0)]
    (moved,) = (
        row
        for row in street.store.read_part("hit_changes", query_set="street", day=DAY).to_pylist()
        if row["change"] == "moved"
    )
    assert (moved["previous_end_seconds"], moved["end_seconds"], moved["run_id"]) == (30.0, 33.0, "run 2")
    assert (moved["query_version"], moved["previous_query_version"]) == ("v1", "v1")


def test_each_answer_is_compared_with_the_one_before_it(street: Street) -> None:
    street.answer(("VI1", 0, 5))
    street.answer()
    street.answer()
    street.answer(("VI1", 0, 5))

    assert street.changes() == [("VI1", "gone", 0.0, None), ("VI1", "new", None, 0.0)]


def test_an_answer_without_hits_is_remembered_as_one(street: Street) -> None:
    street.answer()
    street.answer(("VI1", 0, 5))

    assert street.changes() == [("VI1", "new", None, 0.0)]


def test_a_changed_question_is_compared_with_the_version_before_it(street: Street) -> None:
    street.answer(("VI1", 0, 5), ("VI1", 20, 30))
    street.answer(("VI1", 0, 5), ("VI1", 60, 70), version="v2")
    street.answer(("VI1", 0, 5), ("VI1", 60, 70), version="v2")

    assert street.changes() == [("VI1", "gone", 20.0, None), ("VI1", "new", None, 60.0)]
    rows = street.store.read_part("hit_changes", query_set="street", day=DAY).to_pylist()
    assert {(row["previous_query_version"], row["query_version"]) for row in rows} == {("v1", "v2")}


def test_videos_that_were_not_asked_about_have_no_changes(street: Street) -> None:
    street.answer(("VI1", 0, 5), ("VI2", 0, 5), videos=("VI1", "VI2"))
    street.answer(videos=("VI1",))

    assert street.changes() == [("VI1", "gone", 0.0, None)]
    assert street.hits() == [("VI2", 0.0)]


def test_hits_without_a_place_in_time_are_told_apart_by_their_words(street: Street) -> None:
    street.answer(("VI1", None, None))
    street.answer(("VI1", None, None), ("VI1", 3, None))

    assert street.changes() == [("VI1", "new", None, 3.0)]


def test_hits_that_were_lost_are_not_reported_as_new_when_they_are_found_again(street: Street) -> None:
    street.answer(("VI1", 0, 5))
    street.answer()
    (file,) = street.store.files("hits")
    street.store.remove(file)

    street.answer(("VI1", 0, 5))
    assert street.changes() == [("VI1", "gone", 0.0, None)], "history is kept, and nothing is compared with nothing"

    street.answer(("VI1", 0, 5), ("VI1", 20, 30))
    assert street.changes()[1:] == [("VI1", "new", None, 20.0)]


def test_hits_that_were_lost_are_found_again_one_video_after_the_other(street: Street) -> None:
    street.answer(("VI1", 0, 5))
    street.answer(("VI2", 0, 5), videos=("VI2",), arrived=True)
    (file,) = street.store.files("hits")
    street.store.remove(file)

    # The first of them makes the file anew, in which the others are still missing.
    street.answer(("VI1", 0, 5))
    street.answer(("VI2", 0, 5), videos=("VI2",), arrived=True)
    assert street.changes() == [("VI2", "new", None, 0.0)], "told once, when it arrived"

    street.answer(videos=("VI2",))
    assert street.changes()[1:] == [("VI2", "gone", 0.0, None)]


ANSWERS: list[tuple[Clip, ...]] = [
    (("VI1", 0, 5), ("VI1", 20, 30)),
    (("VI1", 2, 5), ("VI1", 60, 70)),
    (),
    (("VI1", 60, 70),),
]
EXPECTED: Seen = [
    ("VI1", "gone", 20.0, None),
    ("VI1", "moved", 0.0, 2.0),
    ("VI1", "new", None, 60.0),
    ("VI1", "gone", 2.0, None),
    ("VI1", "gone", 60.0, None),
    ("VI1", "new", None, 60.0),
]


class Killed(BaseException):
    """Stands for SIGKILL: nothing of ours catches it."""


@pytest.mark.parametrize("killed_at", range(3))
@pytest.mark.parametrize("answer", range(1, 4))
def test_no_kill_between_the_files_loses_or_doubles_a_change(
    street: Street, monkeypatch: pytest.MonkeyPatch, answer: int, killed_at: int
) -> None:
    for clips in ANSWERS[:answer]:
        street.answer(*clips)
    renames = 0
    replace = Path.replace

    def dying(path: Path, target: Path) -> Path:
        nonlocal renames
        if renames == killed_at:
            raise Killed
        renames += 1
        return replace(path, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", dying)
        try:
            street.answer(*ANSWERS[answer])
        except Killed:
            was_killed = True
        else:
            was_killed = False
    # Changes and hits are written each time; the pairs answered only the first time.
    assert was_killed == (killed_at < 2)

    # No coverage was recorded: the pairs are asked again, and answered alike.
    for clips in ANSWERS[answer:]:
        street.answer(*clips)

    assert street.changes() == EXPECTED
    assert street.hits() == [("VI1", 60.0)]


def test_a_first_answer_that_was_killed_is_no_answer_yet(street: Street, monkeypatch: pytest.MonkeyPatch) -> None:
    street.answer(("VI2", 0, 5), videos=("VI2",))
    hits = Path(street.store.root) / "hits"
    with monkeypatch.context() as patch:
        replace = Path.replace

        def dying(path: Path, target: Path) -> Path:
            if target.is_relative_to(hits):
                raise Killed
            return replace(path, target)

        patch.setattr(Path, "replace", dying)
        with pytest.raises(Killed):
            street.answer(("VI1", 0, 5), arrived=True)
    assert street.hits() == [("VI2", 0.0)]

    street.answer(("VI1", 0, 5), arrived=True)

    assert street.changes() == [("VI1", "new", None, 0.0)]


spans = st.lists(
    st.tuples(st.integers(0, 40), st.integers(0, 8)).map(lambda pair: (float(pair[0]), float(sum(pair)))), max_size=8
)


@settings(max_examples=150, deadline=None)
@given(spans, spans)
def test_clips_are_matched_one_to_one_and_only_where_they_overlap(
    before: list[tuple[float, float]], after: list[tuple[float, float]]
) -> None:
    pairs = match_clips(before, after)

    assert len({first for first, _ in pairs}) == len({second for _, second in pairs}) == len(pairs)
    for first, second in pairs:
        assert max(before[first][0], after[second][0]) <= min(before[first][1], after[second][1])
    left_before = set(range(len(before))) - {first for first, _ in pairs}
    left_after = set(range(len(after))) - {second for _, second in pairs}
    for first in left_before:
        for second in left_after:
            (start, end), (other_start, other_end) = before[first], after[second]
            assert min(end, other_end) <= max(start, other_start), "two that overlap were both left"
    assert match_clips(before, before) == tuple((number, number) for number in range(len(before))) or len(
        set(before)
    ) < len(before)


def test_the_clips_that_have_most_in_common_are_matched_first() -> None:
    assert match_clips([(0, 10), (9, 20)], [(8, 20), (0, 9)]) == ((0, 1), (1, 0))
    assert match_clips([(0, 5)], [(5, 10)]) == (), "clips that touch are two clips"
    assert match_clips([(3, 3)], [(0, 5)]) == ((0, 0),), "a moment lies in a clip"
