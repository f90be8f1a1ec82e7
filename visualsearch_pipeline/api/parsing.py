"""Reads the data of an answer into models; what cannot be read is an error that names the endpoint and the item."""

from __future__ import annotations

import reprlib
from collections.abc import Mapping
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from visualsearch_pipeline.api.errors import BadResponse, MalformedItem
from visualsearch_pipeline.api.wire import Json, read_integer

Model = TypeVar("Model", bound=BaseModel)


def parse_item(
    model: type[Model],
    value: Json,
    *,
    operation: str,
    item: str | None = None,
    position: int | None = None,
    defaults: Mapping[str, Json] | None = None,
) -> Model:
    """Read one object of an answer.

    Args:
        model: What to read it as.
        value: The object as parsed from JSON.
        operation: Name of the API operation, for the error.
        item: What the call was about, for the error.
        position: Where in its list the object stood, for the error.
        defaults: Fields that the service leaves out because the request gave them.

    Raises:
        MalformedItem: It is not an object, or a field cannot be read.
    """
    where = f"{operation}{f' of {item!r}' if item is not None else ''}"
    which = "the answer" if position is None else f"item {position} of the answer"
    shown = _short(value)
    if not isinstance(value, dict):
        message = f"{where}: {which} is {shown}, not an object. The service's contract may have changed; report it."
        raise MalformedItem(message, operation=operation, item=item, position=position)
    try:
        return model.model_validate({**(defaults or {}), **value})
    except ValidationError as error:
        problems = "; ".join(f"{'.'.join(map(str, p['loc']))}: {p['msg']}" for p in error.errors(include_url=False))
        message = f"{where}: {which} cannot be read ({problems}): {shown}. The contract may have changed; report it."
        # Unchained: pydantic's own error repeats the whole input.
        raise MalformedItem(message, operation=operation, item=item, position=position) from None


def parse_items(
    model: type[Model],
    value: Json,
    *,
    operation: str,
    item: str | None = None,
    defaults: Mapping[str, Json] | None = None,
) -> tuple[Model, ...]:
    """Read a list of objects; null is an empty one (contract §9.40).

    Raises:
        BadResponse: It is not a list.
        MalformedItem: One of the objects cannot be read.
    """
    if value is None:
        return ()
    if not isinstance(value, list):
        message = f"{operation}: expected a list, the service sent {_short(value)}. Report it."
        raise BadResponse(message, operation=operation, item=item)
    return tuple(
        parse_item(model, entry, operation=operation, item=item, position=position, defaults=defaults)
        for position, entry in enumerate(value)
    )


def member(value: Json, *names: str, operation: str, item: str | None = None) -> Json:
    """Return the first of `names` that an object has, else None; null instead of the object is None too.

    Raises:
        BadResponse: It is neither an object nor null.
    """
    if value is None:
        return None
    if not isinstance(value, dict):
        message = f"{operation}: expected an object, the service sent {_short(value)}. Report it."
        raise BadResponse(message, operation=operation, item=item)
    return next((value[name] for name in names if name in value), None)


def count_member(value: Json, name: str) -> int | None:
    """Return a count that an object carries, or None if it is missing or unreadable: counts are hints only."""
    try:
        return read_integer(value.get(name)) if isinstance(value, dict) else None
    except ValueError:
        return None


def _short(value: Json) -> str:
    shortener = reprlib.Repr()
    shortener.maxlevel, shortener.maxdict, shortener.maxlist, shortener.maxstring = 3, 12, 4, 60
    return shortener.repr(value)
