"""The file of imports: what is to be fetched from TikTok, YouTube and Instagram, and how often.

    imports:
      - id: team_channel
        creator: https://www.tiktok.com/@team
        count: 10
        refresh: daily
      - id: launch_posts
        posts: [https://www.youtube.com/watch?v=abc]
        quality: 1080

Each entry is a creator, hashtags or posts (contract §2.4). Mistakes are named with file and line.
"""

from __future__ import annotations

import hashlib
import json
import re
from datetime import date, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from visualsearch_pipeline.api import VideoQuality
from visualsearch_pipeline.api.limits import MAX_SCRAPER_URLS
from visualsearch_pipeline.located_yaml import Location, YamlFileError, YamlProblem, read_yaml, validate_document
from visualsearch_pipeline.media.media_url import MediaUrl, UnusableUrl

_DEFAULT_COUNTS: Final = {"creator": 4, "hashtags": 2}
"""The service's own (contract §2.4)."""


class Platform(StrEnum):
    """Where posts are imported from."""

    TIKTOK = "tiktok"
    YOUTUBE = "youtube"
    INSTAGRAM = "instagram"


_REFRESH: Final = re.compile(r"once|daily|every [1-9][0-9]{0,2} days?")
_HOSTS: Final = {
    "tiktok.com": Platform.TIKTOK,
    "youtube.com": Platform.YOUTUBE,
    "youtu.be": Platform.YOUTUBE,
    "instagram.com": Platform.INSTAGRAM,
}


def platform_of(url: str) -> Platform | None:
    """The platform that an address belongs to; None for any other place."""
    host = urlsplit(url).hostname or ""
    return next((known for name, known in _HOSTS.items() if host == name or host.endswith(f".{name}")), None)


def _check_post_url(value: str) -> str:
    try:
        MediaUrl.parse(value)
    except UnusableUrl as error:
        raise ValueError(str(error)) from None
    if platform_of(value) is None:
        raise ValueError(f"must be an address on TikTok, YouTube or Instagram, not on {urlsplit(value).hostname}")
    return value


def _check_hashtag(value: str) -> str:
    if not value or "#" in value or any(letter.isspace() for letter in value):
        raise ValueError(f"must be one word without `#`, not {value!r}")
    return value


def _check_refresh(value: str) -> str:
    if not _REFRESH.fullmatch(value):
        raise ValueError(f"must be `once`, `daily`, or such as `every 7 days`, not {value!r}")
    return value


PostUrl = Annotated[str, AfterValidator(_check_post_url)]
Refresh = Annotated[str, AfterValidator(_check_refresh)]
Hashtag = Annotated[str, AfterValidator(_check_hashtag)]


class ImportEntry(BaseModel):
    """One import: exactly one of `creator`, `hashtags` and `posts`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$", description="Name of the import; never reused.")
    creator: PostUrl | None = Field(None, description="The page of a creator whose newest posts are imported.")
    hashtags: tuple[Hashtag, ...] | None = Field(None, description="TikTok hashtags, without `#`.")
    posts: tuple[PostUrl, ...] | None = Field(
        None, max_length=MAX_SCRAPER_URLS, description="Posts by their address, all of one platform."
    )
    count: int | None = Field(
        None, ge=1, le=1000, description="How many posts of a creator (default 4), or of each hashtag (default 2)."
    )
    quality: Literal[360, 480, 720, 1080, 1440, 2160] | None = Field(
        None, description="Picture height in pixels, for posts, where the platform offers a choice; default 720."
    )
    into: Literal["private", "public"] = Field(
        "private", description="`public`: for good, and for every user of the service to see and search."
    )
    refresh: Refresh = Field(
        "once", description="`once`, `daily`, or such as `every 7 days`. Each time is a task of its own, and paid for."
    )

    @model_validator(mode="after")
    def _is_one_thing(self) -> Self:
        given = [name for name in ("creator", "hashtags", "posts") if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError(
                f"give exactly one of `creator`, `hashtags` and `posts`, not {' and '.join(given) or 'none'}"
            )
        if () in (self.hashtags, self.posts):
            raise ValueError(f"`{given[0]}` names none")
        if self.posts is not None:
            if self.count is not None:
                raise ValueError("`count` goes with a creator or hashtags; posts are as many as are named")
            if len({platform_of(url) for url in self.posts}) > 1:
                raise ValueError("the service takes the posts of one platform at a time; make an entry of each")
        elif self.quality is not None:
            raise ValueError("`quality` goes with posts only: the service takes none for a creator or hashtags")
        return self

    @property
    def kind(self) -> Literal["creator", "hashtags", "posts"]:
        """Which of the three it is."""
        return "creator" if self.creator else "hashtags" if self.hashtags else "posts"

    @property
    def platform(self) -> Platform:
        """Where it imports from. Hashtags are TikTok's (contract §2.4)."""
        address = self.creator or (self.posts[0] if self.posts else None)
        return (platform_of(address) if address else None) or Platform.TIKTOK

    @property
    def posts_each(self) -> int:
        """How many posts of the creator, or of each hashtag; 1 for posts."""
        return self.count or _DEFAULT_COUNTS.get(self.kind, 1)

    @property
    def expected_videos(self) -> int:
        """How many videos it brings at most."""
        return self.posts_each * len(self.hashtags or self.posts or (self.creator,))

    @property
    def video_quality(self) -> VideoQuality:
        """What is asked for where there is a choice."""
        return VideoQuality(self.quality or VideoQuality.P720)

    @property
    def asks(self) -> str:
        """What is imported, for people."""
        if self.creator:
            return f"{self.posts_each} newest of {self.creator}"
        if self.hashtags:
            return f"{self.posts_each} newest of each of {', '.join(f'#{tag}' for tag in self.hashtags)}"
        first, *others = self.posts or ("",)
        return f"{first} and {len(others)} more" if others else first

    @property
    def definition(self) -> str:
        """Hash of everything that is asked; `id` and `refresh` are no part of that."""
        asked = self.model_dump(mode="json", exclude={"id", "refresh"})
        return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()

    def is_due(self, *, last: date | None, today: date) -> bool:
        """Whether it is to be imported today, given the last day on which it was."""
        if last is None:
            return True
        if self.refresh == "once":
            return False
        every = 1 if self.refresh == "daily" else int(self.refresh.split()[1])
        return last + timedelta(days=every) <= today


class ImportsFile(BaseModel):
    """The file of imports."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    imports: tuple[ImportEntry, ...] = Field((), description="What is imported.")


def read_imports(path: Path) -> tuple[ImportEntry, ...]:
    """Read the file of imports.

    Raises:
        YamlFileError: It is missing, no YAML, or an entry cannot be used; with line and key.
    """
    document = read_yaml(path)
    entries = validate_document(document, ImportsFile).imports
    seen: dict[str, int] = {}
    problems: list[YamlProblem] = []
    for number, entry in enumerate(entries):
        place: Location = ("imports", number, "id")
        if entry.id in seen:
            first = document.line_of(("imports", seen[entry.id], "id"))
            problems.append(document.problem(place, f"{entry.id!r} stands here a second time (first on line {first})"))
        seen.setdefault(entry.id, number)
    if problems:
        raise YamlFileError(path, problems)
    return entries
