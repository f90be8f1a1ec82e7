"""Four processes and one account: nobody is too fast, next to no start is wasted, and refusals are sat out together."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.conftest import sandbox_config
from tests.proofs.busy_account import FAMILIES, OPERATIONS, PROCESSES, START, Job, Outcome, permitted, run_at_once
from visualsearch_pipeline.sandbox import FaultKind, FaultRule, Sandbox

if TYPE_CHECKING:
    from tests.conftest import ClipShelf

STORM_SECONDS = 60.0
PAUSES_IN_A_STORM = 7
"""1 + 2 + 4 + 8 + 16 + 32 s of pauses are more than the storm: one request before each, and one after the last."""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Sandbox]:
    """A sandbox whose clock stands, which forgives no millisecond."""
    config = sandbox_config(
        tmp_path / "sandbox",
        frozen_at=datetime.fromtimestamp(START, tz=UTC),
        rate_limits="p-2026",
        rate_limit_slack_seconds=0,
    )
    with Sandbox(config) as running:
        yield running


@pytest.mark.soak
@pytest.mark.timeout(600)
def test_four_processes_use_what_is_permitted_and_no_more(
    server: Sandbox, tmp_path: Path, clip_shelf: ClipShelf
) -> None:
    seconds = 300.0
    began = time.monotonic()
    jobs = [Job(operation, seconds=seconds) for operation in FAMILIES]
    outcome = run_at_once(server, folder=tmp_path, clip=clip_shelf.path("red"), jobs=jobs)
    shares = {
        operation: len(outcome.requests(operation, until_seconds=seconds)) / permitted(server, family, seconds=seconds)
        for operation, family in FAMILIES.items()
    }
    shown = ", ".join(f"{operation} {share:.1%}" for operation, share in shares.items())
    sys.stdout.write(
        f"{PROCESSES} processes, {seconds:.0f} virtual s: {len(outcome.journal)} requests, {outcome.refused} refused, "
        f"of the permitted starts used: {shown}; {time.monotonic() - began:.0f} s\n"
    )
    assert outcome.errors == ()
    assert outcome.refused == 0
    assert shares["upload"] >= 0.98
    assert shares["search"] >= 0.98


def test_a_storm_of_refusals_is_sat_out_together(server: Sandbox, tmp_path: Path, clip_shelf: ClipShelf) -> None:
    shapes = (
        FaultKind.RATE_LIMIT_CODE_ONLY,
        FaultKind.RATE_LIMIT_NULL_DATA,
        FaultKind.RATE_LIMIT_INTEGER_CODE,
        FaultKind.RATE_LIMIT_BARE_429,
    )
    server.set_rate_limits({})
    jobs = [Job(operation, count=2, pause_seconds=1.0) for operation in OPERATIONS]

    def begin() -> None:
        for position, kind in enumerate(shapes):
            server.faults.add(FaultRule(kind=kind, count=None, probability=1 / (len(shapes) - position)))

    outcome = run_at_once(
        server,
        folder=tmp_path,
        clip=clip_shelf.path("red"),
        jobs=jobs,
        events={0.0: begin, STORM_SECONDS: server.faults.clear},
    )
    in_storm = {operation: len(outcome.requests(operation, until_seconds=STORM_SECONDS)) for operation in OPERATIONS}
    _show(outcome, in_storm)
    assert outcome.errors == ()
    assert outcome.done == dict.fromkeys(OPERATIONS, PROCESSES * 2)
    assert {entry.fault_id for entry in server.faults.fired()} == {rule.fault_id for rule in server.faults.rules()}
    assert outcome.refused == sum(in_storm.values())
    # Those that are under way when the first refusal comes cannot know of it; after a pause it is the same.
    assert max(in_storm.values()) <= PROCESSES * PAUSES_IN_A_STORM
    # Nothing was asked twice but what was refused.
    assert len(outcome.journal) == sum(outcome.done.values()) + outcome.refused


def _show(outcome: Outcome, in_storm: dict[str, int]) -> None:
    sys.stdout.write(
        f"{PROCESSES} processes, {STORM_SECONDS:.0f} virtual s of refusals: {sum(in_storm.values())} requests refused "
        f"({', '.join(f'{count} {name}' for name, count in in_storm.items())}), {sum(outcome.done.values())} calls "
        f"done after {outcome.virtual_seconds:.0f} virtual s\n"
    )
