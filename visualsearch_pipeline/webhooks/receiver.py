"""The ASGI app that takes deliveries: a secret path, a size limit, and an answer that tells a stranger nothing."""

from __future__ import annotations

import hmac
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Final

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from visualsearch_pipeline.ledger import Ledger, LedgerError, Notice
from visualsearch_pipeline.settings import Settings, load_settings, read_webhook_secret
from visualsearch_pipeline.webhooks.deliveries import DeliveryRefused, read_delivery

MAX_BODY_BYTES: Final = 64 * 1024
"""The largest delivery that is read. The service's own are a few hundred bytes."""

MAX_UNREAD: Final = 10_000
"""How many notices wait to be read at most; beyond it the receiver answers 503, and polling finds out anyway."""

_log: Final = logging.getLogger(__name__)


def app() -> Starlette:
    """The receiver of the pipeline that the environment names: `uvicorn --factory visualsearch_pipeline.webhooks:app`.

    Raises:
        SettingsError: there are no settings, or `VISUALSEARCH_WEBHOOK_SECRET` is missing or short.
    """
    return create_app(load_settings(), secret=read_webhook_secret())


def create_app(
    settings: Settings, *, secret: str, clock: Callable[[], datetime] = lambda: datetime.now(UTC)
) -> Starlette:
    """The receiver of one pipeline. It stores deliveries in the ledger and calls nobody.

    `POST /callbacks/<secret>` takes a delivery: 204 once it is stored (again: counted), 400 if it is no JSON object,
    413 if it is larger than 64 KiB, 503 if it cannot be stored now. Every other path is 404, so that a wrong secret
    looks like no receiver at all. `GET /health` says that it runs.

    Args:
        settings: the settings; only the ledger's address is used.
        secret: the last part of the path. Whoever knows it can leave hints, and no more.
        clock: the time, aware.
    """

    @asynccontextmanager
    async def lifespan(receiver: Starlette) -> AsyncIterator[None]:
        ledger = await run_in_threadpool(Ledger, settings.ledger_database_url)
        receiver.state.ledger = ledger
        try:
            yield
        finally:
            await run_in_threadpool(ledger.close)

    async def take(request: Request) -> Response:
        # Compared in constant time: how long a refusal takes tells nothing of the secret.
        if not hmac.compare_digest(request.path_params["secret"].encode(), secret.encode()):
            return _not_found(request)
        body = await _read_body(request)
        if body is None:
            return PlainTextResponse(f"larger than {MAX_BODY_BYTES} bytes", status_code=413)
        try:
            notice = read_delivery(body, at=clock())
        except DeliveryRefused as refused:
            return PlainTextResponse(str(refused), status_code=400)
        is_kept = await run_in_threadpool(_keep, request.app.state.ledger, notice)
        return Response(status_code=204) if is_kept else PlainTextResponse("not stored", status_code=503)

    return Starlette(
        routes=[
            Route("/callbacks/{secret}", take, methods=["POST"]),
            Route("/health", lambda _: PlainTextResponse("ok"), methods=["GET"]),
        ],
        # Another method is answered as another path is: what is not a delivery learns nothing.
        exception_handlers={405: _not_found},
        lifespan=lifespan,
    )


def _not_found(_request: Request, _error: Exception | None = None) -> Response:
    return PlainTextResponse("Not Found", status_code=404)


async def _read_body(request: Request) -> bytes | None:
    """The body; None as soon as it is too large, whatever length was announced."""
    body = bytearray()
    try:
        async for part in request.stream():
            body += part
            if len(body) > MAX_BODY_BYTES:
                return None
    except ClientDisconnect:
        return b""
    return bytes(body)


def _keep(ledger: Ledger, notice: Notice) -> bool:
    try:
        is_kept = ledger.notices.receive(notice, unread_limit=MAX_UNREAD)
    except LedgerError as error:
        _log.warning("a webhook delivery could not be stored; polling finds out without it: %s", error)
        return False
    if not is_kept:
        _log.warning("%d webhook deliveries wait to be read; further ones are refused. Is polling stopped?", MAX_UNREAD)
    return is_kept
