"""Serving the receiver with uvicorn, for those who have no ASGI server of their own."""

from __future__ import annotations

import socket
from collections.abc import Callable

import uvicorn

from visualsearch_pipeline.settings import Settings
from visualsearch_pipeline.webhooks.errors import CannotListen
from visualsearch_pipeline.webhooks.receiver import create_app


def serve(settings: Settings, *, secret: str, host: str, port: int, told: Callable[[str], object]) -> None:
    """Listen until a signal says otherwise.

    Args:
        settings: the pipeline's.
        secret: the last part of the path.
        host: the address to listen on.
        port: the port; 0 takes a free one.
        told: told, once it listens, where.

    Raises:
        CannotListen: the address is taken, or not of this host.
        LedgerError: the ledger cannot be opened.
    """
    app = create_app(settings, secret=secret)
    try:
        listening = socket.create_server((host, port))
    except OSError as error:
        raise CannotListen(
            f"cannot listen on {host}:{port}: {error.strerror or error}; stop what listens there or give another --port"
        ) from error
    with listening:
        told(
            f"taking callbacks on http://{host}:{listening.getsockname()[1]}/callbacks/$VISUALSEARCH_WEBHOOK_SECRET; "
            "stop with Ctrl-C"
        )
        # An access log would write the secret down with every path.
        config = uvicorn.Config(app, access_log=False, log_level="warning", lifespan="on")
        uvicorn.Server(config).run(sockets=[listening])
