"""The ledger's tables of what the service fetches itself: videos by their URL, and imports from social platforms."""

from __future__ import annotations

from typing import Final

from sqlalchemy import JSON, Boolean, Column, Date, Enum, Float, Integer, String, Table

from visualsearch_pipeline.ledger.column_types import Text, UtcDateTime
from visualsearch_pipeline.ledger.schema import metadata
from visualsearch_pipeline.ledger.states import ImportState, UploadState

_IDENTITY_CHARACTERS: Final = 64


def _state(states: type[UploadState] | type[ImportState]) -> Enum:
    return Enum(states, native_enum=False, length=16, values_callable=lambda kinds: [kind.value for kind in kinds])


url_uploads = Table(
    "url_uploads",
    metadata,
    Column(
        "identity",
        String(_IDENTITY_CHARACTERS),
        primary_key=True,
        comment="SHA-256 of the URL without its signature. The URL itself may carry a token and is not kept.",
    ),
    Column("uri", Text, nullable=False, unique=True, comment="The URL as it may be shown: no value of its query."),
    Column("name", Text, nullable=False),
    Column("day", Date, nullable=False, index=True, comment="Partition key: fixed when first seen."),
    Column("tags", JSON, nullable=False, comment="Those that the list gives it."),
    Column("place", Text, nullable=False, comment="File and line of the list that named it last."),
    Column("is_wanted", Boolean, nullable=False, comment="Whether the list names it, with a day that counts."),
    Column("state", _state(UploadState), nullable=False, index=True),
    Column("attempts", Integer, nullable=False),
    Column("lease_owner", Text),
    Column("lease_expires_at", UtcDateTime),
    Column("intended_at", UtcDateTime, comment="When the first call that may have taken effect was decided on."),
    Column("attempted_at", UtcDateTime, comment="When the last such call was decided on."),
    Column("uploaded_at", UtcDateTime),
    Column("video_no", Text, index=True),
    Column("adopted", Boolean, nullable=False, comment="Found in the library instead of answered."),
    Column("reason", Text),
    Column("first_seen_at", UtcDateTime, nullable=False),
)

import_tasks = Table(
    "import_tasks",
    metadata,
    Column("entry_id", Text, primary_key=True, comment="The import's id in the file of imports."),
    Column("day", Date, primary_key=True, comment="Partition key: the UTC date on which it was due."),
    Column("kind", Text, nullable=False, comment="creator, hashtags or posts"),
    Column("platform", Text, nullable=False),
    Column("library", Text, nullable=False, comment="private or public"),
    Column("asks", Text, nullable=False, comment="What is imported, for people."),
    Column("definition", String(_IDENTITY_CHARACTERS), nullable=False, comment="Hash of everything that is asked."),
    Column("expected_videos", Integer, nullable=False),
    Column("estimated_usd", Float, nullable=False),
    Column("state", _state(ImportState), nullable=False, index=True),
    Column("attempts", Integer, nullable=False),
    Column("lease_owner", Text),
    Column("lease_expires_at", UtcDateTime),
    Column("intended_at", UtcDateTime),
    Column("started_at", UtcDateTime),
    Column("task_id", Text, index=True),
    Column("polled_at", UtcDateTime),
    Column("grown_at", UtcDateTime, comment="When it last brought a video that was not known."),
    Column("finished_at", UtcDateTime),
    Column("reason", Text),
)

imported_videos = Table(
    "imported_videos",
    metadata,
    Column("entry_id", Text, primary_key=True),
    Column("day", Date, primary_key=True),
    Column("video_no", Text, primary_key=True),
    Column("library", Text, nullable=False, comment="private or public"),
    Column("video_name", Text),
    Column("post_url", Text, comment="Where the post is, as the service says it."),
    Column("imported_at", UtcDateTime, nullable=False),
)
