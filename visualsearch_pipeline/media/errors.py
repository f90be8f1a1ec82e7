"""What can go wrong with a source and its files, before the service is asked anything.

    MediaError
    ├── SourceUnavailable   the source itself cannot be listed: nothing can be said about its files
    ├── InvalidPattern      an include, exclude or date pattern that can mean nothing (also a ValueError)
    ├── FileVanished        the file was there when it was discovered and is not any more
    ├── FileChanged         the file is not the one that was discovered, or changed while it was read
    └── MediaRejected       this file would be refused by the service; `.reason` says why, in one word

The first two stop a run, the others concern one file: it is set aside or looked at again later, and the rest go on.
"""

# ruff: noqa: N818 (names say what happened, as `FileChanged` does; an `Error` behind each would say nothing more)
from __future__ import annotations

from enum import StrEnum


class RejectionReason(StrEnum):
    """Why a file is set aside before it is sent: the code that the ledger and the tables carry."""

    EXTENSION = "extension"
    """The file name does not end in one of the accepted extensions."""
    EMPTY = "empty"
    """The file has no bytes."""
    TOO_LARGE = "too_large"
    """The file is larger than the service takes."""
    UNREADABLE = "unreadable"
    """The file exists but may not be read, or its storage failed."""
    NOT_A_VIDEO = "not_a_video"
    """The content is no media container at all, whatever the name says."""
    NOT_AN_IMAGE = "not_an_image"
    """The content is no image that the service takes, whatever the name says."""
    BROKEN = "broken"
    """The content is a media container or an image, but cut short or damaged."""
    NO_VIDEO_STREAM = "no_video_stream"
    """A sound container, or a picture in one: there is nothing to look at."""
    NO_FRAMES = "no_frames"
    """There is a video stream, but no picture in it can be decoded."""
    CODEC = "codec"
    """The pictures are encoded in a way that the service does not take."""

    @property
    def mended_in_place(self) -> bool:
        """Whether the cause can go away without the file's size or time changing.

        A permission can be granted and a network share can come back; such a file must be looked at again on every run.
        All other reasons hold as long as the file's size and modification time stay as they are.
        """
        return self is RejectionReason.UNREADABLE


class MediaError(Exception):
    """Base of everything this layer raises about a source or a file."""


class SourceUnavailable(MediaError):
    """The source folder or bucket cannot be listed.

    Attributes:
        source_url: The source as it was asked for.
    """

    def __init__(self, source_url: str, *, problem: str) -> None:
        self.source_url = source_url
        super().__init__(f"Cannot list the source {source_url!r}: {problem}")


class InvalidPattern(MediaError, ValueError):
    """An include, exclude or date pattern that cannot be meant.

    Attributes:
        pattern: The pattern as it was written.
    """

    def __init__(self, pattern: str, *, problem: str) -> None:
        self.pattern = pattern
        super().__init__(f"The pattern {pattern!r} cannot be used: {problem}")


class FileVanished(MediaError):
    """A discovered file is gone; harmless, it will not be discovered again.

    Attributes:
        uri: The file.
    """

    def __init__(self, uri: str) -> None:
        self.uri = uri
        super().__init__(f"{uri!r} was there when the source was listed and is gone now; it was moved or deleted.")


class FileChanged(MediaError):
    """A file is not (or no longer) the one that was discovered, so what was read of it proves nothing.

    Attributes:
        uri: The file.
    """

    def __init__(self, uri: str, *, difference: str) -> None:
        self.uri = uri
        super().__init__(
            f"{uri!r} changed since it was discovered ({difference}); something is still writing to it. "
            "It is left alone until it rests."
        )


class MediaRejected(MediaError):
    """The service would refuse this file, so it is not sent.

    Attributes:
        uri: The file.
        reason: The cause as a code.
        message: What was found and what can be done about it, for a person.
    """

    def __init__(self, uri: str, *, reason: RejectionReason, message: str) -> None:
        self.uri = uri
        self.reason = reason
        self.message = message
        super().__init__(f"{uri!r} is set aside ({reason}): {message}")
