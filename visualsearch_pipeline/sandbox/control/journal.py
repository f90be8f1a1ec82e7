"""The request journal: what was asked of the sandbox, over all its restarts."""

import json
from datetime import UTC, datetime

from sqlalchemy import insert, select

from visualsearch_pipeline.sandbox.control.models import JournalEntry
from visualsearch_pipeline.sandbox.state import tables
from visualsearch_pipeline.sandbox.state.database import Database

_MAX_VALUE = 300
_JOURNAL = tables.journal.c


class Journal:
    """Written when a request has ended, one row each."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def write(
        self,
        *,
        at_ms: int,
        method: str,
        path: str,
        operation: str,
        account: str | None,
        params: dict[str, str],
        item_ids: tuple[str, ...],
        status: int | None,
        code: str | None,
        bytes_in: int,
        bytes_out: int,
        duration_ms: int,
        took_effect: bool,
        fault_id: int | None,
    ) -> None:
        """Add one request."""
        values = {
            "at_ms": at_ms,
            "method": method,
            "path": path,
            "operation": operation,
            "account": account,
            "params": json.dumps(params, ensure_ascii=False),
            "item_ids": json.dumps(item_ids),
            "status": status,
            "code": code,
            "bytes_in": bytes_in,
            "bytes_out": bytes_out,
            "duration_ms": duration_ms,
            "took_effect": took_effect,
            "fault_id": fault_id,
        }
        with self._database.write() as connection:
            connection.execute(insert(tables.journal).values(values))

    def entries(self, *, operation: str | None = None, since: int = 0) -> list[JournalEntry]:
        """Requests in the order in which they ended; those of one operation, and after a sequence number, if asked."""
        query = select(tables.journal).where(_JOURNAL.sequence > since).order_by(_JOURNAL.sequence)
        if operation is not None:
            query = query.where(_JOURNAL.operation == operation)
        with self._database.read() as connection:
            return [
                JournalEntry(
                    **{
                        **{name: value for name, value in row.items() if name != "at_ms"},
                        "at": datetime.fromtimestamp(row["at_ms"] / 1000, tz=UTC),
                        "params": json.loads(row["params"]),
                        "item_ids": tuple(json.loads(row["item_ids"])),
                    }
                )
                for row in connection.execute(query).mappings()
            ]

    def clear(self) -> None:
        """Forget all requests."""
        with self._database.write() as connection:
            connection.execute(tables.journal.delete())


def summarize(values: dict[str, object]) -> dict[str, str]:
    """Parameters for the journal: text, cut to a readable length."""
    shown = {}
    for name, value in values.items():
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
        shown[name] = text if len(text) <= _MAX_VALUE else f"{text[:_MAX_VALUE]}…"
    return shown
