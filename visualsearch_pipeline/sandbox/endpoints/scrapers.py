"""The three scrapers, their public forms, and get_video_ids_by_task_id (contract §2.4, §2.5)."""

from visualsearch_pipeline.sandbox.calls import Call, Reply
from visualsearch_pipeline.sandbox.config import Dialect
from visualsearch_pipeline.sandbox.errors import ApiError
from visualsearch_pipeline.sandbox.identifiers import seeded_uuid
from visualsearch_pipeline.sandbox.platforms.posts import platform_of, posts_of_creator, posts_of_hash_tag
from visualsearch_pipeline.sandbox.platforms.tasks import ScraperTask
from visualsearch_pipeline.sandbox.state.entries import PUBLIC_LIBRARY, Scope
from visualsearch_pipeline.sandbox.state.library import VideoFilter

_MAX_URLS = 50
_MAX_HASH_TAGS = 50
_MAX_COUNT = 100
_QUALITIES = ("360", "480", "720", "1080", "1440", "2160")

_Posts = list[tuple[str, str | None]]


def scraper(call: Call) -> Reply:
    """Import a creator's newest posts."""
    return _accept(call, _posts_of_creator(call), is_public=False)


def scraper_public(call: Call) -> Reply:
    """Import a creator's newest posts into the public library."""
    return _accept(call, _posts_of_creator(call), is_public=True)


def scraper_tag(call: Call) -> Reply:
    """Import posts by hashtag."""
    return _accept(call, _posts_of_tags(call), is_public=False)


def scraper_tag_public(call: Call) -> Reply:
    """Import posts by hashtag into the public library."""
    return _accept(call, _posts_of_tags(call), is_public=True)


def scraper_url(call: Call) -> Reply:
    """Import posts by their URLs."""
    return _accept(call, _posts_by_url(call), is_public=False)


def scraper_url_public(call: Call) -> Reply:
    """Import posts by their URLs into the public library."""
    return _accept(call, _posts_by_url(call), is_public=True)


def get_video_ids_by_task_id(call: Call) -> Reply:
    """The videos a task has brought so far; an empty list while it has brought none."""
    services = call.services
    task_id = call.arguments.required_text("task_id")
    private, _ = services.library.find(call.item_scope(), VideoFilter(task_id=task_id))
    public, _ = services.library.find(Scope(library=PUBLIC_LIBRARY), VideoFilter(task_id=task_id))
    videos = [*private, *public]
    return Reply(
        data={"videos": [services.wire.task_item(video) for video in videos]},
        item_ids=tuple(video.video_no for video in videos),
    )


def _posts_of_creator(call: Call) -> _Posts:
    profile = call.arguments.required_text("username")
    if platform_of(profile) is None:
        raise ApiError("The username must be the profile URL of TikTok, YouTube or Instagram")
    count = call.arguments.within("scraper_cnt", low=1, high=_MAX_COUNT, default=4)
    return [(url, None) for url in posts_of_creator(profile, count=count)]


def _posts_of_tags(call: Call) -> _Posts:
    tags = call.arguments.texts("hash_tags", at_most=_MAX_HASH_TAGS)
    if not tags:
        raise ApiError("The hash_tags parameter cannot be empty!")
    if any(not tag.strip() or "#" in tag for tag in tags):
        raise ApiError("hash_tags are written without #")
    count = call.arguments.within("scraper_cnt", low=1, high=_MAX_COUNT, default=2)
    return [(url, tag) for tag in tags for url in posts_of_hash_tag(tag, count=count)]


def _posts_by_url(call: Call) -> _Posts:
    arguments = call.arguments
    urls = [
        *(arguments.texts("video_urls", at_most=_MAX_URLS) or ()),
        *(arguments.texts("tiktok_post_urls", at_most=_MAX_URLS) or ()),
    ]
    if not 1 <= len(urls) <= _MAX_URLS:
        raise ApiError(f"video_urls must have 1 to {_MAX_URLS} URLs")
    platforms = {platform_of(url) for url in urls}
    if None in platforms:
        raise ApiError("video_urls must be URLs of TikTok, YouTube or Instagram")
    if len(platforms) > 1:
        raise ApiError("All URLs must be from the same platform")
    arguments.choice("quality", _QUALITIES, default="360")
    return [(url, None) for url in urls]


def _accept(call: Call, posts: _Posts, *, is_public: bool) -> Reply:
    services = call.services
    now_ms = services.clock.now_ms()
    with services.database.write() as connection:
        number = services.library.next_id(connection, now_ms=now_ms)
    made = seeded_uuid(f"task/{number}", seed=services.config.seed)
    task = ScraperTask(
        task_id=f"uuid_{made.hex}" if services.config.dialect is Dialect.LIVE_2025 else str(made),
        account=call.account,
        # The public forms take no notice of a scope (contract §2.4).
        scope=Scope(library=PUBLIC_LIBRARY) if is_public else call.write_scope(),
        posts=tuple(posts),
        callback=call.arguments.callback("callback_url", "callback"),
    )
    services.scraper_tasks.add(task, ready_at_ms=now_ms + round(services.config.indexing_seconds * 1000))
    return Reply(data={"taskId": task.task_id}, item_ids=(task.task_id,))
