"""What calls cost, and the budgets that stop before the call that would pass them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from visualsearch_pipeline.api import ApiCall
from visualsearch_pipeline.ledger import CallRecord, Ledger
from visualsearch_pipeline.pipeline import prices
from visualsearch_pipeline.pipeline.errors import BudgetExceeded
from visualsearch_pipeline.settings import BudgetSettings, PriceSettings

_ROUNDING_USD = 1e-9

SEARCH_OPERATIONS = frozenset(
    {
        "search",
        "search_similar_images",
        "search_clips_by_image",
        "search_audio_transcripts",
        "get_audio_transcription",
        "get_video_caption",
        "get_video_transcription",
    }
)
"""Operations priced as one search each (contract §3.2)."""

BUDGET_STEP = "budget"
"""Under this step the ledger keeps what a budget refused: a failure row whose subject is the asset."""

DOWNLOAD_OPERATIONS = frozenset({"download", "download_blob"})
"""Operations priced by the bytes that came."""


class Spending:
    """The bill of one run: what its calls cost, and whether the next one may be made.

    Only successful calls cost anything (contract §3.2); a download that breaks off counts the bytes that came, which
    the service has charged before it streams.

    Calls under way count with what they are going to cost, so that transfers side by side do not pass a budget
    together. What another process has under way is not seen; what it has finished is.

    Args:
        budget: The budgets and the price table.
        ledger: Where the bill is kept.
        run_ids: The runs that share `budget.per_run_usd`: this one, and others that were asked for together with it.
        clock: The time, aware.
    """

    def __init__(
        self, *, budget: BudgetSettings, ledger: Ledger, run_ids: Collection[str], clock: Callable[[], datetime]
    ) -> None:
        self._budget = budget
        self._ledger = ledger
        self._run_ids = run_ids
        self._clock = clock
        self._indexing_usd: dict[str, float] = {}
        self._lock = threading.Lock()
        self._reserved_usd: dict[int, float] = {}
        self._has_admitted = False

    @property
    def prices(self) -> PriceSettings:
        """The price table in force."""
        return self._budget.prices

    @property
    def has_admitted(self) -> bool:
        """Whether any call was allowed to be made."""
        return self._has_admitted

    def indexing_usd(self, duration_seconds: float | None) -> float:
        """What indexing a video of this length costs."""
        return prices.indexing_usd(self.prices, duration_seconds=duration_seconds)

    def download_usd(self, size_bytes: int | None) -> float:
        """What downloading this many bytes costs."""
        return prices.download_usd(self.prices, size_bytes=size_bytes)

    @property
    def search_usd(self) -> float:
        """What one search costs."""
        return prices.search_usd(self.prices)

    def expect_upload(self, upload_name: str, *, duration_seconds: float | None) -> None:
        """Remember how long a video is, so that its upload can be priced when it succeeds."""
        self._indexing_usd[upload_name] = self.indexing_usd(duration_seconds)

    def cost_of(self, call: ApiCall) -> float:
        """What one attempt cost, in US dollars."""
        if call.operation in DOWNLOAD_OPERATIONS:
            return self.download_usd(call.bytes_received)
        if call.outcome != "ok":
            return 0.0
        if call.operation == "upload":
            return self._indexing_usd.get(call.item or "", 0.0)
        return self.search_usd if call.operation in SEARCH_OPERATIONS else 0.0

    @contextmanager
    def reserving(self, what: str, *, cost_usd: float) -> Iterator[None]:
        """Refuse a call that would pass a budget, and count it as spent while it is under way.

        Raises:
            BudgetExceeded: on entering: the call would spend more than `budget.per_run_usd` or `budget.per_day_usd`.
        """
        if self._budget.per_run_usd is None and self._budget.per_day_usd is None:
            self._has_admitted = True
            yield
            return
        caller = threading.get_ident()
        with self._lock:
            self._check(what, cost_usd=cost_usd)
            self._reserved_usd[caller] = cost_usd
            self._has_admitted = True
        try:
            yield
        finally:
            with self._lock:
                self._reserved_usd.pop(caller, None)

    def record(self, call: CallRecord) -> None:
        """Keep an attempt. What it cost takes the place of what its caller had reserved."""
        with self._lock:
            self._ledger.calls.record(call)
            if call.cost_usd > 0:
                self._reserved_usd.pop(threading.get_ident(), None)

    def _check(self, what: str, *, cost_usd: float) -> None:
        reserved = sum(self._reserved_usd.values())
        if self._budget.per_run_usd is not None:
            spent = reserved + self._ledger.calls.spent_usd(run_ids=self._run_ids)
            self._refuse_above("per_run_usd", self._budget.per_run_usd, what, cost_usd=cost_usd, spent_usd=spent)
        if self._budget.per_day_usd is not None:
            midnight = self._clock().astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
            spent = reserved + self._ledger.calls.spent_usd(since=midnight)
            self._refuse_above("per_day_usd", self._budget.per_day_usd, what, cost_usd=cost_usd, spent_usd=spent)

    def _refuse_above(self, name: str, limit_usd: float, what: str, *, cost_usd: float, spent_usd: float) -> None:
        if spent_usd + cost_usd > limit_usd + _ROUNDING_USD:
            raise BudgetExceeded(
                f"{what} would cost ${cost_usd:.4f}, and ${spent_usd:.4f} of the ${limit_usd:.4f} of `budget.{name}` "
                f"are spent (prices as of {self.prices.as_of}). It was not called; raise the budget or wait.",
                budget=name,
            )
