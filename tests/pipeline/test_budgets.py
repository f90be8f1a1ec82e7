"""A budget stops before the call that would pass it: nothing is sent, and what was answered before is kept."""

from __future__ import annotations

import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa

from visualsearch_pipeline.ledger.schema import api_calls, reservations
from visualsearch_pipeline.pipeline.archive import archive
from visualsearch_pipeline.pipeline.errors import BudgetExceeded
from visualsearch_pipeline.pipeline.index import poll
from visualsearch_pipeline.pipeline.ingest import ingest, look_at_source
from visualsearch_pipeline.pipeline.search import search
from visualsearch_pipeline.pipeline.transcribe import transcribe
from visualsearch_pipeline.pipeline.upload import upload
from visualsearch_pipeline.sandbox import FaultKind, FaultRule

if TYPE_CHECKING:
    from tests.conftest import MakeProject, Project

CLIPS = ("red", "red-2", "red-3", "red-4")
INDEXING_USD = 3 / 60 * 15 / 1000
"""What a clip of 3 s costs to index."""
SEARCH_USD = 0.1 / 1000


@pytest.fixture
def found(make_project: MakeProject) -> Project:
    """Four clips, looked into and not sent."""
    project = make_project(CLIPS)
    with project.pipeline() as pipeline:
        look_at_source(pipeline)
        ingest(pipeline)
    return project


@pytest.fixture
def indexed(found: Project) -> Project:
    """Four clips, ready to be asked about."""
    with found.pipeline() as pipeline:
        upload(pipeline)
        found.server.settle()
        poll(pipeline)
    return found


def test_transfers_side_by_side_do_not_pass_a_budget_together(found: Project) -> None:
    found.configure(budget={"per_run_usd": 2.5 * INDEXING_USD})
    with found.pipeline() as pipeline, pytest.raises(BudgetExceeded, match="per_run_usd") as stopped:
        upload(pipeline)
    assert "Indexing 'red" in str(stopped.value)
    assert "raise the budget" in str(stopped.value)
    assert len(found.calls("upload")) == len(found.server.videos()) == 2
    with found.pipeline() as pipeline:  # another run has its own
        assert upload(pipeline).uploaded == 2
    assert len(found.server.videos()) == 4


def test_a_budget_that_nothing_fits_into_sends_nothing(found: Project) -> None:
    found.configure(budget={"per_run_usd": 0})
    with found.pipeline() as pipeline, pytest.raises(BudgetExceeded):
        upload(pipeline)
    assert found.calls() == []


def test_a_budget_that_is_met_exactly_is_not_passed(found: Project) -> None:
    found.configure(budget={"per_run_usd": 4 * INDEXING_USD * 1.02})
    with found.pipeline() as pipeline:
        assert upload(pipeline).uploaded == 4


def test_the_daily_budget_counts_every_run_of_the_day(found: Project) -> None:
    found.configure(budget={"per_day_usd": 4.5 * INDEXING_USD})
    with found.pipeline() as pipeline:
        assert upload(pipeline).uploaded == 4
    found.add_clip("red-5")
    with found.pipeline() as pipeline:
        look_at_source(pipeline)
        ingest(pipeline)
        with pytest.raises(BudgetExceeded, match="per_day_usd"):
            upload(pipeline)
    assert len(found.calls("upload")) == 4


def test_searches_stop_before_the_one_too_many_and_keep_the_answers_before(indexed: Project) -> None:
    indexed.configure(budget={"per_run_usd": 2.5 * SEARCH_USD})
    with indexed.pipeline() as pipeline:
        (street,) = pipeline.catalog.sets
        with pytest.raises(BudgetExceeded, match="Searching for"):
            search(pipeline, street)
        assert pipeline.ledger.calls.spent_usd(run_id=pipeline.run_id) == pytest.approx(2 * SEARCH_USD)
    mark = indexed.mark()
    indexed.configure(budget={"per_run_usd": 1})
    with indexed.pipeline() as pipeline:
        search(pipeline, street)
    again = indexed.billable_calls(since=mark)
    assert "search" not in again  # the first was answered, and kept


def test_transcripts_that_were_paid_for_are_kept_when_the_budget_stops_the_rest(indexed: Project) -> None:
    indexed.configure(budget={"per_run_usd": 2.5 * SEARCH_USD})
    with indexed.pipeline() as pipeline, pytest.raises(BudgetExceeded, match="Fetching transcripts"):
        transcribe(pipeline, "transcripts")
    assert len(indexed.calls("get_audio_transcription")) == 2
    with indexed.pipeline() as pipeline:
        assert len(pipeline.ledger.fetches.without_transcription("transcripts")) == 2
        transcribe(pipeline, "transcripts")
    assert len(indexed.calls("get_audio_transcription")) == 4


def test_downloads_stop_before_the_one_too_many(indexed: Project) -> None:
    size_bytes = max(path.stat().st_size for path in indexed.footage.iterdir())
    indexed.configure(budget={"per_run_usd": 1.5 * size_bytes / 1e9 * 0.12})
    with indexed.pipeline() as pipeline, pytest.raises(BudgetExceeded, match="Downloading VI"):
        archive(pipeline)
    assert len(indexed.calls("download")) == 1
    indexed.configure(budget={"per_run_usd": 1})
    with indexed.pipeline() as pipeline:
        assert archive(pipeline).videos == 3


def test_what_another_process_has_under_way_counts(found: Project) -> None:
    found.configure(budget={"per_day_usd": 1.5 * INDEXING_USD})
    with found.pipeline() as one, found.pipeline() as other:
        with one.spending.reserving("Indexing 'elsewhere'", cost_usd=INDEXING_USD):
            with pytest.raises(BudgetExceeded, match="per_day_usd"):
                upload(other)
            assert found.calls("upload") == []
        with pytest.raises(BudgetExceeded):  # the second does not fit, the first does
            upload(other)
    assert len(found.server.videos()) == 1


def test_what_a_killed_process_held_is_let_go(found: Project) -> None:
    found.configure(budget={"per_day_usd": 1.5 * INDEXING_USD})
    script = (
        "import os, sys, pathlib\n"
        "from visualsearch_pipeline.settings import load_settings\n"
        "from visualsearch_pipeline.pipeline.pipeline import Pipeline\n"
        "pipeline = Pipeline(load_settings(pathlib.Path(sys.argv[1])), open_client=None)\n"
        "with pipeline.spending.reserving('a call', cost_usd=float(sys.argv[2])):\n"
        "    os.kill(os.getpid(), 9)\n"
    )
    killed = subprocess.run([sys.executable, "-c", script, found.settings_path, str(INDEXING_USD)], check=False)
    assert killed.returncode == -signal.SIGKILL
    with found.pipeline() as pipeline:
        assert len(pipeline.ledger.rows(sa.select(reservations))) == 1
        with pytest.raises(BudgetExceeded):
            upload(pipeline)
    assert len(found.server.videos()) == 1


def test_an_upload_whose_answer_was_lost_is_billed_once_it_is_found(found: Project) -> None:
    found.configure(api={"lost_answer_wait_seconds": 0})
    found.server.faults.add(FaultRule(operation="upload", kind=FaultKind.RESET, when="after"))
    with found.pipeline() as pipeline:
        upload(pipeline)
        upload(pipeline)
        assert pipeline.ledger.calls.spent_usd() == pytest.approx(4 * INDEXING_USD, rel=0.1)
        billed = [row["cost_usd"] for row in pipeline.ledger.rows(sa.select(api_calls)) if row["operation"] == "upload"]
    assert len([cost for cost in billed if cost]) == 4
