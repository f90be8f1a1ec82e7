"""The parts of the settings: service, source, indexing, archive, alerts, retention, money."""

from __future__ import annotations

from datetime import date
from typing import Final, Literal, Self

from pydantic import Field, PositiveFloat, field_validator, model_validator

from visualsearch_pipeline.alert_addresses import check_webhook
from visualsearch_pipeline.settings.values import LIMITED_OPERATIONS, BaseUrl, RateSetting, Section

_DATE_PARTS: Final = ("%Y", "%m", "%d")


class ScopeSettings(Section):
    """Where in the account the library lives: exactly one of the two styles (contract §1.9)."""

    unique_id: str | None = Field(None, min_length=1, description="Namespace; `default` is the service's own default.")
    folder_id: int | None = Field(None, description="Folder: -1 is the Default folder, a positive number an own one.")

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        if (self.unique_id is None) == (self.folder_id is None):
            raise ValueError("give exactly one of `unique_id` and `folder_id`")
        if self.folder_id is not None and self.folder_id < 1 and self.folder_id != -1:
            raise ValueError("`folder_id` must be -1 (the Default folder) or positive; -2 is read-only")
        return self


class TimeoutSettings(Section):
    """How long one request may take, in seconds."""

    connect_seconds: PositiveFloat = 10.0
    read_seconds: PositiveFloat = Field(60.0, description="Between two bytes of an answer.")
    retry_seconds: PositiveFloat = Field(60.0, description="How long a call is repeated while the service has trouble.")
    upload_seconds_per_gigabyte: PositiveFloat = Field(1800.0, description="An upload's time-out grows with it.")


class ApiSettings(Section):
    """The service: where it is, which library, how fast it may be asked."""

    base_url: BaseUrl = "https://api.memories.ai"
    scope: ScopeSettings = ScopeSettings(unique_id="default", folder_id=None)
    timeouts: TimeoutSettings = TimeoutSettings()
    rate_limits: RateSetting = Field(
        "documented",
        description="A preset, or a rate per operation; those left out keep the documented one.",
    )
    lost_answer_wait_seconds: float = Field(
        10.0, ge=0, description="How long after a lost answer an upload may still turn up in the library."
    )
    concurrent_transfers: int = Field(4, ge=1, le=64, description="Uploads or downloads under way at once.")
    images_per_upload: int = Field(
        10, ge=1, le=48, description="Images in one request. With 1, a lost answer is always resolved by the hash tag."
    )
    download_route: str = Field("/serve/api/v2/download", pattern=r"^(/|https?://)")
    caption_route: Literal["get_video_caption", "get_video_transcription"] = "get_video_caption"

    @field_validator("rate_limits")
    @classmethod
    def _known_families(cls, value: str | dict[str, str]) -> str | dict[str, str]:
        if isinstance(value, dict):
            unknown = sorted(set(value) - set(LIMITED_OPERATIONS))
            if unknown:
                raise ValueError(f"unknown operation {unknown[0]!r}; known: {', '.join(LIMITED_OPERATIONS)}")
        return value


class SourceSettings(Section):
    """The footage: where it lies, which files count, and which day each belongs to."""

    path: str | None = Field(
        "./footage", min_length=1, description="A folder or any fsspec URL. Without it and with `urls`: none."
    )
    urls: str | None = Field(
        None,
        min_length=1,
        description="A list of URLs that the service fetches itself: .txt, .csv or .jsonl, a path or any fsspec URL.",
    )
    allow_private_addresses: bool = Field(
        default=False,
        description="Whether `urls` may name this machine, private networks and names that lead there.",
    )
    include: tuple[str, ...] = Field(("**/*.mp4", "**/*.mov", "**/*.mkv", "**/*.avi"), min_length=1)
    image_include: tuple[str, ...] = Field(
        (), description="Images for the library of private images, such as `**/*.jpg`; none, if left out."
    )
    exclude: tuple[str, ...] = ()
    partition_by: str = Field("modified", description="`modified`, `arrival`, or a date pattern: `%Y/%m/%d`.")
    start_date: date = Field(date(2026, 1, 1), description="The first day that has a partition.")
    settle_seconds: float = Field(10.0, ge=0, description="A file younger than this may still be being written.")
    storage_options: dict[str, str | int | bool] = Field({}, description="Passed to fsspec; no secrets here.")

    @model_validator(mode="before")
    @classmethod
    def _urls_alone(cls, data: object) -> object:
        return {"path": None, **data} if isinstance(data, dict) and data.get("urls") else data

    @field_validator("partition_by")
    @classmethod
    def _known_partitioning(cls, value: str) -> str:
        if value not in ("modified", "arrival") and any(value.count(part) != 1 for part in _DATE_PARTS):
            raise ValueError(
                f"must be `modified`, `arrival`, or a date pattern with %Y, %m and %d once each, not {value!r}"
            )
        return value


class IndexingSettings(Section):
    """How long the service may take before a video counts as missing or stuck (contract §5)."""

    grace_seconds: PositiveFloat = Field(900.0, description="How long a new upload may be invisible in the library.")
    stuck_after_seconds: PositiveFloat = Field(
        21_600.0, description="When a video still indexing counts as stuck, its own length apart."
    )
    stuck_after_lengths: float = Field(4.0, ge=0, description="So many times its own length a video is given besides.")
    import_stuck_after_seconds: PositiveFloat = Field(
        86_400.0, description="When an import that has brought nothing counts as stuck."
    )
    import_settle_seconds: float = Field(
        3_600.0, ge=0, description="An import that fell short, and brought nothing new for so long, is finished."
    )
    image_seconds: float = Field(
        120.0, ge=0, description="How long after its upload an image is first searched: images have no status to ask."
    )

    def stuck_after(self, length_seconds: float | None) -> float:
        """How many seconds after its upload a video of this length, if it is known, counts as stuck."""
        return self.stuck_after_seconds + self.stuck_after_lengths * (length_seconds or 0.0)


class WebhookSettings(Section):
    """Where the service may call back. Polling goes on without it; a call back only makes it look sooner."""

    public_url: BaseUrl | None = Field(
        None, description="Where the service reaches `visualsearch webhooks`, such as https://hooks.example.org."
    )


class ArchiveSettings(Section):
    """What is downloaded and kept: originals by `video_no`, and the keyframes of hits."""

    path: str | None = Field(None, description="Default: `archive` in the state folder.")
    videos: bool = True
    keyframes: bool = True


class AlertSettings(Section):
    """Where `alert: new_hits` of a query set goes, and how long a delivery is tried."""

    webhook: str | None = Field(
        None, description="An https address without secrets, or the environment variable that holds the address."
    )
    command: tuple[str, ...] = Field((), description="A program and its arguments; the alert is JSON on its input.")
    deadline_seconds: PositiveFloat = Field(30.0, description="How long one delivery may take, its retries included.")
    give_up_days: int = Field(7, ge=0, description="How many days runs go on trying what could not be delivered.")
    run_failures: bool = Field(default=False, description="Tell of Dagster runs that fail, in the same way.")
    report_url: BaseUrl | None = Field(None, description="Where the report's folder is served, for links in alerts.")

    @field_validator("webhook")
    @classmethod
    def _without_secrets(cls, value: str | None) -> str | None:
        return None if value is None else check_webhook(value)

    @model_validator(mode="after")
    def _one_destination(self) -> Self:
        if self.webhook is not None and self.command:
            raise ValueError("has a `webhook` and a `command`; give one of them")
        if self.run_failures and self.webhook is None and not self.command:
            raise ValueError("has `run_failures` and nowhere to tell them; give a `webhook` or a `command`")
        return self


class RetentionSettings(Section):
    """How old something may get before `visualsearch prune` removes it, in days."""

    runs_days: int = Field(90, ge=1, description="Finished Dagster runs and their logs.")
    ticks_days: int = Field(14, ge=1, description="Ticks of Dagster's sensors and schedules.")
    api_calls_days: int = Field(180, ge=1, description="Single calls; their sums per day and operation stay.")
    alerts_days: int = Field(180, ge=1, description="Alerts that were delivered or given up.")
    remote_videos_days: int = Field(
        30, ge=1, description="For `visualsearch delete-remote`: since when a video must have been archived."
    )


class PriceSettings(Section):
    """What the service charges, in US dollars (contract §3.2). Prices change: keep the date true."""

    as_of: date = date(2026, 10, 7)
    indexing_per_1000_minutes: float = Field(15.0, ge=0)
    search_per_1000: float = Field(0.10, ge=0)
    download_per_gigabyte: float = Field(0.12, ge=0)
    import_per_video: float = Field(0.002, ge=0, description="From TikTok and Instagram.")
    youtube_per_gigabyte: float = Field(2.20, ge=0, description="From YouTube.")


class BudgetSettings(Section):
    """Where spending stops: the call that would pass a budget is not made."""

    per_run_usd: float | None = Field(None, ge=0)
    per_day_usd: float | None = Field(None, ge=0, description="Counted from 00:00 UTC over all runs.")
    unseen_video_seconds: float = Field(
        300.0, ge=0, description="How long a video is taken to be that the service fetches: nobody can look before."
    )
    unseen_video_bytes: int = Field(100_000_000, ge=0, description="How large it is taken to be.")
    prices: PriceSettings = PriceSettings()
