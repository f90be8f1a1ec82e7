"""Finding fetches whose answer was lost, in what the library says. Pure: no calls, no state.

As for files (`reconciling.py`), with other evidence: nobody knows a URL's size or hash before it is fetched. Strongest
first: our `url:` tag (visible once the entry is parsed), the address that the service says it came from, and its name,
which is the stem of the URL's path (contract §2.2), together with the time of creation. A name proves nothing while the
tags may still come, and nothing if two may be meant; then the verdict stays open.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence, Set
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from visualsearch_pipeline.api import Video, VideoStatus
from visualsearch_pipeline.media.media_url import MediaUrl, UnusableUrl
from visualsearch_pipeline.pipeline.reconciling import CLOCK_SKEW, Verdict, is_opaque
from visualsearch_pipeline.pipeline.upload_marks import HASH_TAG_PREFIX, URL_TAG_PREFIX

_OURS: Final = (HASH_TAG_PREFIX, URL_TAG_PREFIX)


@dataclass(frozen=True)
class LostFetch:
    """A fetch that may have been accepted. `video_name` is what the service would call it."""

    identity: str
    video_name: str
    intended_at: datetime


def find_lost_fetches(
    lost: Sequence[LostFetch], library: Iterable[Video], *, claimed: Set[str]
) -> dict[str, Video | Verdict]:
    """For each lost fetch, by the identity of its URL: the library entry that is it, or why there is none.

    Args:
        lost: The fetches to look for.
        library: What the service lists, at least back to the earliest intent.
        claimed: `video_no` of entries that are bound to something of ours already.
    """
    listed = tuple(library)
    tags_are_shown = any(video.tags for video in listed)
    unclaimed = sorted(
        (video for video in listed if video.video_no not in claimed),
        # The oldest first: of two entries of the same URL, the first is kept.
        key=lambda video: (video.created_at is None, video.created_at, video.video_no),
    )
    return {fetch.identity: _verdict(fetch, lost, unclaimed, tags_are_shown=tags_are_shown) for fetch in lost}


def _verdict(
    fetch: LostFetch, lost: Sequence[LostFetch], unclaimed: Sequence[Video], *, tags_are_shown: bool
) -> Video | Verdict:
    for video in unclaimed:
        if URL_TAG_PREFIX + fetch.identity in video.tags or _came_from(video) == fetch.identity:
            return video
    candidates = [video for video in unclaimed if _may_be(video, fetch, tags_are_shown=tags_are_shown)]
    if not candidates:
        return Verdict.ABSENT
    only = candidates[0]
    rivals = [other for other in lost if _may_be(only, other, tags_are_shown=tags_are_shown)]
    is_told = len(candidates) == 1 and rivals == [fetch] and not is_opaque(only.video_name)
    return only if is_told and only.status is not VideoStatus.PROCESSING else Verdict.UNDECIDED


def _may_be(video: Video, fetch: LostFetch, *, tags_are_shown: bool) -> bool:
    """Whether an entry that does not say whose it is could be the fetch's."""
    if video.created_at is not None and video.created_at < fetch.intended_at - CLOCK_SKEW:
        return False
    if any(tag.startswith(_OURS) for tag in video.tags):
        return False
    if video.status is VideoStatus.READY and (tags_are_shown or video.tags):
        return False  # once it is parsed, ours would be among its tags
    return is_opaque(video.video_name) or video.video_name == fetch.video_name


def _came_from(video: Video) -> str | None:
    """The identity of the address that the service says an entry came from, if it says one."""
    try:
        return MediaUrl.parse(video.video_url).identity if video.video_url else None
    except UnusableUrl:
        return None
