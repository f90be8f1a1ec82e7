"""Finding uploads whose answer was lost, in what the library says. Pure: no calls, no state.

The API has no idempotency key and does not de-duplicate (contract §6.1), so an upload that may have been accepted is
looked for before it is repeated. Evidence, strongest first: the `sha256:` tag (visible once the entry is parsed), the
hash in the name, the size together with the time of creation. An entry that cannot be told apart yet, because it is not
parsed and its name is not ours, leaves the verdict open.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence, Set
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum, auto
from typing import Final

from visualsearch_pipeline.api import Video, VideoStatus
from visualsearch_pipeline.pipeline.ingest import hash_mark

HASH_TAG_PREFIX: Final = "sha256:"
DAY_TAG_PREFIX: Final = "day:"

CLOCK_SKEW: Final = timedelta(minutes=5)
"""How far the service's clock and ours may be apart before a time of creation counts as evidence."""


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
    unclaimed = sorted(
        (video for video in library if video.video_no not in claimed),
        # The oldest first: of two entries with the same content, the first is kept.
        key=lambda video: (video.created_at is None, video.created_at, video.video_no),
    )
    found: dict[str, Video | Verdict] = {}
    taken: set[str] = set()
    for evidence in (_has_tag, _has_name, _has_size):
        for upload in lost:
            if upload.sha256 in found:
                continue
            for video in unclaimed:
                if video.video_no not in taken and evidence(video, upload):
                    found[upload.sha256] = video
                    taken.add(video.video_no)
                    break
    for upload in lost:
        if upload.sha256 not in found:
            open_question = any(_may_be(video, upload) for video in unclaimed if video.video_no not in taken)
            found[upload.sha256] = Verdict.UNDECIDED if open_question else Verdict.ABSENT
    return found


def _has_tag(video: Video, upload: LostUpload) -> bool:
    return HASH_TAG_PREFIX + upload.sha256 in video.tags


def _has_name(video: Video, upload: LostUpload) -> bool:
    # Contained, not equal: names were seen with prefixes and escapes added (contract §6.4).
    return hash_mark(upload.sha256) in video.video_name and not _has_other_hash(video)


def _has_size(video: Video, upload: LostUpload) -> bool:
    return (
        video.status is not VideoStatus.PROCESSING
        and video.size_bytes == upload.size_bytes
        and _created_after_intent(video, upload)
        and not _has_other_hash(video)
    )


def _may_be(video: Video, upload: LostUpload) -> bool:
    return (
        video.status is VideoStatus.PROCESSING
        and video.size_bytes in (None, upload.size_bytes)
        and _created_after_intent(video, upload)
        and not _has_other_hash(video)
    )


def _created_after_intent(video: Video, upload: LostUpload) -> bool:
    return video.created_at is None or video.created_at >= upload.intended_at - CLOCK_SKEW


def _has_other_hash(video: Video) -> bool:
    """Whether the entry carries some hash tag; those that are ours were found by it before."""
    return any(tag.startswith(HASH_TAG_PREFIX) for tag in video.tags)
