"""What must hold whatever the service does."""

from pathlib import Path
from typing import Literal

import pytest
from uploader import Uploader

from visualsearch_pipeline.sandbox import FaultKind, FaultRule, Sandbox


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_lost_answer_is_no_second_video(
    visualsearch_sandbox: Sandbox, clip: Path, when: Literal["before", "after"]
) -> None:
    visualsearch_sandbox.faults.add(FaultRule(operation="upload", kind=FaultKind.RESET, when=when))
    Uploader(visualsearch_sandbox.url, visualsearch_sandbox.api_key).upload_surely(clip)
    assert len(visualsearch_sandbox.faults.fired()) == 1
    assert len(visualsearch_sandbox.videos()) == 1


def test_refusals_are_waited_out(visualsearch_sandbox: Sandbox, clip: Path) -> None:
    visualsearch_sandbox.faults.add(FaultRule(operation="upload", kind=FaultKind.RATE_LIMIT_CODE_ONLY, count=3))
    Uploader(visualsearch_sandbox.url, visualsearch_sandbox.api_key).upload_surely(clip)
    assert [entry.code for entry in visualsearch_sandbox.journal()] == ["0429", "0429", "0429", "0000"]
