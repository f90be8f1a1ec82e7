"""What the tests of the command line share."""

from __future__ import annotations

import pytest

from tests.command_line import FinishedDemo, finished_demo


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> FinishedDemo:
    return finished_demo(tmp_path_factory)
