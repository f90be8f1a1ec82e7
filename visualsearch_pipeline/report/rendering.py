"""The page itself: one template, escaped by Jinja; everything that varies in length comes as data."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from visualsearch_pipeline import __version__
from visualsearch_pipeline.report.contents import ReportContents

GENERATOR: Final = 'name="generator" content="visualsearch_pipeline'
"""What tells a report of ours from a page of someone else's."""


def render_index(contents: ReportContents, *, title: str, build: str, data_scripts: Sequence[str]) -> str:
    """The page, as HTML.

    Args:
        contents: What is shown.
        title: What the page is called.
        build: The folder of its scripts and data, relative to the page.
        data_scripts: The data's files in that folder.
    """
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("visualsearch_pipeline.report", "page"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    days = [hit.day for hit in contents.hits]
    return environment.get_template("index.html.jinja").render(
        title=title,
        build=build,
        data_scripts=data_scripts,
        contents=contents,
        version=__version__,
        first_day=min(days, default=None),
        last_day=max(days, default=None),
        asks_public=any(query.library == "public" for query in contents.queries),
    )
