"""A pipeline whose ledger is PostgreSQL does what one on SQLite does, and tells the same of itself."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import make_url

from tests.conftest import BILLABLE
from tests.postgres_server import PostgresServer
from tests.published_tables import contents
from visualsearch_pipeline.pipeline.agreement import agree
from visualsearch_pipeline.pipeline.doctor import Level, check_project
from visualsearch_pipeline.pipeline.errors import BudgetExceeded
from visualsearch_pipeline.pipeline.expected_work import read_expected_work
from visualsearch_pipeline.pipeline.forecast import ExpectedWork
from visualsearch_pipeline.pipeline.ingest import ingest, look_at_source
from visualsearch_pipeline.pipeline.pruning import prune
from visualsearch_pipeline.pipeline.remote_deletion import delete_remote_videos
from visualsearch_pipeline.pipeline.status import read_status
from visualsearch_pipeline.pipeline.upload import upload

if TYPE_CHECKING:
    from tests.conftest import MakeProject, Project


CLIP_USD = 3 / 60 * 15 / 1000
"""What a clip of 3 s costs to index."""


def forget_speeds(work: ExpectedWork) -> ExpectedWork:
    """What is expected, without what was measured."""
    return replace(work, sending_bytes_per_second=None, receiving_bytes_per_second=None)


def share(project: Project, postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Move a project's ledger, and with it its limits and locks, to a database of its own."""
    url = make_url(postgres.make_database())
    for name, value in (("PGHOST", url.host), ("PGPORT", str(url.port)), ("PGUSER", url.username)):
        monkeypatch.setenv(name, str(value))
    project.configure(ledger_url=f"postgresql:///{url.database}", api={"rate_limits": {"upload": "50/second"}})


def test_a_run_makes_the_same_tables_and_tells_the_same(
    make_project: MakeProject, postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone, project = make_project(), make_project()
    share(project, postgres, monkeypatch)
    for each in (alone, project):
        each.run_steps(run_id="run")
    assert contents(project) == contents(alone)
    assert not (project.root / "state" / "ledger.db").exists()
    assert not (project.root / "state" / "locks").exists()
    assert not (project.root / "state" / "limits").exists()
    mark = project.mark()
    project.run_steps()
    assert project.billable_calls(since=mark) == []
    with alone.pipeline() as one, project.pipeline() as several:
        assert read_status(several) == read_status(one)
        assert forget_speeds(read_expected_work(several)) == forget_speeds(read_expected_work(one))
        assert prune(several, dry_run=True).api_calls == prune(one, dry_run=True).api_calls
        assert several.ledger.calls.count_by_operation().keys() & BILLABLE


@pytest.mark.soak
def test_budgets_pruning_and_deletions_do_there_what_they_do_alone(
    make_project: MakeProject, postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = []
    for shared in (False, True):
        project = make_project()
        if shared:
            share(project, postgres, monkeypatch)
        # Enough for one video; the other waits until a person gives more.
        project.configure(budget={"per_run_usd": 1.5 * CLIP_USD})
        with pytest.raises(BudgetExceeded, match="per_run_usd"):
            project.run_steps(run_id="run")
        held = len(project.calls("upload"))
        project.configure(budget={"per_run_usd": 5})
        project.run_steps(run_id="again")
        with project.pipeline(clock=lambda: datetime.now(UTC) + timedelta(days=400)) as pipeline:
            pruned = prune(pipeline, dry_run=False)
            left = prune(pipeline, dry_run=True)
            deleted = delete_remote_videos(pipeline, older_than_days=30, reason="no longer needed there")
            found = agree(pipeline).findings
            accounted = len(pipeline.ledger.remote_deletions.deleted())
        assert (held, len(project.calls("upload"))) == (1, 2)
        assert pruned.api_calls
        assert (left.api_calls, left.alerts) == (0, 0)
        assert (len(deleted.deleted), deleted.left, found, accounted) == (2, (), (), 2)
        told.append((pruned.api_calls, contents(project)))
    assert told[0] == told[1]


def test_two_projects_of_one_account_share_its_limits_where_both_say_so(
    make_project: MakeProject, postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = make_project(clips=("red", "blue")), make_project(clips=("green", "red-2"))
    limits = postgres.make_database()
    for project in (one, other):
        share(project, postgres, monkeypatch)
        api = {"base_url": one.server.url, "rate_limits": {"upload": "1/2 seconds"}}
        project.configure(limits=limits, api=api)
        with project.pipeline() as pipeline:
            look_at_source(pipeline)
            ingest(pipeline)

    def send(project: Project) -> None:
        with project.pipeline() as pipeline:
            assert upload(pipeline).uploaded == 2

    with ThreadPoolExecutor() as threads:
        list(threads.map(send, (one, other)))
    moments = sorted(entry.at for entry in one.calls("upload"))
    assert len(moments) == 4
    # Each alone would have been done after 2 s.
    assert moments[-1] - moments[0] > timedelta(seconds=5)
    (check,) = (check for check in check_project(one.settings) if check.name == "rate limits")
    assert (check.level, check.found) == (Level.OK, f"kept in {limits}, for all machines")


def test_one_process_at_a_time_holds_a_lock_that_machines_share(
    make_project: MakeProject, postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = make_project(clips=())
    share(project, postgres, monkeypatch)
    entered = threading.Event()

    def enter() -> None:
        with project.pipeline() as other, other.locked("publish"):
            entered.set()

    with project.pipeline() as pipeline:
        waiting = threading.Thread(target=enter)
        with pipeline.locked("publish"):
            waiting.start()
            assert not entered.wait(0.5)
        assert entered.wait(20)
        waiting.join()
