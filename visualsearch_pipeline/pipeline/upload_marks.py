"""What each upload carries so that it can be told apart in the library: tags, and a name with a mark of its hash."""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from typing import Final

HASH_TAG_PREFIX: Final = "sha256:"
DAY_TAG_PREFIX: Final = "day:"
URL_TAG_PREFIX: Final = "url:"

_NAME_CHARACTERS: Final = 80
_MARK_CHARACTERS: Final = 16
_MARK: Final = re.compile(rf"(?<![0-9a-f])[0-9a-f]{{{_MARK_CHARACTERS}}}(?![0-9a-f])")


def upload_name(name: str, *, sha256: str) -> str:
    """A name to upload a file under: readable, safe in any header, and unique by the hash it carries.

    The service keeps the stem as the entry's name (contract §2.1): an upload whose answer was lost can be found by it.
    """
    path = PurePosixPath(name)
    stem = "".join(letter if letter.isascii() and letter.isalnum() else "-" for letter in path.stem)
    stem = "-".join(part for part in stem.split("-") if part)[:_NAME_CHARACTERS]
    return f"{stem or 'media'}-{hash_mark(sha256)}{path.suffix.lower()}"


def hash_mark(sha256: str) -> str:
    """The part of a content's hash that its upload name carries."""
    return sha256[:_MARK_CHARACTERS]


def mark_in_name(name: str | None) -> str | None:
    """The hash mark at the end of a name as the service gives it back; None if it has none.

    Names were seen with prefixes and escapes added (contract §6.4). The last mark counts: what a person called the file
    stands before it, and may be the name of an earlier upload.
    """
    marks = _MARK.findall(name or "")
    return marks[-1] if marks else None
