"""Before an upload is sent again: the library is asked whether it is there already.

A refusal says that nothing was done, and is nearly always right. But the bytes had all arrived when it was said, and
nothing tells who said it: the service, or a gateway in front of it. One list call is cheap beside a video that is
stored, indexed and charged twice (contract §6.1, §9.13).
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import BinaryIO, cast

from visualsearch_pipeline.api import UploadSource, Video
from visualsearch_pipeline.api.limits import MAX_LIST_SIZE
from visualsearch_pipeline.ledger import Content
from visualsearch_pipeline.pipeline.pipeline import Pipeline
from visualsearch_pipeline.pipeline.reconciling import CLOCK_SKEW, LostUpload, Verdict, find_lost_uploads


class FoundInLibraryError(Exception):
    """An upload that is about to be repeated has been accepted; `video` is the entry."""

    def __init__(self, video: Video) -> None:
        super().__init__(f"accepted already, as {video.video_no}")
        self.video = video


class UndecidedError(Exception):
    """Whether an upload that is about to be repeated was accepted cannot be told yet."""


class SourceAskedAgain:
    """A content to upload; once its bytes have all been read, it is opened again only if the library lacks it.

    The client opens it for each attempt, so that what follows happens between a refusal and the next one.

    Args:
        source: The content.
        look: Looks in the library for it.

    Raises:
        FoundInLibraryError: From `open`: it is there.
        UndecidedError: From `open`: it may be there.
    """

    def __init__(self, source: UploadSource, *, look: Callable[[], Video | Verdict]) -> None:
        self._source = source
        self._look = look
        self._last: _CountedFile | None = None

    @property
    def size_bytes(self) -> int:
        """How many bytes it has."""
        return self._source.size_bytes

    @property
    def was_read_whole(self) -> bool:
        """Whether the last attempt had all of its bytes, so that the service may have."""
        return self._last is not None and self._last.read_bytes >= self.size_bytes

    def open(self) -> BinaryIO:
        """Open it for reading from its beginning."""
        if self.was_read_whole:
            verdict = self._look()
            if isinstance(verdict, Video):
                raise FoundInLibraryError(verdict)
            if verdict is Verdict.UNDECIDED:
                raise UndecidedError
        self._last = _CountedFile(self._source.open())
        # What an upload asks of a file is to be read and closed.
        return cast("BinaryIO", self._last)


class _CountedFile:
    """A file that counts what is read of it."""

    def __init__(self, file: BinaryIO) -> None:
        self.read_bytes = 0
        self._file = file

    def read(self, size: int = -1) -> bytes:
        chunk = self._file.read(size)
        self.read_bytes += len(chunk)
        return chunk

    def __enter__(self) -> _CountedFile:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()


def look_for(pipeline: Pipeline, content: Content, *, intended_at: datetime) -> Video | Verdict:
    """Ask the library for one content that may have been accepted since `intended_at`."""
    lost = LostUpload(sha256=content.sha256, size_bytes=content.size_bytes, intended_at=intended_at)
    listed = library_since(pipeline, intended_at - CLOCK_SKEW)
    claimed = pipeline.ledger.uploads.claimed_video_nos()
    return find_lost_uploads([lost], listed, claimed=claimed)[content.sha256]


def library_since(pipeline: Pipeline, earliest: datetime) -> list[Video]:
    """The library back to a moment.

    That it comes newest first is no promise of the service's (contract §2.6): a whole page of older entries, not the
    first of them, is taken for the end.
    """
    found: list[Video] = []
    older = 0
    for video in pipeline.client.iter_videos():
        is_older = video.created_at is not None and video.created_at < earliest
        older = older + 1 if is_older else 0
        if older >= MAX_LIST_SIZE:
            break
        found.append(video)
    return found
