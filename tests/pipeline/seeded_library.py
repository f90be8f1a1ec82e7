"""A library of thousands of indexed videos whose truth is known, in a real sandbox and in a project's ledger."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

import sqlalchemy as sa

from visualsearch_pipeline.ledger.schema import contents, videos
from visualsearch_pipeline.ledger.states import VideoState
from visualsearch_pipeline.pipeline.search import SearchReport, register_queries, search
from visualsearch_pipeline.sandbox import SeededClip, SeededVideo

if TYPE_CHECKING:
    from tests.conftest import Project

FIRST_DAY = date(2026, 1, 1)


@dataclass
class SeededLibrary:
    """Videos that the service has indexed and the ledger knows; clips say what is seen and heard."""

    project: Project
    days: dict[str, date] = field(default_factory=dict)

    def add(self, clips_by_day: Mapping[date, Sequence[Sequence[str]]]) -> list[str]:
        """Enter videos: per day, per video, the caption of each clip; each is also said. Returns their `video_no`."""
        seeded: list[SeededVideo] = []
        days: list[date] = []
        for day, captions_of_videos in clips_by_day.items():
            for captions in captions_of_videos:
                clips = tuple(
                    SeededClip(start_seconds=second, end_seconds=second + 1, caption=caption, spoken=caption)
                    for second, caption in enumerate(captions)
                )
                name = f"video-{len(self.days) + len(seeded)}"
                seeded.append(
                    SeededVideo(video_name=name, clips=clips, tags=(f"day:{day.isoformat()}",), size_bytes=1000)
                )
                days.append(day)
        numbers = self.project.server.seed(seeded, account="account")
        self.days.update(zip(numbers, days, strict=True))
        self._enter(numbers, days)
        return numbers

    def _enter(self, numbers: Sequence[str], days: Sequence[date]) -> None:
        created_at = {video.video_no: video.created_at for video in self.project.server.videos()}
        now = datetime.now(UTC)
        known = [
            {"sha256": number, "day": day, "uri": f"file:///{number}.mp4", "name": f"{number}.mp4", "size_bytes": 1000}
            for number, day in zip(numbers, days, strict=True)
        ]
        entered = [
            {
                "video_no": number,
                "sha256": number,
                "day": day,
                "state": VideoState.READY,
                "tags": [f"day:{day.isoformat()}"],
                "size_bytes": 1000,
                "created_at": created_at[number],
                "uploaded_at": now,
            }
            for number, day in zip(numbers, days, strict=True)
        ]
        with self.project.pipeline() as pipeline, pipeline.ledger._database.writing() as connection:
            connection.execute(sa.insert(contents), [{**row, "first_seen_at": now} for row in known])
            connection.execute(sa.insert(videos), entered)

    def search(self, name: str = "street", *, step_seconds: float | None = None, **given: object) -> SearchReport:
        """Run one query set, and publish nothing."""
        if step_seconds is not None:
            self.project.configure(step_seconds=step_seconds)
        with self.project.pipeline() as pipeline:
            register_queries(pipeline, pipeline.catalog)
            (query_set,) = (found for found in pipeline.catalog.sets if found.name == name)
            return search(pipeline, query_set, **given)  # type: ignore[arg-type]  # the keywords of `search`

    def hits(self, name: str = "street", query_id: str | None = None) -> Counter[tuple[str, float]]:
        """What stands in the Parquet files of a query set, by video and second."""
        found: Counter[tuple[str, float]] = Counter()
        with self.project.pipeline() as pipeline:
            for day in sorted(set(self.days.values())):
                for row in pipeline.store.read_hits(name, day).to_pylist():
                    if query_id in (None, row["query_id"]):
                        found[row["video_no"], row["start_seconds"]] += 1
        return found


def spread(
    video_count: int, *, day_count: int, hit_count: int, word: str = "zebra"
) -> tuple[dict[date, list[list[str]]], int]:
    """Videos over days of which some clips show `word`: the clips by day, and how many of them show it.

    Video n has the hits n, n + video_count, …: as even as can be, and known without looking.
    """
    by_day: dict[date, list[list[str]]] = {}
    for number in range(video_count):
        shown = len(range(number, hit_count, video_count))
        captions = [word] * shown + ["nothing of note"]
        by_day.setdefault(FIRST_DAY + timedelta(days=number % day_count), []).append(captions)
    return by_day, hit_count
