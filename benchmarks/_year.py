"""A year of footage as a project has it: files in a folder per day, all of them in the ledger, indexed by a sandbox."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Final

import sqlalchemy as sa
import yaml

from benchmarks._served import sandbox
from visualsearch_pipeline.ledger.schema import archive, contents, items, transcriptions, uploads, videos
from visualsearch_pipeline.ledger.states import ArchiveState, ItemState, UploadState, VideoState
from visualsearch_pipeline.orchestration import VisualSearchResource
from visualsearch_pipeline.orchestration.steps import StepRunner
from visualsearch_pipeline.pipeline.ingest import look_at_source
from visualsearch_pipeline.pipeline.pipeline import Pipeline
from visualsearch_pipeline.sandbox import Sandbox, SandboxConfig, SeededClip, SeededVideo
from visualsearch_pipeline.settings import API_KEY_VARIABLE, Settings, load_settings

ITEMS: Final = int(os.environ.get("BENCHMARK_ITEMS", "100000"))
DAYS: Final = int(os.environ.get("BENCHMARK_DAYS", "365"))
OPEN_VIDEOS: Final = ITEMS // 100
FOUND_EVERY: Final = 10
"""Every tenth video shows what the benchmark's query looks for."""

_ROWS_AT_ONCE: Final = 20_000


@dataclass(frozen=True)
class Year:
    """A project with a year of footage."""

    root: Path

    @property
    def settings(self) -> Settings:
        return load_settings(self.root / "visualsearch.yaml")

    @property
    def days(self) -> tuple[date, ...]:
        yesterday = datetime.now(UTC).date() - timedelta(days=1)
        return tuple(yesterday - timedelta(days=number) for number in reversed(range(DAYS)))

    def paths(self) -> Iterator[tuple[date, str]]:
        """Each file's day and its path in the source."""
        for number in range(ITEMS):
            day = self.days[number * DAYS // ITEMS]
            yield day, f"{day:%Y/%m/%d}/clip-{number:06}.mp4"

    @contextmanager
    def pipeline(self) -> Iterator[Pipeline]:
        settings = self.settings
        resource = VisualSearchResource.from_settings(settings).model_copy(
            update={"api_key": os.environ[API_KEY_VARIABLE]}
        )
        with StepRunner(settings).pipeline(resource, run_id="benchmark") as pipeline:
            yield pipeline


@contextmanager
def year() -> Iterator[Year]:
    """Make the project in `$BENCHMARK_FOLDER`, and serve its library while the block runs."""
    made = Year(Path(os.environ["BENCHMARK_FOLDER"]) / "year")
    state = made.root / "sandbox"
    with Sandbox(SandboxConfig(state_dir=state, indexing_seconds=0)) as server:
        os.environ[API_KEY_VARIABLE] = server.api_key
        numbers = server.seed(_seeded(made))
    with sandbox(state) as address:
        _write_project(made, address)
        with made.pipeline() as pipeline:
            look_at_source(pipeline)
        _enter(made, numbers)
        yield made


def _seeded(made: Year) -> list[SeededVideo]:
    seeded = []
    for number, (day, path) in enumerate(made.paths()):
        caption = "a zebra crosses" if number % FOUND_EVERY == 0 else "nothing of note"
        clips = (SeededClip(start_seconds=0, end_seconds=2, caption=caption, spoken=""),)
        name = Path(path).stem
        seeded.append(SeededVideo(video_name=name, clips=clips, tags=(f"day:{day.isoformat()}",), size_bytes=4))
    return seeded


def _write_project(made: Year, address: str) -> None:
    for day in made.days:
        (made.root / "footage" / f"{day:%Y/%m/%d}").mkdir(parents=True)
    for _, path in made.paths():
        (made.root / "footage" / path).write_bytes(b"clip")
    (made.root / "queries").mkdir()
    queries = "queries: [{id: zebra, text: zebra, filtering_level: high}]\n"
    (made.root / "queries" / "street.yaml").write_text(queries)
    settings = {
        "api": {"base_url": address, "rate_limits": "unlimited"},
        "source": {"partition_by": "%Y/%m/%d", "settle_seconds": 0, "start_date": made.days[0].isoformat()},
    }
    (made.root / "visualsearch.yaml").write_text(yaml.safe_dump(settings))


def _enter(made: Year, numbers: list[str]) -> None:
    """Everything is uploaded, indexed, transcribed and archived; the last hundredth is still being indexed."""
    now = datetime.now(UTC)
    rows: dict[sa.Table, list[dict[str, object]]] = {
        table: [] for table in (contents, uploads, videos, transcriptions, archive)
    }
    with made.pipeline() as pipeline:
        uris = {item.name: item.uri for item in pipeline.ledger.items.all_by_uri().values()}
        for position, ((day, path), number) in enumerate(zip(made.paths(), numbers, strict=True)):
            sha256 = f"{position:064x}"
            content = {"sha256": sha256, "day": day, "name": path, "size_bytes": 4, "duration_seconds": 2.0}
            rows[contents].append(content | {"uri": uris[path], "first_seen_at": now})
            upload = {"sha256": sha256, "day": day, "upload_name": f"clip-{position}", "video_no": number}
            rows[uploads].append(upload | {"state": UploadState.UPLOADED, "attempts": 1, "uploaded_at": now})
            is_ready = position < ITEMS - OPEN_VIDEOS
            video = {"video_no": number, "sha256": sha256, "day": day, "tags": [f"day:{day}"], "uploaded_at": now}
            rows[videos].append(video | {"state": VideoState.READY if is_ready else VideoState.INDEXING})
            for kind in ("transcripts", "captions") if is_ready else ():
                fetched = {"video_no": number, "kind": kind, "day": day, "segments": 0, "fetched_at": now}
                rows[transcriptions].append(fetched | {"run_id": "benchmark"})
            kept = {"kind": "video", "object_key": number, "video_no": number, "day": day, "archived_at": now}
            rows[archive].append(kept | {"state": ArchiveState.ARCHIVED, "path": path, "sha256": sha256})
    engine = sa.create_engine(made.settings.ledger_database_url)
    with engine.begin() as connection:
        for table, entered in rows.items():
            for first in range(0, len(entered), _ROWS_AT_ONCE):
                connection.execute(sa.insert(table), entered[first : first + _ROWS_AT_ONCE])
        accepted = [{"of": row["uri"], "its": row["sha256"]} for row in rows[contents]]
        bound = sa.update(items).where(items.c.uri == sa.bindparam("of"))
        connection.execute(bound.values(state=ItemState.ACCEPTED, sha256=sa.bindparam("its")), accepted)
    engine.dispose()
