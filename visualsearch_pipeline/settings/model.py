"""The settings as a whole, with what follows from them."""

from __future__ import annotations

import os
from pathlib import Path

from pydantic import Field, PositiveFloat, ValidationInfo, field_validator, model_validator

from visualsearch_pipeline.settings.sections import (
    AlertSettings,
    ApiSettings,
    ArchiveSettings,
    BudgetSettings,
    IndexingSettings,
    RetentionSettings,
    SourceSettings,
    WebhookSettings,
)
from visualsearch_pipeline.settings.values import Owner, Section, check_ledger_url, check_limits_url


class Settings(Section):
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
    limits: str | None = Field(
        None,
        description="Where the processes that use the account's key share its rates: a folder of this host, or the "
        "SQLAlchemy URL of a PostgreSQL database, without a password, for several hosts. Default: the ledger's "
        "database if that is PostgreSQL, else `limits` in the state folder. Pipelines of one account should name the "
        "same.",
    )
    archive: ArchiveSettings = ArchiveSettings()
    indexing: IndexingSettings = IndexingSettings()
    webhooks: WebhookSettings = WebhookSettings()
    budget: BudgetSettings = BudgetSettings()
    alerts: AlertSettings = AlertSettings()
    retention: RetentionSettings = RetentionSettings()
    owner: Owner | None = Field(
        None,
        description="Who keeps the pipeline: an e-mail address or team:<name>. Query sets may name another.",
    )
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
        description="How often Dagster's sensors look; work that does not move is asked for again after 30 times as "
        "long.",
    )

    @field_validator("ledger_url")
    @classmethod
    def _no_password(cls, value: str | None) -> str | None:
        return value if value is None else check_ledger_url(value)

    @field_validator("limits")
    @classmethod
    def _place_of_limits(cls, value: str | None) -> str | None:
        return check_limits_url(value) if value is not None and "://" in value else value

    @model_validator(mode="before")
    @classmethod
    def _resolve_paths(cls, data: object, info: ValidationInfo) -> object:
        base = (info.context or {}).get("base")
        if not isinstance(data, dict) or not isinstance(base, Path):
            return data
        resolved = {"queries": "queries", "state": "state", **data}
        for key in ("queries", "state", "imports"):
            if isinstance(resolved.get(key), str):
                resolved[key] = _absolute_path(resolved[key], base)
        for key in ("warehouse", "limits"):
            if isinstance(resolved.get(key), str):
                resolved[key] = _absolute_url(resolved[key], base)
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
        """The database where all machines share the account's rate limits; None if that is a folder of this host.

        A ledger on PostgreSQL is used by several machines, so that no folder can take its place.
        """
        if self.limits is not None and "://" in self.limits:
            return self.limits
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
        """The folder where processes on this host share the account's rate limits, where there is no `limits_url`."""
        return Path(self.limits) if self.limits else self.state / "limits"


def _absolute_url(path: str, base: Path) -> str:
    if "://" in path:
        return path
    return str(_absolute_path(path, base))


def _absolute_path(path: str, base: Path) -> Path:
    """Without `..`, so that one file has one name, however the settings spell the way to it."""
    return Path(os.path.normpath(base / Path(path).expanduser()))
