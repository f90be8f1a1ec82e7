"""search_audio_transcripts, get_audio_transcription, get_video_caption (contract §2.11, §2.15)."""

from visualsearch_pipeline.sandbox.calls import Call, Reply
from visualsearch_pipeline.sandbox.dialect import Json, line
from visualsearch_pipeline.sandbox.endpoints.search import ids_of, searchable
from visualsearch_pipeline.sandbox.searching.hits import phrase_lines
from visualsearch_pipeline.sandbox.state.entries import Scope, Status, VideoEntry

_DEFAULT_PAGE_SIZE = 100
_MAX_PAGE_SIZE = 500


def search_audio_transcripts(call: Call) -> Reply:
    """Spoken lines of the private library that contain a phrase."""
    return phrase_page(call, call.read_scope())


def get_audio_transcription(call: Call) -> Reply:
    """The spoken lines of a video; null when it has none or is not ready."""
    video = _ready_video(call, call.item_scope())
    return Reply() if video is None else spoken_lines(call, video)


def get_video_caption(call: Call) -> Reply:
    """What is to be seen in each clip of a video; null before it is ready."""
    video = _ready_video(call, call.item_scope())
    return Reply() if video is None else seen_lines(call, video)


def phrase_page(call: Call, scope: Scope) -> Reply:
    """One page of lines that contain `query`."""
    services, arguments = call.services, call.arguments
    phrase = arguments.required_text("query", message="The query parameter cannot be empty!")
    page = arguments.within("page", low=1, high=None, default=1)
    size = arguments.within("page_size", low=1, high=_MAX_PAGE_SIZE, default=_DEFAULT_PAGE_SIZE)
    hits = phrase_lines(phrase, searchable(call, scope), services.corpus)
    shown = hits[(page - 1) * size : page * size]
    data = services.wire.page(
        "videos",
        [services.wire.spoken_hit(hit) for hit in shown],
        page=page,
        size=size,
        total=services.wire.transcript_total(len(hits)),
    )
    return Reply(data=data, item_ids=ids_of(shown))


def spoken_lines(call: Call, video: VideoEntry) -> Reply:
    """The transcript of a ready video, null if nothing is spoken in it."""
    media = call.services.corpus.media(video)
    lines = [line(number, spoken) for number, spoken in enumerate(media.index.transcript)] if media else []
    return _reply(call, video, lines)


def seen_lines(call: Call, video: VideoEntry) -> Reply:
    """The captions of a ready video."""
    media = call.services.corpus.media(video)
    lines = [line(number, segment) for number, segment in enumerate(media.index.segments)] if media else []
    return _reply(call, video, lines)


def _reply(call: Call, video: VideoEntry, lines: list[Json]) -> Reply:
    data = call.services.wire.transcription(video, lines) if lines else None
    return Reply(data=data, item_ids=(video.video_no,))


def _ready_video(call: Call, scope: Scope) -> VideoEntry | None:
    video_no = call.arguments.required_text("video_no", message="The video number cannot be empty!")
    video = call.services.library.get(scope, video_no)
    return video if video is not None and video.status is Status.PARSE else None
