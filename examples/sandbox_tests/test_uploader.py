"""What must hold whatever the service does."""

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest
from uploader import Uploader, open_api

from visualsearch_pipeline.sandbox import FaultKind, FaultRule, Sandbox


@pytest.fixture
def uploader(visualsearch_sandbox: Sandbox) -> Iterator[Uploader]:
    with open_api(visualsearch_sandbox.url, visualsearch_sandbox.api_key) as http:
        yield Uploader(http, pause_seconds=0.01)


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_lost_answer_is_no_second_video(
    visualsearch_sandbox: Sandbox, uploader: Uploader, clip: Path, when: Literal["before", "after"]
) -> None:
    visualsearch_sandbox.faults.add(FaultRule(operation="upload", kind=FaultKind.RESET, when=when))
    uploader.upload_surely(clip)
    assert len(visualsearch_sandbox.faults.fired()) == 1
    assert len(visualsearch_sandbox.videos()) == 1


def test_refusals_are_waited_out(visualsearch_sandbox: Sandbox, uploader: Uploader, clip: Path) -> None:
    visualsearch_sandbox.faults.add(FaultRule(operation="upload", kind=FaultKind.RATE_LIMIT_CODE_ONLY, count=3))
    uploader.upload_surely(clip)
    assert [entry.code for entry in visualsearch_sandbox.journal()] == ["0429", "0429", "0429", "0000"]
