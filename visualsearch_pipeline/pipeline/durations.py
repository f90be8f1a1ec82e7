"""Lengths of time as people say them."""

from __future__ import annotations

from typing import Final

_MINUTE: Final = 60
_HOUR: Final = 60 * _MINUTE
_DAY: Final = 24 * _HOUR


def in_words(seconds: float) -> str:
    """A length of time in its one or two largest units, such as `41 s`, `25 min`, `4 h 48 min` or `3 d 2 h`.

    Example:
        >>> in_words(17_261)
        '4 h 48 min'
    """
    if round(seconds) < _MINUTE:
        return f"{max(0, round(seconds))} s"
    if round(seconds / _MINUTE) < 60:
        return f"{round(seconds / _MINUTE)} min"
    minutes = round(seconds / _MINUTE)
    if minutes < _DAY / _MINUTE:
        return _two(minutes, 60, "h", "min")
    return _two(round(seconds / _HOUR), 24, "d", "h")


def _two(amount: int, per_unit: int, large: str, small: str) -> str:
    whole, rest = divmod(amount, per_unit)
    return f"{whole} {large} {rest} {small}" if rest else f"{whole} {large}"
