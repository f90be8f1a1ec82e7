"""Addresses that alerts go to: written in files that are kept in git, so that no secret may stand in them."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import urlsplit

VARIABLE_PATTERN: Final = "[A-Z][A-Z0-9_]*"
"""What the name of an environment variable looks like, as a regular expression."""

_VARIABLE: Final = re.compile(VARIABLE_PATTERN)
_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})
# Chat services hand out addresses whose last part is the password: long, letters and digits mixed.
_LIKE_A_SECRET: Final = re.compile(r"(?=[^/]*[A-Za-z])(?=[^/]*\d)[A-Za-z0-9_~.-]{20,}")
_IN_THE_ENVIRONMENT: Final = "put the address into an environment variable and write the variable's name here"


def is_variable(webhook: str) -> bool:
    """Whether a webhook is the name of an environment variable rather than an address."""
    return _VARIABLE.fullmatch(webhook) is not None


def check_webhook(value: str) -> str:
    """A webhook as people may write it into a file: the name of an environment variable, or an address without secrets.

    Raises:
        ValueError: it is neither.
    """
    if is_variable(value):
        return value
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(
            "must be the name of an environment variable that holds the address, such as STREET_TEAM_WEBHOOK, or an "
            "https:// address without secrets"
        )
    if parts.username or parts.password or parts.query or parts.fragment:
        raise ValueError(f"holds what may be a secret (user, password or query); {_IN_THE_ENVIRONMENT}")
    if any(_LIKE_A_SECRET.fullmatch(part) for part in parts.path.split("/")):
        raise ValueError(f"holds what looks like a secret in its path; {_IN_THE_ENVIRONMENT}")
    if parts.scheme == "http" and parts.hostname not in _LOOPBACK:
        raise ValueError("must begin with https://: what it says of your footage would travel in the clear")
    return value
