"""What a step's calls came to: how many, how long they waited for the rate limit, how much they moved and cost."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import dagster as dg
import sqlalchemy as sa

from visualsearch_pipeline.api import RateLimited
from visualsearch_pipeline.ledger.schema import api_calls
from visualsearch_pipeline.orchestration.metadata import Metadata
from visualsearch_pipeline.pipeline.pipeline import Pipeline


@dataclass(frozen=True)
class Bill:
    """The calls of one step in one run.

    Attributes:
        api_calls: Every attempt, those that failed included.
        rate_limited: Attempts that the service refused for being too many.
        waited_seconds: How long the calls were held back by our own limiter, added up.
        bytes_sent: Bodies sent.
        bytes_received: Bodies received.
        cost_usd: By the price table.
    """

    api_calls: int
    rate_limited: int
    waited_seconds: float
    bytes_sent: int
    bytes_received: int
    cost_usd: float


def bill_since(pipeline: Pipeline, began_at: datetime) -> Bill:
    """The calls of this run since a moment, such as the beginning of its step."""
    columns = api_calls.c
    refused = sa.func.sum(sa.case((columns.outcome == RateLimited.__name__, 1), else_=0))
    (row,) = pipeline.ledger.rows(
        sa.select(
            sa.func.count().label("api_calls"),
            sa.func.coalesce(refused, 0).label("rate_limited"),
            *(
                sa.func.coalesce(sa.func.sum(column), 0).label(column.name)
                for column in (columns.waited_seconds, columns.bytes_sent, columns.bytes_received, columns.cost_usd)
            ),
        ).where(columns.run_id == pipeline.run_id, columns.started_at >= began_at)
    )
    numbers = {name: float(str(value)) for name, value in row.items()}
    return Bill(
        api_calls=int(numbers["api_calls"]),
        rate_limited=int(numbers["rate_limited"]),
        waited_seconds=numbers["waited_seconds"],
        bytes_sent=int(numbers["bytes_sent"]),
        bytes_received=int(numbers["bytes_received"]),
        cost_usd=numbers["cost_usd"],
    )


def bill_metadata(bill: Bill) -> Metadata:
    """The bill under steady names, so that the UI plots each over time."""
    return {
        "api_calls": dg.MetadataValue.int(bill.api_calls),
        "rate_limited": dg.MetadataValue.int(bill.rate_limited),
        "waited_seconds": dg.MetadataValue.float(round(bill.waited_seconds, 3)),
        "bytes_sent": dg.MetadataValue.int(bill.bytes_sent),
        "bytes_received": dg.MetadataValue.int(bill.bytes_received),
        "cost_usd": dg.MetadataValue.float(round(bill.cost_usd, 6)),
    }
