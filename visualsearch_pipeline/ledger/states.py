"""The states that things in the ledger are in."""

from __future__ import annotations

from enum import StrEnum


class ItemState(StrEnum):
    """Where a media item stands on its way into the library."""

    SETTLING = "settling"
    """May still be being written: left alone until size and time of modification hold still."""
    FOUND = "found"
    """To be probed and hashed."""
    ACCEPTED = "accepted"
    REFUSED = "refused"
    """Would be refused by the service, or cannot be read; the reason is kept."""
    SKIPPED = "skipped"
    """Lies outside what the settings ask for (before `start_date`)."""
    GONE = "gone"
    """Was in the source and is not any more."""


class UploadState(StrEnum):
    """Where the upload of one content stands."""

    PENDING = "pending"
    """No call has been made that may have taken effect."""
    SENDING = "sending"
    """A call was decided on. If its process is gone, its outcome is unknown."""
    UNCERTAIN = "uncertain"
    """A call was made and its answer was lost: the library must be asked before another call."""
    UPLOADED = "uploaded"
    REFUSED = "refused"
    """The service refused it for good; the reason is kept."""


OPEN_UPLOADS = (UploadState.PENDING, UploadState.SENDING, UploadState.UNCERTAIN)


class VideoState(StrEnum):
    """Where a library entry stands, in our words (contract §5 has the service's)."""

    INDEXING = "indexing"
    READY = "ready"
    FAILED = "failed"
    STUCK = "stuck"
    """Indexing for longer than the settings allow; still polled, and welcome when it becomes ready."""
    MISSING = "missing"
    """Was uploaded and is not in the library: deleted behind our back, or another scope."""
    REPLACED = "replaced"
    """Was missing, and on request its content was queued again: another entry takes its place."""


OPEN_VIDEOS = (VideoState.INDEXING, VideoState.STUCK)


class ArchiveState(StrEnum):
    """Whether a download is kept."""

    WANTED = "wanted"
    ARCHIVED = "archived"
    """Whole, proven and in its place."""
    FAILED = "failed"
    """Could not be fetched, or what came was not proven; the reason is kept."""
