"""Questions to the public library: asked once a day, kept per day, and the videos found looked up once."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.alert_receiver import alert_receiver
from visualsearch_pipeline.pipeline.alerts import send_alerts, subscribe_alerts
from visualsearch_pipeline.pipeline.expected_work import read_expected_work
from visualsearch_pipeline.pipeline.pending import pending_work
from visualsearch_pipeline.pipeline.public_search import PublicSearchReport, search_public
from visualsearch_pipeline.pipeline.publish import publish
from visualsearch_pipeline.pipeline.query_status import query_statuses
from visualsearch_pipeline.pipeline.search import register_queries
from visualsearch_pipeline.pipeline.trying import try_query
from visualsearch_pipeline.queries import PublicTextQuery
from visualsearch_pipeline.sandbox import FaultKind, FaultRule, Sandbox, SandboxConfig

if TYPE_CHECKING:
    from tests.conftest import MakeProject, Project

PUBLIC = """
queries:
  - {id: seen, text: a shape, public: all, filtering_level: low}
  - {id: heard, text: race comments channel warranty, in: audio, public: youtube}
  - {id: like, image: images/red.png, public: instagram, similarity: 0.1}
  - {id: said, transcript: the, public: all}
"""
SEEN = "queries: [{id: seen, text: a shape, public: tiktok, filtering_level: low}]"
SEARCHES = ("search_public", "search_public_similar_images", "search_public_audio_transcripts")
DIALECTS: dict[str, dict[str, Any]] = {
    "live-2025": {"unique_id": "default"},
    "spring-2026": {"unique_id": "default"},
    "openapi": {"folder_id": -1},
}


@pytest.fixture(scope="session")
def public_library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sandbox's state with the six public videos that it begins with, fetched and indexed once."""
    state = tmp_path_factory.mktemp("public") / "sandbox"
    with Sandbox(SandboxConfig(state_dir=state, public_library=True, indexing_seconds=0)) as server:
        server.settle()
    return state


@pytest.fixture
def make_public(make_project: MakeProject, public_library: Path, tmp_path: Path) -> Iterator[Callable[..., Project]]:
    """Make a project whose service has public videos."""

    def make(queries: str = PUBLIC, dialect: str = "spring-2026", **sandbox: object) -> Project:
        shutil.copytree(public_library, tmp_path / "project-0" / "sandbox")
        project = make_project((), public_library=True, dialect=dialect, **sandbox)
        project.configure(api={"scope": DIALECTS[dialect]})
        project.write_queries("trends", queries)
        (project.root / "queries" / "street.yaml").unlink()
        return project

    yield make  # noqa: PT022  the sandboxes stop with `make_project`


def in_days(days: float) -> Callable[[], datetime]:
    """A clock that is ahead."""
    return lambda: datetime.now(UTC) + timedelta(days=days)


def ask(project: Project, name: str = "trends", *, days_ahead: float = 0, **given: Any) -> PublicSearchReport:
    with project.pipeline(clock=in_days(days_ahead)) as pipeline:
        register_queries(pipeline, pipeline.catalog)
        (query_set,) = (found for found in pipeline.catalog.sets if found.name == name)
        report = search_public(pipeline, query_set, **given)
        publish(pipeline)
        return report


@pytest.mark.parametrize(
    "dialect", ["spring-2026", *(pytest.param(name, marks=pytest.mark.soak) for name in ("live-2025", "openapi"))]
)
def test_each_kind_of_question_is_asked_once_a_day(make_public: Callable[..., Project], dialect: str) -> None:
    project = make_public(dialect=dialect)

    first = ask(project)
    mark = project.mark()
    second = ask(project)
    repeated = project.calls(since=mark)
    next_day = ask(project, days_ahead=1)

    assert (first.queries, first.calls, first.failed, first.truncated) == (4, 6, (), 0)
    assert len(project.calls(*SEARCHES)) == 12
    assert (second.queries, second.calls, repeated) == (0, 0, [])
    assert (next_day.queries, next_day.calls, next_day.hits) == (4, 6, first.hits)
    found = project.sql(
        "SELECT query_id, platform, count(DISTINCT video_no) FROM public_hits GROUP BY ALL ORDER BY ALL"
    )
    assert found == [
        ("heard", "youtube", 1),
        ("like", "instagram", 1),
        ("said", None, 4),
        ("seen", "instagram", 2),
        ("seen", "tiktok", 2),
        ("seen", "youtube", 2),
    ]
    assert project.sql("SELECT count(DISTINCT day), count(*) FROM public_answers") == [(2, 8)]
    assert project.sql("SELECT count(*) FROM current_public_hits") == [(first.hits,)]
    assert project.sql("SELECT count(*) FROM public_hit_changes") == [(0,)]
    assert project.sql("SELECT bool_and(video_no LIKE 'PI-%') FROM public_hits") == [(True,)]


def test_the_videos_found_are_looked_up_once(make_public: Callable[..., Project]) -> None:
    project = make_public()

    assert ask(project).details == 6
    assert ask(project, days_ahead=1).details == 0

    assert len(project.calls("get_public_video_detail")) == 6
    told = "SELECT count(*), count(creator), count(like_count), count(video_url), bool_and(is_known) FROM public_videos"
    assert project.sql(told) == [(6, 6, 6, 6, True)]
    creators = "SELECT DISTINCT creator FROM public_hits_of('seen') WHERE platform = 'tiktok'"
    assert project.sql(creators) == [("timberwolves",)]
    spent = project.sql("SELECT sum(calls)::INTEGER FROM spend_by('query') WHERE spent_on LIKE 'trends.%'")
    assert spent == [(12,)]


def test_a_lookup_that_fails_is_kept_and_made_up_for_the_next_day(make_public: Callable[..., Project]) -> None:
    project = make_public(SEEN)
    project.server.faults.add(
        FaultRule(operation="get_public_video_detail", kind=FaultKind.CODE, code="0003", message="no such thing")
    )

    assert ask(project).details == 1

    assert project.sql("SELECT count(*) FROM public_videos WHERE is_known IS NULL") == [(1,)]
    assert project.sql("SELECT step FROM failures WHERE resolved_at IS NULL") == [("public_videos",)]
    assert ask(project, days_ahead=1).details == 1
    assert project.sql("SELECT count(*) FROM failures WHERE resolved_at IS NULL") == [(0,)]


def test_only_the_present_day_is_asked_about_and_a_backfill_says_so(make_public: Callable[..., Project]) -> None:
    project = make_public(SEEN)
    past = [project.today - timedelta(days=number) for number in (1, 2, 3)]

    report = ask(project, days=past)

    assert report.not_asked is not None
    assert str(project.today) in report.not_asked
    assert (report.calls, project.calls(*SEARCHES)) == (0, [])
    assert ask(project, days=[*past, project.today]).calls == 1


def test_what_is_left_to_ask_is_known_before(make_public: Callable[..., Project]) -> None:
    project = make_public()

    def left() -> tuple[tuple[date, ...], int, int | None]:
        with project.pipeline() as pipeline:
            (expected,) = read_expected_work(pipeline).searches
            statuses = {status.query_id: status for status in query_statuses(pipeline, "trends")}
            return pending_work(pipeline).hits["trends"], expected.calls, statuses["seen"].open

    assert left() == ((project.today,), 6, 1)
    ask(project)
    assert left() == ((), 0, 0)


def test_the_same_question_in_two_sets_is_paid_for_once(make_public: Callable[..., Project]) -> None:
    project = make_public(SEEN)
    project.write_queries("copies", SEEN.replace("id: seen", "id: other_name"))
    original = ask(project)

    copied = ask(project, "copies")

    assert (copied.calls, copied.queries, copied.hits) == (0, 1, original.hits)
    assert len(project.calls("search_public")) == 1
    rows = project.sql("SELECT query_set, query_id, count(*) FROM current_public_hits GROUP BY ALL ORDER BY ALL")
    assert rows == [("copies", "other_name", original.hits), ("trends", "seen", original.hits)]
    assert ask(project, "copies", force=True).calls == 1


def test_a_question_that_fails_is_asked_again_and_stops_no_other(make_public: Callable[..., Project]) -> None:
    project = make_public()
    project.server.faults.add(
        FaultRule(operation="search_public_similar_images", kind=FaultKind.CODE, code="0003", message="not now")
    )

    report = ask(project)

    ((query_id, reason),) = report.failed
    assert (query_id, report.queries) == ("like", 3)
    assert "search_public_similar_images" in reason
    with project.pipeline() as pipeline:
        assert pending_work(pipeline).hits["trends"] == (project.today,)
    assert ask(project).queries == 1


FAILS_ON_YOUTUBE = FaultRule(
    operation="search_public", kind=FaultKind.CODE, code="0003", message="not now", match="YOUTUBE"
)
EVERYWHERE = "queries: [{id: seen, text: a shape, public: all, filtering_level: low}]"


@pytest.mark.parametrize("top_k", [None, 3])
def test_a_platform_that_fails_is_asked_again_alone(make_public: Callable[..., Project], top_k: int | None) -> None:
    project = make_public(EVERYWHERE if top_k is None else EVERYWHERE.replace("low}", f"low, top_k: {top_k}}}"))
    project.server.faults.add(FAILS_ON_YOUTUBE)

    first = ask(project)

    ((_, reason),) = first.failed
    assert (first.calls, first.queries, reason.startswith("on youtube: ")) == (2, 0, True)
    platforms = "SELECT DISTINCT platform FROM public_hits ORDER BY 1"
    assert project.sql(platforms) == [("instagram",), ("tiktok",)]
    assert project.sql("SELECT count(*) FROM current_public_hits") == [(0,)], "half an answer is none"
    with project.pipeline() as pipeline:
        assert pending_work(pipeline).hits["trends"] == (project.today,)
        assert [planned.calls for planned in read_expected_work(pipeline).searches] == [1]
    mark = project.mark()
    second = ask(project)

    assert (second.calls, second.queries, second.failed) == (1, 1, ())
    (call,) = project.calls("search_public", since=mark)
    assert "YOUTUBE" in str(call.params)
    assert project.sql("SELECT calls, hits FROM public_answers") == [(3, second.hits)]
    assert project.sql("SELECT count(*) FROM current_public_hits") == [(second.hits,)]
    assert second.hits == (top_k or project.sql("SELECT count(*) FROM public_hits")[0][0])
    ranks = project.sql("SELECT rank FROM current_public_hits ORDER BY score DESC, rank")
    assert [rank for (rank,) in ranks] == list(range(1, second.hits + 1))
    with project.pipeline() as pipeline:
        assert pipeline.ledger.failures.unresolved(step="hits") == ()
    assert ask(project).calls == 0


def test_platforms_whose_rows_were_lost_meanwhile_are_asked_again_too(make_public: Callable[..., Project]) -> None:
    project = make_public(EVERYWHERE)
    project.server.faults.add(FAILS_ON_YOUTUBE)
    ask(project)
    (file,) = (project.root / "state" / "warehouse").rglob("public_hits.parquet")
    file.unlink()

    again = ask(project)

    assert (again.calls, again.queries) == (3, 1)
    assert project.sql("SELECT count(DISTINCT platform) FROM current_public_hits") == [(3,)]


def test_a_budget_that_ends_between_two_platforms_keeps_the_first(make_public: Callable[..., Project]) -> None:
    from visualsearch_pipeline.pipeline.errors import BudgetExceeded

    project = make_public(EVERYWHERE)
    project.configure(budget={"per_run_usd": 0.00025})
    with pytest.raises(BudgetExceeded, match="public library"):
        ask(project)

    assert ask(project).calls == 1
    assert len(project.calls("search_public")) == 3


def test_the_hits_of_a_day_that_were_written_and_not_committed_are_replaced(
    make_public: Callable[..., Project],
) -> None:
    """Killed between hits and answer, the next run asks again; nothing stands twice."""
    project = make_public(SEEN)
    report = ask(project)
    with project.pipeline() as pipeline:
        import sqlalchemy as sa

        from visualsearch_pipeline.ledger.schema_public import public_answers

        with pipeline.ledger._database.writing() as connection:
            connection.execute(sa.delete(public_answers))

    again = ask(project)

    assert (again.calls, again.hits) == (1, report.hits)
    assert project.sql("SELECT count(*) FROM public_hits") == [(report.hits,)]


def found_another_video_only(project: Project) -> None:
    """As if one video had been there today, and the others not: the service has no way to take one out."""
    import pyarrow as pa

    from visualsearch_pipeline.warehouse import TABLES

    with project.pipeline() as pipeline:
        table = pipeline.store.read_part("public_hits", query_set="trends", day=project.today).to_pylist()
        rows = [row | {"video_no": "PI-1", "video_name": "gone"} for row in table[:1]]
        changed = pa.Table.from_pylist(rows, schema=TABLES["public_hits"].arrow_schema)
        pipeline.store.write_part("public_hits", changed, query_set="trends", day=project.today)


def test_what_is_new_and_what_is_gone_shows_from_the_second_day_on(make_public: Callable[..., Project]) -> None:
    project = make_public(SEEN)
    ask(project)
    assert project.sql("SELECT count(*) FROM public_hit_changes") == [(0,)]
    found_another_video_only(project)

    ask(project, days_ahead=1)

    rows = project.sql("SELECT change, video_no = 'PI-1', count(*) FROM public_hit_changes GROUP BY ALL ORDER BY ALL")
    assert rows == [("gone", True, 1), ("new", False, 2)]


def test_an_alert_tells_of_new_public_videos_once_a_day_and_not_of_the_first_answer(
    make_public: Callable[..., Project],
) -> None:
    project = make_public(SEEN.replace("low}", "low, alert: {webhook: TEAM}}"))

    def tell(days_ahead: float, **given: Any) -> list[dict[str, Any]]:
        with project.pipeline(clock=in_days(days_ahead)) as pipeline:
            subscribe_alerts(pipeline)
        ask(project, days_ahead=days_ahead, **given)
        with alert_receiver() as receiver, project.pipeline(clock=in_days(days_ahead)) as pipeline:
            send_alerts(pipeline, environ={"TEAM": receiver.url})
            return [alert for _, alert in receiver.received]

    assert tell(0) == []
    found_another_video_only(project)
    (alert,) = tell(1)
    assert (alert["new_hits"], alert["videos"], alert["images"]) == (2, 2, 0)
    assert alert["text"] == "2 new hits of trends.seen (a shape) in 2 public videos"
    tomorrow = str(project.today + timedelta(days=1))
    assert (alert["first_day"], alert["query"]["kind"]) == (tomorrow, "public_text")
    stored = project.sql("SELECT video_no, video_url FROM public_videos SEMI JOIN public_hits USING (video_no)")
    told = {(hit["video_no"], hit["video_url"]) for hit in alert["hits"]}
    assert told <= set(stored)
    assert [hit["platform"] for hit in alert["hits"]] == ["tiktok", "tiktok"]
    assert all(hit["score"] and hit["end_seconds"] > hit["start_seconds"] for hit in alert["hits"])
    assert tell(1) == []
    assert tell(1, force=True) == [], "the same day asked again is no other news"
    assert tell(2) == []


def test_a_budget_stops_before_the_call_that_would_pass_it(make_public: Callable[..., Project]) -> None:
    from visualsearch_pipeline.pipeline.errors import BudgetExceeded

    project = make_public()
    project.configure(budget={"per_run_usd": 0.00025})

    with pytest.raises(BudgetExceeded, match="public library"):
        ask(project)

    assert len(project.calls(*SEARCHES)) == 2


def test_a_text_is_tried_in_the_public_library_without_storing_anything(make_public: Callable[..., Project]) -> None:
    project = make_public(SEEN)

    with project.pipeline() as pipeline:
        trial = try_query(pipeline, PublicTextQuery(id="tried", text="a shape", platforms=("tiktok", "youtube")))

    assert (trial.hit_count, trial.is_complete) == (6, True)
    assert trial.cost_usd == pytest.approx(0.0002)
    assert all(hit.number.startswith("PI-") for hit in trial.hits)
