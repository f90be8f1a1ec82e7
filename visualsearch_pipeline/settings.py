"""One typed settings model, read from one YAML file and the environment.

The file is found by `--config`, else `VISUALSEARCH_CONFIG`, else `visualsearch.yaml` in the working directory. Relative
paths in it are relative to the file. `VISUALSEARCH_BASE_URL` overrides `api.base_url`. The API key comes from
`VISUALSEARCH_API_KEY` alone: it is not part of the model, so that nothing that prints or stores settings can leak it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Annotated, Final, Literal, Self
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    PositiveFloat,
    Tag,
    ValidationInfo,
    field_validator,
    model_validator,
)

from visualsearch_pipeline.alert_addresses import check_webhook
from visualsearch_pipeline.located_yaml import YamlFileError, load_model

CONFIG_VARIABLE: Final = "VISUALSEARCH_CONFIG"
BASE_URL_VARIABLE: Final = "VISUALSEARCH_BASE_URL"
API_KEY_VARIABLE: Final = "VISUALSEARCH_API_KEY"
LEDGER_URL_VARIABLE: Final = "VISUALSEARCH_LEDGER_URL"
WEBHOOK_SECRET_VARIABLE: Final = "VISUALSEARCH_WEBHOOK_SECRET"
DEFAULT_FILE_NAME: Final = "visualsearch.yaml"

LIMITED_OPERATIONS: Final = (
    "upload",
    "scrape",
    "search",
    "list",
    "status",
    "transcripts",
    "download",
    "delete",
    "default",
)
"""The operation families that can be given a rate of their own (contract §3.1)."""

_RATE: Final = re.compile(r"(?P<count>[1-9]\d*)\s*/\s*(?:(?P<every>[1-9]\d*)\s*)?(?P<unit>second|minute|hour|day)s?")
_WEBHOOK_SECRET: Final = re.compile(r"[A-Za-z0-9_-]{24,128}")
_LONGEST_CALLBACK_CHARACTERS: Final = 299
_DATE_PARTS: Final = ("%Y", "%m", "%d")


class SettingsError(Exception):
    """The settings cannot be used. The message says which file, line and key, and the remedy."""


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)


def _check_base_url(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(f"must be a web address such as https://api.memories.ai, not {value!r}")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise ValueError(
            "must be a bare address: no user, password, query or fragment (the key goes into the environment)"
        )
    return value.rstrip("/").removesuffix("/serve/api/v1")


def _check_rate(value: str) -> str:
    if value != "unlimited" and not _RATE.fullmatch(value):
        raise ValueError(f"must read like `1/minute`, `5/second` or `1/2 seconds`, or `unlimited`, not {value!r}")
    return value


def _preset_or_rates(value: object) -> str:
    return "rates" if isinstance(value, dict) else "preset"


BaseUrl = Annotated[str, AfterValidator(_check_base_url)]
RateText = Annotated[str, AfterValidator(_check_rate)]
RateSetting = Annotated[
    Annotated[Literal["documented", "unlimited"], Tag("preset")] | Annotated[dict[str, RateText], Tag("rates")],
    # Told apart by their shape, so that a mistake in one is not reported as a mistake in the other too.
    Discriminator(_preset_or_rates),
]


class ScopeSettings(_Section):
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


class TimeoutSettings(_Section):
    """How long one request may take, in seconds."""

    connect_seconds: PositiveFloat = 10.0
    read_seconds: PositiveFloat = Field(60.0, description="Between two bytes of an answer.")
    retry_seconds: PositiveFloat = Field(60.0, description="How long a call is repeated while the service has trouble.")
    upload_seconds_per_gigabyte: PositiveFloat = Field(1800.0, description="An upload's time-out grows with it.")


class ApiSettings(_Section):
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


class SourceSettings(_Section):
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


class IndexingSettings(_Section):
    """How long the service may take before a video counts as missing or stuck (contract §5)."""

    grace_seconds: PositiveFloat = Field(900.0, description="How long a new upload may be invisible in the library.")
    stuck_after_seconds: PositiveFloat = Field(86_400.0, description="When a video still indexing counts as stuck.")
    import_stuck_after_seconds: PositiveFloat = Field(
        86_400.0, description="When an import that has brought nothing counts as stuck."
    )
    import_settle_seconds: float = Field(
        3_600.0, ge=0, description="An import that fell short, and brought nothing new for so long, is finished."
    )
    image_seconds: float = Field(
        120.0, ge=0, description="How long after its upload an image is first searched: images have no status to ask."
    )


class WebhookSettings(_Section):
    """Where the service may call back. Polling goes on without it; a call back only makes it look sooner."""

    public_url: BaseUrl | None = Field(
        None, description="Where the service reaches `visualsearch webhooks`, such as https://hooks.example.org."
    )


class ArchiveSettings(_Section):
    """What is downloaded and kept: originals by `video_no`, and the keyframes of hits."""

    path: str | None = Field(None, description="Default: `archive` in the state folder.")
    videos: bool = True
    keyframes: bool = True


class AlertSettings(_Section):
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


class RetentionSettings(_Section):
    """How old something may get before `visualsearch prune` removes it, in days."""

    runs_days: int = Field(90, ge=1, description="Finished Dagster runs and their logs.")
    ticks_days: int = Field(14, ge=1, description="Ticks of Dagster's sensors and schedules.")
    api_calls_days: int = Field(180, ge=1, description="Single calls; their sums per day and operation stay.")
    alerts_days: int = Field(180, ge=1, description="Alerts that were delivered or given up.")
    remote_videos_days: int = Field(
        30, ge=1, description="For `visualsearch delete-remote`: since when a video must have been archived."
    )


class PriceSettings(_Section):
    """What the service charges, in US dollars (contract §3.2). Prices change: keep the date true."""

    as_of: date = date(2026, 10, 7)
    indexing_per_1000_minutes: float = Field(15.0, ge=0)
    search_per_1000: float = Field(0.10, ge=0)
    download_per_gigabyte: float = Field(0.12, ge=0)
    import_per_video: float = Field(0.002, ge=0, description="From TikTok and Instagram.")
    youtube_per_gigabyte: float = Field(2.20, ge=0, description="From YouTube.")


class BudgetSettings(_Section):
    """Where spending stops: the call that would pass a budget is not made."""

    per_run_usd: float | None = Field(None, ge=0)
    per_day_usd: float | None = Field(None, ge=0, description="Counted from 00:00 UTC over all runs.")
    unseen_video_seconds: float = Field(
        300.0, ge=0, description="How long a video is taken to be that the service fetches: nobody can look before."
    )
    unseen_video_bytes: int = Field(100_000_000, ge=0, description="How large it is taken to be.")
    prices: PriceSettings = PriceSettings()


class Settings(_Section):
    """Everything a pipeline needs to know, save the API key. Paths are absolute or fsspec URLs once loaded."""

    api: ApiSettings = ApiSettings()
    source: SourceSettings = SourceSettings()
    imports: Path | None = Field(None, description="A YAML file of what is imported from social platforms.")
    queries: Path = Path("queries")
    state: Path = Path("state")
    ledger_url: str | None = Field(
        None,
        description="SQLAlchemy URL of SQLite or PostgreSQL, without a password; default: SQLite in the state folder.",
    )
    warehouse: str | None = Field(
        None, description="A folder or fsspec URL of the tables. Default: `warehouse` in the state folder."
    )
    limits: Path | None = Field(
        None,
        description="Folder where processes of this host share the account's rates; default: `limits` in the state "
        "folder. Pipelines of one account should name the same.",
    )
    archive: ArchiveSettings = ArchiveSettings()
    indexing: IndexingSettings = IndexingSettings()
    webhooks: WebhookSettings = WebhookSettings()
    budget: BudgetSettings = BudgetSettings()
    alerts: AlertSettings = AlertSettings()
    retention: RetentionSettings = RetentionSettings()
    snapshot_days: int = Field(3, ge=0, description="How many days older publications are kept for their readers.")
    step_seconds: PositiveFloat = Field(
        900.0, description="After this time a step begins no new item; the rest stays queued and is asked for again."
    )
    fresh_hours: float | None = Field(
        48.0, ge=1, description="How old the newest hits of a query set may be before Dagster's UI calls them stale."
    )
    sensor_seconds: int = Field(
        30,
        ge=1,
        description="How often Dagster's sensors look; work that does not move is asked for again after 30 times as long.",
    )

    @field_validator("ledger_url")
    @classmethod
    def _no_password(cls, value: str | None) -> str | None:
        return value if value is None else _check_ledger_url(value)

    @model_validator(mode="before")
    @classmethod
    def _resolve_paths(cls, data: object, info: ValidationInfo) -> object:
        base = (info.context or {}).get("base")
        if not isinstance(data, dict) or not isinstance(base, Path):
            return data
        resolved = {"queries": "queries", "state": "state", **data}
        for key in ("queries", "state", "imports", "limits"):
            if isinstance(resolved.get(key), str):
                resolved[key] = _absolute_path(resolved[key], base)
        if isinstance(resolved.get("warehouse"), str):
            resolved["warehouse"] = _absolute_url(resolved["warehouse"], base)
        places = (("source", "urls", None), ("source", "path", "./footage"), ("archive", "path", None))
        for section, key, default in places:
            part = resolved.get(section, {})
            if isinstance(part, dict):
                path = part.get(key, None if part.get("urls") else default)
                if isinstance(path, str) and path:
                    resolved[section] = {**part, key: _absolute_url(path, base)}
        return resolved

    @property
    def ledger_database_url(self) -> str:
        """The ledger's SQLAlchemy URL."""
        return self.ledger_url or f"sqlite:///{self.state / 'ledger.db'}"

    @property
    def limits_url(self) -> str | None:
        """The database where all machines share the account's rate limits: the ledger's, if that is PostgreSQL."""
        return self.ledger_url if self.ledger_url and self.ledger_url.startswith("postgresql") else None

    @property
    def warehouse_root(self) -> str:
        """The folder or URL of the Parquet files and of the DuckDB file."""
        return self.warehouse or str(self.state / "warehouse")

    @property
    def database_path(self) -> Path | str:
        """The published, read-only DuckDB file; a URL if the warehouse lies in an object store."""
        location = f"{self.warehouse_root.rstrip('/')}/visualsearch.duckdb"
        return location if "://" in location else Path(location)

    @property
    def archive_root(self) -> str:
        """The folder or URL of archived originals and keyframes."""
        return self.archive.path or str(self.state / "archive")

    @property
    def report_path(self) -> Path:
        """The folder of the report page."""
        return self.state / "report"

    @property
    def limits_path(self) -> Path:
        """The folder where processes on this host share the account's rate limits."""
        return self.limits or self.state / "limits"


def find_settings_file(path: Path | None = None, *, environ: Mapping[str, str] | None = None) -> Path:
    """The absolute path of the settings file, which need not exist."""
    environ = os.environ if environ is None else environ
    return Path(path or environ.get(CONFIG_VARIABLE) or DEFAULT_FILE_NAME).expanduser().absolute()


def load_settings(path: Path | None = None, *, environ: Mapping[str, str] | None = None) -> Settings:
    """Read the settings file and apply the environment's overrides.

    Args:
        path: the file; default `VISUALSEARCH_CONFIG`, else `visualsearch.yaml` in the working directory.
        environ: default `os.environ`.

    Raises:
        SettingsError: the file is missing, or a key is unknown, of the wrong type or impossible.
    """
    environ = os.environ if environ is None else environ
    file = find_settings_file(path, environ=environ)
    if not file.exists():
        raise SettingsError(
            f"{file}: there is no such settings file. Name one with --config or {CONFIG_VARIABLE}, "
            "or type `visualsearch demo` to have one written with sample footage."
        )
    try:
        settings = load_model(file, Settings, context={"base": file.parent})
    except YamlFileError as error:
        raise SettingsError(str(error)) from error
    return _with_base_url_of(environ, settings)


def complete_settings(settings: Settings, *, base: Path, environ: Mapping[str, str] | None = None) -> Settings:
    """Settings that were written somewhere else than in a settings file, as if `base` were their file's folder.

    Args:
        settings: relative paths in it are relative to `base`; absolute ones and URLs stay.
        base: a folder.
        environ: default `os.environ`; its overrides are applied as `load_settings` applies them.

    Raises:
        SettingsError: an override is impossible.
    """
    written = settings.model_dump(mode="json", exclude_unset=True)
    placed = Settings.model_validate(written, context={"base": base})
    return _with_base_url_of(os.environ if environ is None else environ, placed)


def _with_base_url_of(environ: Mapping[str, str], settings: Settings) -> Settings:
    return _overridden(settings, environ)


def _overridden(settings: Settings, environ: Mapping[str, str]) -> Settings:
    """The settings with what the environment says in place of the file."""
    base_url, ledger_url = environ.get(BASE_URL_VARIABLE), environ.get(LEDGER_URL_VARIABLE)
    changes: dict[str, object] = {}
    try:
        if base_url:
            changes["api"] = settings.api.model_copy(update={"base_url": _check_base_url(base_url)})
    except ValueError as error:
        raise SettingsError(f"{BASE_URL_VARIABLE} {error}") from error
    try:
        if ledger_url:
            changes["ledger_url"] = _check_ledger_url(ledger_url)
    except ValueError as error:
        raise SettingsError(f"{LEDGER_URL_VARIABLE} {error}") from error
    return settings.model_copy(update=changes) if changes else settings


def _check_ledger_url(value: str) -> str:
    # It is shown in Dagster's UI and in messages.
    authority = value.partition("://")[2].partition("/")[0]
    if ":" in authority.rpartition("@")[0] or "password=" in value:
        raise ValueError("must not hold a password: give that as PGPASSWORD or in ~/.pgpass, which PostgreSQL reads")
    return value


def read_api_key(*, environ: Mapping[str, str] | None = None) -> str:
    """The API key from `VISUALSEARCH_API_KEY`.

    Raises:
        SettingsError: it is not set.
    """
    environ = os.environ if environ is None else environ
    key = environ.get(API_KEY_VARIABLE, "")
    if not key.strip():
        raise SettingsError(
            f"{API_KEY_VARIABLE} is not set: the service refuses calls without a key. "
            f"Create one in the service's console and `export {API_KEY_VARIABLE}=sk-...` (it never belongs in a file)."
        )
    return key


def read_webhook_secret(*, environ: Mapping[str, str] | None = None) -> str:
    """The secret part of the webhook receiver's path, from `VISUALSEARCH_WEBHOOK_SECRET`.

    Raises:
        SettingsError: it is not set, or could be guessed or not be written in an address.
    """
    environ = os.environ if environ is None else environ
    secret = environ.get(WEBHOOK_SECRET_VARIABLE, "")
    if not _WEBHOOK_SECRET.fullmatch(secret):
        raise SettingsError(
            f"{WEBHOOK_SECRET_VARIABLE} must have 24 to 128 letters, digits, `-` and `_`: the service signs nothing, so "
            "this part of the receiver's address is all that keeps strangers out. Make one with `openssl rand -hex 24` "
            "and set it where the pipeline runs and where `visualsearch webhooks` does."
        )
    return secret


def read_callback_url(settings: Settings, *, environ: Mapping[str, str] | None = None) -> str | None:
    """The address that the service is asked to call back; None if `webhooks.public_url` is not set.

    Raises:
        SettingsError: the secret is missing, or the address is longer than the service takes (contract §3).
    """
    if settings.webhooks.public_url is None:
        return None
    address = f"{settings.webhooks.public_url}/callbacks/{read_webhook_secret(environ=environ)}"
    if len(address) > _LONGEST_CALLBACK_CHARACTERS:
        raise SettingsError(
            f"webhooks.public_url: with its secret the address has {len(address)} characters, and the service takes "
            f"{_LONGEST_CALLBACK_CHARACTERS}; use a shorter one"
        )
    return address


def _absolute_url(path: str, base: Path) -> str:
    if "://" in path:
        return path
    return str(_absolute_path(path, base))


def _absolute_path(path: str, base: Path) -> Path:
    """Without `..`, so that one file has one name, however the settings spell the way to it."""
    return Path(os.path.normpath(base / Path(path).expanduser()))
