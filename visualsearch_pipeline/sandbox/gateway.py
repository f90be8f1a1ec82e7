"""The way of every request: route, key, limit, money, body, handler, journal; and where faults strike."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator

from anyio import to_thread
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse
from starlette.types import Receive, Scope, Send

from visualsearch_pipeline.sandbox.arguments import Arguments
from visualsearch_pipeline.sandbox.bodies import read_arguments
from visualsearch_pipeline.sandbox.calls import Call, Endpoint, Reply, Services
from visualsearch_pipeline.sandbox.config import AuthFailure
from visualsearch_pipeline.sandbox.connections import Connections
from visualsearch_pipeline.sandbox.control.journal import summarize
from visualsearch_pipeline.sandbox.control.models import FaultKind, StandingFault
from visualsearch_pipeline.sandbox.endpoints.table import Routes
from visualsearch_pipeline.sandbox.errors import RATE_LIMITED, UNAUTHORIZED, ApiError
from visualsearch_pipeline.sandbox.exchange import STREAM_KINDS, Exchange, stream_file
from visualsearch_pipeline.sandbox.spoiled import (
    RATE_LIMIT_SHAPES,
    envelope,
    gateway_error,
    rate_limited,
    refusal,
    spoiled_answer,
)

_LOGGER = logging.getLogger(__name__)


class _CutInTransitError(Exception):
    """A fault cut the connection while the body was arriving."""


class Gateway:
    """The ASGI application of the API itself."""

    def __init__(self, services: Services, routes: Routes, connections: Connections) -> None:
        self._services = services
        self._routes = routes
        self._connections = connections

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request and enter it in the journal, however it ended."""
        at_ms = self._services.clock.now_ms()
        exchange = Exchange(request=Request(scope, receive), send=send, journal=lambda ended: self._enter(ended, at_ms))
        try:
            await self._serve(exchange)
        except (ClientDisconnect, _CutInTransitError):
            exchange.status = None
        except Exception:  # The boundary of the server: whatever went wrong inside becomes a gateway error.
            _LOGGER.exception("%s %s broke off", scope["method"], scope["path"])
            if exchange.status is None:
                await exchange.answer(gateway_error(500, "Internal Server Error", scope["path"]))
        finally:
            await asyncio.shield(exchange.enter())

    async def _serve(self, exchange: Exchange) -> None:
        request = exchange.request
        by_method = self._routes.get(request.url.path)
        if by_method is None:
            static = request.url.path.lstrip("/")
            await self._refuse(exchange, ApiError(f"No static resource {static}."))
            return
        endpoint = by_method.get(request.method)
        if endpoint is None:
            await self._refuse(exchange, ApiError(f"Request method '{request.method}' is not supported"))
            return
        exchange.operation = endpoint.operation
        try:
            exchange.account = self._account(request)
        except ApiError as error:
            status = 401 if self._services.config.auth_failure is AuthFailure.HTTP_401 else 200
            await exchange.answer(JSONResponse(refusal(error.code, error.message), status_code=status), code=error.code)
            return
        if not self._services.rate_limiter.admits(endpoint.family, exchange.account):
            await exchange.answer(rate_limited(self._services.config.rate_limit_shape), code=RATE_LIMITED)
            return
        try:
            if endpoint.is_metered:
                self._services.credits.require(exchange.account)
            arguments = await self._read(exchange, endpoint)
            reply = await self._perform(exchange, endpoint, exchange.account, arguments)
        except ApiError as error:
            await self._refuse(exchange, error)
            return
        if reply is not None:
            await self._answer(exchange, endpoint, reply)

    def _account(self, request: Request) -> str:
        key = request.headers.get("authorization")
        account = None if key is None else self._services.config.api_keys.get(key)
        if account is None:
            raise ApiError("The API key is missing or invalid", code=UNAUTHORIZED)
        return account

    async def _read(self, exchange: Exchange, endpoint: Endpoint) -> Arguments:
        files, config = self._services.files, self._services.config
        arguments = await read_arguments(
            exchange.request,
            self._body(exchange),
            endpoint.body,
            new_path=files.new_incoming,
            max_file_bytes=max(config.max_video_bytes, config.max_image_bytes),
        )
        shown = dict(arguments.values)
        if arguments.array is not None:
            shown["body"] = list(arguments.array)
        for received in arguments.files:
            shown[received.field] = received.file_name
        exchange.params = summarize(shown)
        return arguments

    async def _body(self, exchange: Exchange) -> AsyncIterator[bytes]:
        faults = self._services.faults
        cut_at = faults.transit_bytes(exchange.operation)
        async for chunk in exchange.body():
            if cut_at is not None and exchange.bytes_in >= cut_at:
                cut_at = None
                exchange.fault = faults.choose(exchange.operation, {}, moment="in-transit")
                if exchange.fault is not None:
                    await self._reset(exchange)
                    raise _CutInTransitError
            yield chunk

    async def _perform(
        self, exchange: Exchange, endpoint: Endpoint, account: str, arguments: Arguments
    ) -> Reply | None:
        """Do what was asked, unless a fault forbids it; None if the fault has answered already."""
        try:
            exchange.fault = self._services.faults.choose(endpoint.operation, exchange.params, moment="before")
            if exchange.fault is not None and not await self._spoil(exchange, exchange.fault, good=envelope(None)):
                return None
            call = Call(
                operation=endpoint.operation,
                account=account,
                arguments=arguments,
                services=self._services,
                base_url=str(exchange.request.base_url).rstrip("/"),
            )
            reply = await to_thread.run_sync(self._handle, endpoint, call)
        finally:
            for received in arguments.files:
                received.path.unlink(missing_ok=True)
        exchange.took_effect = True
        exchange.item_ids = reply.item_ids
        return reply

    async def _answer(self, exchange: Exchange, endpoint: Endpoint, reply: Reply) -> None:
        good = envelope(reply.data, is_terse=endpoint.is_terse)
        fault = self._services.faults.choose(
            exchange.operation, exchange.params, moment="after", is_stream=reply.file is not None
        )
        exchange.fault = fault or exchange.fault
        if fault is not None and (reply.file is None or fault.rule.kind not in STREAM_KINDS):
            if not await self._spoil(exchange, fault, good=good):
                return
            fault = None
        if reply.file is None:
            await exchange.answer(JSONResponse(good), code="0000")
            return
        rule = None if fault is None else fault.rule
        await stream_file(exchange, reply.file, self._connections, rule=rule, seed=self._services.config.seed)

    def _handle(self, endpoint: Endpoint, call: Call) -> Reply:
        self._services.indexer.settle()
        reply = endpoint.handler(call)
        if endpoint.price_usd:
            self._services.credits.charge(call.account, operation=call.operation, amount_usd=endpoint.price_usd)
        return reply

    async def _spoil(self, exchange: Exchange, fault: StandingFault, *, good: dict[str, object]) -> bool:
        """Do what a fault says; True when the request is to go on all the same."""
        rule = fault.rule
        if rule.kind is FaultKind.STALL:
            await asyncio.sleep(rule.seconds)
            return True
        if rule.kind is FaultKind.RESET:
            await self._reset(exchange)
            return False
        code = RATE_LIMITED if rule.kind in RATE_LIMIT_SHAPES else rule.code if rule.kind is FaultKind.CODE else None
        response = spoiled_answer(rule, path=exchange.request.url.path, good_body=json.dumps(good).encode())
        await exchange.answer(response, code=code)
        return False

    async def _reset(self, exchange: Exchange) -> None:
        if exchange.peer is not None:
            await exchange.enter()
            self._connections.reset(exchange.peer)
            await exchange.disconnected()

    async def _refuse(self, exchange: Exchange, error: ApiError) -> None:
        await exchange.answer(JSONResponse(refusal(error.code, error.message)), code=error.code)

    def _enter(self, exchange: Exchange, at_ms: int) -> None:
        self._services.journal.write(
            at_ms=at_ms,
            method=exchange.request.method,
            path=exchange.request.url.path,
            operation=exchange.operation,
            account=exchange.account,
            params=exchange.params,
            item_ids=exchange.item_ids,
            status=exchange.status,
            code=exchange.code,
            bytes_in=exchange.bytes_in,
            bytes_out=exchange.bytes_out,
            duration_ms=exchange.elapsed_ms,
            took_effect=exchange.took_effect,
            fault_id=None if exchange.fault is None else exchange.fault.fault_id,
        )
