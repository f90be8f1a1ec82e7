"""The admin routes: `Controls` over HTTP, under one prefix, off unless asked for."""

import tempfile
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path

from anyio import to_thread
from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError
from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.types import Receive, Scope, Send

from visualsearch_pipeline.sandbox.config import DEFAULT_ACCOUNT, OperationFamily, Rate
from visualsearch_pipeline.sandbox.control.archive import NotADumpError
from visualsearch_pipeline.sandbox.control.controls import Controls, IndexingTimeoutError
from visualsearch_pipeline.sandbox.control.models import ClockState, FaultRule, SeededVideo, TransitionPlan

ADMIN_PREFIX = "/_sandbox"

_ADAPTERS: TypeAdapter[object] = TypeAdapter(object)
_RATES: TypeAdapter[dict[OperationFamily, Rate]] = TypeAdapter(dict[OperationFamily, Rate])
_SEEDED: TypeAdapter[list[SeededVideo]] = TypeAdapter(list[SeededVideo])
_Answer = Callable[["_Asked"], object]


class _Moment(BaseModel):
    model_config = ConfigDict(extra="forbid")
    at: datetime | None = None


class _Seconds(BaseModel):
    model_config = ConfigDict(extra="forbid")
    seconds: float


class _Grant(BaseModel):
    model_config = ConfigDict(extra="forbid")
    account: str
    amount_usd: float


class _Asked:
    """An admin request with its body read."""

    def __init__(self, controls: Controls, query: Mapping[str, str], body: bytes) -> None:
        self.controls = controls
        self.query = query
        self.body = body


def _clock_state(asked: _Asked) -> ClockState:
    clock = asked.controls.clock
    return ClockState(now=clock.now(), frozen=clock.is_frozen)


def _clock_freeze(asked: _Asked) -> ClockState:
    asked.controls.clock.freeze(_Moment.model_validate_json(asked.body or b"{}").at)
    return _clock_state(asked)


def _clock_advance(asked: _Asked) -> ClockState:
    asked.controls.clock.advance(_Seconds.model_validate_json(asked.body).seconds)
    return _clock_state(asked)


def _clock_set(asked: _Asked) -> ClockState:
    at = _Moment.model_validate_json(asked.body).at
    if at is None:
        raise ValueError("at is missing")
    asked.controls.clock.set(at)
    return _clock_state(asked)


def _clock_resume(asked: _Asked) -> ClockState:
    asked.controls.clock.resume()
    return _clock_state(asked)


def _journal(asked: _Asked) -> object:
    return asked.controls.journal(operation=asked.query.get("operation"), since=int(asked.query.get("since", "0")))


def _add_fault(asked: _Asked) -> object:
    return {"fault_id": asked.controls.faults.add(FaultRule.model_validate_json(asked.body))}


def _fired(asked: _Asked) -> object:
    fault_id = asked.query.get("fault_id")
    return asked.controls.faults.fired(None if fault_id is None else int(fault_id))


def _credits(asked: _Asked) -> object:
    account = asked.query["account"]
    money = asked.controls.credits
    return {"balance_usd": money.balance_usd(account), "spent_usd": money.spent_usd(account)}


def _grant(asked: _Asked) -> object:
    grant = _Grant.model_validate_json(asked.body)
    asked.controls.credits.grant(grant.account, grant.amount_usd)
    return {}


def _seed(asked: _Asked) -> object:
    account = asked.query.get("account", DEFAULT_ACCOUNT)
    return {"video_nos": asked.controls.seed(_SEEDED.validate_json(asked.body), account=account)}


def _settle(asked: _Asked) -> object:
    asked.controls.settle(timeout_seconds=float(asked.query.get("timeout_seconds", "60")))
    return {}


_ROUTES: Mapping[tuple[str, str], _Answer] = {
    ("GET", "health"): lambda _: {"status": "ok"},
    ("POST", "reset"): lambda asked: asked.controls.reset(),
    ("POST", "seed"): _seed,
    ("POST", "settle"): _settle,
    ("GET", "clock"): _clock_state,
    ("POST", "clock/freeze"): _clock_freeze,
    ("POST", "clock/advance"): _clock_advance,
    ("POST", "clock/set"): _clock_set,
    ("POST", "clock/resume"): _clock_resume,
    ("GET", "journal"): _journal,
    ("GET", "videos"): lambda asked: asked.controls.videos(),
    ("GET", "callbacks"): lambda asked: asked.controls.callbacks(),
    ("GET", "faults"): lambda asked: asked.controls.faults.rules(),
    ("POST", "faults"): _add_fault,
    ("DELETE", "faults"): lambda asked: asked.controls.faults.clear(),
    ("GET", "faults/fired"): _fired,
    ("GET", "transitions"): lambda asked: asked.controls.transitions.plans(),
    ("POST", "transitions"): lambda asked: asked.controls.transitions.plan(
        TransitionPlan.model_validate_json(asked.body)
    ),
    ("DELETE", "transitions"): lambda asked: asked.controls.transitions.clear(),
    ("GET", "credits"): _credits,
    ("POST", "credits"): _grant,
    ("PUT", "rate_limits"): lambda asked: asked.controls.set_rate_limits(_RATES.validate_json(asked.body)),
}


class AdminRoutes:
    """An ASGI application. Errors have a status of their own here: this is not the API being imitated."""

    def __init__(self, controls: Controls) -> None:
        self._controls = controls

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one admin request."""
        request = Request(scope, receive)
        response = await self._answer(request, request.url.path.removeprefix(f"{ADMIN_PREFIX}/"))
        await response(scope, receive, send)

    async def _answer(self, request: Request, path: str) -> Response:
        if (request.method, path) == ("GET", "dump"):
            return await self._dump()
        if (request.method, path) == ("POST", "load"):
            return await self._load(request)
        route = _ROUTES.get((request.method, path))
        if route is None:
            known = ", ".join(f"{method} {name}" for method, name in _ROUTES)
            return JSONResponse({"error": f"no admin route {request.method} {path}; there are {known}"}, 404)
        asked = _Asked(self._controls, request.query_params, await request.body())
        try:
            answer = await to_thread.run_sync(route, asked)
        except IndexingTimeoutError as error:
            return JSONResponse({"error": str(error)}, 504)
        except (ValidationError, ValueError, KeyError) as error:
            return JSONResponse({"error": str(error)}, 422)
        return JSONResponse(_ADAPTERS.dump_python({} if answer is None else answer, mode="json"))

    async def _dump(self) -> Response:
        with tempfile.NamedTemporaryFile(suffix=".tar", delete=False) as file:
            path = Path(file.name)
        await to_thread.run_sync(self._controls.dump, path)
        return FileResponse(path, media_type="application/x-tar", background=BackgroundTask(path.unlink))

    async def _load(self, request: Request) -> Response:
        with tempfile.NamedTemporaryFile(suffix=".tar") as file:
            async for chunk in request.stream():
                await to_thread.run_sync(file.write, chunk)
            file.flush()
            try:
                await to_thread.run_sync(self._controls.load, Path(file.name))
            except NotADumpError as error:
                return JSONResponse({"error": str(error)}, 422)
        return JSONResponse({})
