"""The webhook receiver: a small optional ASGI app that keeps what the service calls back as hints.

    receiver     the app: a secret path, a size limit, an answer that says nothing
    deliveries   what a delivery is about, in any of the shapes that the service sends

The service signs nothing, and may deliver late, twice, in the wrong order or never (contract §4). So a delivery changes
nothing by itself: it is stored, and the next poll asks the service about that video or import first.
"""

from visualsearch_pipeline.webhooks.receiver import app, create_app

__all__ = ["app", "create_app"]
