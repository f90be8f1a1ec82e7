"""The page of the settings names every setting, with its default, and every variable of the environment."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Final

import yaml
from pydantic import BaseModel

import visualsearch_pipeline.settings
from visualsearch_pipeline.settings import Settings

PAGE: Final = (Path(__file__).parents[1] / "docs" / "settings.md").read_text()


def table(first_header: str) -> list[list[str]]:
    """The cells of the page's table whose first header begins so, row by row."""
    (found,) = re.findall(rf"^\| {first_header}.*\n\|[-|]+\|\n((?:\|.*\n)+)", PAGE, re.MULTILINE)
    return [[cell.strip() for cell in line.strip().strip("|").split("|")] for line in found.splitlines()]


def quoted(text: str) -> list[str]:
    """What stands in backticks."""
    return re.findall(r"`([^`]+)`", text)


def leaves(model: type[BaseModel], prefix: str = "") -> dict[str, Any]:
    """Every setting by its dotted name, with its default. A choice of two styles, such as the scope, is one setting."""
    found: dict[str, Any] = {}
    for name, field in model.model_fields.items():
        default = field.get_default(call_default_factory=False)
        if isinstance(default, BaseModel) and name != "scope":
            found |= leaves(type(default), f"{prefix}{name}.")
        else:
            found[f"{prefix}{name}"] = default
    return found


def test_every_setting_stands_in_the_table_and_every_row_is_a_setting() -> None:
    known = leaves(Settings)
    documented: set[str] = set()
    for names, _, meaning in table("key"):
        for name in quoted(names):
            below = {f"{name}.{key}" for key in quoted(meaning)} & known.keys()
            documented |= below or {name}
        documented |= {key for key in quoted(meaning) if key in known}
    assert documented == known.keys()


def test_the_defaults_in_the_table_are_the_defaults() -> None:
    known = leaves(Settings)
    checked = 0
    for names, defaults, _ in table("key"):
        for name, told in zip(quoted(names), quoted(defaults), strict=False):
            default = known[name]
            if isinstance(default, BaseModel):
                default = default.model_dump(exclude_none=True)
            if isinstance(default, Path) or name == "source.path":
                assert Path(told) == Path(default), name
            else:
                assert yaml.safe_load(told) == (list(default) if isinstance(default, tuple) else default), name
            checked += 1
        if defaults == "none":
            assert {known[name] for name in quoted(names)} == {None}
    assert checked > 10


def test_every_variable_of_the_environment_is_named() -> None:
    names = {value for name, value in vars(visualsearch_pipeline.settings).items() if name.endswith("_VARIABLE")}
    assert {name for row in table("variable") for name in quoted(row[0])} == names
