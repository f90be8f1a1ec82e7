"""The types of single values in the settings: addresses, owners and rates, checked where they are written."""

from __future__ import annotations

import re
from typing import Annotated, Final, Literal, TypeAlias
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Discriminator, Tag, WithJsonSchema

LIMITED_OPERATIONS: Final = (
    "upload",
    "scrape",
    "search",
    "list",
    "status",
    "transcripts",
    "download",
    "delete",
    "default",
)
"""The operation families that can be given a rate of their own (contract §3.1)."""

# Dagster accepts these owners and no others.
_OWNER: Final = re.compile(r"team:.+|[A-Za-z0-9._%+-]+@[A-Za-z0-9.-]+\.[A-Za-z]{2,7}")

_RATE: Final = re.compile(r"(?P<count>[1-9]\d*)\s*/\s*(?:(?P<every>[1-9]\d*)\s*)?(?P<unit>second|minute|hour|day)s?")


class Section(BaseModel):
    """A part of the settings: unknown keys are refused, and nothing changes once it is read."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)


def check_base_url(value: str) -> str:
    """The address of a host without what the client adds itself.

    Raises:
        ValueError: it is no bare web address.
    """
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(f"must be a web address such as https://api.memories.ai, not {value!r}")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise ValueError(
            "must be a bare address: no user, password, query or fragment (the key goes into the environment)"
        )
    return value.rstrip("/").removesuffix("/serve/api/v1")


def _check_rate(value: str) -> str:
    if value != "unlimited" and not _RATE.fullmatch(value):
        raise ValueError(f"must read like `1/minute`, `5/second` or `1/2 seconds`, or `unlimited`, not {value!r}")
    return value


def _check_owner(value: str) -> str:
    if not _OWNER.fullmatch(value):
        raise ValueError(f"`{value}` is no owner: write an e-mail address or `team:<name>`")
    return value


def _preset_or_rates(value: object) -> str:
    return "rates" if isinstance(value, dict) else "preset"


def check_ledger_url(value: str) -> str:
    """The address of a database without a password.

    Raises:
        ValueError: it holds one.
    """
    # It is shown in Dagster's UI and in messages.
    authority = value.partition("://")[2].partition("/")[0]
    if ":" in authority.rpartition("@")[0] or "password=" in value:
        raise ValueError("must not hold a password: give that as PGPASSWORD or in ~/.pgpass, which PostgreSQL reads")
    return value


def check_limits_url(value: str) -> str:
    """The address of a PostgreSQL database without a password.

    Raises:
        ValueError: it is another kind of address, or holds a password.
    """
    if not value.startswith("postgresql"):
        scheme = value.partition("://")[0]
        raise ValueError(f"must be a folder, or a PostgreSQL database such as postgresql://host/limits, not {scheme}")
    return check_ledger_url(value)


BaseUrl = Annotated[str, AfterValidator(check_base_url)]
Owner: TypeAlias = Annotated[
    str, AfterValidator(_check_owner), WithJsonSchema({"type": "string", "pattern": f"^({_OWNER.pattern})$"})
]
RateText = Annotated[str, AfterValidator(_check_rate)]
RateSetting = Annotated[
    Annotated[Literal["documented", "v1.2", "p-2026", "unlimited"], Tag("preset")]
    | Annotated[dict[str, RateText], Tag("rates")],
    # Told apart by their shape, so that a mistake in one is not reported as a mistake in the other too.
    Discriminator(_preset_or_rates),
]
