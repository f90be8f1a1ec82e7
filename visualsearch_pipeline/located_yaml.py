"""YAML files that people write, read into typed models; every mistake is named with its file and line.

Settings and query sets are written by hand, so their errors are read by people. pydantic says *what* is wrong and
PyYAML's node tree knows *where*; this module joins the two.
"""

from __future__ import annotations

import difflib
import re
import typing
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

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
        raise YamlFileError(
            path, [YamlProblem((mark.line + 1) if mark else 1, "", f"is not valid YAML: {error.problem}")]
        ) from error
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
        raise YamlFileError(
            document.path, [YamlProblem(1, "", f"must be a mapping of keys to values, not {_kind(value)}")]
        )
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
                    yield YamlProblem(line, key.value, f"stands here a second time (first on line {seen[key.value]})")
                seen.setdefault(key.value, line)
            yield from _repeated_keys(value, above)
    elif isinstance(node, yaml.SequenceNode):
        for item in node.value:
            yield from _repeated_keys(item, above)


def _message(detail: ErrorDetails, model: type[BaseModel]) -> str:
    kind, location, found = detail["type"], detail["loc"], detail["input"]
    if kind == "extra_forbidden":
        known = sorted(_keys_at(model, location[:-1]))
        return f"is not a known key; {nearest_word(str(location[-1]), known) or 'known here: ' + ', '.join(known)}"
    if kind == "missing":
        return "is missing and has no default"
    if kind == "string_type" and isinstance(found, bool | int | float):
        return f"must be text, and YAML reads this as {_kind(found)}; put it in quotes"
    message = detail["msg"].removeprefix("Value error, ").removeprefix("Assertion failed, ")
    if kind == "literal_error" and isinstance(found, str):
        hint = nearest_word(found, re.findall(r"'([^']*)'", message))
        return f"{message}; {hint}" if hint else message
    return message


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
        str: "text",
        int: "a number",
        float: "a number",
        bool: "yes or no",
    }
    return names.get(type(value), type(value).__name__)
