"""A whole project to look at: footage, query sets, settings, and where the sandbox keeps its state."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Final

from visualsearch_pipeline.demo.clips import DAY_COUNT, make_clips, make_query_images
from visualsearch_pipeline.media import SourceFile, discover

_SETTINGS: Final = """\
# Written by `visualsearch demo`. Paths are relative to this file.
# The sandbox behind it, and the key it takes, are there while `visualsearch demo` or `visualsearch dev` runs.
# For the real service: remove `base_url` and `rate_limits`, and export VISUALSEARCH_API_KEY.
api:
  base_url: {base_url}
  scope: {{unique_id: default}}
  rate_limits: unlimited
source:
  path: {source}
  start_date: {start_date}
queries: ./queries
state: ./state
"""

_STREET: Final = """\
description: What the street team looks for.
owner: team:street
queries:
  - id: red_truck
    text: a red truck at night
    filtering_level: low
  - id: logo
    image: images/logo.png
    similarity: {similarity}
  - id: red_shirt
    image: images/red_shirt.png
    prompt: focus on the red shirt
    within: day
"""

_SPEECH: Final = """\
description: What people say.
owner: team:support
queries:
  - id: says_warranty
    transcript: warranty
  - id: talks_of_repair
    text: repair
    in: audio
"""

_OWN_FOOTAGE: Final = """\
description: First questions to your own footage. Change them, and run again.
queries:
  - id: person
    text: a person
  - id: car
    text: a car on a street
  - id: dark
    text: a dark scene
    in: captions
  - id: hello
    transcript: hello
"""

_OWN_FRAME: Final = """\
  - id: like_this_frame
    image: images/frame.png
    similarity: 0.85
"""

_WORKSPACE: Final = """\
load_from:
  - python_module:
      module_name: visualsearch_pipeline.definitions
      location_name: visualsearch_pipeline
"""


@dataclass(frozen=True)
class DemoProject:
    """The folder of a demo.

    Attributes:
        folder: Everything below it may be deleted at any time.
        footage: The footage that is searched: the demo's own, or a person's.
    """

    folder: Path
    footage: Path

    @property
    def settings_path(self) -> Path:
        """The settings file."""
        return self.folder / "visualsearch.yaml"

    @property
    def workspace_path(self) -> Path:
        """What the Dagster UI loads."""
        return self.folder / "workspace.yaml"

    @property
    def sandbox_state(self) -> Path:
        """Where the sandbox keeps the library."""
        return self.folder / "sandbox"

    @property
    def exists(self) -> bool:
        """Whether the project was written before."""
        return self.settings_path.exists()


def open_project(folder: Path, *, media: Path | None) -> DemoProject:
    """The demo in `folder`; `media` is a person's own footage, or None for the demo's."""
    return DemoProject(folder=folder.absolute(), footage=(media or folder / "footage").absolute())


def write_project(project: DemoProject, *, base_url: str, own_footage: bool) -> None:
    """Write what is not there yet: the clips, the query sets, the settings, the workspace.

    Args:
        project: where.
        base_url: the sandbox's address for the settings.
        own_footage: whether the footage is a person's: it is left alone, and the queries are general ones.

    Raises:
        SourceUnavailable: the person's footage cannot be listed.
    """
    project.folder.mkdir(parents=True, exist_ok=True)
    queries = project.folder / "queries"
    queries.mkdir(exist_ok=True)
    today = datetime.now(UTC).date()
    days = [today - timedelta(days=back) for back in range(DAY_COUNT, 0, -1)]
    if own_footage:
        files = discover(str(project.footage), include=["**/*.mp4", "**/*.mov", "**/*.mkv", "**/*.avi"]).files
        start_date = _first_day(files, default=days[0])
        has_frame = _save_frame(files, queries / "images" / "frame.png")
        (queries / "first_look.yaml").write_text(_OWN_FOOTAGE + (_OWN_FRAME if has_frame else ""))
    else:
        start_date = days[0]
        make_clips(project.footage, days=days)
        make_query_images(queries / "images")
        (queries / "street.yaml").write_text(_STREET.format(similarity=0.85))
        (queries / "speech.yaml").write_text(_SPEECH)
    project.workspace_path.write_text(_WORKSPACE)
    # The settings come last: they say that the rest is whole.
    project.settings_path.write_text(
        _SETTINGS.format(base_url=base_url, source=_quoted(project.footage), start_date=start_date)
    )


def _first_day(files: Iterable[SourceFile], *, default: date) -> date:
    return min((file.modified_at.date() for file in files if file.modified_at), default=default)


def _save_frame(files: Iterable[SourceFile], path: Path) -> bool:
    """Save a picture from the middle of the first file that has one, for an image query that should hit."""
    import av

    for file in files:
        if file.local_path is None:
            continue
        try:
            with av.open(str(file.local_path)) as container:
                if container.duration:
                    container.seek(container.duration // 2)
                frame = next(container.decode(video=0), None)
        except (av.FFmpegError, OSError, IndexError):
            continue
        if frame is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            frame.to_image().save(path)  # type: ignore[no-untyped-call]  # PyAV types its C, not its Python
            return True
    return False


def _quoted(path: Path) -> str:
    return "'" + str(path).replace("'", "''") + "'"
