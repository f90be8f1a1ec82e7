"""Whether an answer holds all that counts: the service sends at most `top_k` hits and no second page."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from visualsearch_pipeline.api.limits import MAX_CAPTION_TOP_K, MAX_TOP_K
from visualsearch_pipeline.api.models import ClipHit
from visualsearch_pipeline.queries.models import TextQuery, min_score_of, top_k_of
from visualsearch_pipeline.queries.plan import SearchCall, Target


def limit_of(call: SearchCall) -> int | None:
    """The `top_k` to send with `call`; None where the service has no such limit (contract §2.8 to §2.11).

    It is the service's greatest whatever the query keeps: a call costs the same, and a long answer is split less.
    """
    if not isinstance(call.query, TextQuery):
        return None
    return MAX_CAPTION_TOP_K if call.query.medium == "captions" else MAX_TOP_K


def is_full(call: SearchCall, hit_count: int, *, lowest_score: float | None = None) -> bool:
    """Whether an answer may lack hits that count.

    Args:
        call: The call.
        hit_count: Hits as the service sent them, before any is dropped.
        lowest_score: The lowest score among them. The service sends its best hits, so an answer that reaches down
            below the query's own `min_score` holds all that count, full or not.
    """
    limit = limit_of(call)
    if limit is None or hit_count < limit:
        return False
    minimum = min_score_of(call.query)
    return minimum is None or lowest_score is None or lowest_score >= minimum


def unfinished(call: SearchCall, hits: Sequence[ClipHit]) -> tuple[Target, ...]:
    """The targets of which the answer `hits` may lack hits that count; none if it is not full.

    A query that keeps the best `top_k` hits of a day needs no more of a day of which it got so many: what a full
    answer lacks is worse than all it has.
    """
    scores = [hit.score for hit in hits if hit.score is not None]
    if not is_full(call, len(hits), lowest_score=min(scores, default=None)):
        return ()
    kept = top_k_of(call.query)
    if kept is None:
        return call.targets
    day_of = {target.video_no: target.day for target in call.targets}
    minimum = min_score_of(call.query)
    found = Counter(
        day_of[hit.video_no]
        for hit in hits
        if hit.video_no in day_of and (minimum is None or hit.score is None or hit.score >= minimum)
    )
    return tuple(target for target in call.targets if found[target.day] < kept)
