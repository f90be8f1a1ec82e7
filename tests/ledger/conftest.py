"""Where a ledger can lie: what holds of one database holds of the other."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.postgres_server import PostgresServer


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a ledger that does not exist yet."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'state' / 'ledger.db'}"
    server: PostgresServer = request.getfixturevalue("postgres")
    return server.make_schema()
