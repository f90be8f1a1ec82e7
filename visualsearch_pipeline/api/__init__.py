"""A client of the Visual Search HTTP API, usable alone.

Example:
    >>> from visualsearch_pipeline.api import UniqueIdScope, VisualSearchClient
    >>> client = VisualSearchClient(
    ...     base_url="https://api.memories.ai", api_key="sk-mavi-example", scope=UniqueIdScope("default")
    ... )
    >>> client.close()
"""

from visualsearch_pipeline.api.calls import ApiCall, OnCall
from visualsearch_pipeline.api.client import VisualSearchClient
from visualsearch_pipeline.api.errors import (
    ApiError,
    AuthenticationError,
    BadResponse,
    ConnectionFailed,
    ConnectionLost,
    DestinationError,
    DownloadError,
    DownloadMismatch,
    EndpointUnavailable,
    IncompleteDownload,
    InsufficientCredits,
    InvalidInput,
    InvalidRequest,
    LimiterUnavailable,
    MalformedItem,
    NotRepeatable,
    OutcomeUnknown,
    PermissionDenied,
    RateLimited,
    ResourceNotFound,
    Timeout,
    TransientServiceError,
    TransportError,
    UnexpectedCode,
    UploadOutcomeUnknown,
    UploadSourceError,
    VisualSearchError,
)
from visualsearch_pipeline.api.folders import Folder
from visualsearch_pipeline.api.images import ImageHit, UploadedImage
from visualsearch_pipeline.api.imports import TaskVideos, VideoQuality
from visualsearch_pipeline.api.limiter_state import LimiterState
from visualsearch_pipeline.api.models import (
    ClipHit,
    FilteringLevel,
    SearchKind,
    Transcript,
    TranscriptPage,
    TranscriptSegment,
    UploadedVideo,
    Video,
    VideoPage,
    VideoStatus,
)
from visualsearch_pipeline.api.operations import OperationFamily
from visualsearch_pipeline.api.policies import RetryPolicy, Timeouts
from visualsearch_pipeline.api.public_library import Platform, PublicVideo
from visualsearch_pipeline.api.rate_limits import Rate, RateLimiter, RateLimits, account_id
from visualsearch_pipeline.api.scopes import FolderScope, Scope, UniqueIdScope
from visualsearch_pipeline.api.shared_rate_limiter import OnWait, SharedRateLimiter
from visualsearch_pipeline.api.upload_source import LocalFile, UploadSource
from visualsearch_pipeline.api.upload_validation import validate_upload
from visualsearch_pipeline.api.verified_stream import DownloadReceipt, VerifiedStream

__all__ = [
    "ApiCall",
    "ApiError",
    "AuthenticationError",
    "BadResponse",
    "ClipHit",
    "ConnectionFailed",
    "ConnectionLost",
    "DestinationError",
    "DownloadError",
    "DownloadMismatch",
    "DownloadReceipt",
    "EndpointUnavailable",
    "FilteringLevel",
    "Folder",
    "FolderScope",
    "ImageHit",
    "IncompleteDownload",
    "InsufficientCredits",
    "InvalidInput",
    "InvalidRequest",
    "LimiterState",
    "LimiterUnavailable",
    "LocalFile",
    "MalformedItem",
    "NotRepeatable",
    "OnCall",
    "OnWait",
    "OperationFamily",
    "OutcomeUnknown",
    "PermissionDenied",
    "Platform",
    "PublicVideo",
    "Rate",
    "RateLimited",
    "RateLimiter",
    "RateLimits",
    "ResourceNotFound",
    "RetryPolicy",
    "Scope",
    "SearchKind",
    "SharedRateLimiter",
    "TaskVideos",
    "Timeout",
    "Timeouts",
    "Transcript",
    "TranscriptPage",
    "TranscriptSegment",
    "TransientServiceError",
    "TransportError",
    "UnexpectedCode",
    "UniqueIdScope",
    "UploadOutcomeUnknown",
    "UploadSource",
    "UploadSourceError",
    "UploadedImage",
    "UploadedVideo",
    "VerifiedStream",
    "Video",
    "VideoPage",
    "VideoQuality",
    "VideoStatus",
    "VisualSearchClient",
    "VisualSearchError",
    "account_id",
    "validate_upload",
]
