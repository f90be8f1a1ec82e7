"""What a run would cost and how long it would take. Pure: `expected_work` says what there is to do.

Nothing here is a promise of the service's. The cost is the price table's; the time is the least that the rate limits
and the link allow, before the service's own time for indexing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import repeat
from typing import Final, Literal

from visualsearch_pipeline.api import OperationFamily, Rate, RateLimits
from visualsearch_pipeline.pipeline import prices
from visualsearch_pipeline.settings import BudgetSettings, PriceSettings

BudgetName = Literal["per_run_usd", "per_day_usd"]

_ROUNDING_USD: Final = 1e-9


@dataclass(frozen=True)
class ExpectedUpload:
    """A content that is queued, or a file that is not hashed yet. `duration_seconds` is None where nothing tells it."""

    name: str
    size_bytes: int
    duration_seconds: float | None


@dataclass(frozen=True)
class ExpectedSearches:
    """The planned calls of a query set.

    Attributes:
        query_set: Its name.
        calls: The fewest that can be enough: full answers are split into more.
        possible_calls: With those that depend on what other queries will hit. At least `calls`.
        calls_saved: Calls about private videos that asking about each (query, video) pair alone would take in addition.
    """

    query_set: str
    calls: int
    possible_calls: int
    calls_saved: int = 0


@dataclass(frozen=True)
class ExpectedImport:
    """An import that is due: how many videos it brings at most, and what it is taken to cost, indexing included."""

    name: str
    videos: int
    cost_usd: float


@dataclass(frozen=True)
class ExpectedWork:
    """Everything a run would do until nothing is left.

    Attributes:
        uploads: In the order in which they would be sent.
        searches: Per query set.
        transcripts: Videos whose transcript would be asked for.
        captions: Likewise.
        original_bytes: Sizes of the originals that would be downloaded.
        keyframes: Keyframes that would be downloaded, as far as hits are known.
        keyframe_bytes: What they come to in all, by the mean of those in the archive; 0 while there are none.
        indexing: Videos that the service is indexing already, and that were paid for.
        refused: Files that would be set aside, as the service would refuse them.
        urls: How many of `uploads` the service fetches itself. Their length is not known, but taken from the settings.
        imports: What is to be imported from social platforms.
        lost: Uploads among `uploads` that may have been accepted already, and are looked for first.
        image_requests: Requests that send images to their own library; nothing says that they cost anything.
        image_bytes: The images in them.
        sending_bytes_per_second: As measured by earlier uploads, all transfers together; None without any.
        receiving_bytes_per_second: Likewise for downloads.
    """

    uploads: tuple[ExpectedUpload, ...] = ()
    searches: tuple[ExpectedSearches, ...] = ()
    transcripts: int = 0
    captions: int = 0
    original_bytes: tuple[int, ...] = ()
    keyframes: int = 0
    keyframe_bytes: int = 0
    indexing: int = 0
    refused: int = 0
    lost: int = 0
    image_requests: int = 0
    image_bytes: int = 0
    sending_bytes_per_second: float | None = None
    receiving_bytes_per_second: float | None = None
    urls: int = 0
    imports: tuple[ExpectedImport, ...] = ()


@dataclass(frozen=True)
class Step:
    """One kind of work within a run.

    Attributes:
        name: `uploads`, `images`, `imports`, `search <query set>`, `transcripts`, `captions`, `originals` or
            `keyframes`.
        family: Whose rate limit it takes part in.
        calls: How many billable calls.
        possible_calls: See `ExpectedSearches`.
        size_bytes: What is sent or received.
        video_seconds: Length of the footage that would be indexed.
        costs_usd: What each call costs, in their order.
        calls_saved: See `ExpectedSearches`.
    """

    name: str
    family: OperationFamily
    calls: int
    possible_calls: int
    size_bytes: int
    video_seconds: float
    costs_usd: tuple[float, ...]
    calls_saved: int = 0

    @property
    def cost_usd(self) -> float:
        """What all of it costs."""
        return sum(self.costs_usd)


@dataclass(frozen=True)
class Pace:
    """How long the calls of one family take at least.

    Attributes:
        family: The family.
        calls: Billable calls.
        rate: The limit in force; None is unlimited.
        limit_seconds: From the first start to the last, under the limit.
        transfer_seconds: For the bytes on the link, as fast as it was before; 0 where that is not known. Transfers
            overlap with the waiting for the limit.
    """

    family: OperationFamily
    calls: int
    rate: Rate | None
    limit_seconds: float
    transfer_seconds: float

    @property
    def seconds(self) -> float:
        """The longer of the two."""
        return max(self.limit_seconds, self.transfer_seconds)

    @property
    def is_held_by_limit(self) -> bool:
        """Whether a higher limit would make it shorter."""
        return self.limit_seconds > 0 and self.limit_seconds >= self.transfer_seconds


@dataclass(frozen=True)
class BudgetStop:
    """Where a budget would refuse a call for the first time.

    Attributes:
        budget: Its name in the settings.
        limit_usd: The budget.
        left_usd: What is left of it now.
        step: The step's name.
        calls_before: How many of the step's calls would still be made.
        calls: How many the step has.
        missing_usd: By how much the whole run exceeds what is left.
    """

    budget: BudgetName
    limit_usd: float
    left_usd: float
    step: str
    calls_before: int
    calls: int
    missing_usd: float


@dataclass(frozen=True)
class Forecast:
    """What a run would do, cost and take."""

    work: ExpectedWork
    steps: tuple[Step, ...]
    paces: tuple[Pace, ...]
    budget_stops: tuple[BudgetStop, ...]

    @property
    def cost_usd(self) -> float:
        """What the run costs in all."""
        return sum(step.cost_usd for step in self.steps)

    @property
    def slowest(self) -> Pace | None:
        """The family that takes longest; None if there is nothing to do."""
        return max(self.paces, key=lambda pace: pace.seconds, default=None)

    @property
    def least_seconds(self) -> float:
        """If the families' work overlaps, as it does under Dagster's sensors."""
        return self.slowest.seconds if self.slowest else 0.0

    @property
    def sequential_seconds(self) -> float:
        """If each family's work waits for the one before, as in one `visualsearch run`."""
        return sum(pace.seconds for pace in self.paces)


def forecast(work: ExpectedWork, *, limits: RateLimits, budget: BudgetSettings, spent_today_usd: float) -> Forecast:
    """Price and time `work`.

    Args:
        work: What there is to do.
        limits: The rate limits in force.
        budget: The price table, and the budgets.
        spent_today_usd: What counts against `budget.per_day_usd` already.
    """
    steps = tuple(step for step in _steps(work, budget.prices) if step.calls or step.possible_calls or step.calls_saved)
    return Forecast(
        work=work,
        steps=steps,
        paces=_paces(steps, limits, work),
        budget_stops=tuple(_budget_stops(steps, budget, spent_today_usd=spent_today_usd)),
    )


def limit_seconds(calls: int, rate: Rate | None) -> float:
    """From the first start of `calls` calls to the last, if as many start as `rate` permits."""
    if rate is None or calls == 0:
        return 0.0
    return (calls - 1) // rate.count * rate.seconds


def _steps(work: ExpectedWork, table: PriceSettings) -> Iterable[Step]:
    upload, search = OperationFamily.UPLOAD, OperationFamily.SEARCH
    transcripts, download = OperationFamily.TRANSCRIPTS, OperationFamily.DOWNLOAD
    each = prices.search_usd(table)
    sizes = [expected.size_bytes for expected in work.uploads]
    seconds = [expected.duration_seconds or 0.0 for expected in work.uploads]
    indexing = tuple(prices.indexing_usd(table, duration_seconds=length) for length in seconds)
    yield Step("uploads", upload, len(sizes), len(sizes), sum(sizes), sum(seconds), indexing)
    imports, scrape = tuple(expected.cost_usd for expected in work.imports), OperationFamily.SCRAPE
    yield Step("imports", scrape, len(imports), len(imports), 0, 0.0, imports)
    images, free = work.image_requests, tuple(repeat(0.0, work.image_requests))
    yield Step("images", OperationFamily.DEFAULT, images, images, work.image_bytes, 0.0, free)
    for planned in work.searches:
        costs = tuple(repeat(each, planned.calls))
        name, saved = f"search {planned.query_set}", planned.calls_saved
        yield Step(name, search, planned.calls, planned.possible_calls, 0, 0.0, costs, calls_saved=saved)
    for name, calls in (("transcripts", work.transcripts), ("captions", work.captions)):
        yield Step(name, transcripts, calls, calls, 0, 0.0, tuple(repeat(each, calls)))
    keyframe_bytes = round(work.keyframe_bytes / work.keyframes) if work.keyframes else 0
    for name, of_each in (("originals", work.original_bytes), ("keyframes", (keyframe_bytes,) * work.keyframes)):
        costs = tuple(prices.download_usd(table, size_bytes=size) for size in of_each)
        yield Step(name, download, len(of_each), len(of_each), sum(of_each), 0.0, costs)


def _paces(steps: Iterable[Step], limits: RateLimits, work: ExpectedWork) -> tuple[Pace, ...]:
    calls: dict[OperationFamily, int] = {}
    size_bytes: dict[OperationFamily, int] = {}
    for step in steps:
        calls[step.family] = calls.get(step.family, 0) + step.calls
        size_bytes[step.family] = size_bytes.get(step.family, 0) + step.size_bytes
    speeds: Mapping[OperationFamily, float | None] = {
        OperationFamily.UPLOAD: work.sending_bytes_per_second,
        OperationFamily.DOWNLOAD: work.receiving_bytes_per_second,
    }
    return tuple(
        Pace(
            family=family,
            calls=count,
            rate=limits.rate(family),
            limit_seconds=limit_seconds(count, limits.rate(family)),
            transfer_seconds=size_bytes[family] / speed if (speed := speeds.get(family)) else 0.0,
        )
        for family, count in calls.items()
        if count
    )


def _budget_stops(steps: Iterable[Step], budget: BudgetSettings, *, spent_today_usd: float) -> Iterable[BudgetStop]:
    every = [(step, number, cost) for step in steps for number, cost in enumerate(step.costs_usd)]
    total = sum(cost for _, _, cost in every)
    budgets: list[tuple[BudgetName, float | None, float]] = [
        ("per_run_usd", budget.per_run_usd, 0.0),
        ("per_day_usd", budget.per_day_usd, spent_today_usd),
    ]
    for name, limit_usd, spent_usd in budgets:
        if limit_usd is None:
            continue
        left = max(0.0, limit_usd - spent_usd)
        spent = 0.0
        for step, number, cost in every:
            if spent_usd + spent + cost > limit_usd + _ROUNDING_USD:
                yield BudgetStop(name, limit_usd, left, step.name, number, step.calls, total - left)
                break
            spent += cost
