"""The ledger's tables of what comes after the work: who was told of it, and what was removed."""

from __future__ import annotations

from typing import Final

from sqlalchemy import Column, Date, Float, Index, Integer, String, Table

from visualsearch_pipeline.ledger.column_types import ByteCount, Sha256, Text, UtcDateTime, state_type
from visualsearch_pipeline.ledger.schema import metadata
from visualsearch_pipeline.ledger.states import DeletionState, DeliveryState

_NAME_CHARACTERS: Final = 64


alert_subscriptions = Table(
    "alert_subscriptions",
    metadata,
    Column("query_set", String(_NAME_CHARACTERS), primary_key=True),
    Column("query_id", String(_NAME_CHARACTERS), primary_key=True),
    Column("since", UtcDateTime, nullable=False, comment="What was found before is history, and no news."),
)

alert_deliveries = Table(
    "alert_deliveries",
    metadata,
    Column("delivery_id", String(32), primary_key=True, comment="Made of the four columns that follow."),
    Column("query_set", String(_NAME_CHARACTERS), nullable=False),
    Column("query_id", String(_NAME_CHARACTERS), nullable=False),
    Column("query_version", String(_NAME_CHARACTERS), nullable=False),
    Column("run_id", Text, nullable=False, comment="The run that found the hits."),
    Column("new_hits", Integer, nullable=False),
    Column("payload", Text, nullable=False, comment="What is sent, as JSON; the same bytes each time."),
    Column("destination", Text, comment="Where it went last, without secrets."),
    Column("state", state_type(DeliveryState), nullable=False, index=True),
    Column("attempts", Integer, nullable=False),
    Column("created_at", UtcDateTime, nullable=False, index=True),
    Column("attempted_at", UtcDateTime),
    Column("delivered_at", UtcDateTime),
    Column("reason", Text, comment="Why the last attempt failed."),
    Index("alert_deliveries_by_query", "query_set", "query_id"),
)

api_call_totals = Table(
    "api_call_totals",
    metadata,
    Column("day", Date, primary_key=True, comment="The UTC date on which the calls began."),
    Column("operation", String(_NAME_CHARACTERS), primary_key=True),
    Column("outcome", String(_NAME_CHARACTERS), primary_key=True),
    Column("asked_sha256", Sha256, primary_key=True, comment="Of `asked`: texts may be longer than a key."),
    Column("asked", Text, comment="Of searches: what they asked, so that spending by query stays right."),
    Column("calls", Integer, nullable=False),
    Column("cost_usd", Float, nullable=False),
)

remote_deletions = Table(
    "remote_deletions",
    metadata,
    Column("video_no", String(_NAME_CHARACTERS), primary_key=True),
    Column("sha256", Sha256, nullable=False, comment="Of the archived file, computed right before the call."),
    Column("archived_path", Text, nullable=False),
    Column("size_bytes", ByteCount, nullable=False),
    Column("day", Date, nullable=False),
    Column("reason", Text, nullable=False),
    Column("scope", Text, nullable=False, comment="The part of the account it was to be deleted from."),
    Column("state", state_type(DeletionState), nullable=False, index=True),
    Column("run_id", Text, nullable=False),
    Column("intended_at", UtcDateTime, nullable=False),
    Column("decided_at", UtcDateTime, comment="When the library was seen to have it no more, or to have it still."),
    Column("outcome", Text, comment="What was seen then."),
)
