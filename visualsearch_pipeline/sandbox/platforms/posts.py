"""The posts of the stand-in platforms: every profile, hashtag and URL leads somewhere, always to the same place."""

import random
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import urlsplit

_COLOURS = ("red", "blue", "green", "yellow", "purple", "orange")
_SHAPES = ("circle", "square", "triangle")
_BACKGROUNDS = ("black", "white")
_LINES = (
    "welcome back to the channel",
    "this is the best race of the season",
    "you will not believe what happened next",
    "the warranty lasts two years",
    "let me know in the comments",
)
_TITLES = ("Day out with a {colour} {shape}", "The {colour} {shape} challenge", "Why everybody loves {colour}")
_TAGS = ("fyp", "nature", "street", "race", "news")
_UNAVAILABLE = "unavailable"
_PUBLISHED_FROM_SECONDS = 1_735_689_600


class Platform(StrEnum):
    """The social platforms that the service imports from."""

    TIKTOK = "TIKTOK"
    YOUTUBE = "YOUTUBE"
    INSTAGRAM = "INSTAGRAM"


_HOSTS = {
    "tiktok.com": Platform.TIKTOK,
    "youtube.com": Platform.YOUTUBE,
    "youtu.be": Platform.YOUTUBE,
    "instagram.com": Platform.INSTAGRAM,
}


@dataclass(frozen=True, kw_only=True)
class Post:
    """One post: where it is, what it shows and says, and how it was received."""

    url: str
    platform: Platform
    creator: str
    title: str
    hash_tags: tuple[str, ...]
    colour: str
    shape: str
    background: str
    spoken: str
    seconds: int
    published_at_seconds: int
    likes: int
    views: int


def platform_of(url: str) -> Platform | None:
    """The platform that a URL belongs to, None for any other place and for what is no URL."""
    try:
        parts = urlsplit(url if "//" in url else f"https://{url}")
    except ValueError:  # brackets that enclose no address
        return None
    if parts.scheme not in {"http", "https"}:
        return None
    host = (parts.hostname or "").lower()
    return next((found for name, found in _HOSTS.items() if host == name or host.endswith(f".{name}")), None)


def post_at(url: str, *, seed: int, hash_tag: str | None = None) -> Post | None:
    """The post at a URL; None for a foreign place or one whose path says `unavailable`."""
    platform = platform_of(url)
    if platform is None or _UNAVAILABLE in urlsplit(url).path:
        return None
    draw = random.Random(f"{seed}/{url}")  # noqa: S311 - reproducible on purpose, protects nothing
    colour, shape = draw.choice(_COLOURS), draw.choice(_SHAPES)
    tags = tuple(dict.fromkeys([*([hash_tag] if hash_tag else []), *draw.sample(_TAGS, 2)]))
    title = draw.choice(_TITLES).format(colour=colour, shape=shape)
    return Post(
        url=url,
        platform=platform,
        creator=_creator(url) or f"creator{draw.randrange(1000)}",
        title=f"{title} {' '.join(f'#{tag}' for tag in tags)}",
        hash_tags=tags,
        colour=colour,
        shape=shape,
        background=draw.choice(_BACKGROUNDS),
        spoken=draw.choice(_LINES),
        seconds=draw.randint(3, 6),
        published_at_seconds=_PUBLISHED_FROM_SECONDS + draw.randrange(300 * 86400),
        likes=draw.randrange(10_000),
        views=draw.randrange(10_000, 1_000_000),
    )


def posts_of_creator(profile_url: str, *, count: int) -> list[str]:
    """The URLs of a creator's newest posts."""
    base = profile_url.rstrip("/")
    return [f"{base}/video/{7_500_000_000_000_000_000 + number}" for number in range(count)]


def posts_of_hash_tag(hash_tag: str, *, count: int) -> list[str]:
    """The URLs of posts with a hashtag; on TikTok, as in the service (contract §2.4)."""
    return [f"https://www.tiktok.com/@{hash_tag.lower()}_fan{number}/video/{number}" for number in range(count)]


def seeded_public_posts() -> list[str]:
    """The posts that a public library begins with: two of each platform."""
    return [
        *(f"https://www.tiktok.com/@timberwolves/video/{number}" for number in (1, 2)),
        *(f"https://www.youtube.com/watch/seed{number}" for number in (1, 2)),
        *(f"https://www.instagram.com/reel/seed{number}" for number in (1, 2)),
    ]


def _creator(url: str) -> str | None:
    return next((part[1:] for part in urlsplit(url).path.split("/") if part.startswith("@") and len(part) > 1), None)
