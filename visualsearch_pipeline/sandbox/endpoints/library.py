"""list_videos, get_metadata, delete_videos, list_unique_ids (contract §2.6, §2.7, §2.18, §2.20)."""

from visualsearch_pipeline.sandbox.calls import Call, Reply
from visualsearch_pipeline.sandbox.config import NameMatch
from visualsearch_pipeline.sandbox.errors import CONFLICT, UNBINDABLE, ApiError
from visualsearch_pipeline.sandbox.state.entries import Status, VideoEntry
from visualsearch_pipeline.sandbox.state.library import VideoFilter

DEFAULT_LIST_SIZE = 200
MAX_DELETED = 100
_MAX_LISTED_IDS = 10_000


def list_videos(call: Call) -> Reply:
    """One page of the library, newest first."""
    services, arguments = call.services, call.arguments
    page = arguments.within("page", low=1, high=None, default=1)
    size = arguments.within("size", low=1, high=None, default=DEFAULT_LIST_SIZE)
    wanted = VideoFilter(
        video_name=arguments.text("video_name") or None,
        name_is_partial=services.wire.name_match is NameMatch.PARTIAL,
        video_no=arguments.text("video_no") or None,
        video_nos=arguments.texts("video_nos", at_most=_MAX_LISTED_IDS) or None,
        status=_status(call),
        camera_model=arguments.text("camera_model") or None,
        tag=arguments.text("tag") or None,
        taken_since_ms=arguments.integer("datetime_taken"),
        near=arguments.coordinates(),
        created_until_ms=call.visible_until_ms,
    )
    videos, total = services.library.find(call.read_scope(), wanted, offset=(page - 1) * size, limit=size)
    data = services.wire.page(
        "videos",
        [services.wire.listed(video) for video in videos],
        page=page,
        size=size,
        total=services.wire.number(total),
    )
    return _read(call, videos, data)


def get_metadata(call: Call) -> Reply:
    """One video; null when it is unknown, not an error (contract §2.7)."""
    video_no = call.arguments.required_text("video_no", message="The video number cannot be empty!")
    video = call.services.library.get(call.item_scope(), video_no, created_until_ms=call.visible_until_ms)
    return Reply() if video is None else _read(call, [video], call.services.wire.metadata(video))


def delete_videos(call: Call) -> Reply:
    """Delete by a bare array of ids; unknown ones are no error (contract §2.18, §9.58)."""
    services = call.services
    if call.arguments.array is None:
        raise ApiError("JSON parse error: an array of video numbers is expected", code=UNBINDABLE)
    video_nos = [str(video_no) for video_no in call.arguments.array]
    if not video_nos:
        raise ApiError("The video numbers cannot be empty!")
    if len(video_nos) > MAX_DELETED:
        raise ApiError(f"The number of videos cannot exceed {MAX_DELETED}")
    removed = services.library.remove(call.item_scope(), video_nos)
    if not removed and services.config.repeat_delete_is_conflict:
        raise ApiError("The operation cannot be repeated", code=CONFLICT)
    for video in removed:
        services.files.remove(video.bucket, video.blob)
        services.files.remove_folder(video.keyframe_bucket, video.keyframe_prefix)
        services.corpus.forget(video.video_no)
    return Reply(item_ids=tuple(video.video_no for video in removed))


def list_unique_ids(call: Call) -> Reply:
    """The namespaces in which anything was uploaded."""
    return Reply(data={"unique_ids": call.services.library.unique_ids(call.account)})


def _status(call: Call) -> Status | None:
    value = call.arguments.text("status")
    if not value or call.services.config.ignore_status_filter:
        return None
    status = call.services.wire.status_filter(value)
    if status is None:
        raise ApiError(f"Unknown status {value!r}; accepted values: [PARSE, UNPARSE, FAILED]", code=UNBINDABLE)
    return status


def _read(call: Call, videos: list[VideoEntry], data: object) -> Reply:
    waiting = [video.video_no for video in videos if video.reads_left]
    if waiting:
        call.services.progress.count_read(waiting)
    return Reply(data=data, item_ids=tuple(video.video_no for video in videos))
