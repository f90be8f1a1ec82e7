"""What the client returns: frozen, typed, in one spelling whichever the service used (contract §1.8, §2)."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import AliasChoices, BaseModel, BeforeValidator, ConfigDict, Field

from visualsearch_pipeline.api.limits import API_TAG
from visualsearch_pipeline.api.wire import (
    Identifier,
    OptionalInstant,
    OptionalInteger,
    OptionalNumber,
    OptionalText,
    PositiveIntegerOrUnknown,
    PositiveOrUnknown,
    read_tags,
    read_text,
)


class _Answer(BaseModel):
    """Base: read by either spelling or by our own names; what we do not know is left out."""

    model_config = ConfigDict(frozen=True, extra="ignore", populate_by_name=True)


def _either(*names: str) -> AliasChoices:
    return AliasChoices(*names)


def _spoken(value: object) -> str:
    # Unlike elsewhere, "null" is a word here: somebody may say it.
    return value.strip() if isinstance(value, str) else read_text(value) or ""


def _own_tags(value: object) -> tuple[str, ...]:
    return tuple(tag for tag in read_tags(value) if tag != API_TAG)


Spoken = Annotated[str, BeforeValidator(_spoken)]
OwnTags = Annotated[tuple[str, ...], BeforeValidator(_own_tags)]


class VideoStatus(StrEnum):
    """Where a video is on its way into the index (contract §5)."""

    PROCESSING = "processing"
    READY = "ready"
    FAILED = "failed"


READY_STATUSES = frozenset({"PARSE", "DONE"})
FAILED_STATUSES = frozenset({"FAILED", "FAIL", "PARSE_ERROR", "ERROR"})
KNOWN_PROCESSING_STATUSES = frozenset({"UNPARSE", "PENDING", "PROCESSING", "UPLOADING"})


def read_status(raw_status: str) -> VideoStatus:
    """Read a status in any spelling; one that no source names means "still working" (contract §9.25)."""
    status = raw_status.strip().upper()
    if status in READY_STATUSES:
        return VideoStatus.READY
    return VideoStatus.FAILED if status in FAILED_STATUSES else VideoStatus.PROCESSING


class FilteringLevel(StrEnum):
    """How sure the service must be of a hit: 0.15, 0.225 or 0.4 (contract §2.8)."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"


class SearchKind(StrEnum):
    """What a text is looked for in."""

    CLIPS = "clips"
    AUDIO = "audio"
    CAPTIONS = "captions"


class Video(_Answer):
    """One entry of the library, as `list_videos` and `get_metadata` describe it (contract §2.6, §2.7).

    Attributes:
        video_no: The service's id; opaque.
        video_name: What the service calls it. Not unique and not the file name: never a key (contract §6.4).
        raw_status: The status as sent.
        duration_seconds: None until it is indexed.
        size_bytes: None where the service leaves it out, often until it is indexed.
        created_at: When the service accepted it. UTC.
        cause: Why it failed.
        video_url: Where the service says it can be seen, if anywhere.
        captured_at: When it was filmed, as given at upload. UTC.
        tags: Without the `api` that the service adds to everything.
        bucket: With `blob`, the storage location for `download_blob`.
    """

    video_no: Identifier = Field(validation_alias=_either("video_no", "videoNo"))
    video_name: Spoken = Field("", validation_alias=_either("video_name", "videoName"))
    raw_status: Spoken = Field("UNPARSE", validation_alias=_either("status", "videoStatus", "raw_status"))
    duration_seconds: PositiveOrUnknown = Field(None, validation_alias=_either("duration", "duration_seconds"))
    size_bytes: PositiveIntegerOrUnknown = Field(None, validation_alias=_either("size", "size_bytes"))
    created_at: OptionalInstant = Field(
        None, validation_alias=_either("create_time", "createTime", "uploadTime", "created_at")
    )
    cause: OptionalText = None
    video_url: OptionalText = Field(None, validation_alias=_either("video_url", "videoUrl"))
    captured_at: OptionalInstant = Field(
        None, validation_alias=_either("datetime_taken", "datetimeTaken", "captured_at")
    )
    camera_model: OptionalText = Field(None, validation_alias=_either("camera_model", "cameraModel"))
    latitude: OptionalNumber = None
    longitude: OptionalNumber = None
    tags: OwnTags = ()
    bucket: OptionalText = Field(None, validation_alias=_either("bucket", "video_bucket"))
    blob: OptionalText = Field(None, validation_alias=_either("blob", "video_blob"))
    fps: OptionalNumber = None
    width: OptionalInteger = None
    height: OptionalInteger = None
    resolution_label: OptionalText = Field(None, validation_alias=_either("resolution_label", "resolutionLabel"))

    @property
    def status(self) -> VideoStatus:
        """Whether it can be searched yet."""
        return read_status(self.raw_status)


class VideoPage(_Answer):
    """One page of a listing.

    Attributes:
        videos: The videos that match the filters.
        page: 1-based.
        page_size: How many the service says it puts on a page.
        total_count: How many match in all, or None if the service did not say. Not dependable (contract §9.31).
        received_video_nos: All that the service sent, those included that it should have filtered out itself.
    """

    videos: tuple[Video, ...]
    page: int
    page_size: int
    total_count: int | None = None
    received_video_nos: tuple[str, ...] = ()


class UploadedVideo(_Answer):
    """What an upload came to.

    Attributes:
        video_no: The new entry's id.
        video_name: None where the service does not repeat it.
        status: What the service says of it; `PROCESSING` where it says nothing.
        uploaded_at: By the service's clock, or None. UTC.
        sent_sha256: SHA-256 of the file's bytes as they were sent, in lower case hexadecimal; None for `upload_url`.
        sent_bytes: How many bytes of the file were sent; None for `upload_url`.
    """

    video_no: Identifier = Field(validation_alias=_either("videoNo", "video_no"))
    video_name: OptionalText = Field(None, validation_alias=_either("videoName", "video_name"))
    raw_status: Spoken = Field("UNPARSE", validation_alias=_either("videoStatus", "status", "raw_status"))
    uploaded_at: OptionalInstant = Field(None, validation_alias=_either("uploadTime", "upload_time", "uploaded_at"))
    sent_sha256: str | None = None
    sent_bytes: int | None = None

    @property
    def status(self) -> VideoStatus:
        """Whether it can be searched yet: at this moment hardly ever."""
        return read_status(self.raw_status)


class ClipHit(_Answer):
    """One match in a video. Of whole videos and of transcript searches some fields stay None (contract §2.8-2.11).

    Attributes:
        start_seconds: From the beginning of the video.
        end_seconds: None where the service does not say (transcript searches, similar images).
        score: Higher is better, mostly within 0-1; None for transcript searches.
        text: The transcript or caption that matched.
        video_bucket: With `video_blob`, the storage location of the whole video.
        keyframe_bucket: With `keyframe_blob`, the storage location of a still of this moment.
    """

    video_no: Identifier = Field(validation_alias=_either("videoNo", "video_no"))
    video_name: OptionalText = Field(None, validation_alias=_either("videoName", "video_name"))
    start_seconds: OptionalNumber = Field(None, validation_alias=_either("startTime", "start_time", "start_seconds"))
    end_seconds: OptionalNumber = Field(None, validation_alias=_either("endTime", "end_time", "end_seconds"))
    score: OptionalNumber = None
    text: OptionalText = Field(None, validation_alias=_either("audio_ts", "audioTs", "text"))
    video_bucket: OptionalText = Field(None, validation_alias=_either("video_bucket", "videoBucket"))
    video_blob: OptionalText = Field(None, validation_alias=_either("video_blob", "videoBlob"))
    keyframe_bucket: OptionalText = Field(None, validation_alias=_either("keyframe_bucket", "keyframeBucket"))
    keyframe_blob: OptionalText = Field(None, validation_alias=_either("keyframe_blob", "keyframeBlob"))

    @property
    def is_reversed(self) -> bool:
        """Whether it ends before it starts: kept as sent, for the caller to judge (contract §9.41)."""
        return self.start_seconds is not None and self.end_seconds is not None and self.end_seconds < self.start_seconds


class TranscriptPage(_Answer):
    """One page of a transcript search; `total_count` is None if the service did not say."""

    hits: tuple[ClipHit, ...]
    page: int
    page_size: int
    total_count: int | None = None


class TranscriptSegment(_Answer):
    """A stretch of speech or of caption. Segments may overlap and leave gaps (contract §9.49).

    Attributes:
        index: As numbered by the service.
        text: Trimmed.
        start_seconds: From the beginning of the video.
        end_seconds: Likewise.
    """

    index: OptionalInteger = None
    text: Spoken = Field("", validation_alias=_either("content", "text"))
    start_seconds: OptionalNumber = Field(None, validation_alias=_either("startTime", "start_time", "start_seconds"))
    end_seconds: OptionalNumber = Field(None, validation_alias=_either("endTime", "end_time", "end_seconds"))


class Transcript(_Answer):
    """What is said in a video, or what its captions say: segments in the order of their start."""

    video_no: Identifier = Field(validation_alias=_either("videoNo", "video_no"))
    segments: tuple[TranscriptSegment, ...] = ()
    created_at: OptionalInstant = Field(None, validation_alias=_either("createTime", "create_time", "created_at"))
    video_bucket: OptionalText = Field(None, validation_alias=_either("video_bucket", "videoBucket"))
    video_blob: OptionalText = Field(None, validation_alias=_either("video_blob", "videoBlob"))
