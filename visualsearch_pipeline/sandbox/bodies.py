"""Request bodies as arguments: query, JSON, form, multipart."""

import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from urllib.parse import parse_qsl

from starlette.requests import Request

from visualsearch_pipeline.sandbox.arguments import Arguments, merge_form_fields
from visualsearch_pipeline.sandbox.calls import BodyKind
from visualsearch_pipeline.sandbox.errors import UNBINDABLE, ApiError
from visualsearch_pipeline.sandbox.multipart import MultipartReceiver

_MAX_TEXT_BYTES = 16 * 1024 * 1024


async def read_arguments(
    request: Request,
    body: AsyncIterator[bytes],
    kind: BodyKind,
    *,
    new_path: Callable[[], Path],
    max_file_bytes: int,
) -> Arguments:
    """Read the parameters of a call; those of the query string are known besides those of any body.

    Raises:
        ApiError: The body cannot be read as what it should be.
        ClientDisconnect: The client went away in the middle.
    """
    query = merge_form_fields(request.query_params.multi_items())
    content_type = request.headers.get("content-type", "")
    if kind is BodyKind.QUERY:
        return Arguments(values=query)
    if kind is BodyKind.MULTIPART:
        if not content_type.lower().startswith("multipart/form-data"):
            raise ApiError(f"Content-Type '{content_type or 'none'}' is not supported")
        receiver = MultipartReceiver(content_type, new_path=new_path, max_file_bytes=max_file_bytes)
        received = await receiver.receive(body)
        return Arguments(values={**query, **received.values}, files=received.files)
    text = await _text(body)
    # Forms are accepted as JSON too: early pages and some users send it (contract §2.2, §9.21).
    if kind is BodyKind.FORM and not content_type.lower().startswith("application/json"):
        return Arguments(values={**query, **merge_form_fields(parse_qsl(text, keep_blank_values=True))})
    return _from_json(text, query)


def _from_json(text: str, query: dict[str, object]) -> Arguments:
    if not text.strip():
        return Arguments(values=query)
    try:
        decoded: object = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ApiError(f"JSON parse error: {error}", code=UNBINDABLE) from error
    if isinstance(decoded, list):
        return Arguments(values=query, array=decoded)
    if not isinstance(decoded, dict):
        raise ApiError("JSON parse error: an object is expected", code=UNBINDABLE)
    return Arguments(values={**query, **decoded})


async def _text(body: AsyncIterator[bytes]) -> str:
    content = bytearray()
    async for chunk in body:
        content += chunk
        if len(content) > _MAX_TEXT_BYTES:
            raise ApiError(f"The body is larger than {_MAX_TEXT_BYTES} bytes")
    return content.decode("utf-8", "replace")
