"""A step that is stopped in the middle, as by Ctrl-C: it ends within seconds, and keeps what it was answered."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from tests.waiting import wait_until
from visualsearch_pipeline.pipeline.index import poll
from visualsearch_pipeline.pipeline.ingest import ingest, look_at_source
from visualsearch_pipeline.pipeline.transcribe import transcribe
from visualsearch_pipeline.pipeline.upload import upload
from visualsearch_pipeline.sandbox import FaultKind, FaultRule

if TYPE_CHECKING:
    from tests.conftest import Project


INTERRUPTED: list[float] = []
"""When the main thread was interrupted."""


def interrupt_once_fired(project: Project, fault_id: int) -> None:
    """Interrupt the main thread, as Ctrl-C does, once a fault holds a call up."""
    wait_until(
        lambda: any(rule.fired for rule in project.server.faults.rules() if rule.fault_id == fault_id),
        seconds=25,
        told=lambda: "no call is held up",
    )
    INTERRUPTED[:] = [time.monotonic()]
    signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)


@pytest.fixture(autouse=True)
def _interruptible() -> Iterator[None]:
    """What was started in the background of a shell ignores Ctrl-C, and so does all that it starts."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_captions_that_were_answered_before_the_stop_are_not_paid_for_again(project: Project) -> None:
    project.write_queries("street", "queries: []")
    project.configure(api={"concurrent_transfers": 1})
    with project.pipeline() as pipeline:
        look_at_source(pipeline)
        ingest(pipeline)
        upload(pipeline)
        project.server.settle()
        poll(pipeline)
        stall = FaultRule(operation="get_video_caption", kind=FaultKind.STALL, seconds=30, skip=1)
        stop = threading.Thread(target=interrupt_once_fired, args=(project, project.server.faults.add(stall)))
        stop.start()
        with pytest.raises(KeyboardInterrupt):
            transcribe(pipeline, "captions")
        ended = time.monotonic()
        stop.join()
        assert ended - INTERRUPTED[0] < 10
        assert len(pipeline.ledger.fetches.without_transcription("captions")) == 1
        project.server.faults.clear()
        mark = project.mark()
        assert transcribe(pipeline, "captions").failed == 0
        assert len(project.calls("get_video_caption", since=mark)) == 1
