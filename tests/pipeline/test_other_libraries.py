"""Videos, private images and the public library in one query set, by real Dagster, from the source to the tables."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tests.pipeline.picture_folder import add_picture
from visualsearch_pipeline.pipeline.expected_work import read_expected_work
from visualsearch_pipeline.report.contents import read_contents

if TYPE_CHECKING:
    from tests.conftest import MakeProject, Project

MIXED = """
queries:
  - {id: red, text: red, filtering_level: low}
  - {id: red_photos, text: something red, in: images, filtering_level: low}
  - {id: trend, text: a shape, public: tiktok}
"""


def test_one_set_asks_three_libraries_and_a_second_run_asks_nothing(make_project: MakeProject) -> None:
    project = make_project(("red",), public_library=True)
    project.configure(source={"image_include": ["**/*.png"]}, indexing={"image_seconds": 0})
    project.write_queries("street", MIXED)
    add_picture(project, "red.png", "red")
    add_picture(project, "blue.png", "blue")
    with project.pipeline() as pipeline:
        expected = read_expected_work(pipeline)
    assert (expected.image_requests, [planned.calls for planned in expected.searches]) == (1, [3])

    status = project.run()

    assert status.is_done
    assert (status.images, status.image_pairs, status.public_answers) == ({"uploaded": 2}, 2, 1)
    assert len(project.calls("upload_img")) == expected.image_requests
    assert len(project.calls("search", "search_public")) == 3
    counts = "SELECT (SELECT count(*) FROM street), (FROM (SELECT count(*) FROM current_image_hits))"
    ((hits, image_hits),) = project.sql(counts)
    assert (hits > 0, image_hits) == (True, 1)
    assert project.sql("SELECT parse_filename(media_uri) FROM image_hits_of('red_photos')") == [("red.png",)]
    assert project.sql("SELECT DISTINCT platform FROM public_hits_of('trend')") == [("tiktok",)]
    mark = project.mark()
    project.run()
    assert project.billable_calls(since=mark) == []
    assert project.calls("upload_img", "search_public", since=mark) == []
    contents = read_contents(project.settings.database_path, max_hits=100)
    told = {query.query_id: (query.library, query.searched, query.to_search) for query in contents.queries}
    assert told == {"red": ("video", 1, 1), "red_photos": ("image", 2, 2), "trend": ("public", 0, 0)}
    assert {medium.library for medium in contents.media} == {"video", "image", "public"}
    assert len(contents.hits) == contents.hits_total
    assert all(hit.picture for hit in contents.hits if contents.media[hit.medium].library == "image")
    _no_link_is_stored(project)


def _no_link_is_stored(project: Project) -> None:
    """The links that come with image hits are signed and expire; no file may hold one."""
    with project.pipeline() as pipeline:
        links = [hit.image_url for hit in pipeline.client.search_images("red", top_k=10)]
    assert links
    for link in links:
        assert link is not None
        path, _, query = link.partition("?")
        name = Path(path).name.encode()
        written = [file for file in project.root.rglob("*") if file.is_file() and "sandbox" not in file.parts]
        assert len(written) > 10
        assert query
        for file in written:
            content = file.read_bytes()
            assert query.split("=")[0].encode() + b"=" not in content or name not in content, file
