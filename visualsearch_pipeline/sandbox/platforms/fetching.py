"""From a post of a platform to a video of a library."""

import json

from visualsearch_pipeline.sandbox.credits import SCRAPE_USD_PER_VIDEO, YOUTUBE_USD_PER_BYTE, Credits
from visualsearch_pipeline.sandbox.platforms.clips import encode_clip
from visualsearch_pipeline.sandbox.platforms.posts import Platform, Post
from visualsearch_pipeline.sandbox.platforms.tasks import ScraperTask
from visualsearch_pipeline.sandbox.state.entries import PUBLIC_LIBRARY, CaptureDetails, Scope
from visualsearch_pipeline.sandbox.state.library import Library, NewVideo, VideoFilter
from visualsearch_pipeline.sandbox.uploading import Uploading


class Fetching:
    """Fetches posts. In the public library a post is there once, in private ones as often as it is asked for."""

    def __init__(
        self, uploading: Uploading, library: Library, credits_: Credits, *, calls_back_per_video: bool
    ) -> None:
        self._uploading = uploading
        self._library = library
        self._credits = credits_
        self._calls_back_per_video = calls_back_per_video

    def fetch(self, task: ScraperTask, post: Post) -> None:
        """Encode the clip of a post and enter it; what the task has fetched already is left alone."""
        scope = Scope(library=PUBLIC_LIBRARY) if task.is_public else task.scope
        known, _ = self._library.find(
            scope, VideoFilter(source_url=post.url, task_id=None if task.is_public else task.task_id), limit=1
        )
        if known:
            return
        path = self._uploading.new_incoming()
        try:
            size_bytes = encode_clip(post, path)
            video = NewVideo(
                scope=scope,
                file_name=f"{post.url.rstrip('/').rpartition('/')[2]}.mp4",
                video_name=post.title,
                size_bytes=size_bytes,
                details=CaptureDetails(tags=("api",)),
                callback=task.callback if self._calls_back_per_video else None,
                platform=post.platform,
                source_url=post.url,
                task_id=task.task_id,
                detail=json.dumps(_detail(post)),
                is_public=task.is_public,
            )
            entry = self._uploading.store(video, path)
        finally:
            path.unlink(missing_ok=True)
        by_size = post.platform is Platform.YOUTUBE
        price = size_bytes * YOUTUBE_USD_PER_BYTE if by_size else SCRAPE_USD_PER_VIDEO
        self._credits.charge(task.account, operation="scrape", amount_usd=price, item_id=entry.video_no)


def _detail(post: Post) -> dict[str, str]:
    return {
        "like_count": str(post.likes),
        "share_count": str(post.likes // 20),
        "comment_count": str(post.likes // 10),
        "view_count": str(post.views),
        "collect_count": str(post.likes // 15),
        "blogger_id": post.creator,
        "text_language": "en",
        "music_name": "original sound",
        "hash_tag": "".join(f"#{tag}" for tag in post.hash_tags),
        "publish_time": str(post.published_at_seconds),
    }
