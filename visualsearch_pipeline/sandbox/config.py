"""What a sandbox is told at start: dialect, clock, limits, money, and where its state lies."""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, field_validator

DEFAULT_API_KEY = "sk-mavi-sandbox"
DEFAULT_ACCOUNT = "sandbox"
GIBIBYTE = 1024**3
MEBIBYTE = 1024**2


class Dialect(StrEnum):
    """A generation of the API whose shapes the sandbox speaks (contract §0, §7)."""

    LIVE_2025 = "live-2025"
    SPRING_2026 = "spring-2026"
    OPENAPI = "openapi"


class AuthFailure(StrEnum):
    """How a missing or wrong key is answered; no source says which (contract §8, §9.1)."""

    ENVELOPE = "envelope"
    HTTP_401 = "http-401"


class RateLimitShape(StrEnum):
    """The four ways in which the service says "too fast" (contract §1.5)."""

    CODE_ONLY = "code-only"
    NULL_DATA = "null-data"
    INTEGER_CODE = "integer-code"
    BARE_429 = "bare-429"


class NameMatch(StrEnum):
    """How list_videos reads `video_name` (contract §2.6)."""

    EXACT = "exact"
    PARTIAL = "partial"


class OperationFamily(StrEnum):
    """Operations that share one rate limit (contract §3.1)."""

    UPLOAD = "upload"
    SCRAPE = "scrape"
    SEARCH = "search"
    TRANSCRIPT = "transcript"
    LIST = "list"
    METADATA = "metadata"
    DELETE = "delete"
    DOWNLOAD = "download"
    TASK = "task"
    OTHER = "other"


class Rate(BaseModel):
    """At most `calls` in `per_seconds`: a token bucket of that size, refilled evenly."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    calls: int = Field(gt=0)
    per_seconds: float = Field(gt=0)


RateLimits = Mapping[OperationFamily, Rate]

RATE_LIMIT_PRESETS: Mapping[str, RateLimits] = {
    "none": {},
    "v1.2": {
        OperationFamily.UPLOAD: Rate(calls=1, per_seconds=1),
        OperationFamily.SCRAPE: Rate(calls=1, per_seconds=60),
        OperationFamily.SEARCH: Rate(calls=10, per_seconds=1),
        OperationFamily.TRANSCRIPT: Rate(calls=5, per_seconds=1),
        OperationFamily.LIST: Rate(calls=5, per_seconds=1),
        OperationFamily.DELETE: Rate(calls=5, per_seconds=1),
        OperationFamily.DOWNLOAD: Rate(calls=12, per_seconds=60),
    },
    "p-2026": {
        OperationFamily.UPLOAD: Rate(calls=1, per_seconds=60),
        OperationFamily.SCRAPE: Rate(calls=1, per_seconds=60),
        OperationFamily.SEARCH: Rate(calls=1, per_seconds=1),
        OperationFamily.TRANSCRIPT: Rate(calls=1, per_seconds=1),
        OperationFamily.LIST: Rate(calls=5, per_seconds=1),
        OperationFamily.DELETE: Rate(calls=5, per_seconds=1),
        OperationFamily.DOWNLOAD: Rate(calls=12, per_seconds=60),
        OperationFamily.TASK: Rate(calls=1, per_seconds=1),
    },
}
"""The documented generations of limits (contract §3.1); operations not listed there have none."""


class SandboxConfig(BaseModel):
    """Everything that decides how a sandbox behaves.

    Times are seconds of the sandbox's own clock unless said otherwise; sizes are bytes.

    Raises:
        pydantic.ValidationError: A field is unknown, of the wrong type or out of range.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    state_dir: Path = Field(description="Folder of the database and of all stored media; made if missing.")
    host: str = Field(default="127.0.0.1", description="Address to listen on.")
    port: int = Field(default=0, ge=0, le=65535, description="Port to listen on; 0 takes a free one.")
    api_keys: Mapping[str, str] = Field(
        default={DEFAULT_API_KEY: DEFAULT_ACCOUNT},
        description="Account by API key. Quota, credits and library belong to the account (contract §1.1).",
    )
    dialect: Dialect = Field(default=Dialect.SPRING_2026, description="Generation of response shapes.")
    seed: int = Field(default=0, description="Seed of everything drawn at random.")

    indexing_seconds: float = Field(
        default=2.0, ge=0, description="Time from acceptance to readiness, whatever the length."
    )
    indexing_seconds_per_minute: float = Field(default=0.0, ge=0, description="More of it per minute of footage.")
    indexing_workers: int = Field(default=2, ge=1, le=32, description="Files decoded at the same time.")

    visibility_lag_seconds: float = Field(
        default=0.0, ge=0, description="Time from acceptance until list_videos and get_metadata know a video."
    )
    search_lag_seconds: float = Field(default=0.0, ge=0, description="Time from PARSE until a search finds a video.")

    frozen_at: datetime | None = Field(
        default=None, description="Start with the clock standing still at this aware time; None follows the real one."
    )
    rate_limits: Mapping[OperationFamily, Rate] = Field(
        default={}, description="Limits per operation family and account; a preset's name is accepted too."
    )
    rate_limit_shape: RateLimitShape = Field(
        default=RateLimitShape.CODE_ONLY, description="Body of the sandbox's own rate-limit answers."
    )
    rate_limit_slack_seconds: float = Field(
        default=0.05, ge=0, description="How much too early a call may arrive, for the jitter of a real network."
    )
    credits_usd: float | None = Field(
        default=None, ge=0, description="Opening balance of each account in US dollars; None never runs out."
    )
    public_library: bool = Field(
        default=False, description="Begin with public videos (six, encoded at the first start); scrapers add more."
    )
    admin: bool = Field(default=False, description="Whether the admin routes under /_sandbox answer.")

    auth_failure: AuthFailure = Field(default=AuthFailure.ENVELOPE, description="Shape of the answer to a wrong key.")
    failed_status: str | None = Field(
        default=None, description="Spelling of the failed status (FAIL, FAILED, PARSE_ERROR); None: the dialect's."
    )
    video_name_match: NameMatch | None = Field(default=None, description="Reading of video_name; None: the dialect's.")
    ignore_status_filter: bool = Field(default=False, description="list_videos takes no notice of `status`.")
    repeat_delete_is_conflict: bool = Field(
        default=False, description="Deleting unknown ids answers 0409 as in v1.2 (contract §2.18)."
    )
    missing_routes: frozenset[str] = Field(
        default=frozenset(),
        description="Operations (search_similar_images) or single paths (/serve/api/v1/download) it does not have.",
    )

    max_video_bytes: int = Field(default=3 * GIBIBYTE, gt=0, description="Largest file upload accepts.")
    max_url_video_bytes: int = Field(default=GIBIBYTE, gt=0, description="Largest file upload_url fetches.")
    max_image_bytes: int = Field(default=20 * MEBIBYTE, gt=0, description="Largest image anywhere.")
    max_images_per_upload: int = Field(default=20, gt=0, description="Batch cap of upload_img.")
    callback_delay_seconds: float = Field(default=0.0, ge=0, description="Real time between a change and its callback.")
    callback_copies: int = Field(default=1, ge=0, le=10, description="How often each callback is sent; 0: never.")
    callback_reversed: bool = Field(default=False, description="Callbacks due together are sent in the wrong order.")

    @field_validator("rate_limits", mode="before")
    @classmethod
    def _preset(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        if value not in RATE_LIMIT_PRESETS:
            message = f"unknown rate limit preset {value!r}; known are {', '.join(RATE_LIMIT_PRESETS)}"
            raise ValueError(message)
        return RATE_LIMIT_PRESETS[value]

    @field_validator("frozen_at")
    @classmethod
    def _aware(cls, value: datetime | None) -> datetime | None:
        if value is not None and value.tzinfo is None:
            message = "frozen_at needs a time zone, e.g. 2026-01-01T00:00:00+00:00"
            raise ValueError(message)
        return value

    @field_validator("api_keys")
    @classmethod
    def _some_key(cls, value: Mapping[str, str]) -> Mapping[str, str]:
        if not value or any(not key or not account for key, account in value.items()):
            message = "api_keys needs at least one key, each with an account"
            raise ValueError(message)
        return value
