"""The client: one object per account and scope."""

from __future__ import annotations

from types import TracebackType
from typing import Literal, Self
from urllib.parse import urlsplit

from visualsearch_pipeline import __version__
from visualsearch_pipeline.api.api_key import ApiKey
from visualsearch_pipeline.api.calls import OnCall
from visualsearch_pipeline.api.downloads import DownloadCalls
from visualsearch_pipeline.api.errors import InvalidInput
from visualsearch_pipeline.api.folders import FolderCalls
from visualsearch_pipeline.api.images import ImageCalls
from visualsearch_pipeline.api.imports import ImportCalls
from visualsearch_pipeline.api.library import LibraryCalls
from visualsearch_pipeline.api.operations import API_ROOT, blob_download
from visualsearch_pipeline.api.policies import RetryPolicy, Timeouts
from visualsearch_pipeline.api.public_library import PublicCalls
from visualsearch_pipeline.api.rate_limits import RateLimiter
from visualsearch_pipeline.api.scopes import Scope
from visualsearch_pipeline.api.search import SearchCalls
from visualsearch_pipeline.api.transcripts import CAPTION_OPERATIONS, TranscriptCalls
from visualsearch_pipeline.api.transport import Transport
from visualsearch_pipeline.api.uploads import UploadCalls
from visualsearch_pipeline.api.url_uploads import UrlUploadCalls


class VisualSearchClient(
    UploadCalls,
    UrlUploadCalls,
    ImageCalls,
    ImportCalls,
    LibraryCalls,
    FolderCalls,
    SearchCalls,
    TranscriptCalls,
    PublicCalls,
    DownloadCalls,
):
    """A client of the Visual Search HTTP API, safe to share between threads.

    Every method is one operation of the service. Failures are errors of `visualsearch_pipeline.api.errors`; an empty
    result is never one in disguise.

    Args:
        base_url: The service's address, such as `https://api.memories.ai`; the routes' common path is added.
        api_key: The raw key, without `Bearer` and quotes. It shows in no repr, message or log.
        scope: Which part of the account; sent with every call that takes one (contract §9.38).
        timeouts: Time limits of one request.
        retry: When a failed call is made again.
        limiter: Holds requests back to the account's limits; None for no limits. Closed with the client; one that is
            shared opens itself again.
        on_call: Receives every single HTTP attempt, in the thread that made it.
        caption_route: Which name of the caption route to try first (contract §7).
        download_route: Where downloads by bucket and blob go: a path, or a whole URL (contract §2.17).
        user_agent_suffix: Added to the `User-Agent` header, to tell your application apart.

    Raises:
        InvalidInput: The base URL or the key cannot be right; the message says why.

    Example:
        >>> from visualsearch_pipeline.api import UniqueIdScope, VisualSearchClient
        >>> with VisualSearchClient(
        ...     base_url="https://api.memories.ai", api_key="sk-mavi-example", scope=UniqueIdScope("default")
        ... ) as client:
        ...     client
        VisualSearchClient(base_url='https://api.memories.ai', scope=unique_id='default')
    """

    def __init__(
        self,
        *,
        base_url: str,
        api_key: str,
        scope: Scope,
        timeouts: Timeouts | None = None,
        retry: RetryPolicy | None = None,
        limiter: RateLimiter | None = None,
        on_call: OnCall | None = None,
        caption_route: Literal["get_video_caption", "get_video_transcription"] = "get_video_caption",
        download_route: str = "/serve/api/v2/download",
        user_agent_suffix: str | None = None,
    ) -> None:
        if caption_route not in CAPTION_OPERATIONS:
            raise InvalidInput(f"caption_route must be one of {', '.join(CAPTION_OPERATIONS)}, not {caption_route!r}.")
        self._base_url = checked_base_url(base_url)
        self._scope = scope
        self._caption_operation = CAPTION_OPERATIONS[caption_route]
        self._blob_operation = blob_download(_checked_route(download_route))
        self._unknown_statuses: set[str] = set()
        agent = f"visualsearch-pipeline/{__version__}"
        self._transport = Transport(
            self._base_url,
            api_key=ApiKey(api_key),
            timeouts=timeouts or Timeouts(),
            retry=retry or RetryPolicy(),
            limiter=limiter,
            on_call=on_call,
            user_agent=f"{agent} {user_agent_suffix}" if user_agent_suffix else agent,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"VisualSearchClient(base_url={self._base_url!r}, scope={self._scope})"

    @property
    def base_url(self) -> str:
        """The service's address."""
        return self._base_url

    @property
    def scope(self) -> Scope:
        """Which part of the account this client works in."""
        return self._scope

    def close(self) -> None:
        """Close all connections, those of the limiter included."""
        self._transport.close()


def checked_base_url(base_url: str) -> str:
    """Return the address without a trailing slash and without the routes' common path.

    Raises:
        InvalidInput: It is no web address, or carries a password, query or fragment.
    """
    try:
        parts = urlsplit(base_url.strip())
        port = parts.port
    except ValueError as error:
        raise InvalidInput(f"The base URL cannot be read: {error}.") from None
    if parts.username or parts.password or parts.query or parts.fragment:
        # Not quoted: what stands there may be a secret.
        raise InvalidInput("The base URL must be a bare address, without user, password, query or fragment.")
    if parts.scheme not in ("http", "https") or not parts.hostname or port == 0:
        raise InvalidInput(f"The base URL must read like https://api.memories.ai, not {base_url!r}.")
    return base_url.strip().rstrip("/").removesuffix(API_ROOT)


def _checked_route(route: str) -> str:
    if route.startswith("/") and not route.startswith("//"):
        return route
    if urlsplit(route).scheme not in ("http", "https"):
        raise InvalidInput(f"download_route must begin with `/` or be a web address, not {route!r}.")
    checked_base_url(route)
    return route
