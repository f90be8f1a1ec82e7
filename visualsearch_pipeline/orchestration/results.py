"""The assets that follow from indexed videos, besides the hits: transcripts, captions, archive.

Each asset is written out from its description to its policies, as those of the media lane are, though their outlines
are alike: what `day_asset` does for all of them is there, and what is left is read as the story of one asset.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Final

import dagster as dg

from visualsearch_pipeline.ledger import TranscriptionKind
from visualsearch_pipeline.orchestration import checks
from visualsearch_pipeline.orchestration.automation import after_each_update
from visualsearch_pipeline.orchestration.day_asset import ASKED_TOGETHER, IN_PIECES, DayStep, StepOutcome, day_asset
from visualsearch_pipeline.orchestration.keyframes import best_keyframes
from visualsearch_pipeline.orchestration.keys import GROUP, AssetKeys
from visualsearch_pipeline.orchestration.metadata import (
    Metadata,
    column_lineage,
    column_schema,
    counts_of,
    preview,
    row_count,
)
from visualsearch_pipeline.orchestration.run_config import ItemsConfig, TranscriptionConfig
from visualsearch_pipeline.orchestration.steps import StepRunner
from visualsearch_pipeline.pipeline.archive import archive
from visualsearch_pipeline.pipeline.retry_failed import retry_failed
from visualsearch_pipeline.pipeline.transcribe import transcribe

_PREVIEWED: Final = ("media_uri", "start_seconds", "end_seconds", "text")


def transcription_asset(runner: StepRunner, keys: AssetKeys, kind: TranscriptionKind) -> dg.AssetsDefinition:
    """The assets `transcripts` and `captions`: what is said, and what is seen."""
    key = keys.transcripts if kind == "transcripts" else keys.captions
    what = "What is said in each video" if kind == "transcripts" else "What the service says each video shows"
    spec = dg.AssetSpec(
        key,
        deps=[keys.videos],
        group_name=GROUP,
        kinds={"python", "parquet"},
        metadata=column_schema(kind),
        automation_condition=after_each_update(),
        description=(
            f"{what}, by segment.\n\n"
            "- **Grain**: one segment.\n"
            "- **Partition**: the day of the media item.\n"
            "- **Cost**: one search per video. A video is asked about once; running it again asks nothing, unless "
            "`force` is set.\n"
            "- **When it fails**: a video that could not be asked about leaves its day unmaterialized; the others' "
            "segments are kept."
        ),
    )

    def fetch(step: DayStep[TranscriptionConfig]) -> StepOutcome:
        pipeline = step.pipeline
        if step.config.force:
            pipeline.ledger.fetches.forget_transcriptions(kind, days=step.days)
        report = transcribe(pipeline, kind, days=step.days, max_items=step.config.max_items)
        tables = {day: pipeline.store.read_day(kind, day) for day in step.days}
        return StepOutcome(
            metadata={
                **counts_of(report),
                **column_lineage({name: [(keys.videos, name)] for name in ("video_no", "day", "media_uri")}),
            },
            by_day={day: {**row_count(table.num_rows), **preview(table, _PREVIEWED)} for day, table in tables.items()},
            left=len(pipeline.ledger.fetches.without_transcription(kind, days=step.days)) - report.failed,
        )

    return day_asset(
        runner,
        spec,
        fetch,
        config=TranscriptionConfig,
        backfill_policy=ASKED_TOGETHER,
        pool=keys.pool("search"),
        is_exclusive=True,
        failure_steps=(kind,),
    )


def archive_asset(runner: StepRunner, keys: AssetKeys, *, hits: Sequence[dg.AssetKey]) -> dg.AssetsDefinition:
    """The asset `archive`: originals and keyframes, proven whole."""
    spec = dg.AssetSpec(
        keys.archive,
        deps=[keys.videos, *hits],
        group_name=GROUP,
        kinds={"python", "file"},
        metadata=column_schema("archive"),
        # Keyframes are those of hits; without query sets there are only the videos.
        automation_condition=after_each_update(except_of=[keys.videos] if hits else ()),
        description=(
            "The originals by `video_no` and the keyframes of hits, each downloaded, hashed and compared.\n\n"
            "- **Grain**: one file.\n"
            "- **Partition**: the day of the media item.\n"
            "- **Cost**: by the gigabyte. What is there and proven is not fetched again.\n"
            "- **When it fails**: what could not be fetched, or was not proven whole, leaves its day unmaterialized; "
            "the other files stay."
        ),
    )

    def keep(step: DayStep[ItemsConfig]) -> StepOutcome:
        pipeline = step.pipeline
        if step.config.retry_failed:
            retry_failed(pipeline, "archive", days=step.days)
        report = archive(pipeline, days=step.days, max_items=step.config.max_items)
        fetches, wanted = pipeline.ledger.fetches, pipeline.settings.archive
        videos = fetches.unarchived_videos(days=step.days) if wanted.videos else ()
        keyframes = fetches.wanted(days=step.days) if wanted.keyframes else ()
        kept = [*fetches.archived("video", days=step.days), *fetches.archived("keyframe", days=step.days)]
        per_day = Counter(item.day for item in kept)
        by_day = {day: row_count(per_day[day]) for day in step.days}
        # Pictures once a run, and not again in every day's event.
        by_day[step.days[-1]] |= best_keyframes(pipeline, step.days)
        return StepOutcome(
            metadata={**counts_of(report), **_lineage(keys, hits)},
            by_day=by_day,
            left=max(0, len(videos) + len(keyframes) - report.failed),
            check_results=[checks.judge_archive_proven(keys.archive, kept)],
        )

    return day_asset(
        runner,
        spec,
        keep,
        config=ItemsConfig,
        backfill_policy=IN_PIECES,
        pool=keys.pool("download"),
        is_exclusive=True,
        check_specs=[checks.archive_proven(keys.archive)],
        failure_steps=("archive",),
    )


def _lineage(keys: AssetKeys, hits: Sequence[dg.AssetKey]) -> Metadata:
    """An original has its place from the library, a keyframe from the hit that it shows."""
    return column_lineage(
        {
            "video_no": [(keys.videos, "video_no")],
            "day": [(keys.videos, "day")],
            "bucket": [(keys.videos, "bucket"), *((key, "keyframe_bucket") for key in hits)],
            "blob": [(keys.videos, "blob"), *((key, "keyframe_blob") for key in hits)],
        }
    )
