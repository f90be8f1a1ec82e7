"""The API as a Dagster resource."""

from __future__ import annotations

from pathlib import Path
from typing import Self

import dagster as dg
from pydantic import Field

from visualsearch_pipeline.api import (
    FolderScope,
    LimiterState,
    OnCall,
    OnWait,
    RateLimits,
    RetryPolicy,
    Scope,
    SharedRateLimiter,
    Timeouts,
    UniqueIdScope,
    VisualSearchClient,
    account_id,
)
from visualsearch_pipeline.api.rate_limits import RATE_PRESETS
from visualsearch_pipeline.api.sqlite_limiter_state import SqliteLimiterState
from visualsearch_pipeline.settings import API_KEY_VARIABLE, Settings


class VisualSearchResource(dg.ConfigurableResource["VisualSearchResource"]):
    """The Visual Search API: which service, which key, which part of the account, how fast.

    Give the key as `dg.EnvVar("VISUALSEARCH_API_KEY")`. A plain value would stand in Dagster's database in clear text.

    Example:
        >>> import dagster as dg
        >>> resource = VisualSearchResource(api_key=dg.EnvVar("VISUALSEARCH_API_KEY"), unique_id="default")
    """

    api_key: str = Field(
        description="The key, raw, without `Bearer`. Use `EnvVar`.",
        repr=False,
        json_schema_extra={"dagster__is_secret": True},
    )
    base_url: str = Field("https://api.memories.ai", description="Where the service is; the routes are added.")
    unique_id: str | None = Field(None, description="Namespace of the library. Give this or `folder_id`.")
    folder_id: int | None = Field(None, description="Folder of the library. Give this or `unique_id`.")
    rate_limits: dict[str, str] = Field(
        {}, description="Rates per operation, such as {upload: 1/minute}. Those left out keep the documented rate."
    )
    limits_path: str | None = Field(
        None, description="Folder where processes of this host share the rates; without a place there is no limit."
    )
    limits_url: str | None = Field(
        None, description="PostgreSQL database where processes of all hosts share the rates, instead of a folder."
    )
    connect_seconds: float = Field(10.0, description="Time limit for a connection.")
    read_seconds: float = Field(60.0, description="Time limit between two pieces of an answer.")
    retry_seconds: float = Field(60.0, description="How long a call is repeated while the service has trouble.")
    upload_seconds_per_gigabyte: float = Field(1800.0, description="An upload's time limit grows with it.")
    download_route: str = Field("/serve/api/v2/download", description="Where files are fetched by bucket and blob.")
    caption_route: str = Field("get_video_caption", description="`get_video_caption` or `get_video_transcription`.")

    @classmethod
    def from_settings(cls, settings: Settings) -> Self:
        """The resource that the settings describe. The key is read when a run starts, not now."""
        api = settings.api
        limits = api.rate_limits
        return cls(
            api_key=dg.EnvVar(API_KEY_VARIABLE),
            base_url=api.base_url,
            unique_id=api.scope.unique_id,
            folder_id=api.scope.folder_id,
            rate_limits=limits if isinstance(limits, dict) else dict(RATE_PRESETS.get(limits, {})),
            limits_path=None if limits == "unlimited" or settings.limits_url else str(settings.limits_path),
            limits_url=None if limits == "unlimited" else settings.limits_url,
            connect_seconds=api.timeouts.connect_seconds,
            read_seconds=api.timeouts.read_seconds,
            retry_seconds=api.timeouts.retry_seconds,
            upload_seconds_per_gigabyte=api.timeouts.upload_seconds_per_gigabyte,
            download_route=api.download_route,
            caption_route=api.caption_route,
        )

    @property
    def scope(self) -> Scope:
        """The part of the account that is worked in; the namespace `default` if nothing is given."""
        if self.folder_id is not None:
            return FolderScope(self.folder_id)
        return UniqueIdScope(self.unique_id or "default")

    def get_client(self, *, on_call: OnCall | None = None, on_wait: OnWait | None = None) -> VisualSearchClient:
        """Open a client. Close it, or use it as a context manager.

        Args:
            on_call: receives every single HTTP attempt.
            on_wait: is told how long the rate limit still holds a call back.

        Raises:
            InvalidInput: the key or the address cannot be right; the message says why.
        """
        return VisualSearchClient(
            base_url=self.base_url,
            api_key=self.api_key,
            scope=self.scope,
            timeouts=Timeouts(
                connect_seconds=self.connect_seconds,
                read_seconds=self.read_seconds,
                upload_seconds_per_gigabyte=self.upload_seconds_per_gigabyte,
            ),
            retry=RetryPolicy(total_seconds=self.retry_seconds),
            limiter=self._open_limiter(on_wait),
            on_call=on_call,
            caption_route="get_video_transcription"
            if self.caption_route == "get_video_transcription"
            else "get_video_caption",
            download_route=self.download_route,
        )

    def _open_limiter(self, on_wait: OnWait | None) -> SharedRateLimiter | None:
        account = account_id(api_key=self.api_key, base_url=self.base_url)
        state: LimiterState
        if self.limits_url is not None:
            # Late: SQLAlchemy is needed only here.
            from visualsearch_pipeline.api.postgresql_limiter_state import PostgresqlLimiterState

            state = PostgresqlLimiterState(self.limits_url)
        elif self.limits_path is not None:
            state = SqliteLimiterState(Path(self.limits_path) / f"{account}.db")
        else:
            return None
        return SharedRateLimiter(state, RateLimits.from_setting(self.rate_limits), account=account, on_wait=on_wait)
