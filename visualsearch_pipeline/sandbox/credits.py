"""The account's money: a ledger in US dollars at the newest known prices (contract §3.2)."""

import threading
from dataclasses import dataclass

from sqlalchemy import func, insert, select

from visualsearch_pipeline.sandbox.clock import Clock
from visualsearch_pipeline.sandbox.errors import NO_CREDITS, ApiError
from visualsearch_pipeline.sandbox.state import tables
from visualsearch_pipeline.sandbox.state.database import Database

INDEX_USD_PER_MINUTE = 15 / 1000
SEARCH_USD = 0.10 / 1000
TRANSCRIPT_USD = 0.10 / 1000
DOWNLOAD_USD_PER_BYTE = 0.12 / 1e9
SCRAPE_USD_PER_VIDEO = 0.002
YOUTUBE_USD_PER_BYTE = 2.20 / 1e9

_LEDGER = tables.credits_ledger.c


@dataclass(frozen=True, kw_only=True)
class LedgerEntry:
    """One movement of money; negative amounts were spent."""

    at_ms: int
    account: str
    operation: str
    item_id: str | None
    amount_usd: float


class Credits:
    """Charges successful calls; failed ones cost nothing."""

    def __init__(self, database: Database, *, clock: Clock, opening_usd: float | None) -> None:
        self._database = database
        self._clock = clock
        self._opening_usd = opening_usd
        self._lock = threading.Lock()

    def balance_usd(self, account: str) -> float | None:
        """What the account has left; None when it cannot run out."""
        return None if self._opening_usd is None else self._opening_usd + self._moved(account)

    def spent_usd(self, account: str) -> float:
        """What the account has spent so far, as a positive figure."""
        spent = func.coalesce(func.sum(_LEDGER.amount_usd), 0.0)
        with self._database.read() as connection:
            query = select(spent).where(_LEDGER.account == account, _LEDGER.amount_usd < 0)
            return -float(connection.execute(query).scalar_one())

    def require(self, account: str, *, amount_usd: float = 0.0, message: str = "You don't have enough points") -> None:
        """Refuse a call that the account cannot pay for.

        Raises:
            ApiError: 0402.
        """
        balance = self.balance_usd(account)
        if balance is not None and (balance <= 0 or balance < amount_usd):
            raise ApiError(message, code=NO_CREDITS)

    def charge(self, account: str, *, operation: str, amount_usd: float, item_id: str | None = None) -> None:
        """Take money from an account."""
        self._move(account, operation=operation, amount_usd=-amount_usd, item_id=item_id)

    def charge_before(
        self, account: str, *, operation: str, amount_usd: float, message: str, item_id: str | None = None
    ) -> None:
        """Take money for something that is yet to be delivered (contract §2.17).

        Raises:
            ApiError: 0402; nothing was taken.
        """
        with self._lock:
            self.require(account, amount_usd=amount_usd, message=message)
            self.charge(account, operation=operation, amount_usd=amount_usd, item_id=item_id)

    def grant(self, account: str, amount_usd: float) -> None:
        """Give money to an account."""
        self._move(account, operation="grant", amount_usd=amount_usd, item_id=None)

    def ledger(self, account: str) -> list[LedgerEntry]:
        """All movements of an account, oldest first."""
        columns = (_LEDGER.at_ms, _LEDGER.account, _LEDGER.operation, _LEDGER.item_id, _LEDGER.amount_usd)
        with self._database.read() as connection:
            query = select(*columns).where(_LEDGER.account == account).order_by(_LEDGER.entry_id)
            return [LedgerEntry(**row) for row in connection.execute(query).mappings()]

    def _moved(self, account: str) -> float:
        total = func.coalesce(func.sum(_LEDGER.amount_usd), 0.0)
        with self._database.read() as connection:
            return float(connection.execute(select(total).where(_LEDGER.account == account)).scalar_one())

    def _move(self, account: str, *, operation: str, amount_usd: float, item_id: str | None) -> None:
        values = {
            "at_ms": self._clock.now_ms(),
            "account": account,
            "operation": operation,
            "item_id": item_id,
            "amount_usd": amount_usd,
        }
        with self._database.write() as connection:
            connection.execute(insert(tables.credits_ledger).values(values))
