"""One entry over twenty products is one entry: what it expands to, and what is said when it cannot."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from visualsearch_pipeline.queries import (
    HitVideos,
    ImageInVideoQuery,
    ImageQuery,
    QuerySet,
    SavedQuery,
    TextQuery,
    load_query_set,
    load_query_sets,
    query_version,
)

WriteSet = Callable[[str, str], Path]

TEMPLATE = """\
queries:
  - id: plain
    text: a dog
  - id: find_{colour}_{product}
    text: a {colour} {product}
    description: Anything {colour}.
    parameters:
      colour: [Red, dark blue]
      product: {bike: a mountain bike, car: a sports car}
"""


def by_id(query_set: QuerySet) -> dict[str, SavedQuery]:
    return {query.id: query for query in query_set.queries}


def test_a_template_asks_one_query_per_combination_in_a_stable_order(write_set: WriteSet) -> None:
    street = load_query_set(write_set("street.yaml", TEMPLATE))

    assert [query.id for query in street.queries] == [
        "plain",
        "find_red_bike",
        "find_red_car",
        "find_dark_blue_bike",
        "find_dark_blue_car",
    ]
    assert by_id(street)["find_dark_blue_car"] == TextQuery(
        id="find_dark_blue_car", text="a dark blue a sports car", description="Anything dark blue."
    )


def test_an_expanded_query_is_the_same_question_as_one_written_out(write_set: WriteSet) -> None:
    template = load_query_set(write_set("template.yaml", TEMPLATE))
    written = load_query_set(write_set("written.yaml", "queries: [{id: other, text: a Red a mountain bike}]"))

    assert query_version(by_id(template)["find_red_bike"]) == query_version(by_id(written)["other"])


def test_a_new_value_asks_only_its_own_queries(write_set: WriteSet) -> None:
    before = {query_version(query) for query in load_query_set(write_set("street.yaml", TEMPLATE)).queries}
    more = TEMPLATE.replace("[Red, dark blue]", "[green, Red, dark blue]")
    after = {query_version(query): query.id for query in load_query_set(write_set("street.yaml", more)).queries}

    assert before <= set(after)
    assert {after[version] for version in set(after) - before} == {"find_green_bike", "find_green_car"}


def test_images_and_references_are_filled_in_too(folder: Path, write_set: WriteSet) -> None:
    for name in ("shirt", "hat"):
        Image.new("RGB", (8, 8), "red" if name == "hat" else "blue").save(folder / "images" / f"{name}.png")
    path = write_set(
        "street.yaml",
        """\
        queries:
          - id: looks_like_{item}
            image: images/{item}.png
            parameters: {item: [shirt, hat]}
          - id: inside_{item}
            image: images/{item}.png
            prompt: the {item} itself
            within: {query: "looks_like_{item}"}
            parameters: {item: [shirt, hat]}
        """,
    )

    queries = by_id(load_query_set(path))

    hat, inside = queries["looks_like_hat"], queries["inside_hat"]
    assert isinstance(hat, ImageQuery)
    assert isinstance(inside, ImageInVideoQuery)
    assert inside.image == hat.image
    assert inside.prompt == "the hat itself"
    assert inside.within == HitVideos(query_id="looks_like_hat", query_version=query_version(hat))


def test_doubled_braces_are_the_braces_themselves(write_set: WriteSet) -> None:
    text = """\
        queries:
          - {id: plain, text: "a {{sign}} and a lone { brace"}
          - {id: "of_{a}", text: "{{{a}}} and {{a}}", parameters: {a: [x]}}
        """

    plain, filled = load_query_set(write_set("street.yaml", text)).queries

    assert isinstance(plain, TextQuery)
    assert isinstance(filled, TextQuery)
    assert (plain.text, filled.text) == ("a {sign} and a lone { brace", "{x} and {a}")


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    values=st.dictionaries(
        st.from_regex(r"[a-z][a-z0-9_]{0,6}", fullmatch=True),
        # No `_` in the values: `{a}_{b}` could then make one id in two ways.
        st.lists(st.from_regex(r"[a-z0-9]{1,5}( [a-z0-9]{1,5})?", fullmatch=True), min_size=1, max_size=4, unique=True),
        min_size=1,
        max_size=3,
    )
)
def test_every_combination_is_asked_once(tmp_path: Path, values: dict[str, list[str]]) -> None:
    entry = {
        "id": "q_" + "__".join(f"{{{name}}}" for name in values),
        "text": " / ".join(f"{{{name}}}" for name in values),
        "parameters": values,
    }
    path = tmp_path / "street.yaml"
    path.write_text(yaml.safe_dump({"queries": [entry]}, sort_keys=False))

    queries = load_query_set(path).queries

    assert [query.text for query in queries if isinstance(query, TextQuery)] == [
        " / ".join(combination) for combination in product(*values.values())
    ]
    assert len({query.id for query in queries}) == len(queries)


@pytest.mark.parametrize(
    ("entry", "line", "key", "message"),
    [
        ('id: "a_{x}"\n    text: b', 3, "queries[2].id", "`{x}` has no values; list them under `parameters`"),
        ('id: a\n    text: "the {x}"', 4, "queries[2].text", "or write `{{x}}` for the braces themselves"),
        (
            'id: "a_{colour}"\n    text: "{color}"\n    parameters: {colour: [red]}',
            4,
            "queries[2].text",
            "`{color}` is no parameter; did you mean `colour`?",
        ),
        (
            'id: a\n    text: "{x}"\n    parameters: {x: [b, c]}',
            3,
            "queries[2].id",
            "would be the id of several queries; write `a_{x}`",
        ),
        (
            'id: "a_{x}"\n    text: b\n    parameters:\n      x: [c]',
            6,
            "queries[2].parameters.x",
            "is used nowhere in what is asked; write `{x}` there",
        ),
        (
            'id: "a_{x}"\n    text: "{x}"\n    parameters: {x: [5]}',
            5,
            "queries[2].parameters.x",
            "holds 5, which is not text; put it in quotes",
        ),
        (
            'id: "a_{x}"\n    text: "{x}"\n    parameters: {x: [日本]}',
            5,
            "queries[2].parameters.x",
            "gives no name for an id to `日本`",
        ),
        (
            'id: "a_{x}"\n    text: "{x}"\n    parameters: {x: [b c, b-c]}',
            5,
            "queries[2].parameters.x",
            "gives the same name `b_c` to `b c` and `b-c`",
        ),
        ('id: "a_{x}"\n    text: "{x}"\n    parameters: {x: []}', 5, "queries[2].parameters.x", "has no values"),
        ('id: "a_{x}"\n    text: "{x}"\n    parameters: {x: {}}', 5, "queries[2].parameters.x", "has no values"),
        ('id: "a_{x}"\n    text: "{x}"\n    parameters: {x: red}', 5, "queries[2].parameters.x", "must be a list of"),
        ('id: "a_{x}"\n    text: "{x}"\n    parameters: [x]', 5, "queries[2].parameters", "must name values"),
        (
            'id: "a_{X}"\n    text: "{X}"\n    parameters: {X: [b]}',
            5,
            "queries[2].parameters.X",
            "`X` is not a name: lower-case letters, digits and `_`, a letter first; try `x`",
        ),
        (
            'id: "on{x}"\n    text: "{x}"\n    parameters: {x: [e, two]}',
            3,
            "queries[2].id",
            "`one` is taken (line 2)",
        ),
        (
            'id: "{x}"\n    text: "{x}"\n    parameters: {x: [2nd]}',
            3,
            "queries[2].id",
            "`2nd` is not a name",
        ),
        (
            'id: "a_{x}"\n    text: "{x}"\n    min_scor: 0.5\n    parameters: {x: [b, c]}',
            5,
            "queries[2].min_scor",
            "did you mean `min_score`?",
        ),
    ],
)
def test_a_mistake_in_a_template_is_named_once_with_its_line_its_key_and_the_remedy(
    folder: Path, write_set: WriteSet, entry: str, line: int, key: str, message: str
) -> None:
    write_set("street.yaml", f"queries:\n  - {{id: one, text: a dog}}\n  - {entry}\n")

    (broken,) = load_query_sets(folder).broken

    found = [problem for problem in broken.problems if message in problem.message]
    assert [(problem.line, problem.key) for problem in found] == [(line, key)]


def test_a_template_of_too_many_queries_is_refused(folder: Path, write_set: WriteSet) -> None:
    values = [f"v{number}" for number in range(101)]
    entry = {"id": "a_{x}_{y}", "text": "{x} {y}", "parameters": {"x": values, "y": values[:10]}}
    write_set("street.yaml", yaml.safe_dump({"queries": [entry]}))

    (broken,) = load_query_sets(folder).broken

    assert "make 1010 queries of one entry; at most 1000" in str(broken)


def test_all_mistakes_are_named_at_once_those_of_templates_too(folder: Path, write_set: WriteSet) -> None:
    write_set(
        "street.yaml",
        """\
        defaults: {filtering_level: mid}
        queries:
          - {id: "a_{x}", text: "the {y}", parameters: {x: [b]}}
          - {id: two, txt: a dog}
        """,
    )

    (broken,) = load_query_sets(folder).broken

    assert [(problem.line, problem.key) for problem in broken.problems] == [
        (1, "defaults.filtering_level"),
        (3, "queries[1].text"),
        (4, "queries[2]"),
    ]


def test_defaults_hold_for_the_queries_that_take_them_and_say_nothing_else(write_set: WriteSet) -> None:
    path = write_set(
        "street.yaml",
        """\
        defaults:
          in: captions
          filtering_level: high
          min_score: 0.4
          top_k: 20
          similarity: 0.7
          near: {latitude: 51.5, longitude: -0.1}
        queries:
          - {id: defaulted, text: a dog}
          - {id: own, text: a dog, in: clips, filtering_level: null, min_score: 0.1, top_k: 5, near: null}
          - {id: logo, image: images/logo.png}
          - {id: inside, image: images/logo.png, prompt: the logo}
          - {id: says, transcript: warranty}
        """,
    )

    queries = by_id(load_query_set(path))

    defaulted, own, logo, inside = (queries[name] for name in ("defaulted", "own", "logo", "inside"))
    assert isinstance(defaulted, TextQuery)
    assert (defaulted.medium, defaulted.filtering_level, defaulted.min_score) == ("captions", "high", 0.4)
    assert (defaulted.top_k, defaulted.near and defaulted.near.latitude) == (20, 51.5)
    assert own == TextQuery(id="own", text="a dog", medium="clips", min_score=0.1, top_k=5)
    assert isinstance(logo, ImageQuery)
    assert (logo.similarity, logo.min_score, logo.top_k) == (0.7, 0.4, 20)
    assert isinstance(inside, ImageInVideoQuery)
    assert (inside.min_score, inside.top_k) == (0.4, 20)


def test_a_query_with_defaults_is_the_same_question_as_one_that_spells_them_out(write_set: WriteSet) -> None:
    short = "{defaults: {min_score: 0.4}, queries: [{id: a, text: b}]}"
    long = "queries: [{id: a, text: b, min_score: 0.4}]"

    first, second = (load_query_set(write_set("street.yaml", text)).queries[0] for text in (short, long))

    assert query_version(first) == query_version(second)
