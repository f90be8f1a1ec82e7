"""From the sandbox's callbacks to the next poll: only looking changes a state (contract §9.59)."""

from __future__ import annotations

import json

import pytest
import sqlalchemy as sa

from tests.byte_search import places_of
from tests.conftest import MakeProject, Project
from tests.waiting import wait_until
from tests.webhooks.receiving import SECRET, serving
from visualsearch_pipeline.ledger.schema import notices, videos
from visualsearch_pipeline.pipeline.index import poll
from visualsearch_pipeline.pipeline.ingest import ingest, look_at_source
from visualsearch_pipeline.pipeline.upload import upload
from visualsearch_pipeline.settings import SettingsError
from visualsearch_pipeline.webhooks import create_app


@pytest.fixture(autouse=True)
def secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VISUALSEARCH_WEBHOOK_SECRET", SECRET)


def outcomes(project: Project) -> dict[str, str | None]:
    with project.pipeline() as pipeline:
        rows = pipeline.ledger.rows(sa.select(notices.c.subject, notices.c.outcome).order_by(notices.c.received_at))
    return {str(row["subject"]): row["outcome"] for row in rows}


def states(project: Project) -> dict[str, str]:
    with project.pipeline() as pipeline:
        return {str(row["video_no"]): str(row["state"]) for row in pipeline.ledger.rows(sa.select(videos))}


def test_the_service_calls_back_and_the_next_poll_reads_the_notice(make_project: MakeProject) -> None:
    project = make_project()
    with serving(create_app(project.settings, secret=SECRET)) as client:
        project.configure(webhooks={"public_url": str(client.base_url)})
        with project.pipeline() as pipeline:
            look_at_source(pipeline)
            ingest(pipeline)
            assert upload(pipeline).uploaded == 2
        known = set(states(project))
        wait_until(
            lambda: set(outcomes(project)) == known, seconds=15, told=lambda: f"{known}, but {outcomes(project)}"
        )
        assert set(states(project).values()) == {"indexing"}, "a notice alone changes nothing"
        with project.pipeline() as pipeline:
            wait_until(lambda: poll(pipeline).indexing == 0, seconds=15, told=lambda: "still indexing")
    assert set(states(project).values()) == {"ready"}
    assert set(outcomes(project).values()) <= {"confirmed", "pending"}
    assert places_of(SECRET, project.root / "state") == []


def test_lies_strangers_and_repetitions_change_nothing(project: Project) -> None:
    with project.pipeline() as pipeline:
        look_at_source(pipeline)
        ingest(pipeline)
        upload(pipeline)
    one = min(states(project))
    with serving(create_app(project.settings, secret=SECRET)) as client:
        for said in (
            {"videoNo": one, "status": "FAIL"},
            {"videoNo": one, "status": "FAIL"},
            {"videoNo": "VI-nobody-knows", "status": "PARSE"},
            {"status": "EXPLODED"},
        ):
            assert client.post(f"/callbacks/{SECRET}", content=json.dumps(said)).status_code == 204
    with project.pipeline() as pipeline:
        wait_until(lambda: poll(pipeline).indexing == 0, seconds=15, told=lambda: "still indexing")
    assert set(states(project).values()) == {"ready"}
    said_of = outcomes(project)
    assert said_of[one] in ("confirmed", "pending")
    assert said_of["VI-nobody-knows"] == "unknown"
    assert said_of["None"] is None


def test_without_the_secret_nothing_is_sent(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("VISUALSEARCH_WEBHOOK_SECRET")
    project.configure(webhooks={"public_url": "https://hooks.example.org"})
    with project.pipeline() as pipeline:
        look_at_source(pipeline)
        ingest(pipeline)
        with pytest.raises(SettingsError, match="VISUALSEARCH_WEBHOOK_SECRET"):
            upload(pipeline)
    assert project.server.videos() == []
