"""Four processes on one account for five virtual minutes: the starts they used, against those the service permits."""

from __future__ import annotations

import os
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from benchmarks._measuring import seconds_of
from benchmarks._served import large_video
from tests.proofs.busy_account import FAMILIES, PROCESSES, START, Job, Outcome, permitted, run_at_once
from visualsearch_pipeline.sandbox import Sandbox, SandboxConfig

SECONDS: Final = float(os.environ.get("BENCHMARK_VIRTUAL_SECONDS", "300"))


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="visualsearch-limits-") as name:
        folder = Path(name)
        config = SandboxConfig(
            state_dir=folder / "sandbox",
            indexing_seconds=0,
            frozen_at=datetime.fromtimestamp(START, tz=UTC),
            rate_limits="p-2026",
            rate_limit_slack_seconds=0,
        )
        clip = large_video(folder / "clip.mp4", size_bytes=100_000)
        with Sandbox(config) as server:
            outcomes: list[Outcome] = []
            jobs = [Job(operation, seconds=SECONDS) for operation in FAMILIES]
            took_seconds = seconds_of(lambda: outcomes.append(run_at_once(server, folder=folder, clip=clip, jobs=jobs)))
            (outcome,) = outcomes
            assert outcome.errors == (), outcome.errors
            print(
                f"{PROCESSES} processes, {SECONDS:.0f} virtual s in {took_seconds:.0f} s: "
                f"{len(outcome.journal)} requests, {outcome.refused} above a limit"
            )
            for operation, family in FAMILIES.items():
                used = len(outcome.requests(operation, until_seconds=SECONDS))
                may = permitted(server, family, seconds=SECONDS)
                print(f"{operation:<46} {used:7d} starts   permitted {may:7.0f}        ratio {used / may:.3f}")
