"""Fixtures for the tests of projects that use the API.

Name the plugin in a `conftest.py`::

    pytest_plugins = ["visualsearch_pipeline.sandbox.pytest_plugin"]

and ask for a sandbox::

    def test_my_upload(visualsearch_sandbox):
        visualsearch_sandbox.faults.add(FaultRule(operation="upload", kind=FaultKind.RESET, when="after"))
        my_upload(visualsearch_sandbox.url, visualsearch_sandbox.api_key)
        assert len(visualsearch_sandbox.videos()) == 1
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from visualsearch_pipeline.sandbox.config import SandboxConfig
from visualsearch_pipeline.sandbox.server import Sandbox

MakeSandbox = Callable[[SandboxConfig], Sandbox]


@pytest.fixture
def visualsearch_sandbox_factory() -> Iterator[MakeSandbox]:
    """Start sandboxes of any configuration; all are stopped when the test ends."""
    with ExitStack() as stack:
        yield lambda config: stack.enter_context(Sandbox(config))


@pytest.fixture
def visualsearch_sandbox(visualsearch_sandbox_factory: MakeSandbox, tmp_path: Path) -> Sandbox:
    """A fresh sandbox that indexes without delay."""
    return visualsearch_sandbox_factory(SandboxConfig(state_dir=tmp_path / "sandbox", indexing_seconds=0))
