"""Asset checks: what must hold, judged in the step that could break it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, date

import dagster as dg
import pyarrow as pa
import pyarrow.compute as pc
import sqlalchemy as sa

from visualsearch_pipeline.ledger import ArchivedObject, Failure, VideoState
from visualsearch_pipeline.ledger.schema import videos
from visualsearch_pipeline.orchestration.metadata import failed_items
from visualsearch_pipeline.pipeline.pipeline import Pipeline

_ALL_ITEMS_TERMINAL = "all_items_terminal"
_NO_DUPLICATE_UPLOADS = "no_duplicate_uploads"
_ALL_TERMINAL = "all_videos_terminal"
_ARCHIVE_PROVEN = "archive_proven"
_FILES_MATCH_LEDGER = "files_match_ledger"
_SPEND_WITHIN_BUDGET = "spend_within_budget"
_KNOWN_VIDEOS = "hits_refer_to_known_videos"
_SCORES_IN_RANGE = "scores_in_range"
_COMPLETE = "answers_complete"


def all_items_terminal(asset: dg.AssetKey) -> dg.AssetCheckSpec:
    """Every item of the days is done."""
    return dg.AssetCheckSpec(
        _ALL_ITEMS_TERMINAL,
        asset=asset,
        description="Every item of the run's days is done: none failed, none is left for another run.",
    )


def judge_all_items_terminal(asset: dg.AssetKey, *, failed: Sequence[Failure], left: int) -> dg.AssetCheckResult:
    """What failed fails its day besides; what is left is asked for again: a warning either way."""
    return dg.AssetCheckResult(
        asset_key=asset,
        check_name=_ALL_ITEMS_TERMINAL,
        passed=not failed and not left,
        severity=dg.AssetCheckSeverity.WARN,
        metadata={**failed_items(failed), "left": dg.MetadataValue.int(left)},
    )


def no_duplicate_uploads(asset: dg.AssetKey) -> dg.AssetCheckSpec:
    """No content has two library entries."""
    return dg.AssetCheckSpec(
        _NO_DUPLICATE_UPLOADS,
        asset=asset,
        description="No content has two entries in the library. Every hit would count twice: it blocks.",
        blocking=True,
    )


def judge_no_duplicate_uploads(asset: dg.AssetKey, pipeline: Pipeline, days: Sequence[date]) -> dg.AssetCheckResult:
    """Two entries for one content are an error: they were paid for twice and every hit counts twice."""
    duplicates = pipeline.ledger.rows(
        sa.select(videos.c.sha256, sa.func.count().label("entries"))
        .where(videos.c.day.in_(days), videos.c.state != VideoState.REPLACED, videos.c.sha256.is_not(None))
        .group_by(videos.c.sha256)
        .having(sa.func.count() > 1)
    )
    return _result(
        asset,
        _NO_DUPLICATE_UPLOADS,
        passed=not duplicates,
        severity=dg.AssetCheckSeverity.ERROR,
        found={"duplicates": len(duplicates)},
    )


def all_videos_terminal(asset: dg.AssetKey) -> dg.AssetCheckSpec:
    """Every entry of the day is ready or has failed."""
    return dg.AssetCheckSpec(
        _ALL_TERMINAL, asset=asset, description="Every library entry of the day is ready; none waits or failed."
    )


def judge_all_videos_terminal(asset: dg.AssetKey, by_state: Mapping[str, int]) -> dg.AssetCheckResult:
    """Waiting is no fault, failing is worth a look: a warning either way."""
    other = {state: count for state, count in by_state.items() if state != VideoState.READY}
    return _result(asset, _ALL_TERMINAL, passed=not other, severity=dg.AssetCheckSeverity.WARN, found=other)


def archive_proven(asset: dg.AssetKey) -> dg.AssetCheckSpec:
    """Every original was compared with what was sent."""
    return dg.AssetCheckSpec(
        _ARCHIVE_PROVEN,
        asset=asset,
        description="Every original in the archive was compared with the hash of the file that was sent.",
    )


def judge_archive_proven(asset: dg.AssetKey, kept: Sequence[ArchivedObject]) -> dg.AssetCheckResult:
    """A weaker proof is a warning: of what the service fetched itself there is nothing to compare it with."""
    by_proof = Counter(f"proven_by_{item.proven_by}" for item in kept)
    weaker = sum(item.kind == "video" and item.proven_by != "sha256" for item in kept)
    return _result(
        asset,
        _ARCHIVE_PROVEN,
        passed=not weaker,
        severity=dg.AssetCheckSeverity.WARN,
        found={"originals_proven_by_less": weaker, **by_proof},
    )


def warehouse_checks(asset: dg.AssetKey) -> list[dg.AssetCheckSpec]:
    """The checks of the published tables."""
    return [
        dg.AssetCheckSpec(
            _FILES_MATCH_LEDGER, asset=asset, description="Every day that has hits by the ledger has its Parquet file."
        ),
        dg.AssetCheckSpec(
            _SPEND_WITHIN_BUDGET, asset=asset, description="What was spent today (UTC) is within `budget.per_day_usd`."
        ),
    ]


def judge_warehouse(asset: dg.AssetKey, pipeline: Pipeline) -> list[dg.AssetCheckResult]:
    """Judge what was just published. A lost file is asked for again by itself; a person should know of the loss."""
    lost = [failure for failure in pipeline.ledger.failures.unresolved(step="hits") if failure.day is not None]
    midnight = pipeline.now().astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    spent_usd = pipeline.ledger.calls.spent_usd(since=midnight)
    limit_usd = pipeline.settings.budget.per_day_usd
    limit: dict[str, dg.MetadataValue] = {} if limit_usd is None else {"per_day_usd": dg.MetadataValue.float(limit_usd)}
    return [
        _result(
            asset,
            _FILES_MATCH_LEDGER,
            passed=not lost,
            severity=dg.AssetCheckSeverity.ERROR,
            found={"lost_files": len(lost)},
        ),
        dg.AssetCheckResult(
            asset_key=asset,
            check_name=_SPEND_WITHIN_BUDGET,
            passed=limit_usd is None or spent_usd <= limit_usd,
            severity=dg.AssetCheckSeverity.WARN,
            metadata={"spent_today_usd": dg.MetadataValue.float(round(spent_usd, 6)), **limit},
        ),
    ]


def hits_checks(asset: dg.AssetKey) -> list[dg.AssetCheckSpec]:
    """The checks of a query set's hits."""
    return [
        dg.AssetCheckSpec(
            _KNOWN_VIDEOS,
            asset=asset,
            description="Every hit is in a video that the ledger knows. Tables would not join: it blocks.",
            blocking=True,
        ),
        dg.AssetCheckSpec(_SCORES_IN_RANGE, asset=asset, description="Every score lies within 0 and 1."),
        dg.AssetCheckSpec(
            _COMPLETE, asset=asset, description="The service returned every hit it holds; no answer was truncated."
        ),
    ]


def judge_hits(asset: dg.AssetKey, hits: pa.Table, pipeline: Pipeline, *, truncated: int) -> list[dg.AssetCheckResult]:
    """Judge the hits of the days that were searched."""
    known = pa.array(list(pipeline.ledger.videos.media_uris()), pa.string())
    unknown = pc.sum(pc.invert(pc.is_in(hits.column("video_no"), value_set=known))).as_py() or 0
    scores = hits.column("score")
    outside = pc.sum(pc.or_(pc.less(scores, 0.0), pc.greater(scores, 1.0))).as_py() or 0
    error, warn = dg.AssetCheckSeverity.ERROR, dg.AssetCheckSeverity.WARN
    return [
        _result(asset, _KNOWN_VIDEOS, passed=unknown == 0, severity=error, found={"unknown": unknown}),
        _result(asset, _SCORES_IN_RANGE, passed=outside == 0, severity=warn, found={"outside": outside}),
        _result(asset, _COMPLETE, passed=truncated == 0, severity=warn, found={"truncated_pairs": truncated}),
    ]


def _result(
    asset: dg.AssetKey, name: str, *, passed: bool, severity: dg.AssetCheckSeverity, found: Mapping[str, int]
) -> dg.AssetCheckResult:
    return dg.AssetCheckResult(
        asset_key=asset,
        check_name=name,
        passed=passed,
        severity=severity,
        metadata={key: dg.MetadataValue.int(value) for key, value in found.items()},
    )
