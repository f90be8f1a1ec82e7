"""YAML files that people write, read into typed models; every mistake is named with its file and line.

Settings and query sets are written by hand, so their errors are read by people. pydantic says *what* is wrong and
PyYAML's node tree knows *where*; this module joins the two.
"""

from __future__ import annotations

import difflib
import re
import typing
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Final, TypeVar

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

ModelT = TypeVar("ModelT", bound=BaseModel)
Location = tuple[int | str, ...]


class _Loader(yaml.SafeLoader):
    """Leaves dates as text, so that the model refuses an impossible one with its line."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


@dataclass(frozen=True)
class YamlProblem:
    """One mistake in a file: its 1-based line, the dotted key it stands at, and what to do about it."""

    line: int
    key: str
    message: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.key}: {self.message}" if self.key else f"line {self.line}: {self.message}"


class YamlFileError(Exception):
    """A file that could not be read as what it should be. `problems` is never empty."""

    def __init__(self, path: Path, problems: Iterable[YamlProblem]) -> None:
        self.path = path
        self.problems = tuple(sorted(problems, key=lambda problem: problem.line))
        super().__init__("\n".join(f"{path}, {problem}" for problem in self.problems))


@dataclass(frozen=True)
class YamlDocument:
    """A parsed file: its plain value, and the line on which each part of it stands."""

    path: Path
    value: object
    root: yaml.Node | None

    def line_of(self, location: Location) -> int:
        """The 1-based line of the deepest part of `location` that the file has.

        Parts the file does not have are passed over: pydantic puts the names of union members into a location, and a
        missing key stands at its parent's line.
        """
        if self.root is None:
            return 1
        node, line = self.root, self.root.start_mark.line
        for part in location:
            child = _child(node, part)
            if child is not None:
                line, node = child
        return line + 1

    def problem(self, location: Location, message: str) -> YamlProblem:
        """A problem at `location`."""
        return YamlProblem(line=self.line_of(location), key=self._written_key(location), message=message)

    def _written_key(self, location: Location) -> str:
        """The dotted key as the file spells it: `queries[2].text`, without pydantic's union members."""
        key = ""
        node = self.root
        for position, part in enumerate(location):
            child = _child(node, part) if node is not None else None
            is_last = position == len(location) - 1
            if child is None and not (is_last and isinstance(part, str)):
                continue
            key += f"[{part + 1}]" if isinstance(part, int) else (f".{part}" if key else part)
            node = child[1] if child is not None else None
        return key


def read_yaml(path: Path) -> YamlDocument:
    """Read and parse `path` with YAML's safe subset.

    Raises:
        YamlFileError: the file is missing, unreadable, not UTF-8, not YAML, or names a key twice.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise YamlFileError(path, [YamlProblem(1, "", "there is no such file")]) from None
    except UnicodeDecodeError as error:
        raise YamlFileError(path, [YamlProblem(1, "", f"is not UTF-8 text ({error.reason})")]) from error
    except OSError as error:
        raise YamlFileError(path, [YamlProblem(1, "", f"cannot be read: {error.strerror}")]) from error
    try:
        loader = _Loader(text)
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        problem = YamlProblem(line, "", f"holds the control character #x{error.character:04x}; take it out")
        raise YamlFileError(path, [problem]) from error
    try:
        root = loader.get_single_node()
        if root is None:
            return YamlDocument(path, None, None)
        twice = list(_repeated_keys(root))
        if twice:
            raise YamlFileError(path, twice)
        return YamlDocument(path, loader.construct_document(root), root)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        message = f"is not valid YAML: {_with_remedy(str(error.problem))}"
        raise YamlFileError(path, [YamlProblem((mark.line + 1) if mark else 1, "", message)]) from error
    except yaml.YAMLError as error:
        raise YamlFileError(path, [YamlProblem(1, "", f"is not valid YAML: {error}")]) from error
    except ValueError as error:
        raise YamlFileError(path, [YamlProblem(1, "", f"holds a value that YAML cannot make: {error}")]) from error
    except RecursionError:
        raise YamlFileError(path, [YamlProblem(1, "", "is nested too deeply")]) from None
    finally:
        loader.dispose()


def load_model(path: Path, model: type[ModelT], *, context: dict[str, object] | None = None) -> ModelT:
    """Read `path` into `model`; an empty file is an empty mapping.

    Raises:
        YamlFileError: see `read_yaml`; also for every part that the model refuses, with the nearest valid word for an
            unknown key.
    """
    return validate_document(read_yaml(path), model, context=context)


def validate_document(
    document: YamlDocument,
    model: type[ModelT],
    *,
    context: dict[str, object] | None = None,
    written_at: Callable[[Location], Location] = lambda location: location,
) -> ModelT:
    """Make `model` of an already parsed document.

    Args:
        document: The document. Its value may have been prepared since it was parsed.
        model: What it should be.
        context: Passed to the model's validators.
        written_at: Where in the file stands what is found at a location of the prepared value.

    Raises:
        YamlFileError: as `load_model` does.
    """
    value = {} if document.value is None else document.value
    if not isinstance(value, dict):
        known = ", ".join(sorted(_keys_at(model, ())))
        message = f"must be a mapping of keys to values, not {_kind(value)}; the keys it may have: {known}"
        raise YamlFileError(document.path, [YamlProblem(1, "", message)])
    try:
        return model.model_validate(value, context=context)
    except ValidationError as error:
        problems = (
            document.problem(written_at(detail["loc"]), _message(detail, model))
            for detail in error.errors(include_url=False)
        )
        raise YamlFileError(document.path, _distinct(problems)) from error


def _distinct(problems: Iterable[YamlProblem]) -> list[YamlProblem]:
    return list(dict.fromkeys(problems))


def _child(node: yaml.Node, part: int | str) -> tuple[int, yaml.Node] | None:
    if isinstance(node, yaml.MappingNode) and isinstance(part, str):
        for key, value in node.value:
            if key.value == part:
                return key.start_mark.line, value
    if isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
        value = node.value[part]
        return value.start_mark.line, value
    return None


def _repeated_keys(node: yaml.Node, above: tuple[yaml.Node, ...] = ()) -> Iterable[YamlProblem]:
    if node in above:
        # An anchor that holds an alias of itself; the model refuses it.
        return
    above = (*above, node)
    if isinstance(node, yaml.MappingNode):
        seen: dict[Hashable, int] = {}
        for key, value in node.value:
            if isinstance(key, yaml.ScalarNode):
                line = key.start_mark.line + 1
                if key.value in seen:
                    yield YamlProblem(
                        line, key.value, f"stands here a second time (first on line {seen[key.value]}); keep one"
                    )
                seen.setdefault(key.value, line)
            yield from _repeated_keys(value, above)
    elif isinstance(node, yaml.SequenceNode):
        for item in node.value:
            yield from _repeated_keys(item, above)


_NO_TEXT: Final = "must be text, not {given}; write it as one value, without brackets and dashes"
_NO_WHOLE_NUMBER: Final = "must be a whole number, not {given}; write one such as 10, without quotes"
_NO_NUMBER: Final = "must be a number, not {given}; write one such as 0.5, without quotes"
_NO_DATE: Final = "must be the date of a day that there is, such as 2026-01-31, not {shown}"
_NO_SWITCH: Final = "must be true or false, not {given}"
_NO_LIST: Final = "must be a list, not {given}; write each item on a line of its own after `- `, or all as `[a, b]`"
_NO_MAPPING: Final = "must be a mapping{keys}, not {given}; write `key: value` lines below it, indented"
_REMEDIES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "missing": "is missing and has no default; add it",
        "invalid_key": "has the key {found}, which is no text; put it in quotes, or take it out",
        "string_type": _NO_TEXT,
        "path_type": _NO_TEXT,
        "string_too_short": "is empty; write some text, or take the key out",
        "string_too_long": "has {length} characters; shorten it to {max_length}",
        "int_type": _NO_WHOLE_NUMBER,
        "int_parsing": _NO_WHOLE_NUMBER,
        "int_from_float": "must be a whole number, not {found}; write one such as 10",
        "float_type": _NO_NUMBER,
        "float_parsing": _NO_NUMBER,
        "finite_number": "must be a finite number, not {found}",
        "bool_type": _NO_SWITCH,
        "bool_parsing": _NO_SWITCH,
        "greater_than_equal": "must be {ge} or more, not {found}",
        "greater_than": "must be more than {gt}, not {found}",
        "less_than_equal": "must be {le} or less, not {found}",
        "less_than": "must be less than {lt}, not {found}",
        "date_type": _NO_DATE,
        "date_parsing": _NO_DATE,
        "date_from_datetime_parsing": _NO_DATE,
        "date_from_datetime_inexact": _NO_DATE,
        "literal_error": "must be {expected}, not {shown}",
        "enum": "must be {expected}, not {shown}",
        "tuple_type": _NO_LIST,
        "list_type": _NO_LIST,
        "set_type": _NO_LIST,
        "frozen_set_type": _NO_LIST,
        "dict_type": _NO_MAPPING,
        "model_type": _NO_MAPPING,
        "model_attributes_type": _NO_MAPPING,
    }
)
"""What pydantic found, by its names, in the words of those who write such files: what is wrong and what to write."""


def _message(detail: ErrorDetails, model: type[BaseModel]) -> str:
    kind, location, found = detail["type"], detail["loc"], detail["input"]
    if kind == "extra_forbidden":
        known = sorted(_keys_at(model, location[:-1]))
        return f"is not a known key; {nearest_word(str(location[-1]), known) or 'known here: ' + ', '.join(known)}"
    if kind == "string_type" and isinstance(found, bool | int | float):
        return f"must be text, and YAML reads this as {_kind(found)}; put it in quotes"
    if found is None and kind in _REMEDIES:
        return "has no value; write one, or take the key out"
    if kind not in _REMEDIES:
        return detail["msg"].removeprefix("Value error, ").removeprefix("Assertion failed, ")
    limits = {
        name: f"{limit:g}" if isinstance(limit, float) else limit for name, limit in detail.get("ctx", {}).items()
    }
    keys = f" with: {', '.join(sorted(_keys_at(model, location)))}" if kind.startswith("model") else ""
    shown = f"`{found}`" if isinstance(found, str | int | float) else _kind(found)
    about = {"found": found, "given": _kind(found), "shown": shown, "length": len(str(found)), "keys": keys}
    message = _REMEDIES[kind].format(**about, **limits)
    if kind in ("literal_error", "enum") and isinstance(found, str):
        hint = nearest_word(found, re.findall(r"'([^']*)'", str(limits["expected"])))
        return f"{message}; {hint}" if hint else message
    return message


_YAML_REMEDIES: Final = (
    (
        "that cannot start any token",
        "indent with spaces, not tabs, and put text that begins with @ or ` in quotes",
    ),
    ("found undefined alias", "what begins with * names an anchor; define it with &, or put text in quotes"),
    ("another document", "a file holds one document; take out the line `---`, or make it two files"),
    ("could not determine a constructor", "what begins with ! is a tag; leave it out, or put text in quotes"),
    ("mapping values are not allowed here", "put a value that contains `: ` in quotes, and check the indentation"),
    ("expected <block end>", "begin the keys of one mapping, and the dashes of one list, in the same column"),
    ("unexpected end of stream", "a quote or a bracket is opened and never closed"),
    ("expected ',' or", "a bracket is not closed before here, or a comma is missing"),
    ("unhashable key", "a key must be text; put what contains brackets in quotes"),
    ("could not find expected ':'", "write a colon and a space after the key, and put text of several lines in quotes"),
    ("unknown escape character", "within double quotes a backslash is written twice; single quotes take it as it is"),
)
"""What PyYAML says, and what the writer can do about it."""


def _with_remedy(problem: str) -> str:
    remedy = next((remedy for said, remedy in _YAML_REMEDIES if said in problem), None)
    return f"{problem.removeprefix('but ')}; {remedy}" if remedy else problem


def nearest_word(word: str, known: Sequence[str]) -> str | None:
    """The question that a mistyped `word` raises, such as "did you mean `text`?"; None if nothing known is like it."""
    nearest = difflib.get_close_matches(word, known, n=1, cutoff=0.6)
    return f"did you mean `{nearest[0]}`?" if nearest else None


def _keys_at(model: type[BaseModel], location: Location) -> set[str]:
    models = {model}
    for part in location:
        below = {
            found
            for parent in models
            for name, field in parent.model_fields.items()
            if part in (name, field.alias)
            for found in _models_in(field.annotation)
        }
        if below:
            models = below
        elif isinstance(part, str):
            # The name of a union's member: keep that member alone, if it is one.
            models = {parent for parent in models if parent.__name__ == part} or models
    return {field.alias or name for parent in models for name, field in parent.model_fields.items()}


def _models_in(annotation: object) -> set[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return {annotation}
    return {found for argument in typing.get_args(annotation) for found in _models_in(argument)}


def _kind(value: object) -> str:
    names = {
        list: "a list",
        tuple: "a list",
        dict: "a mapping",
        type(None): "nothing",
        str: "text",
        int: "a number",
        float: "a number",
        bool: "yes or no",
    }
    return names.get(type(value), type(value).__name__)
