"""The operations of the service: route, rate limit family, and whether repeating one is safe (contract §2, §3.1)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Literal

API_ROOT: Final = "/serve/api/v1"


class OperationFamily(StrEnum):
    """Operations that share one rate limit. The values are the names used in settings."""

    UPLOAD = "upload"
    SCRAPE = "scrape"
    SEARCH = "search"
    LIST = "list"
    STATUS = "status"
    TRANSCRIPTS = "transcripts"
    DOWNLOAD = "download"
    DELETE = "delete"
    DEFAULT = "default"


@dataclass(frozen=True)
class Operation:
    """One operation of the service.

    Attributes:
        name: As the service names it; appears in errors and `ApiCall`.
        method: HTTP method.
        path: Below the base URL, with a leading slash; or a whole URL.
        family: Whose rate limit it takes part in.
        repeatable: Whether doing it twice has the effect of doing it once: then a lost answer may be asked for again.
    """

    name: str
    method: Literal["GET", "POST"]
    path: str
    family: OperationFamily
    repeatable: bool = True


def _get(name: str, family: OperationFamily) -> Operation:
    return Operation(name=name, method="GET", path=f"{API_ROOT}/{name}", family=family)


def _post(name: str, family: OperationFamily, *, repeatable: bool = True) -> Operation:
    return Operation(name=name, method="POST", path=f"{API_ROOT}/{name}", family=family, repeatable=repeatable)


UPLOAD: Final = _post("upload", OperationFamily.UPLOAD, repeatable=False)
UPLOAD_URL: Final = _post("upload_url", OperationFamily.UPLOAD, repeatable=False)
UPLOAD_IMAGES: Final = _post("upload_img", OperationFamily.DEFAULT, repeatable=False)
LIST_VIDEOS: Final = _post("list_videos", OperationFamily.LIST)
GET_METADATA: Final = _get("get_metadata", OperationFamily.STATUS)
TASK_VIDEOS: Final = _get("get_video_ids_by_task_id", OperationFamily.STATUS)
LIST_UNIQUE_IDS: Final = _get("list_unique_ids", OperationFamily.LIST)
DELETE_VIDEOS: Final = _post("delete_videos", OperationFamily.DELETE)
SEARCH: Final = _post("search", OperationFamily.SEARCH)
SEARCH_SIMILAR_IMAGES: Final = _post("search_similar_images", OperationFamily.SEARCH)
SEARCH_CLIPS_BY_IMAGE: Final = _post("search_clips_by_image", OperationFamily.SEARCH)
SEARCH_AUDIO_TRANSCRIPTS: Final = _get("search_audio_transcripts", OperationFamily.SEARCH)
SEARCH_PUBLIC: Final = _post("search_public", OperationFamily.SEARCH)
SEARCH_PUBLIC_SIMILAR_IMAGES: Final = _post("search_public_similar_images", OperationFamily.SEARCH)
SEARCH_PUBLIC_AUDIO_TRANSCRIPTS: Final = _get("search_public_audio_transcripts", OperationFamily.SEARCH)
GET_AUDIO_TRANSCRIPTION: Final = _get("get_audio_transcription", OperationFamily.TRANSCRIPTS)
GET_VIDEO_CAPTION: Final = _get("get_video_caption", OperationFamily.TRANSCRIPTS)
GET_VIDEO_TRANSCRIPTION: Final = _get("get_video_transcription", OperationFamily.TRANSCRIPTS)
GET_PUBLIC_VIDEO_DETAIL: Final = _get("get_public_video_detail", OperationFamily.STATUS)
GET_PUBLIC_AUDIO_TRANSCRIPTION: Final = _get("get_public_audio_transcription", OperationFamily.TRANSCRIPTS)
GET_PUBLIC_VIDEO_TRANSCRIPTION: Final = _get("get_public_video_transcription", OperationFamily.TRANSCRIPTS)
SCRAPER: Final = _post("scraper", OperationFamily.SCRAPE, repeatable=False)
SCRAPER_TAG: Final = _post("scraper_tag", OperationFamily.SCRAPE, repeatable=False)
SCRAPER_URL: Final = _post("scraper_url", OperationFamily.SCRAPE, repeatable=False)
SCRAPER_PUBLIC: Final = _post("scraper_public", OperationFamily.SCRAPE, repeatable=False)
SCRAPER_TAG_PUBLIC: Final = _post("scraper_tag_public", OperationFamily.SCRAPE, repeatable=False)
SCRAPER_URL_PUBLIC: Final = _post("scraper_url_public", OperationFamily.SCRAPE, repeatable=False)
FOLDERS: Final = _get("folders", OperationFamily.DEFAULT)
FOLDERS_CREATE: Final = _post("folders/create", OperationFamily.DEFAULT, repeatable=False)
FOLDERS_RENAME: Final = _post("folders/rename", OperationFamily.DEFAULT, repeatable=False)
FOLDERS_DELETE: Final = _post("folders/delete", OperationFamily.DEFAULT, repeatable=False)
FOLDERS_VIDEOS: Final = _get("folders/videos", OperationFamily.LIST)
FOLDERS_MOVE: Final = _post("folders/move", OperationFamily.DEFAULT, repeatable=False)
DOWNLOAD: Final = _post("download", OperationFamily.DOWNLOAD)


def blob_download(route: str) -> Operation:
    """Return the download by bucket and blob on `route`, a path or a whole URL: three are documented (§2.17)."""
    return Operation(name="download_blob", method="GET", path=route, family=OperationFamily.DOWNLOAD)
