"""Searching and reading the public library (contract §2.7, §2.12-2.15)."""

import json

from visualsearch_pipeline.sandbox.calls import Call, Reply
from visualsearch_pipeline.sandbox.config import Dialect
from visualsearch_pipeline.sandbox.dialect import without_none
from visualsearch_pipeline.sandbox.endpoints.search import (
    best,
    ids_of,
    least_score_of,
    similarity_of,
    top_k_of,
)
from visualsearch_pipeline.sandbox.endpoints.transcripts import phrase_page, seen_lines, spoken_lines
from visualsearch_pipeline.sandbox.endpoints.uploads import read_picture
from visualsearch_pipeline.sandbox.indexing.descriptors import describe
from visualsearch_pipeline.sandbox.platforms.posts import Platform
from visualsearch_pipeline.sandbox.searching.hits import search_clips, search_pictures, search_spoken
from visualsearch_pipeline.sandbox.searching.words import Query
from visualsearch_pipeline.sandbox.state.entries import PUBLIC_LIBRARY, Scope, Status, VideoEntry
from visualsearch_pipeline.sandbox.state.library import VideoFilter

_SCOPE = Scope(library=PUBLIC_LIBRARY)


def search_public(call: Call) -> Reply:
    """Search the public videos of one platform by words."""
    services, arguments = call.services, call.arguments
    text = arguments.required_text("search_param", message="The search_param parameter cannot be empty!")
    # Only the pages of spring 2026 let BY_CLIP pass as an alias (contract §2.12).
    accepted = ("BY_VIDEO", "BY_AUDIO", *(("BY_CLIP",) if services.config.dialect is Dialect.SPRING_2026 else ()))
    search_type = arguments.choice("search_type", accepted, default="BY_VIDEO")
    top_k, least_score = top_k_of(call, search_type), least_score_of(call)
    is_spoken = search_type == "BY_AUDIO"
    videos, _ = services.library.find(_SCOPE, VideoFilter(status=Status.PARSE, platform=_platform(call)))
    find = search_spoken if is_spoken else search_clips
    hits = best(find(Query.of(text), videos, services.corpus), top_k=top_k, least_score=least_score)
    return Reply(data=[services.wire.clip(hit, spoken=is_spoken) for hit in hits], item_ids=ids_of(hits))


def search_public_similar_images(call: Call) -> Reply:
    """Search the public videos of one platform by a picture."""
    services = call.services
    picture = read_picture(call.arguments.file(), max_bytes=services.config.max_image_bytes)
    similarity = similarity_of(call)
    videos, _ = services.library.find(_SCOPE, VideoFilter(status=Status.PARSE, platform=_platform(call)))
    hits = search_pictures(describe(picture), videos, services.corpus, similarity=similarity)
    return Reply(data=[services.wire.clip(hit) for hit in hits], item_ids=ids_of(hits))


def search_public_audio_transcripts(call: Call) -> Reply:
    """Spoken lines of public videos that contain a phrase."""
    return phrase_page(call, _SCOPE)


def get_public_video_detail(call: Call) -> Reply:
    """What is known of a public video, numbers as text (contract §2.7); null for an unknown one."""
    video = _public_video(call)
    if video is None:
        return Reply()
    ready = video.status is Status.PARSE
    base: dict[str, object] = {
        "duration": str(int(video.duration_seconds)) if ready else "0",
        "status": call.services.wire.status(video.status),
        "video_no": video.video_no,
        "video_name": video.video_name,
        "create_time": str(video.created_ms),
        "video_url": video.source_url,
    }
    detail: dict[str, object] = json.loads(video.detail or "{}")
    return Reply(data=without_none(base | detail), item_ids=(video.video_no,))


def get_public_audio_transcription(call: Call) -> Reply:
    """The spoken lines of a public video."""
    video = _public_video(call)
    return Reply() if video is None or video.status is not Status.PARSE else spoken_lines(call, video)


def get_public_video_transcription(call: Call) -> Reply:
    """What is to be seen in each clip of a public video."""
    video = _public_video(call)
    return Reply() if video is None or video.status is not Status.PARSE else seen_lines(call, video)


def _public_video(call: Call) -> VideoEntry | None:
    video_no = call.arguments.required_text("video_no", message="The video number cannot be empty!")
    return call.services.library.get(_SCOPE, video_no)


def _platform(call: Call) -> Platform:
    # An unknown platform silently means the first one (contract §2.12).
    value = call.arguments.text("type") or Platform.TIKTOK
    return Platform(value) if value in set(Platform) else Platform.TIKTOK
