"""Columns that several tables of the ledger have in common; made anew for each, since a column has one table."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Column, Float

from visualsearch_pipeline.ledger.column_types import Text, UtcDateTime


def question_columns() -> tuple[Column[str], Column[str], Column[str]]:
    """Which version of which saved query a row is about: the first part of its key."""
    return (
        Column("query_set", Text, primary_key=True),
        Column("query_id", Text, primary_key=True),
        Column("query_version", Text, primary_key=True),
    )


def lease_columns() -> tuple[Column[str], Column[datetime]]:
    """Who works on a row, and until when nobody else may."""
    return Column("lease_owner", Text), Column("lease_expires_at", UtcDateTime)


def sending_columns() -> tuple[Column[datetime], Column[datetime], Column[datetime]]:
    """When something was sent: both times of an intent are written before the call that they tell of."""
    return (
        Column("intended_at", UtcDateTime, comment="When the first call that may have taken effect was decided on."),
        Column("attempted_at", UtcDateTime, comment="When the last such call was decided on."),
        Column("uploaded_at", UtcDateTime),
    )


def capture_columns() -> tuple[Column[datetime], Column[str], Column[float], Column[float]]:
    """When, with what and where something was taken, as its file says; degrees north and east."""
    return (
        Column("captured_at", UtcDateTime),
        Column("camera_model", Text),
        Column("latitude", Float),
        Column("longitude", Float),
    )
