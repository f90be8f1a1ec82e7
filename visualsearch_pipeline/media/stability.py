"""Leaving alone what is still being written: when a file counts as finished."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from visualsearch_pipeline.media.source_file import SourceFile


@dataclass(frozen=True, slots=True)
class Sighting:
    """What a file looked like at one moment: enough to tell later whether it was still growing.

    Attributes:
        size_bytes: Size then.
        modified_at: Modification time then, UTC, if the storage says.
        seen_at: When it was first seen with this size and time, UTC.
    """

    size_bytes: int
    modified_at: datetime | None
    seen_at: datetime

    @classmethod
    def of(cls, file: SourceFile, *, seen_at: datetime) -> Sighting:
        """The sighting of a file as it was just listed."""
        return cls(file.size_bytes, file.modified_at, seen_at)


def is_settled(file: SourceFile, *, previous: Sighting | None, seen_at: datetime, settle_seconds: float) -> bool:
    """Whether a file has rested long enough that nobody is writing to it any more.

    It has if an earlier sighting, at least `settle_seconds` ago, looks the same. It also has if it was never seen
    otherwise and its modification time is that old. A modification time ahead of our clock proves nothing, nor does an
    old one on a file that changed since the previous sighting: tools that copy may set the time first and write on.

    Args:
        file: As listed now.
        previous: The earliest sighting with the file's last known size and time, if there is one.
        seen_at: Now, UTC.
        settle_seconds: How long a file must rest; 0 takes every file at once.
    """
    if settle_seconds <= 0:
        return True
    rest = timedelta(seconds=settle_seconds)
    if previous is not None:
        if (previous.size_bytes, previous.modified_at) != (file.size_bytes, file.modified_at):
            return False
        if seen_at - previous.seen_at >= rest:
            return True
    return file.modified_at is not None and seen_at - file.modified_at >= rest
