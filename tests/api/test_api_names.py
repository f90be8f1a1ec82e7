"""The package's public face: its names, its error tree, what it imports, its examples."""

from __future__ import annotations

import doctest
import importlib
import inspect
import pkgutil
import re
import subprocess
import sys
import textwrap

import pytest

from visualsearch_pipeline import api
from visualsearch_pipeline.api import errors

MODULES = [f"{api.__name__}.{module.name}" for module in pkgutil.iter_modules(api.__path__)]


def test_what_is_exported_is_there_and_sorted() -> None:
    assert api.__all__ == sorted(api.__all__)
    assert all(hasattr(api, name) for name in api.__all__)
    public = {name for name, value in vars(api).items() if not name.startswith("_") and not inspect.ismodule(value)}
    assert public == set(api.__all__)


def test_every_error_is_exported_and_stands_in_the_drawn_tree() -> None:
    kinds = {
        name: kind
        for name, kind in vars(errors).items()
        if inspect.isclass(kind) and issubclass(kind, errors.VisualSearchError)
    }
    assert set(kinds) <= set(api.__all__)
    drawn: dict[str, str] = {}
    path: list[tuple[int, str]] = []
    for line in (errors.__doc__ or "").splitlines():
        if match := re.match(r"^([ |-]*?)(?:\|- )?(VisualSearchError|(?<=\|- )\w+)\b", line):
            depth = match.start(2)
            path = [entry for entry in path if entry[0] < depth]
            drawn[match[2]] = path[-1][1] if path else "Exception"
            path.append((depth, match[2]))
            assert ("*" in line) is kinds[match[2]].stops_run
    assert drawn == {name: kind.__bases__[0].__name__ for name, kind in kinds.items()}


def test_the_client_stands_alone() -> None:
    program = f"""
        import sys
        for name in {MODULES!r}:
            __import__(name)
        loaded = {{n.split(".")[1] for n in sys.modules if n.startswith("visualsearch_pipeline.")}}
        assert loaded == {{"api"}}, loaded
        assert not {{"dagster", "duckdb", "pandas", "pyarrow", "starlette"}} & set(sys.modules)
    """
    subprocess.run([sys.executable, "-W", "error", "-c", textwrap.dedent(program)], check=True, timeout=60)


@pytest.mark.parametrize("name", MODULES)
def test_examples_in_the_documentation_run(name: str) -> None:
    assert doctest.testmod(importlib.import_module(name), raise_on_error=False).failed == 0


@pytest.mark.parametrize("name", [name for name in api.__all__ if inspect.isclass(getattr(api, name))])
def test_everything_public_is_documented(name: str) -> None:
    kind = getattr(api, name)
    assert inspect.getdoc(kind)
    for member, value in inspect.getmembers(kind, inspect.isfunction):
        if not member.startswith("_") and value.__module__.startswith(api.__name__):
            assert inspect.getdoc(value), f"{name}.{member}"
