"""What was answered is not asked again, wherever the question stands; what is not true any more is."""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa

from tests.pipeline.seeded_library import FIRST_DAY, SeededLibrary, spread
from visualsearch_pipeline.ledger import IndexMark, Ledger, VideoState
from visualsearch_pipeline.ledger.schema import coverage, videos
from visualsearch_pipeline.pipeline.index import poll
from visualsearch_pipeline.sandbox import FaultKind, FaultRule

if TYPE_CHECKING:
    from tests.conftest import MakeProject

ZEBRA = "queries: [{id: zebra, text: zebra, filtering_level: low}]"
SECOND_DAY = FIRST_DAY + timedelta(days=1)


@pytest.fixture
def library(make_project: MakeProject) -> SeededLibrary:
    """Sixty videos of two days, every third with a zebra."""
    library = SeededLibrary(make_project(()))
    library.project.write_queries("street", ZEBRA)
    by_day, _ = spread(60, day_count=2, hit_count=20)
    library.add(by_day)
    return library


def covered(library: SeededLibrary) -> Mapping[tuple[str, str, str], int]:
    """The hits that the ledger has, per query set, query and video."""
    columns = (coverage.c.query_set, coverage.c.query_id, coverage.c.video_no, coverage.c.hits)
    with library.project.pipeline() as pipeline:
        rows = pipeline.ledger.rows(sa.select(*columns))
    return {(str(row["query_set"]), str(row["query_id"]), str(row["video_no"])): int(row["hits"]) for row in rows}


def test_the_same_question_in_two_sets_is_asked_once(library: SeededLibrary) -> None:
    library.project.write_queries("night", "queries: [{id: stripes, text: zebra, filtering_level: low}]")
    library.search("street")
    mark = library.project.mark()

    report = library.search("night")

    assert library.project.calls(since=mark) == []
    assert (report.calls, report.pairs, report.copied, report.hits, report.cost_usd) == (0, 60, 60, 20, 0)
    assert library.hits("night", "stripes") == library.hits("street", "zebra")
    assert len(library.hits("night")) == 20


def test_only_the_videos_that_nobody_was_asked_about_are_asked_about(library: SeededLibrary) -> None:
    library.search("street", days=[FIRST_DAY])
    library.project.write_queries("night", "queries: [{id: stripes, text: zebra, filtering_level: low}]")
    mark = library.project.mark()

    report = library.search("night")

    (call,) = library.project.calls("search", since=mark)
    second_day = {number for number, day in library.days.items() if day == SECOND_DAY}
    # The journal keeps the beginning of long values.
    asked = set(re.findall(r"VI\d{18}", str(call.params["video_nos"])))
    assert asked
    assert asked <= second_day
    assert (report.pairs, report.copied, report.hits) == (60, 30, 20)


def test_a_renamed_query_asks_nothing(library: SeededLibrary) -> None:
    library.search()
    mark = library.project.mark()
    library.project.write_queries("street", ZEBRA.replace("id: zebra", "id: stripes"))

    report = library.search()

    assert library.project.calls(since=mark) == []
    assert report.hits == 20
    assert library.hits(query_id="stripes") == library.hits(query_id="zebra")


def test_one_question_under_two_ids_of_a_set_is_asked_once(library: SeededLibrary) -> None:
    both = "queries: [{id: zebra, text: zebra}, {id: again, text: zebra, in: clips}]"
    library.project.write_queries("street", both)

    report = library.search()

    assert len(library.project.calls("search")) == report.calls == 1
    assert (report.pairs, report.copied) == (120, 60)
    assert library.hits(query_id="again") == library.hits(query_id="zebra")


ONE_REQUEST = """\
    queries:
      - {id: all, text: zebra horse, filtering_level: low}
      - {id: good, text: zebra horse, filtering_level: low, min_score: %s}
      - {id: best, text: zebra horse, filtering_level: low, top_k: 5}
    """


@pytest.fixture
def strong_score(library: SeededLibrary) -> float:
    """Two more videos that show both words; a score that they reach, and those with one of the words do not."""
    strong = library.add({FIRST_DAY: [["zebra horse"]], SECOND_DAY: [["zebra horse"]]})
    library.project.write_queries("probe", "queries: [{id: probe, text: horse zebra, filtering_level: low}]")
    library.search("probe")
    scores = {number: score for (_, number), score in scores_of(library, "probe").items()}
    least_strong = min(scores[number] for number in strong)
    most_weak = max(score for number, score in scores.items() if number not in strong)
    assert most_weak < least_strong
    return (most_weak + least_strong) / 2


def scores_of(library: SeededLibrary, query_set: str) -> dict[tuple[str, str], float]:
    """The score of each stored hit by query and video; every video has one at most."""
    with library.project.pipeline() as pipeline:
        rows = [row for day in (FIRST_DAY, SECOND_DAY) for row in pipeline.store.read_hits(query_set, day).to_pylist()]
    found = {(row["query_id"], row["video_no"]): row["score"] for row in rows}
    assert len(found) == len(rows)
    return found


def assert_each_kept_its_own(library: SeededLibrary, strong_score: float) -> None:
    """`all` has every hit, `good` those with the score, `best` the five best of each day."""
    scores = scores_of(library, "street")
    of_query = {
        name: {number: score for (query_id, number), score in scores.items() if query_id == name}
        for name in ("all", "good", "best")
    }
    assert len(of_query["all"]) == 22
    assert of_query["good"] == {number: score for number, score in of_query["all"].items() if score >= strong_score}
    assert len(of_query["good"]) == 2
    for day in (FIRST_DAY, SECOND_DAY):
        of_day = [score for number, score in of_query["all"].items() if library.days[number] == day]
        kept = [score for number, score in of_query["best"].items() if library.days[number] == day]
        assert sorted(kept) == sorted(of_day)[-5:]
    counted = {(query_id, video_no): hits for (name, query_id, video_no), hits in covered(library).items() if hits}
    assert {key: hits for key, hits in counted.items() if key[0] in of_query} == dict.fromkeys(scores, 1)


def test_queries_that_differ_in_what_they_keep_share_one_call(library: SeededLibrary, strong_score: float) -> None:
    library.project.write_queries("street", ONE_REQUEST % strong_score)
    mark = library.project.mark()

    report = library.search()

    assert len(library.project.calls("search", since=mark)) == report.calls == 1
    assert (report.queries, report.pairs, report.copied) == (3, 3 * 62, 0)
    assert report.calls_saved == 3 * 62 - 1
    assert report.hits == 22 + 2 + 10
    assert_each_kept_its_own(library, strong_score)
    assert library.search().pairs == 0
    assert len(library.project.calls("search", since=mark)) == 1


def test_queries_of_one_request_share_the_call_although_one_of_them_was_answered_in_part(
    library: SeededLibrary, strong_score: float
) -> None:
    library.project.write_queries("street", ONE_REQUEST % strong_score)
    library.search(query_ids=["all"], days=[FIRST_DAY])
    library.search(query_ids=["good"], days=[SECOND_DAY])
    mark = library.project.mark()

    report = library.search()

    assert len(library.project.calls("search", since=mark)) == report.calls == 1
    assert report.pairs == 31 + 31 + 62
    assert_each_kept_its_own(library, strong_score)


def test_only_the_query_that_keeps_every_hit_goes_on_after_a_full_answer(make_project: MakeProject) -> None:
    library = SeededLibrary(make_project(()))
    library.project.write_queries("street", ONE_REQUEST % 0.01)
    by_day, _ = spread(40, day_count=2, hit_count=3000)
    library.add(by_day)

    report = library.search()

    calls = len(library.project.calls("search"))
    alone = SeededLibrary(library.project, library.days)
    library.project.write_queries("alone", "queries: [{id: every, text: horse zebra, filtering_level: low}]")
    assert report.calls == calls == alone.search("alone").calls > 3
    assert (report.pairs, report.truncated) == (120, 0)
    for query_id in ("all", "good"):
        found = library.hits(query_id=query_id)
        assert (len(found), sum(found.values())) == (3000, 3000)
    assert library.hits(query_id="best").total() == 10


def test_a_failed_call_fails_every_query_that_shares_it_and_the_next_run_asks_once(
    library: SeededLibrary, strong_score: float
) -> None:
    library.project.write_queries("street", ONE_REQUEST % strong_score)
    library.search(query_ids=["good"])
    fault = FaultRule(operation="search", kind=FaultKind.CODE, code="0003", message="no such thing", count=1)
    library.project.server.faults.add(fault)

    failed = library.search()
    mark = library.project.mark()
    mended = library.search()

    assert [query_id for query_id, _ in failed.failed] == ["all", "best"]
    assert (mended.failed, mended.calls, len(library.project.calls("search", since=mark))) == ((), 1, 1)
    assert_each_kept_its_own(library, strong_score)


def test_a_forced_run_asks_the_service_and_not_what_it_said_before(library: SeededLibrary) -> None:
    both = "queries: [{id: zebra, text: zebra, filtering_level: low}, {id: again, text: zebra, filtering_level: low}]"
    library.project.write_queries("night", both)
    library.search("street")
    mark = library.project.mark()

    report = library.search("night", days=[FIRST_DAY, SECOND_DAY], force=True)

    assert len(library.project.calls("search", since=mark)) == report.calls == 1
    assert report.copied == 60, "the second of the two shares what the first was just told"


def test_an_answer_whose_file_was_taken_away_is_asked_for(library: SeededLibrary) -> None:
    library.search("street")
    library.project.write_queries("night", "queries: [{id: stripes, text: zebra, filtering_level: low}]")
    shutil.rmtree(Path(library.project.settings.warehouse_root) / "hits" / "query_set=street")

    report = library.search("night")

    with_hits = sum(1 for hits in covered(library).values() if hits) // 2
    assert report.calls == 1
    assert report.copied == 60 - with_hits, "that nothing is in a video stands in the ledger alone"
    assert len(library.hits("night")) == 20


def test_only_the_best_hits_of_each_day_are_kept_whenever_they_come(library: SeededLibrary) -> None:
    query_set = "queries: [{id: both, text: zebra horse, filtering_level: low, top_k: 5}]"
    library.project.write_queries("street", query_set)

    first = library.search()
    poor = library.hits()
    # Half of the words score less than both of them.
    late = library.add({FIRST_DAY: [["zebra horse"], ["zebra horse", "zebra horse"], ["nothing of note"]]})
    second = library.search()

    assert (first.pairs, first.hits, first.truncated) == (60, 10, 0)
    assert (second.pairs, second.hits) == (3, 3)
    found = library.hits()
    of_first_day = {place for place in found if library.days[place[0]] == FIRST_DAY}
    assert len(of_first_day) == 5
    assert len(found) == 10
    assert {(late[0], 0.0), (late[1], 0.0), (late[1], 1.0)} < of_first_day
    assert of_first_day - {(late[0], 0.0), (late[1], 0.0), (late[1], 1.0)} < set(poor)
    stored = covered(library)
    assert {video_no: hits for (_, _, video_no), hits in stored.items() if hits} == _by_video(found)
    assert len(stored) == 63
    assert library.search().pairs == 0


def test_a_query_of_few_best_hits_needs_no_list_of_a_day_that_has_enough(make_project: MakeProject) -> None:
    library = SeededLibrary(make_project(()))
    library.project.write_queries("street", "queries: [{id: zebra, text: zebra, filtering_level: low, top_k: 10}]")
    by_day, _ = spread(800, day_count=2, hit_count=8000)
    library.add(by_day)

    report = library.search()

    assert (report.pairs, report.hits, report.truncated) == (800, 20, 0)
    assert len(library.project.calls("search")) <= 3, "without top_k it would be at least eight"


def test_a_video_that_was_indexed_anew_is_searched_again_and_no_other(library: SeededLibrary) -> None:
    library.search()
    open_one, *_, again = library.days
    with library.project.pipeline() as pipeline:
        with pipeline.ledger._database.writing() as connection:
            changed = sa.update(videos).where(videos.c.video_no == again)
            connection.execute(changed.values(created_at=datetime(2025, 1, 1, tzinfo=UTC)))
            # A poll reads the list only while something is open.
            connection.execute(sa.update(videos).where(videos.c.video_no == open_one).values(state=VideoState.INDEXING))
        poll(pipeline)
    mark = library.project.mark()
    before = library.hits()

    report = library.search()

    (call,) = library.project.calls("search", since=mark)
    assert again in str(call.params["video_nos"])
    assert report.pairs == 1
    assert library.hits() == before
    with library.project.pipeline() as pipeline:
        assert pipeline.ledger.rows(sa.select(videos.c.state).where(videos.c.video_no == again)) == (
            {"state": "ready"},
        )


def test_a_day_of_best_hits_is_asked_again_as_a_whole_when_one_of_its_videos_was_indexed_anew(
    library: SeededLibrary,
) -> None:
    library.project.write_queries(
        "street",
        "queries: [{id: best, text: zebra, top_k: 3}, {id: every, text: zebra horse}]",
    )
    library.search()
    again = next(number for number, day in library.days.items() if day == FIRST_DAY)

    with library.project.pipeline() as pipeline:
        changed = pipeline.ledger.reindexing.notice(
            [IndexMark(video_no=again, is_ready=True, created_at=None, size_bytes=77)]
        )
    report = library.search()

    assert changed == (again,)
    assert report.pairs == 30 + 1


@pytest.mark.parametrize(
    ("mark", "is_changed"),
    [
        ({}, False),
        ({"created_at": timedelta(milliseconds=400)}, False),
        ({"created_at": timedelta(seconds=5)}, True),
        ({"size_bytes": 1001}, True),
        ({"size_bytes": 1000}, False),
    ],
)
@pytest.mark.parametrize("is_ready", [True, False])
def test_what_counts_as_indexed_anew(
    library: SeededLibrary, mark: dict[str, object], *, is_changed: bool, is_ready: bool
) -> None:
    number = next(iter(library.days))
    with library.project.pipeline() as pipeline:
        ledger: Ledger = pipeline.ledger
        (known,) = (video for video in ledger.videos.ready() if video.video_no == number)
        assert known.created_at is not None
        later = mark.get("created_at")
        size_bytes = mark.get("size_bytes")
        seen = IndexMark(
            video_no=number,
            is_ready=is_ready,
            created_at=known.created_at + later if isinstance(later, timedelta) else None,
            size_bytes=size_bytes if isinstance(size_bytes, int) else None,
        )

        assert ledger.reindexing.notice([seen]) == ((number,) if is_changed else ())
        assert ledger.reindexing.notice([seen]) == ()
        assert {video.video_no for video in ledger.videos.open()} == (set() if is_ready else {number})


def _by_video(found: Mapping[tuple[str, float], int]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for video_no, _ in found:
        counts[video_no] = counts.get(video_no, 0) + 1
    return counts
