"""search, search_similar_images, search_clips_by_image over private libraries (contract §2.8-2.10)."""

from visualsearch_pipeline.sandbox.calls import Call, Reply
from visualsearch_pipeline.sandbox.config import Dialect
from visualsearch_pipeline.sandbox.dialect import Json
from visualsearch_pipeline.sandbox.endpoints.uploads import read_picture
from visualsearch_pipeline.sandbox.errors import ApiError
from visualsearch_pipeline.sandbox.indexing.descriptors import describe
from visualsearch_pipeline.sandbox.searching.hits import (
    Hit,
    search_captions,
    search_clips,
    search_pictures,
    search_spoken,
    search_within,
)
from visualsearch_pipeline.sandbox.searching.images import search_images
from visualsearch_pipeline.sandbox.searching.words import Query
from visualsearch_pipeline.sandbox.state.entries import Scope, Status, VideoEntry
from visualsearch_pipeline.sandbox.state.library import VideoFilter

FILTERING_LEVELS = {"low": 0.15, "medium": 0.225, "high": 0.4}
DEFAULT_SIMILARITY = 0.85
MAX_SEARCHED_IDS = 100
_SEARCH_TYPES = ("BY_CLIP", "BY_VIDEO", "BY_AUDIO", "BY_IMAGE", "BY_CAPTION")
_IMAGES_PAGE_SIZE = 20


def search(call: Call) -> Reply:
    """Search by words; the shape of the answer depends on `search_type`."""
    arguments, services = call.arguments, call.services
    text = arguments.required_text("search_param", message="The search_param parameter cannot be empty!")
    search_type = arguments.choice("search_type", _SEARCH_TYPES, default="BY_CLIP")
    top_k, least_score = top_k_of(call, search_type), least_score_of(call)
    query, scope, wanted = Query.of(text), call.read_scope(), _filter(call)
    if search_type == "BY_IMAGE":
        found = [image for image in search_images(services.database, query, scope, wanted) if image[1] >= least_score]
        items = [
            services.wire.image(
                image, score=score, url=services.signed_links.url(call.base_url, image.bucket, image.blob)
            )
            for image, score in found[:top_k]
        ]
        # The page is shown as 0 and does not page (contract §2.8).
        return Reply(
            data=services.wire.page(
                "item", items, page=0, size=_IMAGES_PAGE_SIZE, total=services.wire.number(len(items))
            )
        )
    videos, _ = services.library.find(scope, wanted)
    if search_type == "BY_AUDIO":
        hits = search_spoken(query, videos, services.corpus)
    elif search_type == "BY_CAPTION":
        hits = search_captions(query, videos, services.corpus)
    else:
        hits = search_clips(query, videos, services.corpus)
    return clips_reply(call, best(hits, top_k=top_k, least_score=least_score), search_type=search_type)


def search_similar_images(call: Call) -> Reply:
    """Clips of the whole library that look like a picture."""
    services = call.services
    picture = read_picture(call.arguments.file(), max_bytes=services.config.max_image_bytes)
    similarity = similarity_of(call)
    videos = searchable(call, call.read_scope())
    hits = search_pictures(describe(picture), videos, services.corpus, similarity=similarity)
    return Reply(data=[services.wire.similar(hit) for hit in hits], item_ids=ids_of(hits))


def search_clips_by_image(call: Call) -> Reply:
    """Clips of one video that look like a picture and answer a prompt."""
    services, arguments = call.services, call.arguments
    picture = read_picture(arguments.file(), max_bytes=services.config.max_image_bytes)
    video_no = arguments.required_text("video_no", message="The video number cannot be empty!")
    prompt = arguments.required_text("prompt", message="The prompt parameter cannot be empty!")
    video = services.library.get(call.item_scope(), video_no)
    if video is None or video.status is not Status.PARSE:
        return Reply(data=[], item_ids=(video_no,))
    hits = search_within(describe(picture), Query.of(prompt), video, services.corpus)
    return Reply(data=[services.wire.clip_within(hit) for hit in hits], item_ids=(video_no,))


def clips_reply(call: Call, hits: list[Hit], *, search_type: str) -> Reply:
    """Hits in the shape of a search type."""
    wire = call.services.wire
    data: list[Json]
    if search_type == "BY_CAPTION":
        data = [wire.caption_hit(hit) for hit in hits]
    elif search_type == "BY_VIDEO" and wire.dialect is Dialect.LIVE_2025:
        # In August 2025 this found whole videos, once each, without times or score (contract §2.8).
        firsts = {hit.video.video_no: hit for hit in reversed(hits)}
        ordered = [hit for hit in hits if firsts[hit.video.video_no] is hit]
        data = [wire.clip(hit, whole_video=True) for hit in ordered]
    else:
        data = [wire.clip(hit, spoken=search_type == "BY_AUDIO") for hit in hits]
    return Reply(data=data, item_ids=ids_of(hits))


def best(hits: list[Hit], *, top_k: int, least_score: float) -> list[Hit]:
    """The first `top_k` of sorted hits that reach a score."""
    return [hit for hit in hits if hit.score >= least_score][:top_k]


def top_k_of(call: Call, search_type: str) -> int:
    """`top_k` with the default and the range of the search type (contract §2.8, §9.42)."""
    is_caption = search_type == "BY_CAPTION"
    return call.arguments.within("top_k", low=1, high=200 if is_caption else 1000, default=10 if is_caption else 100)


def least_score_of(call: Call) -> float:
    """The score below which `filtering_level` leaves hits out."""
    level = call.arguments.choice("filtering_level", ("", *FILTERING_LEVELS), default="")
    return FILTERING_LEVELS.get(level, 0.0)


def similarity_of(call: Call) -> float:
    """`similarity` of the searches by image, 0-1."""
    value = call.arguments.number("similarity")
    if value is None:
        return DEFAULT_SIMILARITY
    if not 0 <= value <= 1:
        raise ApiError("similarity must be between 0 and 1")
    return value


def ids_of(hits: list[Hit]) -> tuple[str, ...]:
    """The videos that were hit, once each."""
    return tuple(dict.fromkeys(hit.video.video_no for hit in hits))


def searchable(call: Call, scope: Scope) -> list[VideoEntry]:
    """The videos of a scope that a search sees."""
    wanted = VideoFilter(status=Status.PARSE, parsed_until_ms=call.searchable_until_ms)
    return call.services.library.find(scope, wanted)[0]


def _filter(call: Call) -> VideoFilter:
    arguments = call.arguments
    return VideoFilter(
        status=Status.PARSE,
        video_nos=arguments.texts("video_nos", at_most=MAX_SEARCHED_IDS) or None,
        tag=arguments.text("tag") or None,
        camera_model=arguments.text("camera_tag") or None,
        taken_since_ms=arguments.taken_at_ms(),
        near=arguments.coordinates(),
        parsed_until_ms=call.searchable_until_ms,
    )
