"""`visualsearch plan`: what a run would do, cost and take, before it does anything."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rich.table import Table
from rich.text import Text

from visualsearch_pipeline.api import OperationFamily, Rate, VisualSearchClient
from visualsearch_pipeline.pipeline.durations import in_words
from visualsearch_pipeline.pipeline.expected_work import read_forecast
from visualsearch_pipeline.pipeline.pipeline import Pipeline
from visualsearch_pipeline.terminal import TerminalProgress, printable, size

if TYPE_CHECKING:
    from rich.console import Console

    from visualsearch_pipeline.api import OnCall
    from visualsearch_pipeline.pipeline.forecast import BudgetStop, Forecast, Pace, Step
    from visualsearch_pipeline.settings import Settings

_LEAST_SHOWN_USD: Final = 0.0001


def forecast_run(settings: Settings, *, console: Console, look: bool) -> Forecast:
    """What a run would come to, with progress on `console`. Makes no call and needs no key.

    Raises:
        SourceProblem: the source cannot be listed.
        LedgerError: the ledger cannot be opened.
    """
    progress = TerminalProgress(console)
    with Pipeline(settings, open_client=_no_client, run_id="plan", progress=progress) as pipeline:
        return read_forecast(pipeline, look=look)


def print_forecast(console: Console, forecast: Forecast, *, settings: Settings) -> None:
    """A line per kind of work with its amount, cost and time; then what all of it comes to, and what would stop it."""
    if not forecast.steps:
        console.print("nothing to do: a run would cost $0")
        _print_notes(console, forecast)
        return
    table = Table(box=None, pad_edge=False)
    table.add_column("step", style="bold", overflow="fold", max_width=24)
    table.add_column("what", overflow="fold")
    for heading in ("cost", "at least"):
        table.add_column(heading, justify="right", no_wrap=True)
    paces = {pace.family: pace for pace in forecast.paces}
    told: set[OperationFamily] = set()
    for step in forecast.steps:
        pace = paces.get(step.family)
        # Steps of one family share its limit: the time stands beside the first of them.
        duration = in_words(pace.seconds) if pace is not None and step.family not in told else ""
        told.add(step.family)
        table.add_row(Text(printable(step.name)), _amount(step), usd(step.cost_usd), duration)
    table.add_row("total", "", usd(forecast.cost_usd), in_words(forecast.sequential_seconds), style="bold")
    console.print(table)
    console.print()
    for line in (_time(forecast), f"prices as of {settings.budget.prices.as_of}"):
        console.print(Text(line))
    _print_notes(console, forecast)
    for stop in forecast.budget_stops:
        console.print(Text(_stop(stop), style="yellow"))
    if not forecast.budget_stops and (settings.budget.per_run_usd, settings.budget.per_day_usd) != (None, None):
        console.print("within the budget")


def usd(amount: float) -> str:
    """An amount of US dollars: cents where they tell enough, fractions of a cent where they do not."""
    if 0 < amount < _LEAST_SHOWN_USD:
        return f"<${_LEAST_SHOWN_USD:.4f}"
    return f"${amount:,.2f}" if amount >= 1 or amount == 0 else f"${amount:.4f}"


def rate_text(rate: Rate) -> str:
    """A rate in the words of the settings, such as `1/minute`."""
    units = {1.0: "second", 60.0: "minute", 3600.0: "hour", 86_400.0: "day"}
    return f"{rate.count}/{units.get(rate.seconds, f'{rate.seconds:g} seconds')}"


def _amount(step: Step) -> str:
    match step.family:
        case OperationFamily.UPLOAD:
            return f"{_files(step.calls)}, {size(step.size_bytes)}, {step.video_seconds / 60:,.1f} min to index"
        case OperationFamily.DOWNLOAD:
            return f"{_files(step.calls)}, {size(step.size_bytes)}" if step.size_bytes else _files(step.calls)
        case _:
            calls = f"{step.calls:,} call{'s' if step.calls != 1 else ''}"
            if step.possible_calls != step.calls:
                calls += f", at most {step.possible_calls:,}"
            return f"{calls}, {step.calls_saved:,} saved" if step.calls_saved else calls


def _files(count: int) -> str:
    return f"{count:,} file{'s' if count != 1 else ''}"


def _time(forecast: Forecast) -> str:
    slowest = forecast.slowest
    if slowest is None or slowest.seconds == 0:
        return "no rate limit holds it back; the service's own time for indexing comes on top"
    return (
        f"{_holder(slowest)} takes longest: at least {in_words(forecast.least_seconds)}, and with all steps one after "
        f"the other {in_words(forecast.sequential_seconds)}; the service's own time for indexing comes on top"
    )


def _holder(pace: Pace) -> str:
    if pace.is_held_by_limit and pace.rate is not None:
        return f"the limit `{pace.family}: {rate_text(pace.rate)}`"
    return f"the link ({pace.family}, as fast as before)"


def _print_notes(console: Console, forecast: Forecast) -> None:
    work = forecast.work
    notes = [
        (work.lost, "uploads may have been accepted already; they are looked for in the library first"),
        (work.refused, "files would be set aside: the service would refuse them"),
        (work.indexing, "videos are being indexed, and were paid for"),
        (work.urls, "URLs are taken to be as long as `budget.unseen_video_seconds`: nobody can look before"),
        (sum(expected.videos for expected in work.imports), "videos at most are to be imported, taken likewise"),
        (
            sum(expected.duration_seconds is None for expected in work.uploads),
            "files do not say how long they are: what indexing them costs is not in the sum",
        ),
    ]
    for count, what in notes:
        if count:
            console.print(Text(f"{count} {what}"))


def _stop(stop: BudgetStop) -> str:
    return (
        f"stopped by `budget.{stop.budget}` ({usd(stop.limit_usd)}, {usd(stop.left_usd)} left): {stop.step} after "
        f"{stop.calls_before:,} of {stop.calls:,}; {usd(stop.missing_usd)} more would be needed"
    )


def _no_client(_: OnCall) -> VisualSearchClient:
    raise AssertionError("a plan makes no call")
