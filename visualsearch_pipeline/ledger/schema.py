"""The ledger's tables. A change here is a new `SCHEMA_VERSION`, and a migration of ledgers of the versions before."""

from __future__ import annotations

from typing import Final

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    Date,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
)

from visualsearch_pipeline.ledger.column_types import ByteCount, Sha256, Text, UtcDateTime, state_type
from visualsearch_pipeline.ledger.shared_columns import (
    capture_columns,
    lease_columns,
    question_columns,
    sending_columns,
)
from visualsearch_pipeline.ledger.states import ArchiveState, ItemState, UploadState, VideoOrigin, VideoState

SCHEMA_VERSION: Final = 2

metadata: Final = MetaData()


schema_version = Table(
    "schema_version",
    metadata,
    Column("version", Integer, primary_key=True),
    Column("package_version", Text, nullable=False),
    Column("applied_at", UtcDateTime, nullable=False),
)

items = Table(
    "items",
    metadata,
    Column("uri", Text, primary_key=True, comment="The media item's identity: where it lies in the source."),
    Column("name", Text, nullable=False),
    Column("day", Date, nullable=False, index=True, comment="Partition key: fixed when first seen."),
    Column(
        "state",
        state_type(ItemState),
        nullable=False,
        index=True,
        comment="settling, found, accepted, refused, skipped, gone",
    ),
    Column("reason", Text),
    Column("size_bytes", ByteCount, nullable=False),
    Column("modified_at", UtcDateTime),
    Column("etag", Text),
    Column("sha256", Sha256, ForeignKey("contents.sha256"), index=True),
    Column("first_seen_at", UtcDateTime, nullable=False),
    Column(
        "changed_at", UtcDateTime, nullable=False, comment="When size or time of modification were last seen to differ."
    ),
    Column("inspected_at", UtcDateTime),
)

contents = Table(
    "contents",
    metadata,
    Column("sha256", Sha256, primary_key=True),
    Column("day", Date, nullable=False, index=True, comment="The day of the item that brought it first."),
    Column("uri", Text, nullable=False, comment="The item that brought it first."),
    Column("name", Text, nullable=False),
    Column("size_bytes", ByteCount, nullable=False),
    Column("container", Text),
    Column("video_codec", Text),
    Column("duration_seconds", Float),
    Column("width", Integer),
    Column("height", Integer),
    Column("fps", Float),
    Column("has_audio", Boolean),
    *capture_columns(),
    Column("first_seen_at", UtcDateTime, nullable=False),
)

uploads = Table(
    "uploads",
    metadata,
    Column("sha256", Sha256, ForeignKey("contents.sha256"), primary_key=True),
    Column("day", Date, nullable=False, index=True),
    Column("upload_name", Text, nullable=False, comment="Unique; carries the hash."),
    Column("state", state_type(UploadState), nullable=False, index=True),
    Column("attempts", Integer, nullable=False, default=0),
    *lease_columns(),
    *sending_columns(),
    Column("video_no", Text),
    Column("adopted", Boolean, nullable=False, default=False, comment="Found in the library instead of answered."),
    Column("reason", Text),
)

videos = Table(
    "videos",
    metadata,
    Column("video_no", Text, primary_key=True),
    Column(
        "sha256",
        Sha256,
        ForeignKey("contents.sha256"),
        index=True,
        comment="The content that was sent; none for what the service fetched itself.",
    ),
    Column("day", Date, nullable=False, index=True),
    Column("state", state_type(VideoState), nullable=False, index=True),
    Column("video_name", Text),
    Column("raw_status", Text),
    Column("cause", Text),
    Column("duration_seconds", Float),
    Column("size_bytes", ByteCount),
    Column("width", Integer),
    Column("height", Integer),
    Column("fps", Float),
    Column("tags", JSON),
    Column("bucket", Text),
    Column("blob", Text),
    Column("created_at", UtcDateTime),
    Column("uploaded_at", UtcDateTime, nullable=False),
    Column("ready_at", UtcDateTime),
    Column("polled_at", UtcDateTime),
    Column("origin", state_type(VideoOrigin), nullable=False, server_default=VideoOrigin.FILE.value),
    Column("uri", Text, comment="Where the service fetched it, as it may be shown; none for a file of ours."),
    Column("name", Text, comment="What we call it; none for a file of ours, whose content has a name."),
)

queries = Table(
    "queries",
    metadata,
    *question_columns(),
    Column("kind", Text, nullable=False),
    Column("asks", Text, nullable=False),
    Column("definition", JSON, nullable=False),
    Column("description", Text),
    Column("first_seen_at", UtcDateTime, nullable=False),
    Column("retired_at", UtcDateTime),
)

coverage = Table(
    "coverage",
    metadata,
    *question_columns(),
    Column("video_no", Text, primary_key=True),
    Column("day", Date, nullable=False),
    Column("hits", Integer, nullable=False),
    Column("truncated", Boolean, nullable=False),
    Column("searched_at", UtcDateTime, nullable=False),
    Column("run_id", Text, nullable=False),
    Index("coverage_by_set_and_day", "query_set", "day"),
)

transcriptions = Table(
    "transcriptions",
    metadata,
    Column("video_no", Text, primary_key=True),
    Column("kind", Text, primary_key=True, comment="transcripts or captions"),
    Column("day", Date, nullable=False, index=True),
    Column("segments", Integer, nullable=False, comment="0: the video has none, and is not asked again."),
    Column("fetched_at", UtcDateTime, nullable=False),
    Column("run_id", Text, nullable=False),
)

archive = Table(
    "archive",
    metadata,
    Column("kind", Text, primary_key=True, comment="video or keyframe"),
    Column("object_key", Text, primary_key=True, comment="video_no, or bucket/blob of a keyframe"),
    Column("video_no", Text, nullable=False, index=True),
    Column("day", Date, nullable=False, index=True),
    Column("bucket", Text),
    Column("blob", Text),
    Column("state", state_type(ArchiveState), nullable=False),
    Column("path", Text),
    Column("size_bytes", ByteCount),
    Column("sha256", Sha256),
    Column("proven_by", Text, comment="sha256, size, structure or none"),
    Column("archived_at", UtcDateTime),
)

failures = Table(
    "failures",
    metadata,
    Column("step", Text, primary_key=True),
    Column("subject", Text, primary_key=True, comment="A media URI, or what else the step works on."),
    Column("day", Date),
    Column("reason", Text, nullable=False),
    Column("failure_count", Integer, nullable=False),
    Column("retryable", Boolean, nullable=False),
    Column("first_failed_at", UtcDateTime, nullable=False),
    Column("last_failed_at", UtcDateTime, nullable=False),
    Column("resolved_at", UtcDateTime),
)

api_calls = Table(
    "api_calls",
    metadata,
    Column("call_id", Integer, primary_key=True, autoincrement=True),
    Column("started_at", UtcDateTime, nullable=False, index=True),
    Column("operation", Text, nullable=False),
    Column("item", Text),
    Column("run_id", Text, nullable=False, index=True),
    Column("outcome", Text, nullable=False),
    Column("code", Text),
    Column("http_status", Integer),
    Column("duration_seconds", Float, nullable=False),
    Column("waited_seconds", Float, nullable=False),
    Column("bytes_sent", ByteCount, nullable=False),
    Column("bytes_received", ByteCount, nullable=False),
    Column("cost_usd", Float, nullable=False),
)

notices = Table(
    "notices",
    metadata,
    Column("digest", Sha256, primary_key=True, comment="SHA-256 of what was said: said again, it is known."),
    Column("kind", Text, nullable=False, comment="video, task or unknown"),
    Column("subject", Text, comment="The video_no or task id it is about; none if unknown."),
    Column("claimed_status", Text, comment="What the notice claims. Nothing is done on its word."),
    Column("body", Text, nullable=False),
    Column("received_at", UtcDateTime, nullable=False, index=True),
    Column("last_received_at", UtcDateTime, nullable=False),
    Column("times_received", Integer, nullable=False),
    Column("read_at", UtcDateTime, comment="When the service was asked about the subject."),
    Column("outcome", Text, comment="confirmed, pending or unknown: what the service itself said."),
)

reservations = Table(
    "reservations",
    metadata,
    Column("reservation_id", String(64), primary_key=True),
    Column("run_id", Text, nullable=False),
    Column("cost_usd", Float, nullable=False),
    Column("owner", Text, nullable=False, comment="The process that makes the call."),
    Column("expires_at", UtcDateTime, nullable=False),
)
