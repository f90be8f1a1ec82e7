"""Twenty ways to get a query set wrong: each is named with file, line, key and remedy, by `queries check` too."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from PIL import Image

from visualsearch_pipeline.queries import check_queries

WriteSet = Callable[[str, str], Path]


@dataclass(frozen=True)
class Mistake:
    """A file, and where in it the problem is, under which key, and a part of what is said about it."""

    text: str
    line: int
    key: str
    remedy: str


MISTAKES = {
    "an unknown key in a query": Mistake(
        "queries:\n  - id: a\n    text: a dog\n    filtering_levl: low\n",
        4,
        "queries[1].filtering_levl",
        "did you mean `filtering_level`?",
    ),
    "an unknown key in the set": Mistake(
        "queries: [{id: a, text: b}]\nowners: team:street\n", 2, "owners", "did you mean `owner`?"
    ),
    "a filter that this kind does not take": Mistake(
        "queries:\n  - {id: a, transcript: b, camera: c}\n",
        2,
        "queries[1].camera",
        "known here: alert, description, id, parameters, tags, transcript",
    ),
    "an unknown word": Mistake(
        "queries:\n  - {id: a, text: b, in: captoins}\n", 2, "queries[1].in", "did you mean `captions`?"
    ),
    "a platform that nobody has": Mistake(
        "queries:\n  - {id: a, text: b, public: tictoc}\n", 2, "queries[1].public", "did you mean `tiktok`?"
    ),
    "a private filter in the public library": Mistake(
        "queries:\n  - {id: a, text: b, public: tiktok, camera: c}\n", 2, "queries[1]", "which takes no `camera`"
    ),
    "captions of public videos": Mistake(
        "queries:\n  - {id: a, text: b, public: all, in: captions}\n", 2, "queries[1].in", "'clips' or 'audio'"
    ),
    "a phrase on one platform": Mistake(
        "queries:\n  - {id: a, transcript: b, public: tiktok}\n", 2, "queries[1].public", "must be `all`"
    ),
    "a reference to a query about images": Mistake(
        "queries:\n  - {id: a, text: b, in: images}\n  - {id: c, image: ok.png, prompt: p, within: {query: a}}\n",
        3,
        "queries[2].within.query",
        "finds no private videos",
    ),
    "no question": Mistake("queries:\n  - {id: a, txt: b}\n", 2, "queries[1]", "did you mean `text` by `txt`?"),
    "two questions": Mistake("queries:\n  - {id: a, text: b, transcript: c}\n", 2, "queries[1]", "make it two queries"),
    "no id": Mistake("queries:\n  - text: b\n", 2, "queries[1].id", "is missing"),
    "an id that is no name": Mistake("queries:\n  - {id: Red Truck, text: b}\n", 2, "queries[1].id", "try `red_truck`"),
    "an id that is taken": Mistake(
        "queries:\n  - {id: a, text: b}\n  - {id: a, text: c}\n", 3, "queries[2].id", "`a` is taken (line 2)"
    ),
    "a number where text belongs": Mistake(
        "queries:\n  - {id: a, text: 2024}\n", 2, "queries[1].text", "put it in quotes"
    ),
    "a share above 1": Mistake(
        "queries:\n  - {id: a, text: b, min_score: 40}\n", 2, "queries[1].min_score", "1 or less"
    ),
    "too many hits": Mistake(
        "queries:\n  - {id: a, text: b, top_k: 5000}\n", 2, "queries[1].top_k", "must be 1000 or less"
    ),
    "one coordinate alone": Mistake(
        "queries:\n  - id: a\n    text: b\n    near:\n      latitude: 51.5\n",
        4,
        "queries[1].near.longitude",
        "is missing",
    ),
    "a day that does not exist": Mistake(
        "queries:\n  - {id: a, text: b, taken_after: 2026-02-30}\n",
        2,
        "queries[1].taken_after",
        "must be a date or a time, such as 2026-01-31",
    ),
    "a reference to nothing": Mistake(
        "queries:\n  - {id: logo, text: b}\n  - {id: c, image: ok.png, prompt: d, within: {query: lgo}}\n",
        3,
        "queries[2].within.query",
        "did you mean `logo`?",
    ),
    "a reference that is no text": Mistake(
        "queries:\n  - {id: c, image: ok.png, prompt: d, within: {query: 7}}\n",
        2,
        "queries[1].within.query",
        "put it in quotes",
    ),
    "a reference by a number": Mistake(
        "queries:\n  - {id: c, image: ok.png, prompt: d, within: 7}\n",
        2,
        "queries[1].within",
        "must be `day`, `{query: <id>}` or a list of video numbers",
    ),
    "a placeholder without values": Mistake(
        'queries:\n  - id: a\n    text: "a {colour} car"\n', 3, "queries[1].text", "list them under `parameters`"
    ),
    "a placeholder misspelt": Mistake(
        'queries:\n  - id: "a_{colour}"\n    text: "a {color}"\n    parameters: {colour: [red]}\n',
        3,
        "queries[1].text",
        "did you mean `colour`?",
    ),
    "an id for many queries": Mistake(
        'queries:\n  - id: find\n    text: "a {colour} car"\n    parameters: {colour: [red, blue]}\n',
        2,
        "queries[1].id",
        "write `find_{colour}`",
    ),
    "a wrong default": Mistake(
        "defaults:\n  min_score: high\nqueries: [{id: a, text: b}, {id: c, text: d}]\n",
        2,
        "defaults.min_score",
        "must be a number, not text",
    ),
    "a key twice": Mistake(
        "queries:\n  - id: a\n    text: b\n    text: c\n", 4, "text", "stands here a second time (first on line 3)"
    ),
    "an owner nobody can write to": Mistake(
        "owner: street\nqueries: [{id: a, text: b}]\n", 1, "owner", "write an e-mail address or `team:<name>`"
    ),
    "no queries": Mistake("queries: []\n", 1, "queries", "is empty; a query set has at least one query"),
    "not YAML": Mistake("queries: [{id: a, text: b]\n", 1, "", "is not valid YAML"),
    "a tab": Mistake("queries:\n\t- {id: a}\n", 2, "", "indent with spaces"),
    "a list where text belongs": Mistake(
        "queries:\n  - id: a\n    text: [b]\n", 3, "queries[1].text", "must be text, not a list"
    ),
    "a mapping where a list belongs": Mistake("queries:\n  a: {text: b}\n", 1, "queries", "after `- `"),
    "a key without a value": Mistake(
        "queries:\n  - id: a\n    text:\n", 3, "queries[1].text", "has no value; write one"
    ),
    "an empty text": Mistake("queries:\n  - {id: a, text: ''}\n", 2, "queries[1].text", "is empty; write some text"),
    "a negative top_k": Mistake(
        "queries:\n  - {id: a, text: b, top_k: -3}\n", 2, "queries[1].top_k", "must be 1 or more"
    ),
    "half a hit": Mistake(
        "queries:\n  - {id: a, text: b, top_k: 1.5}\n", 2, "queries[1].top_k", "must be a whole number"
    ),
    "a number in quotes": Mistake(
        "queries:\n  - {id: a, text: b, top_k: '10'}\n", 2, "queries[1].top_k", "such as 10, without quotes"
    ),
    "a place by its name": Mistake(
        "queries:\n  - {id: a, text: b, near: Berlin}\n", 2, "queries[1].near", "a mapping with: latitude, longitude"
    ),
    "a radius": Mistake(
        "queries:\n  - {id: a, text: b, near: {latitude: 5.5, longitude: 2.0, radius: 3}}\n",
        2,
        "queries[1].near.radius",
        "known here: latitude, longitude",
    ),
    "a list where a mapping belongs": Mistake(
        "defaults: [a]\nqueries: [{id: a, text: b}]\n", 1, "defaults", "must be a mapping with: alert, camera"
    ),
    "a parameter that is not used": Mistake(
        "queries:\n  - {id: 'a_{c}', text: 'b {c}', parameters: {c: [x], d: [y]}}\n",
        2,
        "queries[1].parameters.d",
        "is used nowhere",
    ),
    "an alias of nothing": Mistake(
        "queries:\n  - {id: a, text: *b}\n", 2, "", "define it with &, or put text in quotes"
    ),
    "a tag": Mistake("queries:\n  - {id: a, text: !b c}\n", 2, "", "begins with ! is a tag; leave it out"),
    "a second document": Mistake("queries: [{id: a, text: b}]\n---\nqueries: []\n", 2, "", "take out the line `---`"),
    "a colon in a text": Mistake("queries:\n  - id: a\n    text: red: truck\n", 3, "", "contains `: ` in quotes"),
    "a crooked indentation": Mistake("queries:\n  - id: a\n   text: b\n", 3, "", "in the same column"),
    "a quote that is not closed": Mistake("queries:\n  - id: a\n    text: 'b\n", 4, "", "never closed"),
    "a key that is a number": Mistake("7: b\nqueries: [{id: a, text: b}]\n", 1, "", "put it in quotes"),
    "an empty file": Mistake("", 1, "queries", "is missing and has no default; add it"),
    "a list for a file": Mistake("- {id: a, text: b}\n", 1, "", "the keys it may have: defaults"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_named_with_its_file_its_line_its_key_and_the_remedy(
    folder: Path, write_set: WriteSet, name: str
) -> None:
    mistake = MISTAKES[name]
    path = folder / "street.yaml"
    path.write_text(mistake.text)
    Image.new("RGB", (8, 8)).save(folder / "ok.png")
    write_set("good.yaml", "queries: [{id: a, text: b}]")

    check = check_queries(folder)

    where = f"{path}, line {mistake.line}: {mistake.key}: " if mistake.key else f"{path}, line {mistake.line}: "
    (problem,) = check.problems
    assert problem.startswith(where)
    assert mistake.remedy in problem
    assert "Input should" not in problem
    assert (check.is_ok, check.query_count) == (False, 1), "the other file is none the worse"


@pytest.mark.parametrize(
    ("name", "remedy"),
    [
        ("large.bmp", "has 25.0 MB; the service takes 20 MB, so scale it down"),
        ("text.png", "is not an image, whatever its name says"),
        ("gone.png", "does not exist; mend the path or put the file there"),
    ],
)
def test_an_image_that_cannot_be_sent_is_named_with_its_query_and_the_remedy(
    folder: Path, write_set: WriteSet, name: str, remedy: str
) -> None:
    (folder / "large.bmp").write_bytes(b"BM" + bytes(25 * 1024**2))
    (folder / "text.png").write_text("not a picture")
    path = write_set("street.yaml", f"queries:\n  - id: looks\n    image: {name}\n  - {{id: a, text: b}}\n")

    check = check_queries(folder)

    (problem,) = check.problems
    assert problem.startswith(f"{path}, line 3: looks: the image")
    assert remedy in problem
    assert check.query_count == 1


def test_a_bad_image_is_named_along_with_the_other_mistakes_of_its_file(folder: Path, write_set: WriteSet) -> None:
    path = write_set(
        "street.yaml",
        "queries:\n  - {id: a, image: gone.png, top_k: 0}\n  - {id: b, image: images/logo.png, tpo_k: 1}\n",
    )

    image, top_k, key = check_queries(folder).problems

    assert image.startswith(f"{path}, line 2: queries[1].image: the image")
    assert "does not exist; mend the path" in image
    assert top_k.startswith(f"{path}, line 2: queries[1].top_k: must be 1 or more")
    assert key.startswith(f"{path}, line 3: queries[2].tpo_k")


def test_a_folder_in_order_passes_and_says_which_questions_are_the_same(folder: Path, write_set: WriteSet) -> None:
    write_set("street.yaml", "queries: [{id: a, text: a dog}, {id: b, text: a cat}]")
    write_set("yard.yaml", "queries: [{id: c, text: a dog, in: clips}]")

    check = check_queries(folder)

    assert check.is_ok
    assert check.query_count == 3
    (note,) = check.notes
    assert note.startswith("street.a, yard.c: the same question; it is asked once")


def test_a_folder_without_query_sets_does_not_pass(folder: Path) -> None:
    check = check_queries(folder)

    assert not check.is_ok
    assert "holds no query set" in check.problems[0]
