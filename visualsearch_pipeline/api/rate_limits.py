"""Rates per operation family, their presets, and what a client asks of a rate limiter."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final, Protocol, Self

from visualsearch_pipeline.api.errors import InvalidInput
from visualsearch_pipeline.api.operations import OperationFamily

UNLIMITED: Final = "unlimited"
DOCUMENTED: Final = "documented"

_UNIT_SECONDS: Final = {"second": 1.0, "minute": 60.0, "hour": 3600.0, "day": 86400.0}
_RATE_TEXT: Final = re.compile(
    r"(?P<count>[1-9]\d*)\s*/\s*(?:(?P<every>[1-9]\d*)\s*)?(?P<unit>second|minute|hour|day)s?"
)


@dataclass(frozen=True)
class Rate:
    """At most `count` starts in any `seconds`."""

    count: int
    seconds: float

    def __post_init__(self) -> None:
        if self.count < 1 or self.seconds <= 0:
            message = f"A rate needs a positive count and time, not {self.count} in {self.seconds} s."
            raise InvalidInput(message)

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """Read a rate such as `1/minute`, `5/second` or `1/2 seconds`; None for `unlimited`.

        Raises:
            InvalidInput: The text is none of these.
        """
        if text.strip() == UNLIMITED:
            return None
        match = _RATE_TEXT.fullmatch(text.strip())
        if match is None:
            message = f"A rate must read like `1/minute`, `5/second` or `1/2 seconds`, or `unlimited`, not {text!r}."
            raise InvalidInput(message)
        seconds = int(match["every"] or 1) * _UNIT_SECONDS[match["unit"]]
        return cls(count=int(match["count"]), seconds=seconds)


_DOCUMENTED_RATES: Final[Mapping[OperationFamily, Rate]] = MappingProxyType(
    {
        OperationFamily.UPLOAD: Rate(count=1, seconds=60),
        OperationFamily.SCRAPE: Rate(count=1, seconds=60),
        OperationFamily.SEARCH: Rate(count=1, seconds=1),
        OperationFamily.LIST: Rate(count=5, seconds=1),
        OperationFamily.STATUS: Rate(count=1, seconds=1),
        OperationFamily.TRANSCRIPTS: Rate(count=1, seconds=1),
        OperationFamily.DOWNLOAD: Rate(count=12, seconds=60),
        OperationFamily.DELETE: Rate(count=5, seconds=1),
        OperationFamily.DEFAULT: Rate(count=1, seconds=1),
    }
)
"""The strictest published number of each family (contract §3.1). `default` is listed nowhere; 1/s is a caution."""


RATE_PRESETS: Final[Mapping[str, Mapping[str, str]]] = MappingProxyType(
    {
        DOCUMENTED: MappingProxyType({}),
        "v1.2": MappingProxyType({"upload": "1/second", "search": "10/second", "transcripts": "5/second"}),
        "p-2026": MappingProxyType({}),
    }
)
"""The published generations, as what each changes in the strictest rates (contract §3.1).

`v1.2` is that of autumn 2025, `p-2026` that of early 2026, which is the strictest by itself. What a generation says
nothing about keeps the rate of caution. Older ones had other routes.
"""


@dataclass(frozen=True)
class RateLimits:
    """One rate per operation family; a family that is not there is unlimited.

    Example:
        >>> RateLimits.from_setting({"upload": "10/minute"}).rate(OperationFamily.UPLOAD)
        Rate(count=10, seconds=60.0)
    """

    rates: Mapping[OperationFamily, Rate] = field(default_factory=lambda: _DOCUMENTED_RATES)

    @classmethod
    def documented(cls) -> Self:
        """Return the strictest published limits."""
        return cls(rates=_DOCUMENTED_RATES)

    @classmethod
    def unlimited(cls) -> Self:
        """Return no limits at all, as for a local server."""
        return cls(rates=MappingProxyType({}))

    @classmethod
    def from_setting(cls, setting: str | Mapping[str, str]) -> Self:
        """Read a preset's name, or rates by family that replace those of the `documented` preset.

        Raises:
            InvalidInput: An unknown preset or family, or a rate that cannot be read.
        """
        if isinstance(setting, str):
            if setting == UNLIMITED:
                return cls.unlimited()
            if setting not in RATE_PRESETS:
                known = ", ".join(f"`{name}`" for name in (*RATE_PRESETS, UNLIMITED))
                raise InvalidInput(f"Unknown rate limit preset {setting!r}; there are {known}.")
            setting = RATE_PRESETS[setting]
        rates = dict(_DOCUMENTED_RATES)
        for name, text in setting.items():
            try:
                family = OperationFamily(name)
            except ValueError:
                known = ", ".join(OperationFamily)
                raise InvalidInput(f"Unknown operation family {name!r} in the rate limits; known: {known}.") from None
            rate = Rate.parse(text)
            if rate is None:
                rates.pop(family)
            else:
                rates[family] = rate
        return cls(rates=MappingProxyType(rates))

    def rate(self, family: OperationFamily) -> Rate | None:
        """Return the family's rate, or None if it is unlimited."""
        return self.rates.get(family)


class RateLimiter(Protocol):
    """What a client asks before each attempt, and tells after it."""

    def acquire(self, family: OperationFamily) -> float:
        """Wait until a request of this family may start; return the seconds waited."""
        ...

    def departed(self, family: OperationFamily) -> None:
        """Take note that the request for which this thread waited last is leaving only now.

        Between its place and its departure a connection may have to be made: the service counts the arrival.
        """
        ...

    def unused(self, family: OperationFamily) -> None:
        """Give back the place that this thread took last: its request never left."""
        ...

    def refused(self, family: OperationFamily, *, retry_after_seconds: float | None) -> None:
        """Take note of a rate-limit answer, and be slower."""
        ...

    def accepted(self, family: OperationFamily) -> None:
        """Take note of an answer that was not a rate-limit one, and recover."""
        ...

    def close(self) -> None:
        """Let go of files and connections. A limiter that is used again opens them again."""
        ...


def account_id(*, api_key: str, base_url: str) -> str:
    """Return an opaque name for the account that a key belongs to, fit to be stored where the key may not be.

    The service counts per account, not per key (contract §1.1). Two keys of one account get different names here, as
    nothing tells that they belong together; give the limiter a name of your own in that case.
    """
    return hashlib.sha256(f"{base_url}\n{api_key}".encode()).hexdigest()[:16]
