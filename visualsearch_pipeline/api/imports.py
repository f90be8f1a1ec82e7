"""Importing posts of creators, of hashtags, or by their URLs, and following the task (contract §2.4, §2.5)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

from visualsearch_pipeline.api import operations
from visualsearch_pipeline.api.errors import BadResponse, InvalidInput
from visualsearch_pipeline.api.limits import MAX_SCRAPER_URLS
from visualsearch_pipeline.api.models import Video
from visualsearch_pipeline.api.operations import TASK_VIDEOS, Operation
from visualsearch_pipeline.api.outcomes import effect_once
from visualsearch_pipeline.api.parsing import member, parse_items
from visualsearch_pipeline.api.scopes import Scope
from visualsearch_pipeline.api.transport import Call, Transport
from visualsearch_pipeline.api.upload_validation import validate_callback
from visualsearch_pipeline.api.wire import Json, read_identifier


class VideoQuality(IntEnum):
    """Height in pixels that the service is asked to fetch. It is always sent: the documents' defaults differ."""

    P360 = 360
    P480 = 480
    P720 = 720
    P1080 = 1080
    P1440 = 1440
    P2160 = 2160


@dataclass(frozen=True)
class TaskVideos:
    """What an import has brought so far. None at all means that it is not finished, not that it failed.

    Attributes:
        task_id: The import.
        video_nos: All that it brought.
        videos: The same with what the service says of each; empty where the service sends ids alone (contract §2.5).
    """

    task_id: str
    video_nos: tuple[str, ...]
    videos: tuple[Video, ...]


class ImportCalls:
    """The part of the client that has posts imported.

    All imports may raise:
        InvalidInput: The service would refuse it; nothing was sent.
        ApiError: The service refused.
        ConnectionFailed: No connection.
        OutcomeUnknown: It may be under way: importing again would charge again.
    """

    _transport: Transport
    _scope: Scope

    def import_creator(
        self, profile_url: str, *, count: int, callback: str | None = None, into_public: bool = False
    ) -> str:
        """Import a creator's newest posts.

        Args:
            profile_url: The creator's page on TikTok, YouTube or Instagram.
            count: How many posts.
            callback: URL for the service's notices.
            into_public: Into the public library, for good and visible to everyone; else into this client's scope.

        Returns:
            The task's id, see `get_task_videos`.
        """
        _check_count(count)
        _check_texts("profile_url", [profile_url])
        operation = operations.SCRAPER_PUBLIC if into_public else operations.SCRAPER
        body: dict[str, Json] = {"username": profile_url, "scraper_cnt": count}
        return self._start_import(operation, profile_url, body, callback_field="callback_url", callback=callback)

    def import_hashtags(
        self, hashtags: Sequence[str], *, count_per_tag: int, callback: str | None = None, into_public: bool = False
    ) -> str:
        """Import the newest TikTok posts of hashtags.

        Args:
            hashtags: Without `#`.
            count_per_tag: How many posts of each.
            callback: URL for the service's notices.
            into_public: See `import_creator`.

        Returns:
            The task's id.
        """
        _check_count(count_per_tag)
        _check_texts("hashtags", hashtags)
        if any("#" in tag for tag in hashtags):
            raise InvalidInput("Hashtags are given without `#`.")
        operation = operations.SCRAPER_TAG_PUBLIC if into_public else operations.SCRAPER_TAG
        body: dict[str, Json] = {"hash_tags": [*hashtags], "scraper_cnt": count_per_tag}
        return self._start_import(operation, ", ".join(hashtags), body, callback_field="callback", callback=callback)

    def import_posts(
        self,
        urls: Sequence[str],
        *,
        quality: VideoQuality = VideoQuality.P720,
        callback: str | None = None,
        into_public: bool = False,
    ) -> str:
        """Import posts by their URLs.

        Args:
            urls: 1-50, all of one platform.
            quality: What is fetched, where the platform offers a choice.
            callback: URL for the service's notices.
            into_public: See `import_creator`.

        Returns:
            The task's id.
        """
        _check_texts("urls", urls)
        if len(urls) > MAX_SCRAPER_URLS:
            raise InvalidInput(
                f"{len(urls)} URLs were given; the service accepts at most {MAX_SCRAPER_URLS} at a time."
            )
        operation = operations.SCRAPER_URL_PUBLIC if into_public else operations.SCRAPER_URL
        item = urls[0] if len(urls) == 1 else f"{urls[0]} and {len(urls) - 1} more"
        body: dict[str, Json] = {"video_urls": [*urls], "quality": str(quality.value)}
        return self._start_import(operation, item, body, callback_field="callback_url", callback=callback)

    def get_task_videos(self, task_id: str) -> TaskVideos:
        """Look what an import has brought so far.

        Raises:
            InvalidInput: The id is empty.
            ApiError: The service refused.
            TransportError: No usable answer came.
        """
        _check_texts("task_id", [task_id])
        params = {"task_id": task_id, **self._scope.fields_for_video()}
        data = self._transport.request(Call(TASK_VIDEOS, item=task_id, params=params))
        found = member(data, "videos", operation=TASK_VIDEOS.name, item=task_id)
        videos = parse_items(Video, found, operation=TASK_VIDEOS.name, item=task_id)
        ids = member(data, "video_ids", operation=TASK_VIDEOS.name, item=task_id)
        bare = tuple(_identifier(entry, TASK_VIDEOS, task_id) for entry in ids) if isinstance(ids, list) else ()
        return TaskVideos(task_id=task_id, video_nos=tuple(video.video_no for video in videos) or bare, videos=videos)

    def _start_import(
        self, operation: Operation, item: str, body: dict[str, Json], *, callback_field: str, callback: str | None
    ) -> str:
        validate_callback(callback)
        if callback is not None:
            body[callback_field] = callback
        if not operation.name.endswith("_public"):
            body.update(self._scope.fields_for_library())
        with effect_once(operation, item=item):
            data = self._transport.request(Call(operation, item=item, json=body))
            return _identifier(member(data, "taskId", "task_id", operation=operation.name, item=item), operation, item)


def _identifier(value: Json, operation: Operation, item: str) -> str:
    try:
        identifier = read_identifier(value)
    except ValueError as error:
        raise BadResponse(f"{operation.name} of {item!r}: {error}.", operation=operation.name, item=item) from None
    if identifier is None:
        raise BadResponse(f"{operation.name} of {item!r}: the id is missing.", operation=operation.name, item=item)
    return identifier


def _check_count(count: int) -> None:
    if count < 1:
        raise InvalidInput(f"At least one post must be asked for, not {count}.")


def _check_texts(name: str, values: Sequence[str]) -> None:
    if isinstance(values, str) or not values or any(not value.strip() for value in values):
        raise InvalidInput(f"{name}: one or more texts that are not empty are needed, not {values!r}.")
