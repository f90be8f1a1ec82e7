"""The ledger as a whole."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Any, Self

import sqlalchemy as sa

from visualsearch_pipeline.ledger.alerts import Alerts
from visualsearch_pipeline.ledger.call_totals import CallTotals
from visualsearch_pipeline.ledger.calls import Calls
from visualsearch_pipeline.ledger.database import Database
from visualsearch_pipeline.ledger.failures import Failures
from visualsearch_pipeline.ledger.fetches import Fetches
from visualsearch_pipeline.ledger.image_searches import ImageSearches
from visualsearch_pipeline.ledger.images import Images
from visualsearch_pipeline.ledger.imports import Imports
from visualsearch_pipeline.ledger.items import Items
from visualsearch_pipeline.ledger.notices import Notices
from visualsearch_pipeline.ledger.public_searches import PublicSearches
from visualsearch_pipeline.ledger.reindexing import Reindexing
from visualsearch_pipeline.ledger.remote_deletions import RemoteDeletions
from visualsearch_pipeline.ledger.replacing import Replacing
from visualsearch_pipeline.ledger.reservations import Reservations
from visualsearch_pipeline.ledger.searches import Searches
from visualsearch_pipeline.ledger.uploads import Uploads
from visualsearch_pipeline.ledger.url_uploads import UrlUploads
from visualsearch_pipeline.ledger.videos import Videos


class Ledger:
    """The transactional record of every item, attempt and call, in one SQL database.

    Args:
        url: an SQLAlchemy URL. SQLite is opened in WAL mode and shared safely by threads and processes of one host;
            PostgreSQL by those of any number of hosts.

    Raises:
        LedgerError: the database cannot be opened, or was written by a newer version of this package.
    """

    def __init__(self, url: str) -> None:
        self._database = Database(url)
        self.items = Items(self._database)
        self.uploads = Uploads(self._database)
        self.url_uploads = UrlUploads(self._database)
        self.imports = Imports(self._database)
        self.videos = Videos(self._database)
        self.reindexing = Reindexing(self._database)
        self.replacing = Replacing(self._database)
        self.searches = Searches(self._database)
        self.images = Images(self._database)
        self.image_searches = ImageSearches(self._database)
        self.public_searches = PublicSearches(self._database)
        self.fetches = Fetches(self._database)
        self.failures = Failures(self._database)
        self.calls = Calls(self._database)
        self.call_totals = CallTotals(self._database)
        self.alerts = Alerts(self._database)
        self.remote_deletions = RemoteDeletions(self._database)
        self.notices = Notices(self._database)
        self.reservations = Reservations(self._database)

    def close(self) -> None:
        """Close all connections."""
        self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    @property
    def is_shared(self) -> bool:
        """Whether processes of other hosts may work with this ledger too."""
        return self._database.is_shared

    def locked(self, name: str) -> AbstractContextManager[None]:
        """A lock that one process of all hosts holds at a time, freed when its holder dies. Only if `is_shared`.

        Raises:
            LedgerError: the database cannot be reached, or the lock was lost with its connection.
        """
        return self._database.locked(name)

    def count_by(self, *columns: sa.ColumnElement[object]) -> dict[tuple[object, ...], int]:
        """How many rows there are per combination of values of columns of one table."""
        with self._database.reading() as connection:
            select = sa.select(sa.func.count(), *columns).group_by(*columns)
            return {tuple(row[1:]): row[0] for row in connection.execute(select)}

    def rows(self, select: sa.Select[*tuple[Any, ...]]) -> tuple[Mapping[str, object], ...]:
        """The rows of a select over the ledger's tables, for publication and reports."""
        with self._database.reading() as connection:
            return tuple(dict(row) for row in connection.execute(select).mappings())
