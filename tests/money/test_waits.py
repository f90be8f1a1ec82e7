"""Whoever waits for the rate limit is told where the run stands and how long it takes, and is not flooded with it."""

from __future__ import annotations

import logging
import re
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING

import pytest

from tests.command_line import COMMAND, environment, visualsearch
from tests.terminal_screen import run_on_terminal
from visualsearch_pipeline.api import OperationFamily, Rate
from visualsearch_pipeline.pipeline.progress import LoggedProgress, Seldom, Task
from visualsearch_pipeline.pipeline.waits import Waits

if TYPE_CHECKING:
    from tests.conftest import MakeProject, Project

A_MINUTE = Rate(1, 60)


class Told:
    """Somebody who follows the progress and remembers what was said about waiting."""

    def __init__(self) -> None:
        self.waits: list[str] = []

    def task(self, description: str, *, total: int | None, unit: str = "items") -> AbstractContextManager[Task]:  # noqa: ARG002  as the protocol has it
        return nullcontext(self)

    def advance(self, amount: int = 1) -> None: ...

    def note(self, message: str) -> None: ...

    def waiting(self, message: str, *, subject: str) -> None:  # noqa: ARG002  as the protocol has it
        self.waits.append(message)


def test_a_wait_tells_how_many_started_when_the_next_does_and_how_long_all_take() -> None:
    told = Told()
    waits = Waits(told)
    with waits.counting(OperationFamily.UPLOAD, what="upload", total=300, rate=A_MINUTE) as starts:
        for _ in range(12):
            starts.note_start()
        waits.tell(OperationFamily.UPLOAD, 41)
    assert told.waits == ["upload 12/300, next start in 41 s, about 4 h 48 min"]


def test_the_last_one_s_wait_is_all_that_is_left() -> None:
    told = Told()
    waits = Waits(told)
    with waits.counting(OperationFamily.UPLOAD, what="upload", total=2, rate=A_MINUTE) as starts:
        starts.note_start()
        waits.tell(OperationFamily.UPLOAD, 41)
    assert told.waits == ["upload 1/2, next start in 41 s, about 41 s"]


def test_other_calls_say_what_they_are_and_short_waits_are_not_worth_a_word() -> None:
    told = Told()
    waits = Waits(told)
    with waits.counting(OperationFamily.UPLOAD, what="upload", total=2, rate=A_MINUTE):
        waits.tell(OperationFamily.DOWNLOAD, 5)
        waits.tell(OperationFamily.SEARCH, 1)
    waits.tell(OperationFamily.UPLOAD, 60)
    assert told.waits == [
        "the rate limit lets the next download call start in 5 s",
        "the rate limit lets the next upload call start in 1 min",
    ]


def test_what_repeats_itself_is_said_once_in_a_while_and_per_subject() -> None:
    now = 0.0
    seldom = Seldom(every_seconds=30, clock=lambda: now)
    said = []
    for now in range(0, 91, 5):
        said += [(now, subject) for subject in ("upload", "search") if seldom.is_due(subject)]
    assert said == [(at, subject) for at in (0, 30, 60, 90) for subject in ("upload", "search")]


def test_a_log_gets_one_line_of_many_waits(caplog: pytest.LogCaptureFixture) -> None:
    waits = Waits(LoggedProgress())
    with caplog.at_level(logging.INFO):
        for seconds in (60, 55, 50):
            waits.tell(OperationFamily.UPLOAD, seconds)
    assert caplog.messages == ["the rate limit lets the next upload call start in 1 min"]


@pytest.fixture
def limited(make_project: MakeProject) -> Project:
    """Two clips, of which the second has to wait for 6 s."""
    project = make_project(("red", "blue"))
    project.configure(api={"rate_limits": dict.fromkeys(("search", "list", "status", "transcripts"), "unlimited")})
    project.configure(api={"rate_limits": {"upload": "1/6 seconds"}}, archive={"videos": False, "keyframes": False})
    project.write_queries("street", "queries: [{id: red, text: red}]")
    return project


def test_a_run_s_lines_tell_the_wait(limited: Project) -> None:
    answer = visualsearch("run", cwd=limited.root, VISUALSEARCH_API_KEY=limited.server.api_key)
    assert len(limited.server.videos()) == 2
    assert re.search(r"upload [01]/2, next start in [3-6] s, about \d+ s", answer.error_text), answer


@pytest.mark.soak
def test_on_a_terminal_the_wait_stands_below_the_bar_and_leaves_no_trace(limited: Project) -> None:
    code, written = run_on_terminal(
        [*COMMAND, "run"],
        cwd=limited.root,
        environment=environment(limited.root, VISUALSEARCH_API_KEY=limited.server.api_key),
    )
    assert code in (0, 4), written
    assert re.search(r"upload [01]/2, next start in [3-6] s", written)
    assert written.count("uploading 2 videos") > 2  # the bar was there, too
