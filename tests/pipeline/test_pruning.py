"""Pruning: old rows go, and no figure that people look at changes."""

from __future__ import annotations

import shutil
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import dagster as dg
import pytest
import sqlalchemy as sa

from tests.command_line import visualsearch
from visualsearch_pipeline.ledger import CallRecord, Ledger
from visualsearch_pipeline.ledger.alerts import AlertDelivery
from visualsearch_pipeline.ledger.schema_upkeep import api_call_totals
from visualsearch_pipeline.orchestration.pruning import prune_instance
from visualsearch_pipeline.pipeline.lost_segments import forget_lost_segments
from visualsearch_pipeline.pipeline.pruning import prune
from visualsearch_pipeline.pipeline.publish import publish

if TYPE_CHECKING:
    from tests.conftest import MakeProject, Project

NOW = datetime.now(UTC)
SPENDING = (
    "SELECT *, round(cost_usd, 9) AS cost FROM spend_by('day') ORDER BY ALL",
    "SELECT spent_on, calls, failed_calls, round(cost_usd, 9) FROM spend_by('operation') ORDER BY ALL",
    "SELECT spent_on, calls, failed_calls, round(cost_usd, 9) FROM spend_by('query') ORDER BY ALL",
)


def old_call(days: int, operation: str, *, item: str | None = None, outcome: str = "ok") -> CallRecord:
    return CallRecord(
        started_at=NOW - timedelta(days=days),
        operation=operation,
        item=item,
        run_id="long ago",
        outcome=outcome,
        code=None,
        http_status=200,
        duration_seconds=0.1,
        waited_seconds=0.0,
        bytes_sent=1,
        bytes_received=1,
        cost_usd=0.0001,
    )


OLD_CALLS = (
    old_call(300, "search", item="red"),
    old_call(300, "search", item="red"),
    old_call(300, "search", item="red", outcome="RateLimited"),
    old_call(300, "search_clips_by_image", item="red.png in VI1"),
    old_call(300, "search_clips_by_image", item="red.png in VI2"),
    old_call(299, "upload", item="a.mp4"),
    old_call(298, "upload", item="b.mp4"),
    old_call(3, "upload", item="c.mp4"),
)


def test_calls_of_long_ago_become_sums_and_no_bill_changes(make_project: MakeProject) -> None:
    project = make_project(clips=["red"])
    project.run_steps()
    with project.pipeline() as pipeline:
        for call in OLD_CALLS:
            pipeline.ledger.calls.record(call)
        publish(pipeline)
    before = [project.sql(question) for question in SPENDING]
    single = project.sql("SELECT count(*) FROM api_calls")[0][0]

    with project.pipeline() as pipeline:
        spent = pipeline.ledger.calls.spent_usd()
        assert prune(pipeline, dry_run=True).api_calls == 7
        assert pipeline.ledger.rows(sa.select(api_call_totals)) == ()
        assert prune(pipeline, dry_run=False).api_calls == 7
        assert prune(pipeline, dry_run=False).api_calls == 0
        assert pipeline.ledger.calls.spent_usd() == pytest.approx(spent)
        publish(pipeline)

    assert [project.sql(question) for question in SPENDING] == before
    assert project.sql("SELECT count(*) FROM api_calls") == [(single - 7,)]
    assert project.sql("SELECT operation, outcome, asked, calls FROM api_call_totals ORDER BY ALL") == [
        ("search", "RateLimited", "red", 1),
        ("search", "ok", "red", 2),
        ("search_clips_by_image", "ok", "red.png", 2),
        ("upload", "ok", None, 1),
        ("upload", "ok", None, 1),
    ]


def test_a_call_that_is_recorded_late_is_added_to_the_sum_of_its_day(tmp_path: Path) -> None:
    with Ledger(f"sqlite:///{tmp_path / 'ledger.db'}") as ledger:
        ledger.calls.record(old_call(300, "upload"))
        ledger.call_totals.fold(before=NOW.date())
        ledger.calls.record(old_call(300, "upload"))
        ledger.call_totals.fold(before=NOW.date())
        ((total),) = ledger.rows(sa.select(api_call_totals.c.calls, api_call_totals.c.cost_usd))
        assert total == {"calls": 2, "cost_usd": pytest.approx(0.0002)}


def test_old_deliveries_go_and_are_not_made_anew(tmp_path: Path) -> None:
    delivery = AlertDelivery(
        delivery_id="a" * 32,
        query_set="street",
        query_id="red",
        query_version="v",
        run_id="r",
        new_hits=1,
        payload="{}",
        created_at=NOW - timedelta(days=300),
    )
    waiting = replace(delivery, delivery_id="b" * 32)
    with Ledger(f"sqlite:///{tmp_path / 'ledger.db'}") as ledger:
        ledger.alerts.subscribe([("street", "red")], unreadable_sets=(), since=NOW - timedelta(days=400))
        ledger.alerts.intend([delivery, waiting])
        ledger.alerts.record_delivered(delivery, at=NOW)
        before = NOW - timedelta(days=180)
        assert ledger.alerts.prune(before=before, dry_run=True) == 1
        assert ledger.alerts.prune(before=before, dry_run=False) == 1
        assert [left.delivery_id for left in ledger.alerts.deliveries()] == [waiting.delivery_id]
        assert ledger.alerts.subscriptions() == {("street", "red"): before}


@dg.asset(partitions_def=dg.StaticPartitionsDefinition(["monday", "tuesday"]))
def days() -> None:
    """Stands for the assets of a project."""


def test_runs_that_the_ui_still_shows_stay(tmp_path: Path) -> None:
    with dg.DagsterInstance.local_temp(str(tmp_path)) as instance:
        runs = [
            dg.materialize([days], instance=instance, partition_key=key).run_id
            for key in ("monday", "tuesday", "monday")
        ]
        soon = datetime.now(UTC) + timedelta(seconds=60)
        long_ago = NOW - timedelta(days=1)
        assert prune_instance(instance, runs_before=long_ago, ticks_before=long_ago, dry_run=False).runs == 0
        counted = prune_instance(instance, runs_before=soon, ticks_before=soon, dry_run=True)
        assert (counted.runs, counted.kept_runs) == (1, 2)
        assert len(instance.get_run_records()) == 3
        assert prune_instance(instance, runs_before=soon, ticks_before=soon, dry_run=False) == counted
        assert {record.dagster_run.run_id for record in instance.get_run_records()} == set(runs[1:])
        assert instance.get_materialized_partitions(days.key) == {"monday", "tuesday"}


@pytest.mark.soak
def test_the_command_shows_first_and_prunes_on_request(project: Project, tmp_path: Path) -> None:
    with project.pipeline() as pipeline:
        for call in OLD_CALLS:
            pipeline.ledger.calls.record(call)
    config = ("--config", str(project.settings_path))
    shown = visualsearch("prune", *config, cwd=tmp_path)
    assert shown.code == 0
    assert "nothing was removed; --yes removes it" in shown.out
    with project.pipeline() as pipeline:
        assert pipeline.ledger.call_totals.old_calls(before=NOW.date()) == 8
    done = visualsearch("prune", *config, "--yes", cwd=tmp_path)
    assert (done.code, "180 days" in done.out) == (0, True)
    with project.pipeline() as pipeline:
        assert pipeline.ledger.call_totals.old_calls(before=NOW.date()) == 1


def test_transcripts_whose_file_was_deleted_are_noticed_and_fetched_again(make_project: MakeProject) -> None:
    project = make_project(clips=["red", "blue"])
    project.run_steps()
    questions = (
        "SELECT video_no, segment_index, text FROM transcripts ORDER BY ALL",
        "SELECT video_no, segment_index, text FROM captions ORDER BY ALL",
    )
    before = [project.sql(question) for question in questions]
    assert all(before)
    shutil.rmtree(Path(project.settings.warehouse_root) / "transcripts")
    shutil.rmtree(Path(project.settings.warehouse_root) / "captions")
    with project.pipeline() as pipeline:
        publish(pipeline)
        lost = pipeline.ledger.failures.unresolved()
        assert {failure.step for failure in lost} == {"transcripts", "captions"}
        assert all("segments is gone" in failure.reason for failure in lost)
        assert forget_lost_segments(pipeline) == 0
    mark = project.mark()
    project.run_steps()
    # `blue` says nothing, so that it has no transcript to lose.
    assert len(project.calls("get_audio_transcription", since=mark)) == 1
    assert [project.sql(question) for question in questions] == before
    assert project.sql("SELECT count(*) FROM failures WHERE resolved_at IS NULL") == [(0,)]
