"""The sample warehouse with queries about private images and the public library too."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Final

from PIL import Image, ImageDraw

from tests.sample_warehouse import FIRST_DAY, HITS, NOON, RUN, Hit, SampleWarehouse, make_sample_warehouse, table
from visualsearch_pipeline.warehouse import ParquetStore

ASKED: Final = (FIRST_DAY + timedelta(days=2), FIRST_DAY + timedelta(days=3))
"""The days on which the public library was asked."""

KINDS: Final = {"red_photos": "text_in_images", "trend": "public_text", "claim": "public_transcript"}
_QUERIES: Final = {"red_photos": "a red car", "trend": "a group dancing in a kitchen", "claim": "lasts two years"}


@dataclass(frozen=True)
class Photo:
    """A private image; one that is not `drawn` is not in the source any more."""

    number: int
    name: str
    colour: str
    score: float | None
    is_late: bool = False
    is_drawn: bool = True

    @property
    def image_id(self) -> str:
        return f"{1_700_000_000_000_000_000 + self.number}"


PHOTOS: Final = (
    Photo(1, "holidays/50%41 red car #1?.jpg", "#b3261e", 0.93),
    Photo(2, "parked.png", "#c2453d", 0.71, is_late=True),
    Photo(3, "gone.png", "#800000", 0.42, is_drawn=False),
    Photo(4, "blue car.png", "#1e4fb3", None),
)


@dataclass(frozen=True)
class Post:
    """A public video, as its platform told of it; one without a `title` could not be looked up."""

    number: int
    platform: str
    title: str | None
    creator: str | None
    url: str | None
    score: float
    days: Sequence[date] = ASKED
    start: float = 2.0

    @property
    def video_no(self) -> str:
        return f"PI-{self.number:03}"


POSTS: Final = (
    Post(1, "tiktok", "Kitchen disco", "amy.cooks", "https://www.tiktok.com/@amy.cooks/video/1", 0.88),
    Post(2, "youtube", "Sunday dance", "Dance Lab", "https://www.youtube.com/watch?v=abc", 0.67, days=ASKED[1:]),
    Post(3, "instagram", None, None, None, 0.35),
    Post(4, "tiktok", "Not there any more", "bob", "https://www.tiktok.com/@bob/video/4", 0.5, days=ASKED[:1]),
)


def make_library_sample(
    folder: Path, *, photos: Sequence[Photo] = PHOTOS, posts: Sequence[Post] = POSTS, hits: Sequence[Hit] = HITS
) -> SampleWarehouse:
    """Publish the sample with `photos` and `posts` below `folder`; the images lie in its `footage`."""
    store = ParquetStore(str(folder / "state" / "warehouse"))
    rows = [_image_hit(folder, photo, rank) for rank, photo in enumerate(photos, 1) if photo.score is not None]
    if rows:
        store.write_part("image_hits", table("image_hits", rows), query_set="street", day=FIRST_DAY)
    for day in ASKED:
        found = [
            _public_hit(post, rank, day, query)
            for query in ("trend", "claim")
            for rank, post in enumerate(posts, 1)
            if day in post.days and (query == "trend" or post.number == 1)
        ]
        store.write_part("public_hits", table("public_hits", found), query_set="street", day=day)
    queries = [
        {
            **_identity(query),
            "kind": KINDS[query],
            "asks": asks,
            "definition": "{}",
            "is_current": True,
            "first_seen_at": NOON,
        }
        for query, asks in _QUERIES.items()
    ]
    more = {
        "queries": queries,
        "images": [_image(folder, photo) for photo in photos],
        "image_coverage": [
            {
                **_identity("red_photos"),
                "image_id": photo.image_id,
                "day": FIRST_DAY,
                "hits": int(photo.score is not None),
                "truncated": False,
                "searched_at": NOON + timedelta(minutes=10 if photo.is_late else 0),
            }
            for photo in photos[:3]
        ],
        "public_videos": [_public_video(post) for post in posts],
        "public_answers": [
            {
                **_identity(query),
                "day": day,
                "hits": 3 if query == "trend" else 1,
                "truncated": False,
                "calls": 3,
                "asked_at": NOON,
                "run_id": RUN,
            }
            for day in ASKED
            for query in ("trend", "claim")
        ],
    }
    return make_sample_warehouse(folder, hits=hits, more=more)


def _identity(query: str) -> dict[str, object]:
    return {"query_set": "street", "query_id": query, "query_version": f"{query}-v1"}


def _path(folder: Path, photo: Photo) -> Path:
    return folder / "footage" / photo.name


def _sha256(folder: Path, photo: Photo) -> str:
    path = _path(folder, photo)
    if photo.is_drawn and not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        picture = Image.new("RGB", (1200, 800), "#d8dde3")
        pen = ImageDraw.Draw(picture)
        pen.rounded_rectangle((220, 380, 980, 620), radius=60, fill=photo.colour)
        pen.polygon(((360, 390), (480, 260), (760, 260), (860, 390)), fill=photo.colour)
        for x in (390, 810):
            pen.ellipse((x - 80, 540, x + 80, 700), fill="#1b1f24")
        picture.save(path)
    return hashlib.sha256(path.read_bytes() if photo.is_drawn else photo.name.encode()).hexdigest()


def _image(folder: Path, photo: Photo) -> dict[str, object]:
    return {
        "sha256": _sha256(folder, photo),
        "image_id": photo.image_id,
        "day": FIRST_DAY,
        "media_uri": f"file://{_path(folder, photo)}",
        "media_name": photo.name,
        "state": "uploaded",
        "camera_model": "Canon EOS R5",
        "uploaded_at": NOON + timedelta(minutes=5 if photo.is_late else -5),
    }


def _image_hit(folder: Path, photo: Photo, rank: int) -> dict[str, object]:
    return {
        **_identity("red_photos"),
        "day": FIRST_DAY,
        "image_id": photo.image_id,
        "sha256": _sha256(folder, photo),
        "media_uri": f"file://{_path(folder, photo)}",
        "image_name": Path(photo.name).stem,
        "score": photo.score,
        "rank": rank,
        "searched_at": NOON,
        "found_at": NOON + timedelta(minutes=10 if photo.is_late else 0),
        "found_run_id": RUN if photo.is_late else "run-1",
    }


def _public_hit(post: Post, rank: int, day: date, query: str) -> dict[str, object]:
    is_phrase = query == "claim"
    return {
        **_identity(query),
        "day": day,
        "platform": None if is_phrase else post.platform,
        "video_no": post.video_no,
        "video_name": f"as the service names {post.number}",
        "start_seconds": post.start,
        "end_seconds": post.start + 3.5,
        "score": None if is_phrase else post.score,
        "rank": rank,
        "text": "It lasts two years, they said." if is_phrase else None,
        "asked_at": NOON,
        "run_id": RUN,
    }


def _public_video(post: Post) -> dict[str, object]:
    return {
        "video_no": post.video_no,
        "day": ASKED[0],
        "platform": post.platform,
        "video_name": post.title,
        "creator": post.creator,
        "video_url": post.url,
        "duration_seconds": 31.0,
        "is_known": post.title is not None,
    }
