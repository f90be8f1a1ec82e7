"""The things a library holds, as frozen values."""

import json
from dataclasses import dataclass, field, fields
from enum import StrEnum

import numpy as np
import numpy.typing as npt
from sqlalchemy import RowMapping

DEFAULT_UNIQUE_ID = "default"
DEFAULT_FOLDER_ID = -1
LEGACY_FOLDER_ID = -2
PUBLIC_LIBRARY = "public"

Descriptors = npt.NDArray[np.float32]


class Status(StrEnum):
    """Life cycle of a video (contract §5); `PARSE` means ready, despite the name."""

    UNPARSE = "UNPARSE"
    PARSE = "PARSE"
    FAILED = "FAILED"


class DecodeState(StrEnum):
    """How far the worker has come with a file."""

    QUEUED = "queued"
    DECODED = "decoded"
    FAILED = "failed"


@dataclass(frozen=True, kw_only=True)
class CaptureDetails:
    """What the uploader says about the taking of a video or image."""

    datetime_taken_ms: int | None = None
    camera_model: str | None = None
    latitude: float | None = None
    longitude: float | None = None
    tags: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class VideoEntry:
    """One video of one library."""

    video_no: str
    snowflake: int
    library: str
    unique_id: str
    folder_id: int
    platform: str | None
    source_url: str | None
    task_id: str | None
    video_name: str
    file_name: str
    status: Status
    cause: str | None
    decode_state: DecodeState
    created_ms: int
    ready_at_ms: int | None
    reads_left: int | None
    stuck: bool
    size_bytes: int
    duration_seconds: float
    fps: float | None
    width: int | None
    height: int | None
    bucket: str
    blob: str
    keyframe_bucket: str
    keyframe_prefix: str
    retains_original: bool
    has_file: bool
    datetime_taken_ms: int | None
    camera_model: str | None
    latitude: float | None
    longitude: float | None
    tags: tuple[str, ...]
    callback: str | None
    detail: str | None

    @classmethod
    def from_row(cls, row: RowMapping) -> "VideoEntry":
        """Read a row of the videos table."""
        values = {name: row[name] for name in _VIDEO_FIELDS}
        values["tags"] = tuple(json.loads(row["tags"]))
        values["status"] = Status(row["status"])
        values["decode_state"] = DecodeState(row["decode_state"])
        return cls(**values)


@dataclass(frozen=True, kw_only=True)
class Segment:
    """A contiguous clip of a video with a sentence on what it shows; times in seconds."""

    start_seconds: float
    end_seconds: float
    caption: str
    keyframe_index: int


@dataclass(frozen=True, kw_only=True)
class SpokenSegment:
    """One line of a transcript; times in seconds."""

    start_seconds: float
    end_seconds: float
    text: str


@dataclass(frozen=True, kw_only=True)
class Keyframe:
    """A stored still: the second it was taken at, and its blob."""

    seconds: float
    blob: str


@dataclass(frozen=True, kw_only=True)
class MediaIndex:
    """What indexing found in one video. `descriptors` has one row per keyframe."""

    segments: tuple[Segment, ...]
    transcript: tuple[SpokenSegment, ...]
    keyframes: tuple[Keyframe, ...]
    descriptors: Descriptors = field(repr=False, compare=False)


@dataclass(frozen=True, kw_only=True)
class ImageEntry:
    """One image of a private library."""

    image_id: int
    account: str
    unique_id: str
    folder_id: int
    name: str
    created_ms: int
    size_bytes: int
    bucket: str
    blob: str
    datetime_taken_ms: int | None
    camera_model: str | None
    latitude: float | None
    longitude: float | None
    tags: tuple[str, ...]
    words: str

    @classmethod
    def from_row(cls, row: RowMapping) -> "ImageEntry":
        """Read a row of the images table."""
        values = {name: row[name] for name in _IMAGE_FIELDS}
        values["tags"] = tuple(json.loads(row["tags"]))
        return cls(**values)


@dataclass(frozen=True, kw_only=True)
class Scope:
    """The part of a library that a call sees: a namespace, a folder, or (both None) all of it (contract §1.9)."""

    library: str
    unique_id: str | None = None
    folder_id: int | None = None


_VIDEO_FIELDS = tuple(column.name for column in fields(VideoEntry))
_IMAGE_FIELDS = tuple(column.name for column in fields(ImageEntry))
