"""The page's data as scripts: a page opened from a `file:` URL may load scripts, but may not fetch anything."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import TypeAlias

JsonValue: TypeAlias = "str | int | float | bool | Sequence[JsonValue] | Mapping[str, JsonValue] | None"

_ESCAPES = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"}
"""Characters that could end a script or begin markup; escaped, the text is the same and harmless anywhere."""


def data_script(name: str, value: JsonValue) -> str:
    """A script that hands `value` to the page under `name`.

    Raises:
        ValueError: a number is not finite: JSON has no word for it.
    """
    return f"visualSearchReport.receive({_encode(name)}, {_encode(value)});\n"


def finite(number: float | None) -> float | None:
    """`number`, or None where it is not a number that JSON can hold."""
    return number if number is not None and math.isfinite(number) else None


def _encode(value: JsonValue) -> str:
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    for character, escape in _ESCAPES.items():
        text = text.replace(character, escape)
    # Half of a character outside the basic plane, as a broken file name may hold, has no UTF-8.
    return text.encode("utf-8", "backslashreplace").decode("utf-8")
