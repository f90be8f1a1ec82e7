"""Whoever mistypes a file is told where, what, and what to do."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Annotated, Literal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag

from visualsearch_pipeline.located_yaml import YamlFileError, YamlProblem, load_model, read_yaml


class Circle(BaseModel):
    model_config = ConfigDict(extra="forbid")

    radius: float
    line_colour: Literal["red", "green"] = "red"


class Square(BaseModel):
    model_config = ConfigDict(extra="forbid")

    side_length: float
    label: str = ""


def shape_of(value: object) -> str:
    return "Circle" if isinstance(value, dict) and "radius" in value else "Square"


Shape = Annotated[Annotated[Circle, Tag("Circle")] | Annotated[Square, Tag("Square")], Discriminator(shape_of)]


class Drawing(BaseModel):
    model_config = ConfigDict(extra="forbid")

    title: str
    shapes: tuple[Shape, ...] = ()
    made_on: date | None = Field(None, alias="made-on")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "drawing.yaml"


def problems_in(path: Path, text: str) -> tuple[YamlProblem, ...]:
    path.write_text(text, encoding="utf-8")
    with pytest.raises(YamlFileError) as caught:
        load_model(path, Drawing)
    return caught.value.problems


def test_a_good_file_becomes_its_model(path: Path) -> None:
    path.write_text("title: one\nmade-on: 2026-01-31\nshapes:\n  - radius: 2\n  - {side_length: 1}\n")

    drawing = load_model(path, Drawing)

    assert drawing.shapes == (Circle(radius=2), Square(side_length=1))
    assert drawing.made_on == date(2026, 1, 31)


@pytest.mark.parametrize(
    ("text", "line", "key", "message"),
    [
        ("titel: one\ntitle: two", 1, "titel", "is not a known key; did you mean `title`?"),
        ("title: one\nmade-om: 3", 2, "made-om", "did you mean `made-on`?"),
        ("title: one\nxyz: 3", 2, "xyz", "known here: made-on, shapes, title"),
        ("shapes: []", 1, "title", "is missing"),
        ("title: 5", 1, "title", "must be text, and YAML reads this as a number; put it in quotes"),
        ("title: on", 1, "title", "reads this as yes or no"),
        ("title: x\nshapes:\n- radius: 1\n- radius: 2\n  line_colour: gren", 5, "shapes[2].line_colour", "`green`?"),
        ("title: x\nshapes:\n- side_length: 1\n  lable: a", 4, "shapes[1].lable", "did you mean `label`?"),
        ("title: x\nshapes:\n- side_length: 1\n  radios: a", 4, "shapes[1].radios", "known here: label, side_length"),
        ("title: x\ntitle: y", 2, "title", "stands here a second time (first on line 1)"),
        ("title: x\nshapes: [{radius: 1, radius: 2}]", 2, "radius", "stands here a second time"),
        ("title: x\nmade-on: 2026-02-31", 2, "made-on", "must be the date of a day that there is"),
        ("title: x\n  shapes: 3", 2, "", "is not valid YAML"),
        ("title: x\nshapes: \0", 2, "", "holds the control character #x0000"),
        ("- title", 1, "", "must be a mapping of keys to values, not a list"),
        ("", 1, "title", "is missing"),
    ],
)
def test_a_mistake_is_named_with_line_key_and_remedy(path: Path, text: str, line: int, key: str, message: str) -> None:
    (problem,) = problems_in(path, text)

    assert (problem.line, problem.key) == (line, key)
    assert message in problem.message


def test_all_mistakes_of_a_file_are_named_at_once_in_its_order(path: Path) -> None:
    problems = problems_in(path, "shapes:\n- radius: wide\n- side_length: 1\n  label: 7\n")

    assert [(problem.line, problem.key) for problem in problems] == [
        (1, "title"),
        (2, "shapes[1].radius"),
        (4, "shapes[2].label"),
    ]


def test_the_error_names_the_file_on_every_line(path: Path) -> None:
    path.write_text("shapes: 3\nextra: 4\n")

    with pytest.raises(YamlFileError) as caught:
        load_model(path, Drawing)

    lines = str(caught.value).splitlines()
    assert len(lines) == 3
    assert all(line.startswith(f"{path}, line ") for line in lines)


@pytest.mark.parametrize("text", ["title: &a [*a]", "title: x\nshapes: &a\n- *a", "title: " + "[" * 5000])
def test_a_file_that_holds_itself_or_is_bottomless_is_refused(path: Path, text: str) -> None:
    assert problems_in(path, text)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(st.sampled_from("ab: -\n\t[]{},&*!#'\"|>%@?1.~title"), max_size=40) | st.binary(max_size=30))
def test_whatever_stands_in_a_file_is_read_or_refused_with_a_line(path: Path, content: str | bytes) -> None:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    try:
        load_model(path, Drawing)
        problems: tuple[YamlProblem, ...] = ()
    except YamlFileError as error:
        problems = error.problems or (YamlProblem(0, "", ""),)
    assert all(problem.line >= 1 and problem.message for problem in problems)


def test_a_file_that_cannot_be_read_says_why(tmp_path: Path) -> None:
    (tmp_path / "latin.yaml").write_bytes(b"title: caf\xe9")
    for name, reason in {"gone.yaml": "there is no such file", "latin.yaml": "is not UTF-8", ".": "directory"}.items():
        with pytest.raises(YamlFileError, match=reason):
            read_yaml(tmp_path / name)
