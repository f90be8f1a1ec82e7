"""The daemon and the code server are killed again and again while files arrive; the tables know nothing of it."""

from __future__ import annotations

import os
import random
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.proofs.dagster_processes import DagsterProcesses, dagster_processes
from tests.published_tables import contents, differences
from visualsearch_pipeline.pipeline.pending import pending_work

if TYPE_CHECKING:
    from tests.conftest import MakeProject, Project

pytestmark = [pytest.mark.soak, pytest.mark.timeout(1500)]

SEED = int(os.environ.get("VISUALSEARCH_TEST_SEED", "20"))
CYCLES = int(os.environ.get("VISUALSEARCH_TEST_CYCLES", "20"))
SETTLE_SECONDS = 600


def test_tables_are_those_of_an_undisturbed_run_though_daemon_and_code_server_are_killed(
    make_project: MakeProject,
) -> None:
    chance = random.Random(SEED)  # noqa: S311 (to be repeated, not secret)
    project, undisturbed = make_project((), indexing_seconds=2), make_project(())
    project.configure(sensor_seconds=1)
    with dagster_processes(project) as processes:
        for number in range(CYCLES):
            days_ago = chance.randint(1, 3)
            for one in (project, undisturbed):
                arrive(one, number, days_ago=days_ago)
            # When it is killed is left to chance: that any moment will do is what is proven.
            time.sleep(chance.uniform(2, 8))
            kill_something(processes, chance)
        undisturbed.run(timeout_seconds=SETTLE_SECONDS)
        expected = contents(undisturbed)
        processes.wait_until(lambda: is_settled(project, processes), seconds=SETTLE_SECONDS)
        wait_for(lambda: not differences(project, expected), seconds=SETTLE_SECONDS)
        assert differences(project, expected) == {}
        with processes.instance() as instance:
            for pool in ("visual_search_upload", "visual_search_search", "visual_search_download"):
                assert instance.event_log_storage.get_concurrency_info(pool).claimed_slots == []
    assert processes.killed_runs > 0
    # Each content is in the library once, and was charged for once.
    names = Counter(video.video_name for video in project.server.videos())
    assert set(names.values()) == {1}
    assert len(names) == len(undisturbed.server.videos())


def arrive(project: Project, number: int, *, days_ago: int) -> None:
    """A file comes into the source: another clip each time, now and then a copy, once one that is no video."""
    if number == 4:
        broken = project.footage / "broken.mp4"
        broken.write_text("no video")
        project.touch(broken, days_ago=days_ago)
    elif number % 7 == 6:
        # On one day, so that it is the same one of them that counts as the original, in whatever order they are seen.
        project.add_clip("red-3", f"copy {number:02}.mp4", days_ago=2)
    else:
        colour = ("red", "blue", "green")[number % 3]
        project.add_clip(f"{colour}-{number + 2}", days_ago=days_ago)


def kill_something(processes: DagsterProcesses, chance: random.Random) -> None:
    """Kill the daemon, a run, the code server, the code server with its runs, or all; and start what is gone."""
    what = chance.choice(["daemon", "a run", "code server", "code server with its runs", "all"])
    if what == "a run":
        processes.kill_a_run()
    if what in ("daemon", "all"):
        processes.kill("daemon")
    if what in ("code server", "code server with its runs", "all"):
        processes.kill("code server", with_all_it_started=what != "code server")
        processes.start("code server")
    if what in ("daemon", "all"):
        processes.start("daemon")


def is_settled(project: Project, processes: DagsterProcesses) -> bool:
    """Whether nothing is left to do, nothing runs, and the tables were published."""
    if processes.unfinished():
        return False
    with project.pipeline() as pipeline:
        work = pending_work(pipeline)
    return Path(project.settings.database_path).exists() and not work.to_do and not work.videos


def wait_for(holds: Callable[[], bool], *, seconds: float) -> None:
    """Wait until it holds, or until the time is up: what does not hold then is better told by an assertion."""
    until = time.monotonic() + seconds
    while not holds() and time.monotonic() < until:
        # Each question reads all tables; other processes write what is waited for.
        time.sleep(0.5)
