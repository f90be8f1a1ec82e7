"""What a public library begins with."""

from visualsearch_pipeline.sandbox.calls import Services
from visualsearch_pipeline.sandbox.platforms.posts import seeded_public_posts
from visualsearch_pipeline.sandbox.platforms.tasks import ScraperTask
from visualsearch_pipeline.sandbox.state.entries import PUBLIC_LIBRARY, Scope

_TASK_ID = "public-library"
_NOBODY = ""


def seed_public_library(services: Services) -> None:
    """Have the first public posts fetched, unless there are public videos already."""
    scope = Scope(library=PUBLIC_LIBRARY)
    if services.library.find(scope, limit=1)[1] or services.scraper_tasks.known(_TASK_ID):
        return
    posts = tuple((url, None) for url in seeded_public_posts())
    task = ScraperTask(task_id=_TASK_ID, account=_NOBODY, scope=scope, posts=posts, callback=None)
    services.scraper_tasks.add(task, ready_at_ms=services.clock.now_ms())
