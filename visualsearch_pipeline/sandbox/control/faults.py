"""The board of faults: which stand, which fired, on which request."""

import random
import threading
from collections.abc import Collection
from typing import Literal

from sqlalchemy import select, update

from visualsearch_pipeline.sandbox.control.journal import Journal
from visualsearch_pipeline.sandbox.control.models import DOWNLOAD_KINDS, FaultRule, JournalEntry, StandingFault
from visualsearch_pipeline.sandbox.state import tables
from visualsearch_pipeline.sandbox.state.database import Database, insert_row

_FAULT = tables.faults.c


class FaultBoard:
    """Rules survive a restart, as does the count of what they did."""

    def __init__(self, database: Database, journal: Journal, *, seed: int, operations: Collection[str]) -> None:
        self._database = database
        self._journal = journal
        self._operations = frozenset(operations)
        self._random = random.Random(seed)  # noqa: S311 - reproducible on purpose, protects nothing
        self._lock = threading.Lock()
        self._standing = {fault.fault_id: fault for fault in self._load()}

    def add(self, rule: FaultRule) -> int:
        """Let a rule stand; returns its id.

        Raises:
            ValueError: No operation has that name, so that the rule would never fire and its test prove nothing.
        """
        if rule.operation not in {"*", *self._operations}:
            known = ", ".join(sorted(self._operations))
            message = f"there is no operation {rule.operation!r} to fail; there are {known}, and * for any"
            raise ValueError(message)
        with self._lock, self._database.write() as connection:
            fault_id = insert_row(connection, tables.faults, {"rule": rule.model_dump_json()})
            self._standing[fault_id] = StandingFault(fault_id=fault_id, rule=rule, seen=0, fired=0, active=True)
            return fault_id

    def rules(self) -> list[StandingFault]:
        """All rules, spent ones included, oldest first."""
        with self._lock:
            return sorted(self._standing.values(), key=lambda fault: fault.fault_id)

    def fired(self, fault_id: int | None = None) -> list[JournalEntry]:
        """The requests that were made to fail, by one rule or by any."""
        return [
            entry
            for entry in self._journal.entries()
            if entry.fault_id is not None and fault_id in {None, entry.fault_id}
        ]

    def clear(self) -> None:
        """Lift all rules; what fired stays on record."""
        with self._lock:
            self._standing = {
                fault_id: fault.model_copy(update={"active": False}) for fault_id, fault in self._standing.items()
            }
            with self._database.write() as connection:
                connection.execute(update(tables.faults).values(active=False))

    def reload(self) -> None:
        """Read the rules again from the database, after it was replaced or cleared."""
        with self._lock:
            self._standing = {fault.fault_id: fault for fault in self._load()}

    def transit_bytes(self, operation: str) -> int | None:
        """After how many bytes of its body a request of this operation is next to be cut; None for never."""
        with self._lock:
            waiting = [
                fault.rule.after_bytes
                for fault in self._standing.values()
                if fault.rule.after_bytes is not None and _concerns(fault, operation, {}, is_stream=False)
            ]
        return min(waiting, default=None)

    def choose(
        self,
        operation: str,
        params: dict[str, str],
        *,
        moment: Literal["in-transit", "before", "after"],
        is_stream: bool = False,
    ) -> StandingFault | None:
        """The fault that this call is to suffer at this moment, if any; choosing it counts as firing it.

        `is_stream` says that the answer is a stream of bytes, which some kinds need. In transit nothing of the
        parameters is known yet.
        """
        with self._lock:
            for fault in sorted(self._standing.values(), key=lambda standing: standing.fault_id):
                if fault.rule.strikes != moment or not _concerns(fault, operation, params, is_stream=is_stream):
                    continue
                strikes = fault.seen >= fault.rule.skip and self._random.random() < fault.rule.probability
                fired = fault.fired + strikes
                noted = fault.model_copy(
                    update={
                        "seen": fault.seen + 1,
                        "fired": fired,
                        "active": fault.rule.count is None or fired < fault.rule.count,
                    }
                )
                self._note(noted)
                if strikes:
                    return noted
        return None

    def _note(self, fault: StandingFault) -> None:
        self._standing[fault.fault_id] = fault
        with self._database.write() as connection:
            connection.execute(
                update(tables.faults)
                .where(_FAULT.fault_id == fault.fault_id)
                .values(seen=fault.seen, fired=fault.fired, active=fault.active)
            )

    def _load(self) -> list[StandingFault]:
        with self._database.read() as connection:
            return [
                StandingFault(
                    fault_id=row["fault_id"],
                    rule=FaultRule.model_validate_json(row["rule"]),
                    seen=row["seen"],
                    fired=row["fired"],
                    active=row["active"],
                )
                for row in connection.execute(select(tables.faults)).mappings()
            ]


def _concerns(fault: StandingFault, operation: str, params: dict[str, str], *, is_stream: bool) -> bool:
    rule = fault.rule
    return (
        fault.active
        and rule.operation in {"*", operation}
        and (is_stream or rule.kind not in DOWNLOAD_KINDS)
        and (
            rule.match is None or rule.strikes == "in-transit" or any(rule.match in value for value in params.values())
        )
    )
