"""Parts that several kinds of saved query have in common."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal, TypeAlias

Medium: TypeAlias = Literal["clips", "audio", "captions"]
"""What a text is compared with: the picture, the spoken word, or the captions that the service wrote."""

FilteringLevel: TypeAlias = Literal["low", "medium", "high"]
"""The service's own score thresholds: 0.15, 0.225 and 0.4 (contract §2.8)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Coordinates in degrees, WGS 84."""

    latitude: float
    longitude: float


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryImage:
    """An image that a query shows to the service; it was opened and decoded when the query was loaded.

    Attributes:
        path: Where it lies, absolute.
        sha256: Of its bytes, lower-case hexadecimal.
        size_bytes: Its size.
        format: The format that was found in it, such as `PNG`; the file name may say another.
    """

    path: Path
    sha256: str
    size_bytes: int
    format: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedQuery:
    """What every saved query has, whatever it asks.

    Attributes:
        id: Unique in its set.
        description: For people; not part of the question.
        tags: For people; not part of the question.
    """

    id: str
    description: str | None = None
    tags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoredQuery(NamedQuery):
    """A query whose answers have a score to choose by; phrases have none.

    Attributes:
        min_score: Hits below it are dropped by us, 0 to 1.
        top_k: Of each day only so many hits are kept, the best; None keeps all. For public
            videos that is the day of asking.
    """

    min_score: float | None = None
    top_k: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PrivateTextQuery(ScoredQuery):
    """A text about what is the account's own, with the filters that its libraries know (contract §2.8).

    Attributes:
        text: What to look for; never empty.
        filtering_level: The service's threshold; None ranks everything.
        tag: Only videos or images with this tag.
        camera: Only those of this camera model.
        taken_after: Only those taken at or after this time, UTC, whole seconds.
        near: Only those taken near this place.
    """

    text: str
    filtering_level: FilteringLevel | None = None
    tag: str | None = None
    camera: str | None = None
    taken_after: datetime | None = None
    near: Place | None = None
