"""The tables of the warehouse, with those of the `*_schemas` beside it: here each column, its type and meaning stand.

A change here is additive (a nullable column, and `version` one higher), so that files of every earlier version stay
readable. Tables with a `day` in their path have one file per day (and query set); the others are one file.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

import pyarrow as pa

from visualsearch_pipeline.warehouse.hit_schemas import ANSWERED, HIT_CHANGES, HITS
from visualsearch_pipeline.warehouse.import_schemas import IMPORTED_VIDEOS
from visualsearch_pipeline.warehouse.library_schemas import (
    IMAGE_COVERAGE,
    IMAGE_HITS,
    IMAGES,
    PUBLIC_ANSWERS,
    PUBLIC_HITS,
    PUBLIC_VIDEOS,
)
from visualsearch_pipeline.warehouse.shared_columns import (
    BY_SET_AND_DAY,
    COVERED_AT,
    COVERED_HITS,
    COVERED_TRUNCATED,
    DAY,
    DOUBLE,
    INTEGER,
    ITEM_DAY,
    ITEM_DAY_IF_KNOWN,
    MEDIA_URI_OF_VIDEO,
    QUERY_COLUMNS,
    RUN_ID,
    STRING,
    VIDEO_NAME,
    VIDEO_NO,
)
from visualsearch_pipeline.warehouse.summaries import HITS_BY_DAY
from visualsearch_pipeline.warehouse.table_spec import TIMESTAMP, ColumnSpec, TableSpec
from visualsearch_pipeline.warehouse.upkeep_schemas import API_CALL_TOTALS, REMOTE_DELETIONS

VIDEOS: Final = TableSpec(
    name="videos",
    description="One row per video in the library, with what it was made of: a file, a URL or an imported post.",
    columns=(
        VIDEO_NO,
        ITEM_DAY_IF_KNOWN,
        ColumnSpec("media_uri", STRING, "The source file; or the URL or post, with *** for each value of its query."),
        ColumnSpec("media_name", STRING, "The source file's name, or what the list calls the URL."),
        ColumnSpec("sha256", STRING, "SHA-256 of the source file's bytes, hexadecimal; absent for URLs and imports."),
        ColumnSpec("state", STRING, "indexing, ready, failed, stuck, missing, replaced or deleted.", nullable=False),
        VIDEO_NAME,
        ColumnSpec("cause", STRING, "Why it failed, in the service's words."),
        ColumnSpec("duration_seconds", DOUBLE, "Length in seconds."),
        ColumnSpec("size_bytes", INTEGER, "Size of the source file in bytes."),
        ColumnSpec("width", INTEGER, "Width of the picture in pixels."),
        ColumnSpec("height", INTEGER, "Height of the picture in pixels."),
        ColumnSpec("fps", DOUBLE, "Frames per second."),
        ColumnSpec("video_codec", STRING, "Codec of the picture, such as h264."),
        ColumnSpec("captured_at", TIMESTAMP, "When it was recorded, as the file says."),
        ColumnSpec("camera_model", STRING, "The camera, as the file says."),
        ColumnSpec("latitude", DOUBLE, "Where it was recorded, in degrees north."),
        ColumnSpec("longitude", DOUBLE, "Where it was recorded, in degrees east."),
        ColumnSpec("tags", pa.list_(STRING), "Tags of the video in the library."),
        ColumnSpec("bucket", STRING, "Bucket of the video at the service."),
        ColumnSpec("blob", STRING, "Path of the video in its bucket."),
        ColumnSpec("uploaded_at", TIMESTAMP, "When the service accepted the upload."),
        ColumnSpec("ready_at", TIMESTAMP, "When it was first seen ready to be searched."),
        ColumnSpec("origin", STRING, "How the service came by it: file, url or import."),
    ),
    version=2,
    sort_by=(("day", "ascending"), ("video_no", "ascending")),
)

COVERAGE: Final = TableSpec(
    name="coverage",
    description="One row per query version and video that was searched, with or without hits.",
    columns=(
        *QUERY_COLUMNS,
        ColumnSpec("video_no", STRING, "The video that was searched.", nullable=False),
        ITEM_DAY_IF_KNOWN,
        COVERED_HITS,
        COVERED_TRUNCATED,
        COVERED_AT,
        RUN_ID,
    ),
    sort_by=(
        ("query_set", "ascending"),
        ("query_id", "ascending"),
        ("query_version", "ascending"),
        ("day", "ascending"),
        ("video_no", "ascending"),
    ),
    version=2,
    partition_by=BY_SET_AND_DAY,
    earlier_partitions=((),),
)

QUERIES: Final = TableSpec(
    name="queries",
    description="One row per version of a saved query that was ever known, the retired ones included.",
    columns=(
        *QUERY_COLUMNS,
        ColumnSpec(
            "kind",
            STRING,
            "Of private videos: text, image, image_in_video, transcript; of private images: text_in_images; of the "
            "public library: public_text, public_image, public_transcript.",
            nullable=False,
        ),
        ColumnSpec("asks", STRING, "What it asks: its text, prompt, phrase, or the name of its image."),
        ColumnSpec("definition", STRING, "Everything that is asked, as JSON; the version is its hash."),
        ColumnSpec("description", STRING, "What the query is for, in its author's words."),
        ColumnSpec("is_current", pa.bool_(), "Whether the query set asks this today.", nullable=False),
        ColumnSpec("first_seen_at", TIMESTAMP, "When this version was first seen."),
        ColumnSpec("retired_at", TIMESTAMP, "When it was changed or removed."),
    ),
    sort_by=(("query_set", "ascending"), ("query_id", "ascending"), ("query_version", "ascending")),
)


def _segments(name: str, description: str, text: str) -> TableSpec:
    return TableSpec(
        name=name,
        description=description,
        columns=(
            ColumnSpec("video_no", STRING, "The video.", nullable=False),
            ITEM_DAY,
            MEDIA_URI_OF_VIDEO,
            ColumnSpec("segment_index", INTEGER, "Place of the segment within the video, from 0.", nullable=False),
            ColumnSpec("start_seconds", DOUBLE, "Where the segment begins, in seconds from the start of the video."),
            ColumnSpec("end_seconds", DOUBLE, "Where the segment ends, in seconds."),
            ColumnSpec("text", STRING, text),
            ColumnSpec("fetched_at", TIMESTAMP, "When it was fetched from the service.", nullable=False),
            RUN_ID,
        ),
        sort_by=(("video_no", "ascending"), ("segment_index", "ascending")),
        partition_by=("day",),
    )


TRANSCRIPTS: Final = _segments("transcripts", "One row per spoken segment of a video.", "What was said.")
CAPTIONS: Final = _segments(
    "captions", "One row per captioned segment of a video.", "What the picture shows, in the service's words."
)

API_CALLS: Final = TableSpec(
    name="api_calls",
    description="One row per request to the service, whatever came of it.",
    columns=(
        ColumnSpec("call_id", STRING, "Identity of the call.", nullable=False),
        ColumnSpec("started_at", TIMESTAMP, "When the request was sent.", nullable=False),
        ColumnSpec("operation", STRING, "What was asked of the service, such as upload or search.", nullable=False),
        ColumnSpec("item", STRING, "What it was asked for: a video, a file or a query."),
        ColumnSpec("run_id", STRING, "The run that made the call."),
        ColumnSpec("outcome", STRING, "ok, or the kind of error.", nullable=False),
        ColumnSpec("code", STRING, "The code in the service's answer."),
        ColumnSpec("http_status", INTEGER, "The HTTP status of the answer."),
        ColumnSpec("duration_seconds", DOUBLE, "From sending to the end of the answer, in seconds."),
        ColumnSpec("waited_seconds", DOUBLE, "How long the rate limit held it back before, in seconds."),
        ColumnSpec("bytes_sent", INTEGER, "Size of the request's body in bytes."),
        ColumnSpec("bytes_received", INTEGER, "Size of the answer's body in bytes."),
        ColumnSpec("cost_usd", DOUBLE, "What the call costs by the price table, in US dollars."),
        ColumnSpec("day", DAY, "Partition: the UTC date of started_at."),
    ),
    version=2,
    sort_by=(("started_at", "ascending"), ("call_id", "ascending")),
    partition_by=("day",),
    earlier_partitions=((),),
)

ARCHIVE: Final = TableSpec(
    name="archive",
    description="One row per original or keyframe that was fetched from the service, or could not be.",
    columns=(
        ColumnSpec("kind", STRING, "video or keyframe.", nullable=False),
        ColumnSpec("video_no", STRING, "The video it belongs to."),
        ITEM_DAY_IF_KNOWN,
        ColumnSpec("bucket", STRING, "Bucket at the service."),
        ColumnSpec("blob", STRING, "Path in that bucket."),
        ColumnSpec("path", STRING, "Where it lies in the archive."),
        ColumnSpec("size_bytes", INTEGER, "Its size in bytes."),
        ColumnSpec("sha256", STRING, "SHA-256 of its bytes, hexadecimal."),
        ColumnSpec("proven_by", STRING, "What shows that it is whole: sha256, size, structure or none."),
        ColumnSpec("state", STRING, "archived or failed.", nullable=False),
        ColumnSpec("archived_at", TIMESTAMP, "When it was put under its final name."),
    ),
    sort_by=(("day", "ascending"), ("kind", "ascending"), ("video_no", "ascending"), ("blob", "ascending")),
)

FAILURES: Final = TableSpec(
    name="failures",
    description="One row per thing that went wrong, with how often; mended ones have a resolved_at.",
    columns=(
        ColumnSpec("step", STRING, "The step that failed, such as upload or archive.", nullable=False),
        ColumnSpec("subject", STRING, "What it failed on: a file, a video or a query.", nullable=False),
        ITEM_DAY_IF_KNOWN,
        ColumnSpec("reason", STRING, "Why, and what to do about it."),
        ColumnSpec("count", INTEGER, "How many times in a row.", nullable=False),
        ColumnSpec("retryable", pa.bool_(), "Whether the next run tries again by itself."),
        ColumnSpec("first_failed_at", TIMESTAMP, "When it failed first."),
        ColumnSpec("last_failed_at", TIMESTAMP, "When it failed last."),
        ColumnSpec("resolved_at", TIMESTAMP, "When it went well again; absent while it has not."),
    ),
    sort_by=(("last_failed_at", "descending"), ("step", "ascending"), ("subject", "ascending")),
)

PUBLICATION: Final = TableSpec(
    name="publication",
    description="One row: how this database came to be.",
    columns=(
        ColumnSpec("published_at", TIMESTAMP, "When it was built.", nullable=False),
        ColumnSpec("package_version", STRING, "Version of visualsearch_pipeline that built it.", nullable=False),
        ColumnSpec("schema_version", INTEGER, "Sum of the versions of all tables; it rises with each.", nullable=False),
        ColumnSpec("fingerprint", STRING, "Hash of everything it was built from.", nullable=False),
        ColumnSpec("row_counts", pa.map_(STRING, INTEGER), "Rows per table when it was built.", nullable=False),
        ColumnSpec("rebuilt_at", TIMESTAMP, "When all of it was last built anew; changes were put in since."),
        ColumnSpec("replaced_rows", INTEGER, "Rows that were replaced in it since then."),
    ),
    version=2,
)

PUBLICATION_FILES: Final = TableSpec(
    name="publication_files",
    description="One row per Parquet file that this database was built from.",
    columns=(
        ColumnSpec("path", STRING, "The file, relative to the folder of the warehouse.", nullable=False),
        ColumnSpec("table_name", STRING, "The table it is a part of.", nullable=False),
        ColumnSpec("row_count", INTEGER, "Its rows.", nullable=False),
        ColumnSpec("identity", STRING, "Changes whenever the file is replaced.", nullable=False),
    ),
    sort_by=(("path", "ascending"),),
)

LEDGER_TABLES: Final = (
    VIDEOS,
    COVERAGE,
    QUERIES,
    API_CALLS,
    ARCHIVE,
    FAILURES,
    IMAGES,
    IMAGE_COVERAGE,
    PUBLIC_VIDEOS,
    PUBLIC_ANSWERS,
    API_CALL_TOTALS,
    REMOTE_DELETIONS,
    IMPORTED_VIDEOS,
)
"""Tables that are made from the ledger's state."""

DAY_TABLES: Final = (TRANSCRIPTS, CAPTIONS)
"""Tables with one file per day, made from the service's answers."""

FILE_TABLES: Final = (HITS, HIT_CHANGES, *LEDGER_TABLES, *DAY_TABLES, IMAGE_HITS, PUBLIC_HITS)
"""Tables that are kept in Parquet files."""

TABLES: Final[Mapping[str, TableSpec]] = MappingProxyType(
    {spec.name: spec for spec in (*FILE_TABLES, HITS_BY_DAY, PUBLICATION, PUBLICATION_FILES)}
)
"""Every table, by name."""

STORED: Final[Mapping[str, TableSpec]] = MappingProxyType({spec.name: spec for spec in (*FILE_TABLES, ANSWERED)})
"""Everything that is kept in Parquet files, by name."""

SCHEMA_VERSION: Final = sum(spec.version for spec in TABLES.values())
"""Changes whenever any table does."""


def column_schema(table_name: str) -> tuple[ColumnSpec, ...]:
    """The columns of a table of the warehouse, for those who show them; a query set's view has those of `hits`.

    Raises:
        KeyError: there is no such table.
    """
    return TABLES[table_name].columns
