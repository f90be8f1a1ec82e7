from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from PIL import Image

from visualsearch_pipeline.queries import (
    EachVideo,
    HitVideos,
    ImageInVideoQuery,
    ImageQuery,
    ListedVideos,
    Place,
    TextQuery,
    TranscriptQuery,
    asks,
    kind_of,
    load_query_sets,
    query_version,
)

WriteSet = Callable[[str, str], Path]


def problems_of(folder: Path) -> list[tuple[int, str, str]]:
    """Line, key and message of everything that is wrong with the one file that stands in `folder`."""
    catalog = load_query_sets(folder)
    assert catalog.sets == ()
    (broken,) = catalog.broken
    return [(problem.line, problem.key, problem.message) for problem in broken.problems]


def test_every_kind_of_query_is_read_from_one_file(folder: Path, write_set: WriteSet) -> None:
    write_set(
        "street.yaml",
        """\
        description: What the street team looks for.
        owner: team:street
        queries:
          - id: red_truck
            text: a red truck at night
            in: captions
            filtering_level: medium
            min_score: 0.3
            tag: gate
            camera: GoPro HERO11
            taken_after: 2026-01-31 18:30:00
            near: {latitude: 51.5, longitude: -0.1}
            description: Trucks.
            tags: [vehicles]
          - {id: plain, text: a dog}
          - {id: logo, image: images/logo.png, similarity: 0.8}
          - {id: shirt, image: images/logo.png, prompt: the red shirt}
          - {id: shirt_again, image: images/logo.png, prompt: the red shirt, within: {query: logo}}
          - {id: shirt_listed, image: images/logo.png, prompt: the red shirt, within: [VI2, VI1, VI2]}
          - {id: warranty, transcript: warranty}
        """,
    )

    catalog = load_query_sets(folder)

    assert (catalog.broken, catalog.note) == ((), None)
    (street,) = catalog.sets
    assert (street.name, street.description, street.owner) == (
        "street",
        "What the street team looks for.",
        "team:street",
    )
    assert street.broken == ()
    truck, plain, logo, shirt, again, listed, warranty = street.queries
    assert truck == TextQuery(
        id="red_truck",
        text="a red truck at night",
        medium="captions",
        filtering_level="medium",
        min_score=0.3,
        tag="gate",
        camera="GoPro HERO11",
        taken_after=datetime(2026, 1, 31, 18, 30, tzinfo=UTC),
        near=Place(latitude=51.5, longitude=-0.1),
        description="Trucks.",
        tags=("vehicles",),
    )
    assert plain == TextQuery(id="plain", text="a dog", medium="clips")
    assert isinstance(logo, ImageQuery)
    assert (logo.similarity, logo.image.format, logo.image.path.name) == (0.8, "PNG", "logo.png")
    assert isinstance(shirt, ImageInVideoQuery)
    assert shirt.within == EachVideo()
    assert isinstance(again, ImageInVideoQuery)
    assert again.within == HitVideos(query_id="logo", query_version=query_version(logo))
    assert isinstance(listed, ImageInVideoQuery)
    assert listed.within == ListedVideos(video_nos=("VI1", "VI2"))
    assert warranty == TranscriptQuery(id="warranty", transcript="warranty")
    assert [kind_of(query) for query in street.queries] == [
        "text",
        "text",
        "image",
        "image_in_video",
        "image_in_video",
        "image_in_video",
        "transcript",
    ]
    assert [asks(query) for query in (truck, logo, shirt, warranty)] == [
        "a red truck at night",
        "logo.png",
        "the red shirt",
        "warranty",
    ]


def test_a_broken_file_stops_no_other(folder: Path, write_set: WriteSet) -> None:
    write_set("broken.yaml", "queries: [\n")
    write_set("good.yaml", "queries: [{id: dog, text: a dog}]")
    (folder / "latin.yml").write_bytes("queries: [{id: a, text: caf\xe9}]".encode("latin-1"))

    catalog = load_query_sets(folder)

    assert [query_set.name for query_set in catalog.sets] == ["good"]
    assert [broken.name for broken in catalog.broken] == ["broken", "latin"]
    assert "broken.yaml, line 2: is not valid YAML" in str(catalog.broken[0])


def test_hidden_files_and_other_files_are_left_alone(folder: Path, write_set: WriteSet) -> None:
    write_set("good.yml", "queries: [{id: dog, text: a dog}]")
    for name in (".#good.yaml", "notes.txt", "images/deep.yaml"):
        write_set(name, "nonsense: [")

    catalog = load_query_sets(folder)

    assert [query_set.name for query_set in catalog.sets] == ["good"]
    assert catalog.broken == ()


def test_no_folder_and_an_empty_one_are_an_empty_catalog_that_says_so(tmp_path: Path) -> None:
    missing = load_query_sets(tmp_path / "nowhere")
    empty = load_query_sets(tmp_path)
    (tmp_path / "file").touch()

    assert (missing.sets, missing.broken, empty.sets, empty.broken) == ((), (), (), ())
    assert "there is no folder" in str(missing.note)
    assert "holds no query set" in str(empty.note)
    assert "is a file" in str(load_query_sets(tmp_path / "file").note)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("Street.yaml", "lower-case letters, digits and `_`, a letter first; try `street`"),
        ("red-truck.yaml", "try `red_truck`"),
        ("2nd.yaml", "a letter first"),
        ("hits.yaml", "the warehouse has its own `hits`"),
        ("publication.yaml", "the warehouse has its own"),
        ("select.yaml", "`select` is a word of SQL"),
        (f"{'a' * 65}.yaml", "has 65 characters"),
    ],
)
def test_a_file_whose_name_cannot_be_a_table_is_refused(
    folder: Path, write_set: WriteSet, name: str, message: str
) -> None:
    write_set(name, "queries: [{id: dog, text: a dog}]")

    ((line, key, found),) = problems_of(folder)

    assert (line, key) == (1, "")
    assert message in found


def test_two_files_cannot_share_a_name(folder: Path, write_set: WriteSet) -> None:
    write_set("street.yaml", "queries: [{id: dog, text: a dog}]")
    write_set("street.yml", "queries: [{id: cat, text: a cat}]")

    catalog = load_query_sets(folder)

    assert [query.id for query in catalog.sets[0].queries] == ["dog"]
    assert "its name is taken by street.yaml" in str(catalog.broken[0])


@pytest.mark.parametrize(
    ("entry", "key", "message"),
    [
        ("{id: a, txt: a dog}", "queries[2]", "did you mean `text` by `txt`?"),
        ("{id: a}", "queries[2]", "asks nothing; a query has one of: text, image, transcript"),
        ("{id: a, text: b, image: c.png}", "queries[2]", "asks two things at once: `text` and `image`"),
        ("{id: a, prompt: b}", "queries[2]", "has a `prompt` but no `image`"),
        ("just words", "queries[2]", "must be a mapping with an `id`"),
        ("{text: b}", "queries[2].id", "is missing"),
        ("{id: Red, text: b}", "queries[2].id", "try `red`"),
        ("{id: one, text: b}", "queries[2].id", "`one` is taken (line 3)"),
        ("{id: a, text: 5}", "queries[2].text", "YAML reads this as a number; put it in quotes"),
        ("{id: a, text: yes}", "queries[2].text", "YAML reads this as yes or no; put it in quotes"),
        ("{id: a, text: '  '}", "queries[2].text", "is empty; write some text"),
        ("{id: a, text: b, in: clip}", "queries[2].in", "did you mean `clips`?"),
        ("{id: a, text: b, medium: clips}", "queries[2].medium", "is not a known key"),
        ("{id: a, text: b, filtering_levl: low}", "queries[2].filtering_levl", "did you mean `filtering_level`?"),
        ("{id: a, text: b, filtering_level: mid}", "queries[2].filtering_level", "'low', 'medium' or 'high'"),
        ("{id: a, text: b, min_score: 1.5}", "queries[2].min_score", "must be 1 or less"),
        ("{id: a, text: b, min_score: true}", "queries[2].min_score", "must be a number, not yes or no"),
        ("{id: a, text: b, near: {latitude: 5}}", "queries[2].near.longitude", "is missing"),
        ("{id: a, text: b, near: {latitude: 95, longitude: 0}}", "queries[2].near.latitude", "must be 90 or less"),
        ("{id: a, text: b, taken_after: 17}", "queries[2].taken_after", "must be a date or a time"),
        ("{id: a, text: b, similarity: 0.5}", "queries[2].similarity", "is not a known key"),
        ("{id: a, image: images/logo.png, within: day}", "queries[2].prompt", "is missing"),
        ("{id: a, image: b, prompt: c, within: week}", "queries[2].within", "must be `day`"),
        ("{id: a, image: b, prompt: c, within: []}", "queries[2].within", "lists no video"),
        ("{id: a, image: b, prompt: c, within: [3]}", "queries[2].within", "lists 3, which is not a video number"),
        ("{id: a, image: b, prompt: c, within: {query: ones}}", "queries[2].within.query", "did you mean `one`?"),
        ("{id: a, image: b, prompt: c, within: {query: a}}", "queries[2].within.query", "names the query itself"),
        ("{id: a, image: b, prompt: c, within: {set: one}}", "queries[2].within.set", "is not a known key"),
        ("{id: a, transcript: b, min_score: 0.5}", "queries[2].min_score", "is not a known key"),
    ],
)
def test_a_mistake_is_named_with_its_line_its_key_and_the_remedy(
    folder: Path, write_set: WriteSet, entry: str, key: str, message: str
) -> None:
    write_set("street.yaml", f"# a comment\nqueries:\n  - {{id: one, text: a dog}}\n  - {entry}\n")

    (line, found_key, found_message), *_ = (problem for problem in problems_of(folder) if problem[1] == key or not key)

    assert (line, found_key) == (4, key)
    assert message in found_message


@pytest.mark.parametrize(
    ("text", "key", "message"),
    [
        ("", "queries", "is missing"),
        ("queries: []", "queries", "is empty"),
        ("queris: [{id: a, text: b}]", "queris", "did you mean `queries`?"),
        ("owner: me\nqueries: [{id: a, text: b}]", "owner", "write an e-mail address or `team:<name>`"),
        ("- {id: a, text: b}", "", "must be a mapping"),
        ("queries: [{id: a, text: b, text: c}]", "text", "stands here a second time"),
    ],
)
def test_a_mistake_in_the_set_itself_is_named(
    folder: Path, write_set: WriteSet, text: str, key: str, message: str
) -> None:
    write_set("street.yaml", text)

    assert any(found_key == key and message in found for _, found_key, found in problems_of(folder))


def test_a_query_within_one_that_looks_within_videos_is_refused(folder: Path, write_set: WriteSet) -> None:
    write_set(
        "street.yaml",
        """\
        queries:
          - {id: first, image: images/logo.png, prompt: a, within: {query: second}}
          - {id: second, image: images/logo.png, prompt: b, within: {query: first}}
        """,
    )

    found = problems_of(folder)

    assert [(line, key) for line, key, _ in found] == [
        (2, "queries[1].within.query"),
        (3, "queries[2].within.query"),
    ]
    assert all("looks within videos itself" in message for _, _, message in found)


def test_an_image_that_cannot_be_sent_breaks_its_query_and_those_within_it_alone(
    folder: Path, write_set: WriteSet
) -> None:
    images = folder / "images"
    (images / "text.png").write_text("not a picture")
    (images / "empty.png").touch()
    (images / "cut.png").write_bytes((images / "logo.png").read_bytes()[:60])
    (images / "large.bmp").write_bytes(b"BM" + bytes(25 * 1024**2))
    (images / "vector.svg").write_text("<svg/>")
    (images / "folder.png").mkdir()
    names = ["text.png", "empty.png", "cut.png", "large.bmp", "vector.svg", "folder.png", "gone.png"]
    entries = "".join(f"  - {{id: image_{n}, image: images/{name}}}\n" for n, name in enumerate(names))
    write_set(
        "street.yaml",
        "queries:\n"
        "  - {id: inside, image: images/logo.png, prompt: a, within: {query: image_0}}\n"
        f"{entries}"
        "  - {id: logo, image: images/logo.png}\n"
        "  - {id: dog, text: a dog}\n",
    )

    (street,) = load_query_sets(folder).sets

    assert [query.id for query in street.queries] == ["logo", "dog"]
    assert [(query.id, query.line) for query in street.broken] == [
        ("inside", 2),
        *((f"image_{n}", n + 3) for n in range(len(names))),
    ]
    reasons = [query.reason for query in street.broken]
    for reason, part in zip(
        reasons,
        [
            "within the hits of `image_0`, which cannot be asked itself",
            "is not an image, whatever its name says",
            "is empty",
            "is damaged",
            "has 25.0 MB; the service takes 20 MB",
            "is not of a kind the service takes",
            "is a folder",
            "does not exist",
        ],
        strict=True,
    ):
        assert part in reason


@pytest.mark.parametrize("name", ["a.jpg", "a.JPEG", "a.png", "a.gif", "a.bmp", "a.webp"])
def test_every_kind_of_image_that_the_service_takes_is_opened(folder: Path, write_set: WriteSet, name: str) -> None:
    Image.new("RGB", (8, 8), "blue").save(folder / "images" / name)
    write_set("street.yaml", f"queries: [{{id: logo, image: images/{name}}}]")

    (street,) = load_query_sets(folder).sets

    (query,) = street.queries
    assert isinstance(query, ImageQuery)
    assert query.image.size_bytes == (folder / "images" / name).stat().st_size
