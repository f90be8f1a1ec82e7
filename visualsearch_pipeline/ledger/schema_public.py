"""The ledger's tables of the public library: what was asked on which day, and what is known of the videos found."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, Date, Float, Integer, Table

from visualsearch_pipeline.ledger.column_types import Text, UtcDateTime
from visualsearch_pipeline.ledger.schema import metadata
from visualsearch_pipeline.ledger.shared_columns import question_columns

public_answers = Table(
    "public_answers",
    metadata,
    *question_columns(),
    Column("day", Date, primary_key=True, comment="The UTC date on which it was asked; the library changes by itself."),
    Column("hits", Integer, nullable=False),
    Column("truncated", Boolean, nullable=False, comment="An answer was as long as the service can make it."),
    Column("calls", Integer, nullable=False),
    Column("asked_at", UtcDateTime, nullable=False),
    Column("run_id", Text, nullable=False),
)

public_platform_answers = Table(
    "public_platform_answers",
    metadata,
    *question_columns(),
    Column("day", Date, primary_key=True, comment="The UTC date on which it was asked."),
    Column("platform", Text, primary_key=True, comment="One platform of a question that others did not answer yet."),
    Column("hits", Integer, nullable=False, comment="How many rows it has in the file of its day."),
    Column("truncated", Boolean, nullable=False, comment="The answer was as long as the service can make it."),
    Column("asked_at", UtcDateTime, nullable=False),
    Column("run_id", Text, nullable=False),
)

public_videos = Table(
    "public_videos",
    metadata,
    Column("video_no", Text, primary_key=True, comment="PI- and digits (contract §1.6)."),
    Column("day", Date, nullable=False, index=True, comment="The day on which a query found it first."),
    Column("platform", Text, comment="None where only phrases found it: those are searched on all platforms at once."),
    Column("video_name", Text),
    Column("creator", Text),
    Column("hashtags", Text),
    Column("published", Text, comment="In the service's own words."),
    Column("duration_seconds", Float),
    Column("like_count", Integer),
    Column("share_count", Integer),
    Column("comment_count", Integer),
    Column("view_count", Integer),
    Column("collect_count", Integer),
    Column("video_url", Text, comment="The post's address, without parameters."),
    Column("is_known", Boolean, comment="Whether the service had a detail of it; None while it was not asked."),
    Column("fetched_at", UtcDateTime),
)
