"""Finding uploads whose answer was lost, in what the library says. Pure: no calls, no state.

The API has no idempotency key and does not de-duplicate (contract §6.1), so an upload that may have been accepted is
looked for before it is repeated. Evidence, strongest first: the `sha256:` tag (visible once the entry is parsed), the
hash in the name, the size together with the time of creation. An entry that cannot be told apart yet, because it is not
parsed and its name is not ours, leaves the verdict open; so do two that fit equally well.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence, Set
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum, auto
from typing import Final

from visualsearch_pipeline.api import Video, VideoStatus
from visualsearch_pipeline.pipeline.upload_marks import HASH_TAG_PREFIX, hash_mark, mark_in_name

CLOCK_SKEW: Final = timedelta(minutes=5)
"""How far the service's clock and ours may be apart before a time of creation counts as evidence."""

_SERVICE_NAME: Final = re.compile(r"[0-9a-fA-F]{32}")


@dataclass(frozen=True)
class LostUpload:
    """An upload that may have been accepted; `intended_at` is when the first such call was decided on."""

    sha256: str
    size_bytes: int
    intended_at: datetime


class Verdict(Enum):
    """What the library says of a lost upload that was not found."""

    UNDECIDED = auto()
    """An entry that may be it cannot be told apart yet: ask again later."""
    ABSENT = auto()
    """It is not there."""


def find_lost_uploads(
    lost: Sequence[LostUpload], library: Iterable[Video], *, claimed: Set[str]
) -> dict[str, Video | Verdict]:
    """For each lost upload, by SHA-256: the library entry that is it, or why there is none.

    Args:
        lost: the uploads to look for.
        library: what the service lists, at least back to the earliest intent.
        claimed: `video_no` of entries that are bound to an upload already.
    """
    listed = tuple(library)
    unclaimed = sorted(
        (video for video in listed if video.video_no not in claimed),
        # The oldest first: of two entries with the same content, the first is kept.
        key=lambda video: (video.created_at is None, video.created_at, video.video_no),
    )
    found: dict[str, Video | Verdict] = {}
    for evidence in (_has_tag, _has_name):
        for upload in lost:
            if upload.sha256 not in found:
                own = next((video for video in unclaimed if evidence(video, upload)), None)
                found |= {upload.sha256: own} if own else {}
    # What carries a hash has said whose it is: its own upload's, or one that is not looked for here.
    tags_are_shown = any(video.tags for video in listed)
    silent = [
        video
        for video in unclaimed
        if not _carries_hash(video) and not _would_tell(video, tags_are_shown=tags_are_shown)
    ]
    sought = [upload for upload in lost if upload.sha256 not in found]
    for upload in sought:
        found[upload.sha256] = _judge_by_size(upload, silent, sought)
    return found


def _judge_by_size(upload: LostUpload, silent: Sequence[Video], sought: Sequence[LostUpload]) -> Video | Verdict:
    """The last resort: entries that carry no hash, neither as a tag nor in their name."""
    candidates = [video for video in silent if _may_be(video, upload)]
    if not candidates:
        return Verdict.ABSENT
    rivals = [other for other in sought if any(_may_be(video, other) for video in candidates)]
    only = candidates[0]
    is_told = len(candidates) == 1 and rivals == [upload] and only.status is not VideoStatus.PROCESSING
    return only if is_told and only.size_bytes == upload.size_bytes else Verdict.UNDECIDED


def _has_tag(video: Video, upload: LostUpload) -> bool:
    return HASH_TAG_PREFIX + upload.sha256 in video.tags


def _has_name(video: Video, upload: LostUpload) -> bool:
    return _hash_tag(video) is None and mark_in_name(video.video_name) == hash_mark(upload.sha256)


def _may_be(video: Video, upload: LostUpload) -> bool:
    """Whether an entry without a hash could be the upload's, by size and time."""
    if video.created_at is not None and video.created_at < upload.intended_at - CLOCK_SKEW:
        return False
    return video.size_bytes in (None, upload.size_bytes)


def _would_tell(video: Video, *, tags_are_shown: bool) -> bool:
    """Whether an entry without our hash would have it if it were ours.

    Once it is parsed its tags are listed, and ours would be among them; and a name that was kept would carry our mark.
    What is left are services that show no tags and give names of their own (contract §6.4, §2.6).
    """
    if video.status is VideoStatus.PROCESSING:
        return False
    has_all_tags = video.status is VideoStatus.READY and tags_are_shown
    return has_all_tags or bool(video.tags) or not is_opaque(video.video_name)


def _carries_hash(video: Video) -> bool:
    return _hash_tag(video) is not None or mark_in_name(video.video_name) is not None


def _hash_tag(video: Video) -> str | None:
    return next((tag for tag in video.tags if tag.startswith(HASH_TAG_PREFIX)), None)


def is_opaque(video_name: str) -> bool:
    """Whether a name is the service's own, and so tells nothing of whose the entry is."""
    return not video_name or _SERVICE_NAME.fullmatch(video_name) is not None
