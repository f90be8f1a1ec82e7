"""What the service refuses, as constants: the client and `media/` check against the same numbers (contract §3)."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

MAX_UPLOAD_BYTES: Final = 3 * 1024**3
"""Largest video file, in bytes: the documented 3 GB, read as binary gigabytes (contract §2.1)."""

MAX_URL_UPLOAD_BYTES: Final = 1024**3
"""Largest video fetched from a URL without special permission, in bytes (contract §2.2)."""

UPLOAD_MEDIA_TYPES: Final[Mapping[str, str]] = MappingProxyType(
    {
        ".mp4": "video/mp4",
        ".avi": "video/x-msvideo",
        ".mkv": "video/x-matroska",
        ".mov": "video/quicktime",
    }
)
"""Accepted file name extensions, lower case, each with the Content-Type its part is sent with (contract §2.1)."""

UPLOAD_EXTENSIONS: Final = frozenset(UPLOAD_MEDIA_TYPES)
"""Accepted file name extensions of videos, lower case with the dot; compare case-insensitively (contract §2.1)."""

UPLOAD_CODECS: Final = frozenset({"h264", "hevc", "vp9"})
"""Accepted video codecs by FFmpeg's names; `hevc` is the documented h265 (contract §2.1)."""

IMAGE_MEDIA_TYPES: Final[Mapping[str, str]] = MappingProxyType(
    {
        ".jpg": "image/jpeg",
        ".jpeg": "image/jpeg",
        ".png": "image/png",
        ".gif": "image/gif",
        ".bmp": "image/bmp",
        ".webp": "image/webp",
    }
)
"""Accepted file name extensions of images, each with the Content-Type its part is sent with (contract §2.3)."""

IMAGE_EXTENSIONS: Final = frozenset(IMAGE_MEDIA_TYPES)
"""Accepted file name extensions of images, lower case with the dot (contract §2.3)."""

MAX_IMAGE_BYTES: Final = 20 * 1024**2
"""Largest image, in bytes (contract §2.3)."""

MAX_VIDEO_TAGS: Final = 20
MAX_IMAGE_TAGS: Final = 50
MAX_CALLBACK_CHARACTERS: Final = 299
MAX_CAMERA_MODEL_CHARACTERS: Final = 200
MAX_FOLDER_NAME_CHARACTERS: Final = 100

MAX_SEARCH_VIDEO_NOS: Final = 100
MAX_DELETE_VIDEO_NOS: Final = 100
MAX_MOVE_VIDEO_NOS: Final = 500
MAX_SCRAPER_URLS: Final = 50
MAX_LIST_SIZE: Final = 200
"""Most videos on one page of `list_videos` that every source allows (contract §7)."""
MAX_TRANSCRIPT_PAGE_SIZE: Final = 500
SAFE_TRANSCRIPT_PAGE_SIZE: Final = 100
"""A page size of transcript searches that every generation of the service accepts (contract §7)."""

MAX_TOP_K: Final = 1000
MAX_CAPTION_TOP_K: Final = 200

API_TAG: Final = "api"
"""The tag that the service adds to everything uploaded through the API; left out of results (contract §9.18)."""
