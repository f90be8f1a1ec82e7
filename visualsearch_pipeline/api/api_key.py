"""The API key: recognised when mistyped, and kept out of every text that this package produces."""

from __future__ import annotations

import re
from typing import Final

from visualsearch_pipeline.api.errors import InvalidInput

_QUOTES: Final = "\"'`\u201c\u201d\u2018\u2019"
_HEADER_SAFE: Final = re.compile(r"[\x21-\x7e]+")


class ApiKey:
    """A key whose text shows in no repr, message or log.

    Args:
        text: The raw key as the console shows it, such as `sk-mavi-…`.

    Raises:
        InvalidInput: It is empty, quoted, prefixed with `Bearer`, or holds characters that no key has. The message
            names the mistake but never the key.
    """

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        _explain_mistakes(text)
        self._text = text

    def reveal(self) -> str:
        """Return the key itself, for the Authorization header alone."""
        return self._text

    def __repr__(self) -> str:
        return "ApiKey(…)"

    def __reduce__(self) -> str | tuple[object, ...]:
        raise TypeError("An ApiKey is not pickled: give each process its key through its environment.")


def _explain_mistakes(text: str) -> None:
    # The checks come before httpx sees the key: its errors quote the header's value (contract §1.1, §9.1).
    if not text.strip():
        raise InvalidInput("The API key is empty. Create one in the service's console and put it into the environment.")
    if text != text.strip():
        raise InvalidInput("The API key begins or ends with a space or a line break. Copy it again without them.")
    if text[0] in _QUOTES or text[-1] in _QUOTES:
        raise InvalidInput(
            "The API key is wrapped in quotes. Remove them: only the characters between them are the key."
        )
    if re.match(r"bearer\b", text, re.IGNORECASE):
        raise InvalidInput("The API key begins with `Bearer`. This service takes the raw key alone: remove the prefix.")
    if text.lower().startswith("authorization:"):
        raise InvalidInput("The API key begins with `Authorization:`. Give the key alone, not the whole header.")
    if not _HEADER_SAFE.fullmatch(text):
        raise InvalidInput(
            "The API key holds a space, a control character or a letter that is not ASCII. Copy it again."
        )
