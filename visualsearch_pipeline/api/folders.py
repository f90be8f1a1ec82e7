"""Folders, the newer way of dividing an account (contract §2.19)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from pydantic import BaseModel, ConfigDict

from visualsearch_pipeline.api import operations
from visualsearch_pipeline.api.errors import InvalidInput
from visualsearch_pipeline.api.library import checked_video_no
from visualsearch_pipeline.api.limits import MAX_FOLDER_NAME_CHARACTERS, MAX_LIST_SIZE, MAX_MOVE_VIDEO_NOS
from visualsearch_pipeline.api.models import Video, VideoPage
from visualsearch_pipeline.api.operations import FOLDERS, FOLDERS_VIDEOS, Operation
from visualsearch_pipeline.api.outcomes import effect_once
from visualsearch_pipeline.api.paging import iterate_pages
from visualsearch_pipeline.api.parsing import count_member, member, parse_item, parse_items
from visualsearch_pipeline.api.scopes import DEFAULT_FOLDER_ID, FolderScope
from visualsearch_pipeline.api.transport import Call, Scalar, Transport
from visualsearch_pipeline.api.wire import Identifier


class Folder(BaseModel):
    """A folder of the account; `folder_id` is a 64-bit number."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    folder_id: int
    folder_name: Identifier


class FolderCalls:
    """The part of the client that keeps folders. They belong to the account, whatever the client's own scope is.

    Calls that change something may raise `OutcomeUnknown`; all may raise:
        InvalidInput: The service would refuse it; nothing was sent.
        EndpointUnavailable: The service knows namespaces instead.
        ApiError: The service refused.
        TransportError: No usable answer came.
    """

    _transport: Transport

    def list_folders(self) -> tuple[Folder, ...]:
        """Return the folders of the account."""
        data = self._transport.request(Call(FOLDERS))
        return parse_items(Folder, member(data, "folders", operation=FOLDERS.name), operation=FOLDERS.name)

    def create_folder(self, name: str) -> Folder:
        """Make a folder; its name, of at most 100 characters, must be new in the account."""
        return self._change_folder(operations.FOLDERS_CREATE, name, {"name": _checked_name(name)})

    def rename_folder(self, folder_id: int, *, new_name: str) -> Folder:
        """Rename an own folder."""
        form: dict[str, Scalar] = {"folder_id": _checked_own(folder_id), "new_name": _checked_name(new_name)}
        return self._change_folder(operations.FOLDERS_RENAME, str(folder_id), form)

    def delete_folder(self, folder_id: int) -> None:
        """Delete an own folder; the service refuses while indexed videos lie in it."""
        call = Call(operations.FOLDERS_DELETE, item=str(folder_id), form={"folder_id": _checked_own(folder_id)})
        with effect_once(operations.FOLDERS_DELETE, item=str(folder_id)):
            self._transport.request(call)

    def move_videos(self, video_nos: Sequence[str], *, folder_id: int) -> None:
        """Move videos into a folder that exists (-1 is the Default folder), 500 per call."""
        if folder_id != DEFAULT_FOLDER_ID:
            _checked_own(folder_id)
        unique = list(dict.fromkeys(checked_video_no(video_no) for video_no in video_nos))
        for start in range(0, len(unique), MAX_MOVE_VIDEO_NOS):
            part = unique[start : start + MAX_MOVE_VIDEO_NOS]
            item = f"{part[0]} and {len(part) - 1} more"
            with effect_once(operations.FOLDERS_MOVE, item=item):
                self._transport.request(
                    Call(operations.FOLDERS_MOVE, item=item, json={"folder_id": folder_id, "video_nos": [*part]})
                )

    def list_folder_videos(self, folder_id: int, *, page: int = 1, page_size: int = MAX_LIST_SIZE) -> VideoPage:
        """Read one page of a folder: -1 is the Default folder, -2 the legacy one, positive ids are own ones."""
        FolderScope(folder_id)
        if page < 1 or not 1 <= page_size <= MAX_LIST_SIZE:
            raise InvalidInput(f"Pages are counted from 1 and hold 1 to {MAX_LIST_SIZE} videos.")
        params = {"folder_id": folder_id, "page": page, "page_size": page_size}
        data = self._transport.request(Call(FOLDERS_VIDEOS, item=str(folder_id), params=params))
        found = member(data, "videos", operation=FOLDERS_VIDEOS.name, item=str(folder_id))
        videos = parse_items(Video, found, operation=FOLDERS_VIDEOS.name, item=str(folder_id))
        return VideoPage(
            videos=videos,
            page=page,
            page_size=count_member(data, "page_size") or page_size,
            total_count=count_member(data, "total_count"),
            received_video_nos=tuple(video.video_no for video in videos),
        )

    def iter_folder_videos(self, folder_id: int) -> Iterator[Video]:
        """Read all videos of a folder, each once."""
        yield from iterate_pages(
            lambda page: self.list_folder_videos(folder_id, page=page),
            items=lambda page: page.videos,
            identity=lambda video: video.video_no,
            received=lambda page: page.received_video_nos,
            reread_if_unsettled=True,
        )

    def _change_folder(self, operation: Operation, item: str, form: Mapping[str, Scalar]) -> Folder:
        with effect_once(operation, item=item):
            data = self._transport.request(Call(operation, item=item, form=form))
            return parse_item(Folder, data, operation=operation.name, item=item)


def _checked_name(name: str) -> str:
    if not name.strip() or len(name) > MAX_FOLDER_NAME_CHARACTERS:
        raise InvalidInput(f"A folder's name has 1 to {MAX_FOLDER_NAME_CHARACTERS} characters, not {len(name)}.")
    return name


def _checked_own(folder_id: int) -> int:
    if folder_id < 1:
        raise InvalidInput(f"Folder {folder_id} is the service's own and cannot be changed.")
    return folder_id
