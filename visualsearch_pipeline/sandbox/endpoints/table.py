"""Every operation of the API: method, addresses, limits, price, handler."""

from collections.abc import Mapping

from visualsearch_pipeline.sandbox.calls import BodyKind, Endpoint, Handler
from visualsearch_pipeline.sandbox.config import Dialect, OperationFamily, SandboxConfig
from visualsearch_pipeline.sandbox.credits import SEARCH_USD, TRANSCRIPT_USD
from visualsearch_pipeline.sandbox.endpoints import (
    downloads,
    folders,
    library,
    public,
    scrapers,
    search,
    transcripts,
    uploads,
)

V1 = "/serve/api/v1"
V2 = "/serve/api/v2"


def _endpoint(
    operation: str,
    method: str,
    family: OperationFamily,
    body: BodyKind,
    handler: Handler,
    *,
    also: tuple[str, ...] = (),
    price_usd: float = 0.0,
    is_metered: bool = False,
    is_terse: bool = False,
) -> Endpoint:
    return Endpoint(
        operation=operation,
        method=method,
        paths=(f"{V1}/{operation}", *also),
        family=family,
        body=body,
        handler=handler,
        price_usd=price_usd,
        is_metered=is_metered or price_usd > 0,
        is_terse=is_terse,
    )


_F, _B = OperationFamily, BodyKind

_EVERYWHERE = (
    _endpoint("upload", "POST", _F.UPLOAD, _B.MULTIPART, uploads.upload, is_metered=True),
    _endpoint("upload_url", "POST", _F.UPLOAD, _B.FORM, uploads.upload_url, is_metered=True),
    _endpoint("upload_img", "POST", _F.UPLOAD, _B.MULTIPART, uploads.upload_img, is_metered=True),
    _endpoint("list_videos", "POST", _F.LIST, _B.JSON, library.list_videos),
    _endpoint("get_metadata", "GET", _F.METADATA, _B.QUERY, library.get_metadata),
    _endpoint("delete_videos", "POST", _F.DELETE, _B.JSON, library.delete_videos),
    _endpoint("search", "POST", _F.SEARCH, _B.JSON, search.search, price_usd=SEARCH_USD),
    _endpoint(
        "search_similar_images", "POST", _F.SEARCH, _B.MULTIPART, search.search_similar_images, price_usd=SEARCH_USD
    ),
    _endpoint(
        "search_clips_by_image", "POST", _F.SEARCH, _B.MULTIPART, search.search_clips_by_image, price_usd=SEARCH_USD
    ),
    _endpoint(
        "search_audio_transcripts",
        "GET",
        _F.SEARCH,
        _B.QUERY,
        transcripts.search_audio_transcripts,
        price_usd=SEARCH_USD,
    ),
    _endpoint(
        "get_audio_transcription",
        "GET",
        _F.TRANSCRIPT,
        _B.QUERY,
        transcripts.get_audio_transcription,
        price_usd=TRANSCRIPT_USD,
    ),
    _endpoint(
        "get_video_caption",
        "GET",
        _F.TRANSCRIPT,
        _B.QUERY,
        transcripts.get_video_caption,
        also=(f"{V1}/get_video_transcription",),
        price_usd=TRANSCRIPT_USD,
    ),
    _endpoint("download", "POST", _F.DOWNLOAD, _B.JSON, downloads.download),
    Endpoint(
        operation="download_blob",
        method="GET",
        # The third address, on another host, has the path of the second (contract §2.17).
        paths=(f"{V1}/download", f"{V2}/download"),
        family=_F.DOWNLOAD,
        body=_B.QUERY,
        handler=downloads.download_blob,
    ),
    _endpoint("scraper", "POST", _F.SCRAPE, _B.JSON, scrapers.scraper, is_metered=True),
    _endpoint("scraper_tag", "POST", _F.SCRAPE, _B.JSON, scrapers.scraper_tag, is_metered=True),
    _endpoint("scraper_url", "POST", _F.SCRAPE, _B.JSON, scrapers.scraper_url, is_metered=True),
    _endpoint("scraper_public", "POST", _F.SCRAPE, _B.JSON, scrapers.scraper_public, is_metered=True),
    _endpoint("scraper_tag_public", "POST", _F.SCRAPE, _B.JSON, scrapers.scraper_tag_public, is_metered=True),
    _endpoint("scraper_url_public", "POST", _F.SCRAPE, _B.JSON, scrapers.scraper_url_public, is_metered=True),
    _endpoint("get_video_ids_by_task_id", "GET", _F.TASK, _B.QUERY, scrapers.get_video_ids_by_task_id),
    _endpoint("search_public", "POST", _F.SEARCH, _B.JSON, public.search_public, price_usd=SEARCH_USD),
    _endpoint(
        "search_public_similar_images",
        "POST",
        _F.SEARCH,
        _B.MULTIPART,
        public.search_public_similar_images,
        price_usd=SEARCH_USD,
    ),
    _endpoint(
        "search_public_audio_transcripts",
        "GET",
        _F.SEARCH,
        _B.QUERY,
        public.search_public_audio_transcripts,
        price_usd=SEARCH_USD,
    ),
    _endpoint("get_public_video_detail", "GET", _F.METADATA, _B.QUERY, public.get_public_video_detail),
    _endpoint(
        "get_public_audio_transcription",
        "GET",
        _F.TRANSCRIPT,
        _B.QUERY,
        public.get_public_audio_transcription,
        price_usd=TRANSCRIPT_USD,
    ),
    _endpoint(
        "get_public_video_transcription",
        "GET",
        _F.TRANSCRIPT,
        _B.QUERY,
        public.get_public_video_transcription,
        price_usd=TRANSCRIPT_USD,
    ),
)
_WITH_NAMESPACES = (_endpoint("list_unique_ids", "GET", _F.OTHER, _B.QUERY, library.list_unique_ids),)
# The schemas of these three show neither success nor failed (contract §1.2, §2.19).
_WITH_FOLDERS = (
    _endpoint("folders", "GET", _F.OTHER, _B.QUERY, folders.folders, is_terse=True),
    _endpoint("folders/create", "POST", _F.OTHER, _B.FORM, folders.folders_create, is_terse=True),
    _endpoint("folders/rename", "POST", _F.OTHER, _B.FORM, folders.folders_rename, is_terse=True),
    _endpoint("folders/delete", "POST", _F.OTHER, _B.FORM, folders.folders_delete),
    _endpoint("folders/videos", "GET", _F.LIST, _B.QUERY, folders.folders_videos),
    _endpoint("folders/move", "POST", _F.OTHER, _B.JSON, folders.folders_move),
)

Routes = Mapping[str, Mapping[str, Endpoint]]
"""Endpoints by path, then by method."""


def routes_of(config: SandboxConfig) -> Routes:
    """The routes that a sandbox of this configuration has."""
    by_dialect = _WITH_FOLDERS if config.dialect is Dialect.OPENAPI else _WITH_NAMESPACES
    routes: dict[str, dict[str, Endpoint]] = {}
    for endpoint in (*_EVERYWHERE, *by_dialect):
        for path in endpoint.paths:
            if config.missing_routes.isdisjoint({endpoint.operation, path}):
                routes.setdefault(path, {})[endpoint.method] = endpoint
    return routes


def operations() -> tuple[str, ...]:
    """The names of all operations of all dialects, as journal and faults use them."""
    return tuple(endpoint.operation for endpoint in (*_EVERYWHERE, *_WITH_NAMESPACES, *_WITH_FOLDERS))
