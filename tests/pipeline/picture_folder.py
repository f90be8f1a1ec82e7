"""Pictures in a project's source, and the steps that send and search them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image, ImageDraw

from visualsearch_pipeline.pipeline.image_search import ImageSearchReport, search_images
from visualsearch_pipeline.pipeline.image_source import look_at_images
from visualsearch_pipeline.pipeline.images import ImagesReport, send_images
from visualsearch_pipeline.pipeline.search import register_queries

if TYPE_CHECKING:
    from tests.conftest import Project

IMAGE_QUERIES = """
queries:
  - {id: red_things, text: something red, in: images, filtering_level: low}
"""


def add_picture(project: Project, name: str, colour: str, *, days_ago: int = 1, exif: Image.Exif | None = None) -> Path:
    """A picture of a square of one colour; another name gives other bytes."""
    path = project.footage / name
    path.parent.mkdir(parents=True, exist_ok=True)
    picture = Image.new("RGB", (160, 120), "white")
    pen = ImageDraw.Draw(picture)
    pen.rectangle((40, 30, 110, 100), fill=colour)
    pen.text((2, 2), name, fill="grey")
    picture.save(path, exif=exif) if exif is not None else picture.save(path)
    return project.touch(path, days_ago=days_ago)


def with_images(project: Project, **api: object) -> Project:
    """Let a project's source have images that can be searched as soon as they are sent."""
    project.configure(source={"image_include": ["**/*.png", "**/*.jpg"]}, indexing={"image_seconds": 0}, api=api)
    project.write_queries("street", IMAGE_QUERIES)
    return project


def send(project: Project) -> ImagesReport:
    """Look at the images and send what is new."""
    with project.pipeline() as pipeline:
        look_at_images(pipeline)
        return send_images(pipeline)


def ask(project: Project, name: str = "street", **given: object) -> ImageSearchReport:
    """Ask the image queries of a set."""
    with project.pipeline() as pipeline:
        register_queries(pipeline, pipeline.catalog)
        (query_set,) = (found for found in pipeline.catalog.sets if found.name == name)
        return search_images(pipeline, query_set, **given)  # type: ignore[arg-type]  # the keywords of `search_images`


def image_hits(project: Project, *, days_ago: int = 1, name: str = "street") -> list[dict[str, object]]:
    """The rows of one day of a set's image hits."""
    from datetime import timedelta

    with project.pipeline() as pipeline:
        day = project.today - timedelta(days=days_ago)
        rows: list[dict[str, object]] = pipeline.store.read_part("image_hits", query_set=name, day=day).to_pylist()
        return rows


def stored_ids(project: Project) -> set[str]:
    """The ids that the service gave to images, whatever it answered: each is in its library for ever."""
    return {image_id for call in project.calls("upload_img") if call.took_effect for image_id in call.item_ids}


def later(**time: float) -> Callable[[], datetime]:
    """A clock that is ahead."""
    return lambda: datetime.now(UTC) + timedelta(**time)
