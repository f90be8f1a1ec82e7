"""Workers on several machines: Dagster's own distribution, PostgreSQL, and one account's limits over all of them."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml

from tests.conftest import API_KEY
from tests.postgres_server import PostgresServer
from tests.published_tables import contents
from tests.s3_server import S3Server
from tests.scale.deployment import DEPLOY, running_deployment
from tests.waiting import wait_until
from visualsearch_pipeline.settings import API_KEY_VARIABLE

if TYPE_CHECKING:
    from tests.conftest import MakeProject, Project

CLIPS = ("red", "blue", "green", "red-2", "red-3", "blue-2", "green-2", "red-4", "blue-3", "green-3")
SECONDS_PER_UPLOAD, SEARCHES_PER_SECOND = 3, 2
"""Slow enough that all runs are under way before one of them can have uploaded everything."""

SLACK_SECONDS = 1.5
"""How much too early the server lets a request arrive, for a machine that holds up one that may leave for so long.

It is lent and not given: three limiters that did not know of each other would be refused all the same.
"""
RUNS_AT_ONCE = 3
SEARCHES = ("search", "search_similar_images", "search_clips_by_image", "search_audio_transcripts")


def lay_out(project: Project) -> None:
    for number, clip in enumerate(CLIPS):
        project.add_clip(clip, days_ago=1 + number % 3)


@pytest.mark.soak
@pytest.mark.timeout(600)
def test_three_runs_at_once_on_two_workers_make_what_one_process_makes(
    make_project: MakeProject, postgres: PostgresServer, s3: S3Server, tmp_path: Path
) -> None:
    alone = make_project(clips=())
    lay_out(alone)
    alone.run_steps()

    rates = {
        "upload": {"calls": 1, "per_seconds": SECONDS_PER_UPLOAD},
        "search": {"calls": SEARCHES_PER_SECOND, "per_seconds": 1},
    }
    project = make_project(clips=(), rate_limits=rates, rate_limit_slack_seconds=SLACK_SECONDS)
    lay_out(project)
    limits = {"upload": f"1/{SECONDS_PER_UPLOAD} seconds", "search": f"{SEARCHES_PER_SECOND}/second"}
    # Tables and archive in a store, where the deployment's own settings put them. Not the source: the day of an object
    # is the one on which it was written, and there are to be three.
    deployed = yaml.safe_load((DEPLOY / "visualsearch.yaml").read_text())
    s3.make_bucket("tables")
    project.configure(
        api={"rate_limits": limits}, warehouse=deployed["warehouse"], archive={"path": deployed["archive"]["path"]}
    )
    days = {
        "first_day": str(project.today - timedelta(days=3)),
        "last_day": str(project.today - timedelta(days=1)),
    }
    with running_deployment(
        tmp_path / "deployment", postgres, settings_path=project.settings_path, environ={API_KEY_VARIABLE: API_KEY}
    ) as deployment:

        def run_at_once(*assets: list[str]) -> list[dict[str, object]]:
            runs = deployment.wait_for([deployment.launch(*assets, **days) for _ in range(RUNS_AT_ONCE)])
            assert [run["status"] for run in runs] == ["SUCCESS"] * RUNS_AT_ONCE, "\n".join(
                deployment.log(name) for name in deployment.started
            )
            return runs

        runs = run_at_once(["media"], ["uploads"])
        begins, ends = (sorted(float(str(run[key])) for run in runs) for key in ("startTime", "endTime"))
        assert begins[-1] < ends[0], "all of them were under way at once"
        project.server.settle()
        wait_until(
            lambda: len(project.server.videos()) >= len(CLIPS),
            seconds=60,
            told=lambda: f"{len(project.server.videos())} of {len(CLIPS)} videos",
        )
        run_at_once(["videos"])
        run_at_once(["hits", "street"], ["transcripts"], ["captions"])
        run_at_once(["archive"], ["warehouse"])
        workers = {name: deployment.log(name).count("] received") for name in ("worker-1", "worker-2")}

    assert all(workers.values()), f"both worked: {workers}"
    assert sum(workers.values()) == 4 * RUNS_AT_ONCE
    uploads = [entry for entry in project.calls("upload") if entry.took_effect]
    assert len(uploads) == len(project.server.videos()) == len(CLIPS)
    assert [entry for entry in project.calls() if entry.code in ("429", "0429")] == [], "the server refused none"
    # What it was not asked it cannot refuse: three limiters that do not share would have sent more than it lends.
    at_once = SEARCHES_PER_SECOND * (1 + SLACK_SECONDS)
    searches = project.calls(*SEARCHES)
    assert min(len(uploads), len(searches)) > at_once, "too few to tell"
    assert contents(project) == contents(alone)
    assert "warehouse/visualsearch.duckdb" in s3.keys("tables")
    assert s3.unfinished_uploads("tables") == []
    assert not (project.root / "state" / "archive").exists(), "nothing that must be shared lies on a disk"
