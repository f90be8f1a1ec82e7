"""What calls cost, and the budgets that stop before the call that would pass them."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from visualsearch_pipeline.api import ApiCall
from visualsearch_pipeline.ledger import CallRecord, Ledger, LimitPassed, Reservation, SpendingLimit
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
        "search_public",
        "search_public_similar_images",
        "search_public_audio_transcripts",
        "get_audio_transcription",
        "get_video_caption",
        "get_video_transcription",
    }
)
"""Operations priced as one search each (contract §3.2)."""

UNSEEN_OPERATIONS = frozenset(
    {
        "upload_url",
        "scraper",
        "scraper_tag",
        "scraper_url",
        "scraper_public",
        "scraper_tag_public",
        "scraper_url_public",
    }
)
"""Operations by which the service fetches what nobody could look into: priced by an estimate."""

BUDGET_STEP = "budget"
"""Under this step the ledger keeps what a budget refused: a failure row whose subject is the asset."""

DOWNLOAD_OPERATIONS = frozenset({"download", "download_blob"})
"""Operations priced by the bytes that came."""


class Spending:
    """The bill of one run: what its calls cost, and whether the next one may be made.

    Only successful calls cost anything (contract §3.2); a download that breaks off counts the bytes that came, which
    the service has charged before it streams.

    Calls under way count with what they are going to cost, in whatever process they are made, so that transfers side by
    side do not pass a budget together.

    Args:
        budget: The budgets and the price table.
        ledger: Where the bill is kept.
        run_id: This run.
        run_ids: The runs that share `budget.per_run_usd`: this one, and others that were asked for together with it.
        clock: The time, aware.
    """

    def __init__(
        self,
        *,
        budget: BudgetSettings,
        ledger: Ledger,
        run_id: str,
        run_ids: Collection[str],
        clock: Callable[[], datetime],
    ) -> None:
        self._budget = budget
        self._ledger = ledger
        self._run_id = run_id
        self._run_ids = run_ids
        self._clock = clock
        self._indexing_usd: dict[str, float] = {}
        self._expected_usd: dict[tuple[int, str], float] = {}
        self._held: dict[int, str] = {}
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

    @property
    def unseen_video_usd(self) -> float:
        """What indexing a video costs that nobody could look into, taken to be as long as the settings say."""
        return self.indexing_usd(self._budget.unseen_video_seconds)

    def expect_call(self, operation: str, *, cost_usd: float) -> None:
        """Remember what this thread's next call of an operation is taken to cost, so that it is priced on success."""
        self._expected_usd[threading.get_ident(), operation] = cost_usd

    def cost_of(self, call: ApiCall) -> float:
        """What one attempt cost, in US dollars."""
        if call.operation in DOWNLOAD_OPERATIONS:
            return self.download_usd(call.bytes_received)
        if call.outcome != "ok":
            return 0.0
        if call.operation == "upload":
            return self._indexing_usd.get(call.item or "", 0.0)
        if call.operation in UNSEEN_OPERATIONS:
            return self._expected_usd.get((threading.get_ident(), call.operation), 0.0)
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
        held = Reservation(reservation_id=uuid.uuid4().hex, run_id=self._run_id, cost_usd=cost_usd)
        passed = self._ledger.reservations.hold(
            held, limits=self._limits(), tolerance_usd=_ROUNDING_USD, now=self._clock()
        )
        if passed is not None:
            raise self._exceeded(passed, what, cost_usd=cost_usd)
        self._held[caller] = held.reservation_id
        self._has_admitted = True
        try:
            yield
        finally:
            if self._held.pop(caller, None) is not None:
                self._ledger.reservations.let_go(held.reservation_id)

    def record(self, call: CallRecord) -> None:
        """Keep an attempt. What it cost takes the place of what its caller had reserved."""
        is_billed = call.cost_usd > 0
        held = self._held.pop(threading.get_ident(), None) if is_billed else None
        self._ledger.calls.record(call, reservation_id=held)

    def bill_found_upload(self, upload_name: str, *, duration_seconds: float | None, at: datetime) -> None:
        """Bill an upload whose answer was lost: it is in the library, so the service indexes it and charges for it.

        Args:
            upload_name: the name it was sent under, which is unique.
            duration_seconds: how long the video is, if known.
            at: when the call was decided on.
        """
        cost_usd = self.indexing_usd(duration_seconds)
        self.bill_found_call("upload", item=upload_name, cost_usd=cost_usd, at=at)

    def bill_found_call(self, operation: str, *, item: str, cost_usd: float, at: datetime) -> None:
        """Bill a call whose answer was lost and whose effect has been found since.

        Args:
            operation: what was called.
            item: what it was about, as the call named it.
            cost_usd: what it costs.
            at: when it was decided on.
        """
        self._ledger.calls.bill_lost_answer(
            CallRecord(
                started_at=at,
                operation=operation,
                item=item,
                run_id=self._run_id,
                outcome="found_later",
                code=None,
                http_status=None,
                duration_seconds=0.0,
                waited_seconds=0.0,
                bytes_sent=0,
                bytes_received=0,
                cost_usd=cost_usd,
            )
        )

    def _limits(self) -> list[SpendingLimit]:
        limits: list[SpendingLimit] = []
        if self._budget.per_run_usd is not None:
            limits.append(SpendingLimit("per_run_usd", self._budget.per_run_usd, run_ids=self._run_ids))
        if self._budget.per_day_usd is not None:
            midnight = self._clock().astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
            limits.append(SpendingLimit("per_day_usd", self._budget.per_day_usd, since=midnight))
        return limits

    def _exceeded(self, passed: LimitPassed, what: str, *, cost_usd: float) -> BudgetExceeded:
        name, limit_usd = passed.limit.name, passed.limit.usd
        return BudgetExceeded(
            f"{what} would cost ${cost_usd:.4f}, and ${passed.spent_usd:.4f} of the ${limit_usd:.4f} of "
            f"`budget.{name}` are spent or under way (prices as of {self.prices.as_of}). It was not called; raise the "
            "budget or wait.",
            budget=name,
        )
