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
    DELETED = "deleted"
    """Deleted by us once its archived original was proven. It is not asked about, not missed and not sent again."""


OPEN_VIDEOS = (VideoState.INDEXING, VideoState.STUCK)

SUPERSEDED_VIDEOS = (VideoState.REPLACED, VideoState.DELETED)
"""Entries that the library is not expected to have any more, by our own doing."""


class ArchiveState(StrEnum):
    """Whether a download is kept."""

    WANTED = "wanted"
    ARCHIVED = "archived"
    """Whole, proven and in its place."""
    FAILED = "failed"
    """Could not be fetched, or what came was not proven; the reason is kept."""


class VideoOrigin(StrEnum):
    """How the service came by a video of ours."""

    FILE = "file"
    """We sent the file: its bytes, size and hash are known."""
    URL = "url"
    """The service fetched it from a URL of the list."""
    IMPORT = "import"
    """The service imported it from a social platform."""


class ImportState(StrEnum):
    """Where one import of one day stands."""

    PENDING = "pending"
    """No call has been made that may have taken effect."""
    STARTING = "starting"
    """A call was decided on. If its process is gone, its outcome is unknown."""
    UNDECIDED = "undecided"
    """A call was made and its answer was lost. Tasks cannot be listed (contract §2.5): a person decides."""
    RUNNING = "running"
    STUCK = "stuck"
    """Running for longer than the settings allow; still sensed, and welcome when it brings something."""
    FINISHED = "finished"
    REFUSED = "refused"
    """The service refused it, or a person dropped it; the reason is kept."""


OPEN_IMPORTS = (ImportState.RUNNING, ImportState.STUCK)


class DeliveryState(StrEnum):
    """Where the delivery of one alert stands."""

    PENDING = "pending"
    """Decided on; perhaps sent, if the process ended before it could say so."""
    DELIVERED = "delivered"
    FAILED = "failed"
    """Not delivered yet; the next run tries again."""
    GIVEN_UP = "given_up"
    """Not delivered for so long that runs do not try any more; a person may."""


class DeletionState(StrEnum):
    """Where the deletion of one video from the library stands."""

    INTENDED = "intended"
    """Decided on; perhaps done, if the process ended before it could say so."""
    DELETED = "deleted"
    """Seen to be gone from the library."""
    REFUSED = "refused"
    """Still in the library after the call: nothing was deleted."""
