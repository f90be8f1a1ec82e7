"""Folders, spoken in the OpenAPI dialect only (contract §2.19)."""

from visualsearch_pipeline.sandbox.arguments import MAX_FOLDER_NAME
from visualsearch_pipeline.sandbox.calls import Call, Reply
from visualsearch_pipeline.sandbox.dialect import Json
from visualsearch_pipeline.sandbox.errors import ApiError
from visualsearch_pipeline.sandbox.state.entries import LEGACY_FOLDER_ID, Scope

_DEFAULT_PAGE_SIZE = 20
_MAX_MOVED = 500


def folders(call: Call) -> Reply:
    """All folders of the account."""
    found = call.services.folders.all(call.account)
    return Reply(data={"folders": [_folder(folder_id, name) for folder_id, name in found]})


def folders_create(call: Call) -> Reply:
    """Make a folder with a name that is new in the account."""
    name = _free_name(call, "name")
    folder_id = call.services.folders.create(call.account, name, now_ms=call.services.clock.now_ms())
    return Reply(data=_folder(folder_id, name), item_ids=(str(folder_id),))


def folders_rename(call: Call) -> Reply:
    """Rename an own folder."""
    folder_id, name = _own_folder(call), _free_name(call, "new_name")
    call.services.folders.rename(folder_id, name)
    return Reply(data=_folder(folder_id, name), item_ids=(str(folder_id),))


def folders_delete(call: Call) -> Reply:
    """Delete an own folder unless a parsed video lies in it."""
    folder_id = _own_folder(call)
    if call.services.folders.holds_parsed(folder_id):
        raise ApiError("The folder contains parsed videos and cannot be deleted")
    call.services.folders.delete(folder_id)
    return Reply(item_ids=(str(folder_id),))


def folders_videos(call: Call) -> Reply:
    """The videos of a folder, in the shape of list_videos."""
    services, arguments = call.services, call.arguments
    folder_id = _required_id(call)
    call.check_folder(folder_id)
    page = arguments.within("page", low=1, high=None, default=1)
    size = arguments.within("page_size", low=1, high=None, default=_DEFAULT_PAGE_SIZE)
    scope = Scope(library=call.account, folder_id=folder_id)
    videos, total = services.library.find(scope, offset=(page - 1) * size, limit=size)
    items = [services.wire.listed(video) for video in videos]
    return Reply(
        data=services.wire.page("videos", items, page=page, size=size, total=services.wire.number(total)),
        item_ids=tuple(video.video_no for video in videos),
    )


def folders_move(call: Call) -> Reply:
    """Move videos into a folder that exists."""
    folder_id = _required_id(call)
    video_nos = call.arguments.texts("video_nos", at_most=_MAX_MOVED)
    if not video_nos:
        raise ApiError("The video numbers cannot be empty!")
    if folder_id == LEGACY_FOLDER_ID:
        raise ApiError("The API folder is read-only")
    call.check_folder(folder_id)
    call.services.library.move(Scope(library=call.account), video_nos, folder_id=folder_id)
    return Reply(item_ids=video_nos)


def _folder(folder_id: int, name: str) -> Json:
    return {"folder_id": folder_id, "folder_name": name}


def _required_id(call: Call) -> int:
    folder_id = call.arguments.integer("folder_id")
    if folder_id is None:
        raise ApiError("The folder_id parameter cannot be empty!")
    return folder_id


def _own_folder(call: Call) -> int:
    folder_id = _required_id(call)
    if folder_id <= 0:
        raise ApiError("folder_id must be greater than 0")
    call.check_folder(folder_id)
    return folder_id


def _free_name(call: Call, field: str) -> str:
    name = call.arguments.required_text(field)
    if len(name) > MAX_FOLDER_NAME:
        raise ApiError(f"{field} cannot exceed {MAX_FOLDER_NAME} characters")
    if any(name == known for _, known in call.services.folders.all(call.account)):
        raise ApiError(f"The folder name {name} already exists")
    return name
