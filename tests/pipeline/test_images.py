"""Private images: from a folder into the library, each once, and found by a text."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.pipeline.picture_folder import add_picture, ask, image_hits, send, with_images

if TYPE_CHECKING:
    from tests.conftest import MakeProject, Project

DIALECTS: dict[str, dict[str, Any]] = {
    "live-2025": {"unique_id": "default"},
    "spring-2026": {"unique_id": "default"},
    "openapi": {"folder_id": -1},
}


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_folder_of_images_is_found_by_a_text_in_every_dialect(make_project: MakeProject, dialect: str) -> None:
    project = with_images(make_project((), dialect=dialect), scope=DIALECTS[dialect])
    red = add_picture(project, "red.png", "red")
    add_picture(project, "holidays/blue.jpg", "blue")

    sent = send(project)
    report = ask(project)

    assert (sent.uploads.uploaded, report.calls, report.pairs, report.hits) == (2, 1, 2, 1)
    (hit,) = image_hits(project)
    assert hit["media_uri"] == f"file://{red}"
    assert (hit["query_id"], hit["rank"]) == ("red_things", 1)
    assert ask(project).calls == 0
    assert len(project.calls("upload_img")) == 1
