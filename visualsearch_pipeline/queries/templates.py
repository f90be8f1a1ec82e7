"""Templates: an entry with `parameters` stands for one query per combination of their values.

    - id: find_{colour}_{product}
      text: a {colour} {product}
      parameters:
        colour: [red, blue]
        product: {bike: a mountain bike, car: a sports car}

A value stands wherever its placeholder does; in ids it stands as a name: `Mountain Bike` as `mountain_bike`, and of a
mapping the key. `{{` and `}}` are the braces themselves. All of this is done on the plain values of the file, before
its models see them, so that an expanded query is checked like one that was written out.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from visualsearch_pipeline.located_yaml import Location, nearest_word
from visualsearch_pipeline.queries.names import name_problem

MAX_QUERIES_OF_A_TEMPLATE: Final = 1000

_PLACEHOLDER: Final = re.compile(r"\{\{|\}\}|\{([A-Za-z_][A-Za-z0-9_]*)\}")
_NAMES_OF_QUERIES: Final = (("id",), ("within", "query"))
"""Where a name of a query stands, and a value is written as a name."""

_FOR_PEOPLE: Final = ("id", "description", "tags")
"""Keys that are no part of the question."""

Mistake: TypeAlias = tuple[Location, str]
"""Where something is wrong within an entry, and what."""


@dataclass(frozen=True, slots=True)
class Value:
    """One value of a parameter: as it is asked, and as it stands in an id."""

    text: str
    name: str


Parameters: TypeAlias = Mapping[str, tuple[Value, ...]]


class TemplateError(Exception):
    """An entry whose parameters or placeholders are wrong. `mistakes` is never empty."""

    def __init__(self, mistakes: Sequence[Mistake]) -> None:
        self.mistakes = tuple(mistakes)
        super().__init__("; ".join(message for _, message in mistakes))


def expand(entry: Mapping[str, object]) -> tuple[dict[str, object], ...]:
    """The queries that an entry of a file stands for: itself alone, if it has no parameters.

    Args:
        entry: The plain value of the entry, as YAML gives it.

    Raises:
        TemplateError: a placeholder without values, values that cannot be used, or ids that would not differ.
    """
    question = {key: value for key, value in entry.items() if key != "parameters"}
    parameters = _parameters(entry["parameters"]) if "parameters" in entry else {}
    mistakes = [*_unknown_placeholders(question, parameters, has_parameters="parameters" in entry)]
    if not mistakes and parameters:
        mistakes = [*_unused(question, parameters), *_indistinct(question, parameters)]
    if mistakes:
        raise TemplateError(mistakes)
    return tuple(
        {
            key: _filled(value, dict(zip(parameters, values, strict=True)), path=(key,))
            for key, value in question.items()
        }
        for values in itertools.product(*parameters.values())
    )


def _parameters(written: object) -> Parameters:
    if not isinstance(written, dict) or not written:
        raise TemplateError([(("parameters",), "must name values, such as `{colour: [red, blue]}`")])
    parameters: dict[str, tuple[Value, ...]] = {}
    mistakes: list[Mistake] = []
    for name, values in written.items():
        location = ("parameters", str(name))
        if not isinstance(name, str) or name_problem(name):
            mistakes.append((location, name_problem(str(name)) or f"`{name}` is not a name"))
            continue
        found = _values(values)
        if isinstance(found, str):
            mistakes.append((location, found))
        else:
            parameters[name] = found
    if mistakes:
        raise TemplateError(mistakes)
    count = math.prod(len(values) for values in parameters.values())
    if count > MAX_QUERIES_OF_A_TEMPLATE:
        message = f"make {count} queries of one entry; at most {MAX_QUERIES_OF_A_TEMPLATE} are asked at once"
        raise TemplateError([(("parameters",), message)])
    return parameters


def _values(written: object) -> tuple[Value, ...] | str:
    """The values of one parameter, or what is wrong with them."""
    pairs: list[tuple[object, object]]
    match written:
        case list() | dict() if not written:
            return "has no values; list some"
        case list():
            pairs = [(_as_name(value) if isinstance(value, str) else "", value) for value in written]
        case dict():
            pairs = list(written.items())
        case _:
            return "must be a list of texts, or a mapping of names to texts"
    taken: dict[str, str] = {}
    for name, text in pairs:
        if not isinstance(text, str) or not text.strip():
            return f"holds {text!r}, which is not text; put it in quotes"
        if not isinstance(name, str) or not re.fullmatch(r"[a-z0-9_]+", name):
            return f"gives no name for an id to `{text}`; write `{{a_name: {text}}}`, in small letters, digits and `_`"
        if name in taken:
            return f"gives the same name `{name}` to `{taken[name]}` and `{text}`; write a mapping of names to texts"
        taken[name] = text.strip()
    return tuple(Value(text=text, name=name) for name, text in taken.items())


def _as_name(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", text.lower()).strip("_")


def _unknown_placeholders(
    question: Mapping[str, object], parameters: Parameters, *, has_parameters: bool
) -> Iterator[Mistake]:
    for path, text in _texts(question):
        for name in _placeholders(text):
            if name in parameters:
                continue
            if not has_parameters:
                message = (
                    f"`{{{name}}}` has no values; list them under `parameters`, "
                    f"or write `{{{{{name}}}}}` for the braces themselves"
                )
            else:
                nearest = nearest_word(name, tuple(parameters))
                message = f"`{{{name}}}` is no parameter; {nearest or 'there are: ' + ', '.join(parameters)}"
            yield path, message


def _unused(question: Mapping[str, object], parameters: Parameters) -> Iterator[Mistake]:
    used = {name for path, text in _texts(question) if path[0] not in _FOR_PEOPLE for name in _placeholders(text)}
    for name in parameters:
        if name not in used:
            yield ("parameters", name), f"is used nowhere in what is asked; write `{{{name}}}` there, or take it out"


def _indistinct(question: Mapping[str, object], parameters: Parameters) -> Iterator[Mistake]:
    """An id has to name each parameter of several values, or queries would share it."""
    written = question.get("id")
    if not isinstance(written, str):
        return
    missing = [name for name, values in parameters.items() if len(values) > 1 and name not in _placeholders(written)]
    if missing:
        proposal = "_".join([written, *(f"{{{name}}}" for name in missing)])
        yield ("id",), f"would be the id of several queries; write `{proposal}`"


def _texts(value: object, path: Location = ()) -> Iterator[tuple[Location, str]]:
    match value:
        case str():
            yield path, value
        case dict():
            for key, below in value.items():
                yield from _texts(below, (*path, str(key)))
        case list():
            for index, below in enumerate(value):
                yield from _texts(below, (*path, index))


def _placeholders(text: str) -> tuple[str, ...]:
    return tuple(match[1] for match in _PLACEHOLDER.finditer(text) if match[1])


def _filled(value: object, values: Mapping[str, Value], *, path: Location) -> object:
    match value:
        case str():
            return _PLACEHOLDER.sub(lambda match: _replacement(match, values, path=path), value)
        case dict():
            return {key: _filled(below, values, path=(*path, str(key))) for key, below in value.items()}
        case list():
            return [_filled(below, values, path=(*path, index)) for index, below in enumerate(value)]
        case _:
            return value


def _replacement(match: re.Match[str], values: Mapping[str, Value], *, path: Location) -> str:
    if not match[1]:
        return match[0][0]
    value = values[match[1]]
    return value.name if path in _NAMES_OF_QUERIES else value.text
