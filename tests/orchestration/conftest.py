"""A Dagster instance of each test's own."""

from __future__ import annotations

from collections.abc import Iterator

import dagster as dg
import pytest


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    """In memory: a real one, which is gone with its test."""
    with dg.DagsterInstance.ephemeral() as ephemeral:
        yield ephemeral
