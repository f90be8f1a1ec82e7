"""`visualsearch alerts`: deliveries, and sending them again."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Final

from rich.text import Text

from visualsearch_pipeline.api import VisualSearchClient
from visualsearch_pipeline.ledger import DeliveryState
from visualsearch_pipeline.pipeline.alerts import resend_alerts
from visualsearch_pipeline.pipeline.pipeline import Pipeline
from visualsearch_pipeline.terminal import TerminalProgress, print_rows

if TYPE_CHECKING:
    from rich.console import Console

    from visualsearch_pipeline.api import OnCall
    from visualsearch_pipeline.settings import Settings

_SHOWN: Final = 50


def print_deliveries(settings: Settings, *, console: Console) -> bool:
    """Print the newest deliveries, newest first; say whether all were delivered.

    Raises:
        LedgerError: the ledger cannot be opened.
    """
    with Pipeline(settings, open_client=_no_client, run_id="alerts") as pipeline:
        deliveries = pipeline.ledger.alerts.deliveries()[::-1]
    if not deliveries:
        console.print("no alerts: nobody asked to be told, or nothing new was found")
        return True
    print_rows(
        console,
        ("delivery", "query", "new hits", "found by", "to", "state", "tries", "at", "reason"),
        (
            (
                delivery.delivery_id,
                f"{delivery.query_set}.{delivery.query_id}",
                delivery.new_hits,
                delivery.run_id,
                delivery.destination or "",
                delivery.state.value,
                delivery.attempts,
                f"{delivery.attempted_at or delivery.created_at:%Y-%m-%d %H:%M}",
                delivery.reason or "",
            )
            for delivery in deliveries[:_SHOWN]
        ),
    )
    if len(deliveries) > _SHOWN:
        console.print(Text(f"and {len(deliveries) - _SHOWN} older ones"))
    return all(delivery.state is DeliveryState.DELIVERED for delivery in deliveries)


def retry_alerts(settings: Settings, delivery_ids: Collection[str], *, console: Console) -> None:
    """Send alerts again: these, or all that were not delivered.

    Raises:
        NoSuchDelivery: no delivery has one of the ids.
        LedgerError: the ledger cannot be opened.
    """
    with Pipeline(
        settings, open_client=_no_client, run_id="command line", progress=TerminalProgress(console)
    ) as pipeline:
        resend_alerts(pipeline, delivery_ids=delivery_ids)


def _no_client(_: OnCall) -> VisualSearchClient:
    raise AssertionError("alerts ask nothing of the service")
