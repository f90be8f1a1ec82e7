"""A project as a user has one: footage, saved queries, a settings file, a sandbox to talk to, and a way to run it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any, Final, Protocol

import pytest
import yaml
from PIL import Image, ImageDraw

from tests.postgres_server import PostgresServer, running_postgres
from visualsearch_pipeline.demo.encoding import SubtitleLine, encode_clip
from visualsearch_pipeline.sandbox import JournalEntry, Sandbox, SandboxConfig
from visualsearch_pipeline.settings import (
    API_KEY_VARIABLE,
    BASE_URL_VARIABLE,
    CONFIG_VARIABLE,
    LEDGER_URL_VARIABLE,
    Settings,
    load_settings,
)

API_KEY: Final = "sk-mavi-6b1d3c0ffee94a7d8e21"
"""What a leak would be found by; no other text looks like it."""

BILLABLE: Final = frozenset(
    {
        "upload",
        "search",
        "search_similar_images",
        "search_clips_by_image",
        "search_audio_transcripts",
        "get_audio_transcription",
        "get_video_caption",
        "download",
        "download_blob",
    }
)

STREET: Final = """
queries:
  - {id: red, text: red, filtering_level: low}
  - {id: says, transcript: warranty}
  - {id: looks, image: images/red.png, similarity: 0.7}
  - {id: inside, image: images/red.png, prompt: the red square, within: {query: red}}
"""
"""A query set with one query of each kind; `inside` looks only into the videos that `red` hits."""

Row = tuple[Any, ...]


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """Two workers more than cores: much of the tests' time is waiting for processes that they started."""
    return (os.cpu_count() or 1) + 2


def _draw(shape: str, colour: str, background: str) -> Callable[[float], Image.Image]:
    def at(seconds: float) -> Image.Image:
        picture = Image.new("RGB", (160, 120), background)
        left = 16 + round(seconds * 20)
        box = (left, 40, left + 40, 80)
        pen = ImageDraw.Draw(picture)
        if shape == "circle":
            pen.ellipse(box, fill=colour)
        else:
            pen.rectangle(box, fill=colour)
        return picture

    return at


@dataclass(frozen=True)
class ClipShelf:
    """Clips encoded once per session, to be copied from. Each has other bytes."""

    folder: Path

    def path(self, name: str) -> Path:
        """The clip `red`, `blue` or `green`, each 3 s, or `red-2`, `red-3`, …: the same look, other bytes."""
        path = self.folder / f"{name}.mp4"
        if not path.exists():
            look, _, take = name.partition("-")
            shape, colour, background, spoken = {
                "red": ("square", "red", "black", "The warranty ends in May"),
                "blue": ("square", "blue", "white", ""),
                "green": ("circle", "green", "white", "where is the love"),
            }[look]
            lines = (SubtitleLine(0.5, 2.5, spoken),) if spoken else ()
            tags = {"comment": f"take {take or 1}", "creation_time": "2026-01-02T03:04:05Z"}
            encode_clip(path, seconds=3, fps=5, draw=_draw(shape, colour, background), subtitles=lines, tags=tags)
        return path


@dataclass
class Project:
    """One user's folder, and the sandbox its settings name."""

    root: Path
    server: Sandbox
    shelf: ClipShelf
    _settings: dict[str, Any] = field(default_factory=dict)

    @property
    def footage(self) -> Path:
        return self.root / "footage"

    @property
    def today(self) -> date:
        return datetime.now(UTC).date()

    @property
    def settings_path(self) -> Path:
        return self.root / "visualsearch.yaml"

    @property
    def settings(self) -> Settings:
        return load_settings(self.settings_path, environ={})

    def configure(self, **sections: object) -> None:
        """Change sections of the settings file; mappings are merged into what is there."""
        for name, value in sections.items():
            before = self._settings.get(name)
            both = isinstance(before, Mapping) and isinstance(value, Mapping)
            self._settings[name] = {**before, **value} if both else value  # type: ignore[dict-item]  # as `both` says
        self.settings_path.write_text(yaml.safe_dump(self._settings))

    def write_queries(self, name: str, text: str) -> Path:
        path = self.root / "queries" / f"{name}.yaml"
        path.write_text(text)
        return path

    def add_clip(self, clip: str, name: str | None = None, *, days_ago: int = 1) -> Path:
        """Copy a clip of the shelf into the footage, modified on a day of one's choice."""
        path = self.footage / (name or f"{clip}.mp4")
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(self.shelf.path(clip), path)
        return self.touch(path, days_ago=days_ago)

    def touch(self, path: Path, *, days_ago: int = 1) -> Path:
        moment = datetime.combine(self.today - timedelta(days=days_ago), time(1), tzinfo=UTC).timestamp()
        os.utime(path, (moment, moment))
        return path

    @contextmanager
    def pipeline(self, **given: Any) -> Iterator[Any]:
        """A `Pipeline` of this project, for steps without Dagster."""
        from visualsearch_pipeline.orchestration import VisualSearchResource
        from visualsearch_pipeline.pipeline.pipeline import Pipeline

        settings = self.settings
        resource = VisualSearchResource.from_settings(settings).model_copy(update={"api_key": API_KEY})
        with Pipeline(settings, open_client=lambda on_call: resource.get_client(on_call=on_call), **given) as pipeline:
            yield pipeline

    def run(self, *, wait: bool = True, timeout_seconds: float | None = 60) -> Any:
        """What `visualsearch run --wait` does, with real Dagster; returns the status."""
        import dagster as dg

        from visualsearch_pipeline.orchestration.execution import PendingRunner
        from visualsearch_pipeline.pipeline.progress import LoggedProgress

        home = self.root / "dagster"
        home.mkdir(exist_ok=True)
        with dg.DagsterInstance.ephemeral(tempdir=str(home)) as instance:
            runner = PendingRunner(self.settings, instance, LoggedProgress())
            return runner.run(wait=wait, timeout_seconds=timeout_seconds)

    def run_steps(self, *, run_id: str | None = None) -> None:
        """All steps to the end in one process and without Dagster; waits for the sandbox's own indexing."""
        from visualsearch_pipeline.pipeline.archive import archive
        from visualsearch_pipeline.pipeline.index import poll
        from visualsearch_pipeline.pipeline.ingest import ingest, look_at_source
        from visualsearch_pipeline.pipeline.publish import publish
        from visualsearch_pipeline.pipeline.search import register_queries, search
        from visualsearch_pipeline.pipeline.transcribe import transcribe
        from visualsearch_pipeline.pipeline.upload import upload

        with self.pipeline(run_id=run_id) as pipeline:
            look_at_source(pipeline)
            ingest(pipeline)
            upload(pipeline)
            self.server.settle()
            poll(pipeline)
            register_queries(pipeline, pipeline.catalog)
            for query_set in pipeline.catalog.sets:
                search(pipeline, query_set)
            transcribe(pipeline, "transcripts")
            transcribe(pipeline, "captions")
            archive(pipeline)
            publish(pipeline)

    def sql(self, query: str) -> list[Row]:
        """Ask the published DuckDB file."""
        from visualsearch_pipeline.warehouse import query as ask

        return [tuple(row) for row in ask(self.settings.database_path, query).rows]

    def mark(self) -> int:
        """Where the sandbox's journal ends now."""
        entries = self.server.journal()
        return entries[-1].sequence if entries else 0

    def calls(self, *operations: str, since: int = 0) -> list[JournalEntry]:
        """The requests that reached the sandbox; of some operations only, if named."""
        entries = self.server.journal(since=since)
        return [entry for entry in entries if not operations or entry.operation in operations]

    def billable_calls(self, *, since: int = 0) -> list[str]:
        """The operations that cost money, in the order in which they were answered."""
        return [entry.operation for entry in self.calls(since=since) if entry.operation in BILLABLE]


class MakeProject(Protocol):
    """Make a project: the clips in its footage, and how its sandbox is configured."""

    def __call__(self, clips: Sequence[str] = ("red", "blue"), **sandbox: object) -> Project: ...


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A PostgreSQL server; tests that ask for it are skipped where it is not installed, except in CI."""
    with running_postgres() as server:
        yield server


@pytest.fixture(scope="session")
def clip_shelf(tmp_path_factory: pytest.TempPathFactory) -> ClipShelf:
    return ClipShelf(tmp_path_factory.mktemp("clips"))


@pytest.fixture(scope="session")
def red_picture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A picture of what the clip `red` shows."""
    path = tmp_path_factory.mktemp("pictures") / "red.png"
    _draw("square", "red", "black")(1.0).save(path)
    return path


def sandbox_config(state_dir: Path, **given: Any) -> SandboxConfig:
    """A sandbox that knows the tests' key and indexes at once, if nothing else is given."""
    return SandboxConfig(
        **{"state_dir": state_dir, "api_keys": {API_KEY: "account"}, "indexing_seconds": 0, **given},
    )


def lay_out_project(
    root: Path, server: Sandbox, *, shelf: ClipShelf, picture: Path, clips: Sequence[str], queries: str = STREET
) -> Project:
    """Make a project's folder: footage, the query set `street`, and settings that name the sandbox."""
    (root / "queries" / "images").mkdir(parents=True)
    (root / "footage").mkdir()
    shutil.copyfile(picture, root / "queries" / "images" / "red.png")
    project = Project(root, server, shelf)
    project.configure(
        api={
            "base_url": server.url,
            "rate_limits": "unlimited",
            "lost_answer_wait_seconds": 0,
            "timeouts": {"retry_seconds": 2.0, "connect_seconds": 5.0},
        },
        source={"settle_seconds": 0, "start_date": (project.today - timedelta(days=30)).isoformat()},
    )
    project.write_queries("street", queries)
    for clip in clips:
        project.add_clip(clip)
    return project


@pytest.fixture
def make_project(
    tmp_path: Path, clip_shelf: ClipShelf, red_picture: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[MakeProject]:
    """Make projects; their sandboxes stop when the test ends."""
    monkeypatch.setenv(API_KEY_VARIABLE, API_KEY)
    for name in (BASE_URL_VARIABLE, CONFIG_VARIABLE, LEDGER_URL_VARIABLE, "DAGSTER_HOME"):
        monkeypatch.delenv(name, raising=False)
    numbers = iter(range(100))
    with ExitStack() as stack:

        def make(clips: Sequence[str] = ("red", "blue"), **sandbox: object) -> Project:
            root = tmp_path / f"project-{next(numbers)}"
            server = stack.enter_context(Sandbox(sandbox_config(root / "sandbox", **sandbox)))
            return lay_out_project(root, server, shelf=clip_shelf, picture=red_picture, clips=clips)

        yield make


@pytest.fixture
def project(make_project: MakeProject) -> Project:
    """Two clips, one query set with a query of each kind, a sandbox."""
    return make_project()
