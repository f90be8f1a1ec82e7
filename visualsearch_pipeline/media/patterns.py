"""Which files of a source are meant: include and exclude patterns over relative paths.

The rules are those of `.gitignore` where it and `pathlib` differ, because that is what people have in their fingers:
`*` stays within one folder, `**` crosses folders (`**/*.mp4` also finds files at the top), and a pattern without a
slash is tried on the last part of the path at any depth. Case is ignored throughout: `**/*.mp4` finds `CLIP.MP4`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from visualsearch_pipeline.media.errors import InvalidPattern


@dataclass(frozen=True, slots=True)
class PathFilter:
    """Include and exclude patterns, compiled once for a whole walk.

    Example:
        >>> PathFilter.compile(include=["**/*.mp4"], exclude=["raw/**"]).accepts("2026/clip.MP4")
        True
    """

    _included: re.Pattern[str]
    _excluded: re.Pattern[str] | None
    _excluded_folders: re.Pattern[str] | None

    @classmethod
    def compile(cls, *, include: Sequence[str], exclude: Sequence[str] = ()) -> PathFilter:
        """Check and compile the patterns.

        Args:
            include: A file is wanted if one of these matches. At least one.
            exclude: A file is not wanted if one of these matches; folders that match are not even entered.

        Raises:
            InvalidPattern: A pattern that could never match, or none at all.
        """
        included = _any_of(include)
        if included is None:
            raise InvalidPattern("", problem="no include pattern is given, so no file could be found.")
        # `raw/**` and `raw/` speak of everything below `raw`: then `raw` itself need not be entered.
        folders = [pattern.removesuffix("**").rstrip("/") for pattern in exclude]
        return cls(included, _any_of(_below(p) for p in exclude), _any_of(f for f in folders if f.strip("/*")))

    def accepts(self, relative_path: str) -> bool:
        """Whether a file at this path, relative to the source and with `/` between its parts, is wanted."""
        if self._included.match(relative_path) is None:
            return False
        return self._excluded is None or self._excluded.match(relative_path) is None

    def enters(self, relative_path: str) -> bool:
        """Whether a folder at this path can hold files that are wanted."""
        return self._excluded_folders is None or self._excluded_folders.match(relative_path) is None


def _below(pattern: str) -> str:
    return f"{pattern}**" if pattern.endswith("/") else pattern


def _any_of(patterns: Iterable[str]) -> re.Pattern[str] | None:
    alternatives = [_to_regex(pattern) for pattern in patterns]
    return re.compile("|".join(alternatives), re.IGNORECASE) if alternatives else None


def _to_regex(pattern: str) -> str:
    from fsspec.utils import glob_translate

    if not pattern.strip("/ "):
        raise InvalidPattern(pattern, problem="it is empty.")
    if re.search(r"(?<!\[)\{[^}]*,[^}]*\}", pattern):
        raise InvalidPattern(pattern, problem="braces are not expanded; write one pattern per alternative.")
    if ".." in pattern.split("/"):
        raise InvalidPattern(pattern, problem="it leaves the source; patterns are relative to the source's path.")
    if re.match(r"[A-Za-z][A-Za-z0-9+.-]*://", pattern):
        raise InvalidPattern(pattern, problem="it is a URL; patterns are relative to the source's path.")
    anchored = pattern.removeprefix("/") if "/" in pattern.rstrip("/") else f"**/{pattern}"
    try:
        translated: str = glob_translate(anchored)
        re.compile(translated)
    except (ValueError, re.error) as error:
        raise InvalidPattern(pattern, problem=f"{error}.") from error
    return translated
