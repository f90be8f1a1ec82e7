"""The library: listing it, looking at one video, deleting, and the namespaces of the account (contract §2.6, §2.7)."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Final

from visualsearch_pipeline.api.errors import BadResponse, InvalidInput, NotRepeatable
from visualsearch_pipeline.api.limits import MAX_DELETE_VIDEO_NOS, MAX_LIST_SIZE
from visualsearch_pipeline.api.models import KNOWN_PROCESSING_STATUSES, Video, VideoPage, VideoStatus
from visualsearch_pipeline.api.operations import DELETE_VIDEOS, GET_METADATA, LIST_UNIQUE_IDS, LIST_VIDEOS
from visualsearch_pipeline.api.paging import iterate_pages
from visualsearch_pipeline.api.parsing import count_member, member, parse_item, parse_items
from visualsearch_pipeline.api.scopes import Scope
from visualsearch_pipeline.api.transport import Call, Transport
from visualsearch_pipeline.api.upload_validation import validate_capture
from visualsearch_pipeline.api.wire import Json, to_epoch_milliseconds

logger = logging.getLogger(__name__)

_SENT_STATUS: Final = {VideoStatus.READY: "PARSE", VideoStatus.PROCESSING: "UNPARSE"}
"""What can be asked for. Failure has four spellings (contract §5), and asking for one would hide the others."""


class LibraryCalls:
    """The part of the client that reads and prunes the library."""

    _transport: Transport
    _scope: Scope
    _unknown_statuses: set[str]

    def list_videos(
        self,
        *,
        page: int = 1,
        size: int = MAX_LIST_SIZE,
        video_name: str | None = None,
        video_no: str | None = None,
        video_nos: Sequence[str] | None = None,
        status: VideoStatus | None = None,
        tag: str | None = None,
        camera_model: str | None = None,
        taken_after: datetime | None = None,
        latitude: float | None = None,
        longitude: float | None = None,
    ) -> VideoPage:
        """Read one page of the library, newest first. Filters are combined by "and".

        Args:
            page: 1-based.
            size: Videos per page, 1-200.
            video_name: The stored name, exactly. Services that match parts are corrected here.
            video_no: One video.
            video_nos: Several videos, at most 200.
            status: Checked here too, as some generations ignore it. Failed videos are found only by reading all.
            tag: One tag. This and the following match indexed videos only (contract §2.6).
            camera_model: Exactly.
            taken_after: Filmed at this time or later; aware.
            latitude: With `longitude`: within about 20 km.
            longitude: See `latitude`.

        Raises:
            InvalidInput: A filter that the service would refuse.
            ApiError: The service refused.
            TransportError: No usable answer came.
        """
        _check_page(page, size)
        validate_capture(camera_model=camera_model, latitude=latitude, longitude=longitude)
        if video_nos is not None and len(video_nos) > MAX_LIST_SIZE:
            raise InvalidInput(f"{len(video_nos)} video_nos were given; ask for at most {MAX_LIST_SIZE} at a time.")
        fields: dict[str, Json] = {
            **self._scope.fields_for_library(),
            "page": page,
            "size": size,
            "video_name": video_name,
            "video_no": video_no,
            "video_nos": list(video_nos) if video_nos is not None else None,
            "status": _SENT_STATUS.get(status) if status is not None else None,
            "tag": tag,
            "camera_model": camera_model,
            "datetime_taken": to_epoch_milliseconds(taken_after) if taken_after is not None else None,
            "latitude": latitude,
            "longitude": longitude,
        }
        body: Json = {name: value for name, value in fields.items() if value is not None}
        data = self._transport.request(Call(LIST_VIDEOS, json=body))
        received = parse_items(Video, member(data, "videos", operation=LIST_VIDEOS.name), operation=LIST_VIDEOS.name)
        self._note_unknown_statuses(received)
        wanted_nos = {*(video_nos or ()), *((video_no,) if video_no is not None else ())}
        return VideoPage(
            videos=tuple(
                video
                for video in received
                if (video_name is None or video.video_name == video_name.strip())
                and (status is None or video.status is status)
                and (not wanted_nos or video.video_no in wanted_nos)
            ),
            page=page,
            page_size=count_member(data, "page_size") or size,
            total_count=count_member(data, "total_count"),
            received_video_nos=tuple(video.video_no for video in received),
        )

    def iter_videos(
        self,
        *,
        video_name: str | None = None,
        video_nos: Sequence[str] | None = None,
        status: VideoStatus | None = None,
        tag: str | None = None,
        camera_model: str | None = None,
        taken_after: datetime | None = None,
        latitude: float | None = None,
        longitude: float | None = None,
        size: int = MAX_LIST_SIZE,
    ) -> Iterator[Video]:
        """Read the whole library, page by page, each video once. Arguments and errors as for `list_videos`.

        Pages shift while videos arrive and vanish: what appears twice is yielded once, and if the service's count
        shrank or was not reached, all is read again (contract §9.31, §9.32). `video_nos` may have any length here.
        """
        if video_nos is not None and len(video_nos) > size:
            for start in range(0, len(video_nos), size):
                yield from self.iter_videos(
                    video_name=video_name,
                    video_nos=video_nos[start : start + size],
                    status=status,
                    tag=tag,
                    camera_model=camera_model,
                    taken_after=taken_after,
                    latitude=latitude,
                    longitude=longitude,
                    size=size,
                )
            return
        if video_nos is not None and not video_nos:
            return

        def read(page: int) -> VideoPage:
            return self.list_videos(
                page=page,
                size=size,
                video_name=video_name,
                video_nos=video_nos,
                status=status,
                tag=tag,
                camera_model=camera_model,
                taken_after=taken_after,
                latitude=latitude,
                longitude=longitude,
            )

        yield from iterate_pages(
            read,
            items=lambda page: page.videos,
            identity=lambda video: video.video_no,
            received=lambda page: page.received_video_nos,
            reread_if_unsettled=True,
            most=len(set(video_nos)) if video_nos is not None else None,
        )

    def get_metadata(self, video_no: str) -> Video | None:
        """Read one video, or None if this scope has no such video, or not yet (contract §2.7, §9.27).

        Raises:
            InvalidInput: The id is empty.
            ApiError: The service refused.
            TransportError: No usable answer came.
        """
        params = {"video_no": checked_video_no(video_no), **self._scope.fields_for_video()}
        data = self._transport.request(Call(GET_METADATA, item=video_no, params=params))
        if data is None:
            return None
        video = parse_item(Video, data, operation=GET_METADATA.name, item=video_no)
        if video.video_no != video_no:
            message = f"{GET_METADATA.name} of {video_no!r}: the service answered about {video.video_no!r}. Report it."
            raise BadResponse(message, operation=GET_METADATA.name, item=video_no)
        self._note_unknown_statuses((video,))
        return video

    def delete_videos(self, video_nos: Sequence[str]) -> None:
        """Delete videos for good, 100 per call. Those that are not there (any more) count as deleted.

        A wrong scope deletes nothing and looks like success (contract §2.18): list afterwards where it matters.

        Raises:
            InvalidInput: An id is empty.
            ApiError: The service refused.
            TransportError: No usable answer came; deleting again is safe.
        """
        if isinstance(video_nos, str):
            raise InvalidInput(f"video_nos must be a list of ids, not the single text {video_nos!r}.")
        unique = list(dict.fromkeys(checked_video_no(video_no) for video_no in video_nos))
        for start in range(0, len(unique), MAX_DELETE_VIDEO_NOS):
            part = unique[start : start + MAX_DELETE_VIDEO_NOS]
            item = part[0] if len(part) == 1 else f"{part[0]} and {len(part) - 1} more"
            call = Call(DELETE_VIDEOS, item=item, params=self._scope.fields_for_video(), json=[*part])
            try:
                self._transport.request(call)
            except NotRepeatable:
                logger.debug("%s were deleted before", item)

    def list_unique_ids(self) -> tuple[str, ...]:
        """Return the namespaces of the account that hold anything (contract §2.20).

        Raises:
            EndpointUnavailable: The service knows folders instead.
            ApiError: The service refused.
            TransportError: No usable answer came.
        """
        data = self._transport.request(Call(LIST_UNIQUE_IDS))
        names = member(data, "unique_ids", operation=LIST_UNIQUE_IDS.name)
        if names is None:
            return ()
        if not isinstance(names, list):
            raise BadResponse(f"{LIST_UNIQUE_IDS.name}: `unique_ids` is no list.", operation=LIST_UNIQUE_IDS.name)
        return tuple(str(name) for name in names)

    def _note_unknown_statuses(self, videos: Sequence[Video]) -> None:
        for video in videos:
            status = video.raw_status.upper()
            if video.status is not VideoStatus.PROCESSING or status in KNOWN_PROCESSING_STATUSES:
                continue
            if status not in self._unknown_statuses:
                self._unknown_statuses.add(status)
                logger.warning("Unknown video status %r, first seen on %s: taken as processing", status, video.video_no)


def checked_video_no(video_no: str) -> str:
    """Return the id as it is.

    Raises:
        InvalidInput: It is empty.
    """
    if not video_no.strip():
        raise InvalidInput("A video_no is empty.")
    return video_no


def _check_page(page: int, size: int) -> None:
    if page < 1:
        raise InvalidInput(f"Pages are counted from 1; {page} was given.")
    if not 1 <= size <= MAX_LIST_SIZE:
        raise InvalidInput(f"A page holds 1 to {MAX_LIST_SIZE} videos; {size} were asked for.")
