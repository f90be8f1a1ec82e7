"""The tables of the warehouse: the one place where a column, its type and its meaning are written down.

A change here is additive (a nullable column, and `version` one higher), so that files of every earlier version stay
readable. Tables with a `day` in their path have one file per day (and query set); the others are one file.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

import pyarrow as pa

from visualsearch_pipeline.warehouse.table_spec import TIMESTAMP, ColumnSpec, TableSpec

_STRING: Final = pa.string()
_INTEGER: Final = pa.int64()
_DOUBLE: Final = pa.float64()
_DAY: Final = pa.date32()

_DAY_MEANING: Final = "Partition: the UTC date fixed when the media item was first seen."
_RUN_MEANING: Final = "The run that wrote this row."
_QUERY_COLUMNS: Final = (
    ColumnSpec("query_set", _STRING, "The query set: the name of its file without the extension.", nullable=False),
    ColumnSpec("query_id", _STRING, "The query's id within its set.", nullable=False),
    ColumnSpec(
        "query_version", _STRING, "Hash of what the query asks; a changed question is a new one.", nullable=False
    ),
)

HITS: Final = TableSpec(
    name="hits",
    description="One row per match: a saved query found something in a video. Overlapping matches stay as they came.",
    columns=(
        *_QUERY_COLUMNS,
        ColumnSpec("day", _DAY, _DAY_MEANING, nullable=False),
        ColumnSpec("video_no", _STRING, "The video in the service's library.", nullable=False),
        ColumnSpec("media_uri", _STRING, "The source file of the video."),
        ColumnSpec("video_name", _STRING, "The video's name as the service knows it."),
        ColumnSpec("start_seconds", _DOUBLE, "Where the match begins, in seconds from the start of the video."),
        ColumnSpec("end_seconds", _DOUBLE, "Where it ends, in seconds; absent where the service names no end."),
        ColumnSpec("score", _DOUBLE, "How well it matches, 0 to 1; absent for transcript phrases."),
        ColumnSpec("rank", pa.int32(), "1 for the best score of this query version on this day.", nullable=False),
        ColumnSpec("text", _STRING, "The words or the caption that matched, where the service gives them."),
        ColumnSpec("keyframe_bucket", _STRING, "Bucket of the picture that stands for the match."),
        ColumnSpec("keyframe_blob", _STRING, "Path of that picture in its bucket."),
        ColumnSpec("video_bucket", _STRING, "Bucket of the video."),
        ColumnSpec("video_blob", _STRING, "Path of the video in its bucket."),
        ColumnSpec("searched_at", TIMESTAMP, "When the service gave this answer.", nullable=False),
        ColumnSpec("run_id", _STRING, _RUN_MEANING),
    ),
    sort_by=(("query_id", "ascending"), ("query_version", "ascending"), ("rank", "ascending")),
    partition_by=("query_set", "day"),
)

HIT_CHANGES: Final = TableSpec(
    name="hit_changes",
    description=(
        "One row per hit that is new, gone or moved since the answer before to the same query about the same video. "
        "A query's first run over old footage changes nothing; footage that arrives later does."
    ),
    columns=(
        *_QUERY_COLUMNS,
        ColumnSpec("previous_query_version", _STRING, "The version compared with; absent for footage that arrived."),
        ColumnSpec("day", _DAY, _DAY_MEANING, nullable=False),
        ColumnSpec("video_no", _STRING, "The video in the service's library.", nullable=False),
        ColumnSpec("media_uri", _STRING, "The source file of the video."),
        ColumnSpec("video_name", _STRING, "The video's name as the service knows it."),
        ColumnSpec("change", _STRING, "new, gone or moved.", nullable=False),
        ColumnSpec("start_seconds", _DOUBLE, "Where the match begins now, in seconds; absent when it is gone."),
        ColumnSpec("end_seconds", _DOUBLE, "Where it ends now, in seconds; absent when it is gone."),
        ColumnSpec("score", _DOUBLE, "Its score now; absent when it is gone."),
        ColumnSpec("previous_start_seconds", _DOUBLE, "Where it began before, in seconds; absent when it is new."),
        ColumnSpec("previous_end_seconds", _DOUBLE, "Where it ended before, in seconds; absent when it is new."),
        ColumnSpec("previous_score", _DOUBLE, "Its score before; absent when it is new."),
        ColumnSpec("text", _STRING, "The words or the caption that match, or matched."),
        ColumnSpec("keyframe_bucket", _STRING, "Bucket of the picture that stands for the match."),
        ColumnSpec("keyframe_blob", _STRING, "Path of that picture in its bucket."),
        ColumnSpec("detected_at", TIMESTAMP, "When the answer came that differs.", nullable=False),
        ColumnSpec("run_id", _STRING, "The run that noticed."),
        ColumnSpec("revision", _INTEGER, "Which writing of the day's hits brought the change, from 1.", nullable=False),
    ),
    sort_by=(
        ("revision", "ascending"),
        ("query_id", "ascending"),
        ("query_version", "ascending"),
        ("video_no", "ascending"),
        ("change", "ascending"),
        ("start_seconds", "ascending"),
        ("previous_start_seconds", "ascending"),
    ),
    partition_by=("query_set", "day"),
)

ANSWERED: Final = TableSpec(
    name="_answered",
    description="One row per query version and video that was ever answered: what hit_changes compares with.",
    columns=(
        *_QUERY_COLUMNS,
        ColumnSpec("day", _DAY, _DAY_MEANING, nullable=False),
        ColumnSpec("video_no", _STRING, "The video in the service's library.", nullable=False),
        ColumnSpec(
            "revision",
            _INTEGER,
            "Which writing of the day's hits brought the first answer, from 1; 0 if what it found was lost.",
            nullable=False,
        ),
    ),
    sort_by=(("query_id", "ascending"), ("query_version", "ascending"), ("video_no", "ascending")),
    partition_by=("query_set", "day"),
)
"""Kept beside the tables and not one of them: readers skip names that begin so."""

VIDEOS: Final = TableSpec(
    name="videos",
    description="One row per video in the library, with the source file it was made of.",
    columns=(
        ColumnSpec("video_no", _STRING, "The video in the service's library.", nullable=False),
        ColumnSpec("day", _DAY, _DAY_MEANING),
        ColumnSpec("media_uri", _STRING, "The source file."),
        ColumnSpec("media_name", _STRING, "The source file's name."),
        ColumnSpec("sha256", _STRING, "SHA-256 of the source file's bytes, hexadecimal."),
        ColumnSpec("state", _STRING, "indexing, ready, failed, stuck or missing.", nullable=False),
        ColumnSpec("video_name", _STRING, "The video's name as the service knows it."),
        ColumnSpec("cause", _STRING, "Why it failed, in the service's words."),
        ColumnSpec("duration_seconds", _DOUBLE, "Length in seconds."),
        ColumnSpec("size_bytes", _INTEGER, "Size of the source file in bytes."),
        ColumnSpec("width", _INTEGER, "Width of the picture in pixels."),
        ColumnSpec("height", _INTEGER, "Height of the picture in pixels."),
        ColumnSpec("fps", _DOUBLE, "Frames per second."),
        ColumnSpec("video_codec", _STRING, "Codec of the picture, such as h264."),
        ColumnSpec("captured_at", TIMESTAMP, "When it was recorded, as the file says."),
        ColumnSpec("camera_model", _STRING, "The camera, as the file says."),
        ColumnSpec("latitude", _DOUBLE, "Where it was recorded, in degrees north."),
        ColumnSpec("longitude", _DOUBLE, "Where it was recorded, in degrees east."),
        ColumnSpec("tags", pa.list_(_STRING), "Tags of the video in the library."),
        ColumnSpec("bucket", _STRING, "Bucket of the video at the service."),
        ColumnSpec("blob", _STRING, "Path of the video in its bucket."),
        ColumnSpec("uploaded_at", TIMESTAMP, "When the service accepted the upload."),
        ColumnSpec("ready_at", TIMESTAMP, "When it was first seen ready to be searched."),
    ),
    sort_by=(("day", "ascending"), ("video_no", "ascending")),
)

COVERAGE: Final = TableSpec(
    name="coverage",
    description="One row per query version and video that was searched, with or without hits.",
    columns=(
        *_QUERY_COLUMNS,
        ColumnSpec("video_no", _STRING, "The video that was searched.", nullable=False),
        ColumnSpec("day", _DAY, _DAY_MEANING),
        ColumnSpec("hits", _INTEGER, "How many hits it has.", nullable=False),
        ColumnSpec(
            "truncated", pa.bool_(), "Whether the service may hold more hits than it can return.", nullable=False
        ),
        ColumnSpec("searched_at", TIMESTAMP, "When it was searched.", nullable=False),
        ColumnSpec("run_id", _STRING, _RUN_MEANING),
    ),
    sort_by=(
        ("query_set", "ascending"),
        ("query_id", "ascending"),
        ("query_version", "ascending"),
        ("day", "ascending"),
        ("video_no", "ascending"),
    ),
    version=2,
    partition_by=("query_set", "day"),
    earlier_partitions=((),),
)

QUERIES: Final = TableSpec(
    name="queries",
    description="One row per version of a saved query that was ever known, the retired ones included.",
    columns=(
        *_QUERY_COLUMNS,
        ColumnSpec("kind", _STRING, "text, image, image_in_video or transcript.", nullable=False),
        ColumnSpec("asks", _STRING, "What it asks: its text, prompt, phrase, or the name of its image."),
        ColumnSpec("definition", _STRING, "Everything that is asked, as JSON; the version is its hash."),
        ColumnSpec("description", _STRING, "What the query is for, in its author's words."),
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
            ColumnSpec("video_no", _STRING, "The video.", nullable=False),
            ColumnSpec("day", _DAY, _DAY_MEANING, nullable=False),
            ColumnSpec("media_uri", _STRING, "The source file of the video."),
            ColumnSpec("segment_index", _INTEGER, "Place of the segment within the video, from 0.", nullable=False),
            ColumnSpec("start_seconds", _DOUBLE, "Where the segment begins, in seconds from the start of the video."),
            ColumnSpec("end_seconds", _DOUBLE, "Where the segment ends, in seconds."),
            ColumnSpec("text", _STRING, text),
            ColumnSpec("fetched_at", TIMESTAMP, "When it was fetched from the service.", nullable=False),
            ColumnSpec("run_id", _STRING, _RUN_MEANING),
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
        ColumnSpec("call_id", _STRING, "Identity of the call.", nullable=False),
        ColumnSpec("started_at", TIMESTAMP, "When the request was sent.", nullable=False),
        ColumnSpec("operation", _STRING, "What was asked of the service, such as upload or search.", nullable=False),
        ColumnSpec("item", _STRING, "What it was asked for: a video, a file or a query."),
        ColumnSpec("run_id", _STRING, "The run that made the call."),
        ColumnSpec("outcome", _STRING, "ok, or the kind of error.", nullable=False),
        ColumnSpec("code", _STRING, "The code in the service's answer."),
        ColumnSpec("http_status", _INTEGER, "The HTTP status of the answer."),
        ColumnSpec("duration_seconds", _DOUBLE, "From sending to the end of the answer, in seconds."),
        ColumnSpec("waited_seconds", _DOUBLE, "How long the rate limit held it back before, in seconds."),
        ColumnSpec("bytes_sent", _INTEGER, "Size of the request's body in bytes."),
        ColumnSpec("bytes_received", _INTEGER, "Size of the answer's body in bytes."),
        ColumnSpec("cost_usd", _DOUBLE, "What the call costs by the price table, in US dollars."),
        ColumnSpec("day", _DAY, "Partition: the UTC date of started_at."),
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
        ColumnSpec("kind", _STRING, "video or keyframe.", nullable=False),
        ColumnSpec("video_no", _STRING, "The video it belongs to."),
        ColumnSpec("day", _DAY, _DAY_MEANING),
        ColumnSpec("bucket", _STRING, "Bucket at the service."),
        ColumnSpec("blob", _STRING, "Path in that bucket."),
        ColumnSpec("path", _STRING, "Where it lies in the archive."),
        ColumnSpec("size_bytes", _INTEGER, "Its size in bytes."),
        ColumnSpec("sha256", _STRING, "SHA-256 of its bytes, hexadecimal."),
        ColumnSpec("proven_by", _STRING, "What shows that it is whole: sha256, size, structure or none."),
        ColumnSpec("state", _STRING, "archived or failed.", nullable=False),
        ColumnSpec("archived_at", TIMESTAMP, "When it was put under its final name."),
    ),
    sort_by=(("day", "ascending"), ("kind", "ascending"), ("video_no", "ascending"), ("blob", "ascending")),
)

FAILURES: Final = TableSpec(
    name="failures",
    description="One row per thing that went wrong, with how often; mended ones have a resolved_at.",
    columns=(
        ColumnSpec("step", _STRING, "The step that failed, such as upload or archive.", nullable=False),
        ColumnSpec("subject", _STRING, "What it failed on: a file, a video or a query.", nullable=False),
        ColumnSpec("day", _DAY, _DAY_MEANING),
        ColumnSpec("reason", _STRING, "Why, and what to do about it."),
        ColumnSpec("count", _INTEGER, "How many times in a row.", nullable=False),
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
        ColumnSpec("package_version", _STRING, "Version of visualsearch_pipeline that built it.", nullable=False),
        ColumnSpec(
            "schema_version", _INTEGER, "Sum of the versions of all tables; it rises with each.", nullable=False
        ),
        ColumnSpec("fingerprint", _STRING, "Hash of everything it was built from.", nullable=False),
        ColumnSpec("row_counts", pa.map_(_STRING, _INTEGER), "Rows per table when it was built.", nullable=False),
        ColumnSpec("rebuilt_at", TIMESTAMP, "When all of it was last built anew; changes were put in since."),
        ColumnSpec("replaced_rows", _INTEGER, "Rows that were replaced in it since then."),
    ),
    version=2,
)

PUBLICATION_FILES: Final = TableSpec(
    name="publication_files",
    description="One row per Parquet file that this database was built from.",
    columns=(
        ColumnSpec("path", _STRING, "The file, relative to the folder of the warehouse.", nullable=False),
        ColumnSpec("table_name", _STRING, "The table it is a part of.", nullable=False),
        ColumnSpec("row_count", _INTEGER, "Its rows.", nullable=False),
        ColumnSpec("identity", _STRING, "Changes whenever the file is replaced.", nullable=False),
    ),
    sort_by=(("path", "ascending"),),
)

LEDGER_TABLES: Final = (VIDEOS, COVERAGE, QUERIES, API_CALLS, ARCHIVE, FAILURES)
"""Tables that are made from the ledger's state."""

DAY_TABLES: Final = (TRANSCRIPTS, CAPTIONS)
"""Tables with one file per day, made from the service's answers."""

FILE_TABLES: Final = (HITS, HIT_CHANGES, *LEDGER_TABLES, *DAY_TABLES)
"""Tables that are kept in Parquet files."""

TABLES: Final[Mapping[str, TableSpec]] = MappingProxyType(
    {spec.name: spec for spec in (*FILE_TABLES, PUBLICATION, PUBLICATION_FILES)}
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
