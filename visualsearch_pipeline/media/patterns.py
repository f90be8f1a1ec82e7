"""Which files of a source are meant: include and exclude patterns over relative paths.

The rules are those of `.gitignore` where it and `pathlib` differ, because that is what people have in their fingers:
`*` stays within one folder, `**` crosses folders (`**/*.mp4` also finds files at the top), a pattern without a slash is
tried at any depth, and one that excludes a folder excludes what is in it. Case is ignored throughout: `**/*.mp4` finds
`CLIP.MP4`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from visualsearch_pipeline.media.errors import InvalidPattern

_NOTHING: Final = r"(?!)"  # so that no patterns match no path


@dataclass(frozen=True, slots=True)
class PathFilter:
    """Include and exclude patterns, compiled once for a whole walk.

    Example:
        >>> PathFilter.compile(include=["**/*.mp4"], exclude=["raw/**"]).accepts("2026/clip.MP4")
        True
    """

    _included: re.Pattern[str]
    _excluded: re.Pattern[str]
    _excluded_folders: re.Pattern[str]

    @classmethod
    def compile(cls, *, include: Sequence[str], exclude: Sequence[str] = ()) -> PathFilter:
        """Check and compile the patterns.

        Args:
            include: A file is wanted if one of these matches. At least one.
            exclude: A file is not wanted if one of these matches; folders that match are not even entered.

        Raises:
            InvalidPattern: A pattern that could never match, or none at all.
        """
        if not include:
            raise InvalidPattern("", problem="no include pattern is given, so no file could be found.")
        excluded = [_anchored(pattern) for pattern in exclude]
        # `raw`, `raw/` and `raw/**` all speak of everything below a folder: then it need not be entered.
        folders = [pattern for pattern in (pattern.removesuffix("/**") for pattern in excluded) if pattern.strip("/*")]
        below = [f"{folder}/**" for folder in folders]
        return cls(_any_of([_anchored(pattern) for pattern in include]), _any_of(excluded + below), _any_of(folders))

    def accepts(self, relative_path: str) -> bool:
        """Whether a file at this path, relative to the source and with `/` between its parts, is wanted."""
        return bool(self._included.match(relative_path)) and not self._excluded.match(relative_path)

    def enters(self, relative_path: str) -> bool:
        """Whether a folder at this path can hold files that are wanted."""
        return not self._excluded_folders.match(relative_path)


def _anchored(pattern: str) -> str:
    """The pattern as one over whole relative paths, with the meaning that its slashes give it."""
    if not pattern.strip("/ "):
        raise InvalidPattern(pattern, problem="it is empty.")
    if re.search(r"(?<!\[)\{[^}]*,[^}]*\}", pattern):
        raise InvalidPattern(pattern, problem="braces are not expanded; write one pattern per alternative.")
    if ".." in pattern.split("/"):
        raise InvalidPattern(pattern, problem="it leaves the source; patterns are relative to the source's path.")
    if re.match(r"[A-Za-z][A-Za-z0-9+.-]*://", pattern):
        raise InvalidPattern(pattern, problem="it is a URL; patterns are relative to the source's path.")
    body = pattern.removesuffix("/")
    anchored = body.removeprefix("/") if "/" in body else f"**/{body}"
    return f"{anchored}/**" if pattern.endswith("/") else anchored


def _any_of(anchored_patterns: Sequence[str]) -> re.Pattern[str]:
    from fsspec.utils import glob_translate

    alternatives = [_NOTHING]
    for pattern in anchored_patterns:
        try:
            alternatives.append(glob_translate(pattern))
            re.compile(alternatives[-1])
        except (ValueError, re.error) as error:
            raise InvalidPattern(pattern, problem=f"{error}.") from error
    return re.compile("|".join(alternatives), re.IGNORECASE)
