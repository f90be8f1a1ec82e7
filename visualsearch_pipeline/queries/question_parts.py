"""Parts that several kinds of saved query have in common."""

from __future__ import annotations

from dataclasses import dataclass
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
