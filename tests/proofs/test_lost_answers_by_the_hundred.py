"""Uploads by the hundred under every fault that an upload can meet: each content is there once, and is known to be."""

from __future__ import annotations

import struct
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, Literal

import pytest

from tests.conftest import API_KEY
from visualsearch_pipeline.api import RetryPolicy, Timeouts, UniqueIdScope, VisualSearchClient, VisualSearchError
from visualsearch_pipeline.demo.encoding import encode_clip
from visualsearch_pipeline.ledger import VideoState
from visualsearch_pipeline.pipeline.errors import PipelineError
from visualsearch_pipeline.pipeline.index import poll
from visualsearch_pipeline.pipeline.ingest import ingest, look_at_source
from visualsearch_pipeline.pipeline.pipeline import Pipeline
from visualsearch_pipeline.pipeline.upload import upload
from visualsearch_pipeline.sandbox import FaultKind, FaultRule

if TYPE_CHECKING:
    from PIL.Image import Image

    from tests.conftest import MakeProject, Project

CLIENT_PATIENCE_SECONDS: Final = 0.5
STALL_SECONDS: Final = 1.0
"""Longer than the client waits, so that the service goes on with what the client has given up."""

VIRTUAL_WAIT_SECONDS: Final = 60.0
MOST_ROUNDS: Final = 40
MOST_OTHER_CALLS_PER_ITEM: Final = 1.3

ON_STREAMS_ONLY: Final = frozenset(
    {
        FaultKind.SHORT_BODY,
        FaultKind.MISSING_TERMINATOR,
        FaultKind.WRONG_SIZE,
        FaultKind.GARBAGE,
        FaultKind.WRONG_CONTENT_TYPE,
    }
)
"""What spoils a stream of bytes cannot befall the answer to an upload."""


def faults(*, each: int, probability: float) -> list[FaultRule]:
    """Every kind, before and after the effect, and a cut while the bytes are on their way.

    With more than one of each, also on the lists that are asked for what was lost.
    """
    moments: tuple[Literal["before", "after"], ...] = ("before", "after")
    rules = [
        FaultRule(operation="upload", kind=kind, when=when, count=each, probability=probability, seconds=STALL_SECONDS)
        for kind in FaultKind
        if kind not in ON_STREAMS_ONLY
        for when in moments
    ]
    rules += [
        FaultRule(operation="upload", kind=FaultKind.RESET, after_bytes=100, count=each, probability=probability),
        FaultRule(
            operation="upload", kind=FaultKind.CODE, code="7777", when="after", count=each, probability=probability
        ),
    ]
    if each > 1:
        rules += [
            FaultRule(operation="list_videos", kind=kind, count=each, probability=probability, seconds=STALL_SECONDS)
            for kind in FaultKind
            if kind not in ON_STREAMS_ONLY
        ]
    return rules


@dataclass(frozen=True)
class Figures:
    """What it took. `other_calls` are all requests but one upload for each item."""

    items: int
    videos: int
    accepted: int
    ready: int
    faults: Counter[str]
    other_calls: Counter[str]
    rounds: int
    seconds: float

    @property
    def other_calls_per_item(self) -> float:
        return sum(self.other_calls.values()) / self.items

    def __str__(self) -> str:
        calls = ", ".join(f"{count} {name}" for name, count in self.other_calls.most_common())
        return (
            f"lost answers: {self.items} uploads, {sum(self.faults.values())} faults of {len(self.faults)} kinds: "
            f"{self.videos} videos, {self.items - self.ready} missing, {self.accepted - self.items} duplicates, "
            f"{self.other_calls_per_item:.2f} other calls per item ({calls}), {self.rounds} rounds, "
            f"{self.seconds:.0f} s"
        )


def fill(project: Project, count: int) -> None:
    """Clips that look alike and differ in their bytes: a number stands in a box that players pass over."""

    def black(_: float) -> Image:
        from PIL import Image

        return Image.new("RGB", (64, 48), "black")

    seed = project.root / "seed.mp4"
    encode_clip(seed, seconds=1, fps=2, draw=black)
    content = seed.read_bytes()
    for number in range(count):
        path = project.footage / f"clip-{number:04d}.mp4"
        path.write_bytes(content + struct.pack(">I4sQ", 16, b"free", number))
        project.touch(path)


@contextmanager
def pipeline_of(project: Project) -> Iterator[Pipeline]:
    """A run on the sandbox's clock, with a client of little patience: nothing here is worth waiting for in earnest."""
    retry = RetryPolicy(initial_wait_seconds=0.001, max_wait_seconds=0.01, jitter_seconds=0.001, total_seconds=30)
    with Pipeline(
        project.settings,
        open_client=lambda on_call: VisualSearchClient(
            base_url=project.server.url,
            api_key=API_KEY,
            scope=UniqueIdScope("default"),
            on_call=on_call,
            timeouts=Timeouts(read_seconds=CLIENT_PATIENCE_SECONDS),
            retry=retry,
        ),
        clock=project.server.clock.now,
    ) as pipeline:
        yield pipeline


def upload_all(project: Project, rules: list[FaultRule]) -> Figures:
    """Upload under faults until nothing is left to upload, then ask until everything is ready."""
    with pipeline_of(project) as pipeline:
        look_at_source(pipeline)
        ingest(pipeline)
        items = len(pipeline.ledger.uploads.open())
    began = time.monotonic()
    ids = {project.server.faults.add(rule): rule for rule in rules}
    rounds = 0
    is_over = False
    while not is_over and rounds < MOST_ROUNDS:
        rounds += 1
        with pipeline_of(project) as pipeline:
            # What concerns every item ends a step; the next run goes on.
            with suppress(PipelineError, VisualSearchError):
                upload(pipeline)
            is_over = not pipeline.ledger.uploads.open()
        # What the service still has in hand takes effect before it is asked; then the time that it is given is over.
        time.sleep(STALL_SECONDS)
        project.server.clock.advance(VIRTUAL_WAIT_SECONDS)
    project.server.settle()
    with pipeline_of(project) as pipeline:
        poll(pipeline)
        ready = len(pipeline.ledger.videos.in_state(VideoState.READY))
    calls = Counter(entry.operation for entry in project.calls())
    calls["upload"] -= items
    fired = Counter(ids[entry.fault_id] for entry in project.server.faults.fired() if entry.fault_id is not None)
    assert set(fired) == set(rules), "a fault that never fired proves nothing"
    return Figures(
        items=items,
        videos=len(project.server.videos()),
        accepted=sum(entry.took_effect for entry in project.calls("upload")),
        ready=ready,
        faults=Counter(
            {f"{rule.operation} {rule.kind} {rule.strikes} {rule.code}": count for rule, count in fired.items()}
        ),
        other_calls=calls,
        rounds=rounds,
        seconds=time.monotonic() - began,
    )


@pytest.mark.parametrize(
    ("items", "each", "probability"),
    [(40, 1, 0.1), pytest.param(1000, 12, 0.02, marks=[pytest.mark.soak, pytest.mark.timeout(900)])],
)
def test_each_content_is_in_the_library_once_whatever_becomes_of_the_answers(
    make_project: MakeProject, items: int, each: int, probability: float
) -> None:
    project = make_project((), frozen_at=datetime(2026, 1, 2, tzinfo=UTC))
    project.configure(api={"lost_answer_wait_seconds": VIRTUAL_WAIT_SECONDS / 2}, source={"start_date": "2025-12-01"})
    fill(project, items)
    figures = upload_all(project, faults(each=each, probability=probability))
    sys.stdout.write(f"{figures}\n")
    assert figures.items == items
    assert figures.videos == figures.accepted == figures.ready == items
    hashes = [tag for video in project.server.videos() for tag in video.tags if tag.startswith("sha256:")]
    assert len(set(hashes)) == len(hashes) == items
    assert figures.other_calls_per_item <= MOST_OTHER_CALLS_PER_ITEM


def test_an_upload_that_was_refused_although_it_was_accepted_is_not_sent_again(make_project: MakeProject) -> None:
    project = make_project(("red",))
    project.server.faults.add(FaultRule(operation="upload", kind=FaultKind.RATE_LIMIT_BARE_429, when="after"))
    with pipeline_of(project) as pipeline:
        look_at_source(pipeline)
        ingest(pipeline)
        report = upload(pipeline)
        assert (report.adopted, report.uploaded) == (1, 0)
    assert len(project.calls("upload")) == len(project.server.videos()) == 1


def test_an_upload_that_was_refused_at_the_door_is_sent_again_once_the_library_lacks_it(
    make_project: MakeProject,
) -> None:
    project = make_project(("red",))
    project.server.faults.add(FaultRule(operation="upload", kind=FaultKind.RATE_LIMIT_BARE_429, when="before"))
    with pipeline_of(project) as pipeline:
        look_at_source(pipeline)
        ingest(pipeline)
        report = upload(pipeline)
        assert (report.adopted, report.uploaded) == (0, 1)
    assert [entry.operation for entry in project.calls()] == ["upload", "list_videos", "upload"]
