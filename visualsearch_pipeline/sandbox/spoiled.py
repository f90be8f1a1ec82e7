"""The answers that go wrong: rate limits in four shapes, gateway errors, spoiled bodies (contract §1.3, §1.5)."""

import json
import random
import zlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime

from starlette.responses import HTMLResponse, JSONResponse, Response

from visualsearch_pipeline.sandbox.config import RateLimitShape
from visualsearch_pipeline.sandbox.control.models import FaultKind, FaultRule

_TOO_FAST = "Request has exceeded the limit."
_TOO_FAST_TOO = "Rate limit exceeded"

_TOO_MUCH_BYTES = 1024

CUTTING_KINDS = frozenset({FaultKind.SHORT_BODY, FaultKind.MISSING_TERMINATOR, FaultKind.RESET})
"""Kinds that let only half of a stream through."""

RATE_LIMIT_SHAPES = {
    FaultKind.RATE_LIMIT_CODE_ONLY: RateLimitShape.CODE_ONLY,
    FaultKind.RATE_LIMIT_NULL_DATA: RateLimitShape.NULL_DATA,
    FaultKind.RATE_LIMIT_INTEGER_CODE: RateLimitShape.INTEGER_CODE,
    FaultKind.RATE_LIMIT_BARE_429: RateLimitShape.BARE_429,
}


def envelope(data: object, *, is_terse: bool = False) -> dict[str, object]:
    """A successful answer; a terse one has no flags."""
    answer: dict[str, object] = {"code": "0000", "msg": "success", "data": data}
    return answer if is_terse else answer | {"success": True, "failed": False}


def refusal(code: str, message: str) -> dict[str, object]:
    """An application error, to be sent with HTTP 200."""
    return {"code": code, "msg": message, "data": None, "success": False, "failed": True}


def rate_limited(shape: RateLimitShape) -> Response:
    """One of the four ways to say "too fast"."""
    if shape is RateLimitShape.CODE_ONLY:
        return JSONResponse({"code": "0429", "msg": _TOO_FAST})
    if shape is RateLimitShape.NULL_DATA:
        return JSONResponse({"code": "0429", "msg": _TOO_FAST_TOO, "data": None})
    if shape is RateLimitShape.INTEGER_CODE:
        return JSONResponse({"code": 429, "msg": _TOO_FAST_TOO, "data": None})
    return Response("Too Many Requests", status_code=429, media_type="text/plain")


def gateway_error(status: int, error: str, path: str) -> Response:
    """What the gateway in front of the service says, in the manner of Spring."""
    body = {
        "timestamp": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "path": path,
        "status": status,
        "error": error,
        "requestId": f"{zlib.crc32(path.encode()):08x}-1",
    }
    return JSONResponse(body, status_code=status)


def spoiled_answer(rule: FaultRule, *, path: str, good_body: bytes) -> Response:
    """The answer that a fault puts in place of `good_body` (the JSON that would have been sent)."""
    if rule.kind in RATE_LIMIT_SHAPES:
        return rate_limited(RATE_LIMIT_SHAPES[rule.kind])
    if rule.kind is FaultKind.CODE:
        return JSONResponse(refusal(rule.code, rule.message))
    if rule.kind is FaultKind.SPRING_404:
        return gateway_error(404, "Not Found", path)
    if rule.kind is FaultKind.SPRING_503:
        return gateway_error(503, "Service Unavailable", path)
    if rule.kind is FaultKind.HTML_200:
        return HTMLResponse("<html><head><title>Just a moment...</title></head><body></body></html>")
    if rule.kind is FaultKind.EMPTY_BODY:
        return Response(b"", media_type="application/json")
    if rule.kind is FaultKind.TRUNCATED_JSON:
        return Response(good_body[: max(1, len(good_body) // 2)], media_type="application/json")
    if rule.kind is FaultKind.JSON_AS_OCTET_STREAM:
        body = json.dumps(refusal(rule.code, rule.message)).encode()
        return Response(body, media_type="application/octet-stream")
    message = f"{rule.kind} does not replace an answer"
    raise ValueError(message)


async def spoiled_stream(
    chunks: AsyncIterator[bytes], rule: FaultRule, *, size_bytes: int, seed: int
) -> AsyncIterator[bytes]:
    """The bytes of a file as a fault lets them through: cut short, too long, or replaced by noise."""
    left = size_bytes // 2 if rule.kind in CUTTING_KINDS else None
    noise = random.Random(seed)  # noqa: S311 - reproducible noise
    async for chunk in chunks:
        if rule.kind is FaultKind.GARBAGE:
            yield noise.randbytes(len(chunk))
        elif left is None:
            yield chunk
        else:
            yield chunk[:left]
            left -= len(chunk)
            if left <= 0:
                return
    if rule.kind is FaultKind.WRONG_SIZE:
        yield bytes(_TOO_MUCH_BYTES)
