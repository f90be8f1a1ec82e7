"""What editors are told about the files agrees with what the product takes."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from jsonschema import Draft7Validator

from tests.queries.test_query_mistakes import MISTAKES
from visualsearch_pipeline.located_yaml import YamlFileError, read_yaml
from visualsearch_pipeline.queries import check_queries
from visualsearch_pipeline.queries.json_schema import (
    IMPORTS_SCHEMA_FILE,
    QUERY_SET_SCHEMA_FILE,
    SETTINGS_SCHEMA_FILE,
    as_text,
    imports_schema,
    query_set_schema,
    settings_schema,
    write_schemas,
)

WriteSet = Callable[[str, str], Path]

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
NOT_IN_A_SCHEMA = frozenset(
    {
        "an id that is taken",
        "a day that does not exist",
        "a reference to nothing",
        "a reference to a query about images",
        "a placeholder without values",
        "a placeholder misspelt",
        "an id for many queries",
        "a key twice",
        "a parameter that is not used",
        "an alias of nothing",
        "a tag",
        "a second document",
        "a colon in a text",
        "a crooked indentation",
        "a quote that is not closed",
        "not YAML",
        "a tab",
    }
)
"""Mistakes that take more than the shape of one file to see."""


def is_valid(path: Path) -> bool:
    """Whether an editor would find nothing wrong with a file."""
    return bool(Draft7Validator(query_set_schema()).is_valid(read_yaml(path).value))


def yaml_blocks(markdown: Path) -> list[str]:
    """The YAML in a document, each block as a reader would copy it."""
    return re.findall(r"^```yaml\n(.*?)^```", markdown.read_text(encoding="utf-8"), flags=re.M | re.S)


@pytest.mark.parametrize(
    ("name", "schema"),
    [
        (QUERY_SET_SCHEMA_FILE, query_set_schema),
        (SETTINGS_SCHEMA_FILE, settings_schema),
        (IMPORTS_SCHEMA_FILE, imports_schema),
    ],
)
def test_the_published_schema_is_the_models_own(name: str, schema: Callable[[], dict[str, object]]) -> None:
    published = (DOCS / name).read_text(encoding="utf-8")

    assert published == as_text(schema()), "run: python -m visualsearch_pipeline.queries.json_schema docs"
    Draft7Validator.check_schema(json.loads(published))


def test_all_schemas_are_written_at_once(tmp_path: Path) -> None:
    write_schemas(tmp_path)

    written = sorted(path.name for path in tmp_path.iterdir())
    assert written == [IMPORTS_SCHEMA_FILE, QUERY_SET_SCHEMA_FILE, SETTINGS_SCHEMA_FILE]


@pytest.mark.parametrize("name", MISTAKES)
def test_an_editor_sees_every_mistake_that_the_shape_of_a_file_can_show(folder: Path, name: str) -> None:
    path = folder / "street.yaml"
    path.write_text(MISTAKES[name].text)
    try:
        found = not is_valid(path)
    except YamlFileError:
        found = False

    assert found == (name not in NOT_IN_A_SCHEMA)


def test_what_the_product_takes_an_editor_takes(folder: Path, write_set: WriteSet) -> None:
    path = write_set(
        "street.yaml",
        """\
        description: Everything.
        owner: someone@example.com
        defaults: {filtering_level: low, top_k: 50, in: captions}
        queries:
          - {id: plain, text: a dog, in: audio, taken_after: 2026-01-31, filtering_level: null, tags: [pets]}
          - {id: exact, text: a dog, taken_after: 2026-01-31 18:30:00, near: {latitude: 1, longitude: -2.5}}
          - {id: zoned, text: a dog, taken_after: "2026-01-31T18:30:00+01:00", camera: GoPro, tag: gate}
          - {id: logo, image: images/logo.png, similarity: 1, min_score: 0}
          - {id: inside, image: images/logo.png, prompt: it, within: {query: logo}}
          - {id: listed, image: images/logo.png, prompt: it, within: [VI1]}
          - {id: daily, image: images/logo.png, prompt: it, within: day, top_k: 1}
          - id: find_{colour}_{item}
            text: a {colour} {item}
            parameters: {colour: [red], item: {bike: a mountain bike}}
          - {id: says, transcript: warranty}
        """,
    )

    assert check_queries(folder).problems == ()
    assert is_valid(path)


@pytest.mark.parametrize("number", range(len(yaml_blocks(DOCS / "queries.md"))))
def test_every_example_of_the_documentation_is_a_query_set(folder: Path, number: int) -> None:
    text = yaml_blocks(DOCS / "queries.md")[number]
    for name in set(re.findall(r"images/[a-z_{}]+\.png", text)):
        for item in ("shirt", "hat"):
            picture = folder / name.replace("{item}", item)
            picture.write_bytes((folder / "images" / "logo.png").read_bytes())
    path = folder / "street.yaml"
    path.write_text(text, encoding="utf-8")

    assert check_queries(folder).problems == ()
    assert is_valid(path)


def test_the_query_sets_of_this_repository_are_in_order() -> None:
    assert check_queries(ROOT / "queries").problems == ()
    assert all(is_valid(path) for path in (ROOT / "queries").glob("*.yaml"))
