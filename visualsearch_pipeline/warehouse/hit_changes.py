"""What changed between two answers to the same query: hits that are new, gone, or moved within their video.

Compared is what stands in the files with what is about to be written, one video of one query at a time: with the answer
that the same version gave before, or else with that of the version before it. A video that was never asked about has
nothing to be compared with: over old footage that is a query's first run and says nothing; footage that arrived since
the query was first answered brings new hits.

The order of writing keeps changes from being lost or doubled, wherever a writer is killed. Each replacement of a day's
hits has a revision, one higher than the last. Its changes are written first, then the pairs that it answered, then the
hits; the revision kept with the hits says which changes have taken effect. What is ahead of it came from a writer that
was killed: the next one drops it, and compares again with what still stands there.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final, Literal

import pyarrow as pa
import pyarrow.compute as pc

from visualsearch_pipeline.warehouse.hit_schemas import ANSWERED, HIT_CHANGES
from visualsearch_pipeline.warehouse.hits import SearchedPair
from visualsearch_pipeline.warehouse.parquet import ParquetStore, WrittenFile

MOVED_SECONDS: Final = 0.5
"""Two clips that overlap are the same hit; it moved if it begins or ends by more than this elsewhere."""

_LOST: Final = 0
"""In place of the revision of a first answer: what it found was lost; the next one has nothing to compare with."""

Change = Literal["new", "gone", "moved"]
_Row = Mapping[str, object]
_Span = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Answer:
    """What was asked about a day's videos, and when.

    Attributes:
        searched: Every pair that was asked, those without hits included.
        arrived: Those of them whose footage arrived after the query was first answered.
        answered_at: When.
        run_id: The run that asked.
    """

    searched: Collection[SearchedPair]
    arrived: Collection[SearchedPair]
    answered_at: datetime
    run_id: str


def replace_hits(store: ParquetStore, query_set: str, day: date, rows: pa.Table, answer: Answer) -> WrittenFile:
    """Replace the hits of `query_set` on `day` by `rows`, and keep what changed by it in `hit_changes`.

    The caller sees to it that nobody else replaces the same day meanwhile.

    Args:
        store: The files.
        query_set: The set.
        day: The day.
        rows: All hits of the day from now on, as `merge_hits` makes them.
        answer: What was asked that led to them.

    Raises:
        SchemaMismatchError: the rows do not fit.
        ParquetFileError: a file that stands there is damaged.
        StorageWriteError: a file could not be written; the hits are as they were.
    """
    changes = store.read_part(HIT_CHANGES.name, query_set=query_set, day=day)
    answered = store.read_part(ANSWERED.name, query_set=query_set, day=day)
    if store.has_hits(query_set, day):
        revision = store.hits_revision(query_set, day)
        before = store.read_hits(query_set, day)
        in_effect, known = _up_to(changes, revision), _up_to(answered, revision)
    else:
        # Never written, or lost: there is nothing to compare with, and no saying what has not taken effect.
        revision = max(_newest(changes), _newest(answered))
        before = rows.slice(0, 0)
        in_effect, known = changes, _with_revision(answered, _LOST)
    found = _compare(before, rows, known=known, answer=answer)
    place: dict[str, object] = {"query_set": query_set, "day": day, "revision": revision + 1}
    added = pa.Table.from_pylist([{**row, **place} for row in found], schema=HIT_CHANGES.arrow_schema)
    if added.num_rows or in_effect.num_rows != changes.num_rows:
        store.write_part(HIT_CHANGES.name, pa.concat_tables([in_effect, added]), query_set=query_set, day=day)
    kept = _answered_since(known, answer, place)
    if not kept.equals(answered):
        store.write_part(ANSWERED.name, kept, query_set=query_set, day=day)
    return store.write_hits(query_set, day, rows, revision=revision + 1)


def match_clips(before: Sequence[_Span], after: Sequence[_Span]) -> tuple[tuple[int, int], ...]:
    """Which clip of `before` is which of `after`: each at most once, those that have most in common first.

    Args:
        before: Start and end of each clip, in seconds. A clip without length matches what it lies in.
        after: Likewise.

    Returns:
        Pairs of positions in `before` and `after`.
    """
    candidates = sorted(
        (-_in_common(one, other), first, second)
        for first, one in enumerate(before)
        for second, other in enumerate(after)
        if _overlap(one, other)
    )
    matched: dict[int, int] = {}
    taken: set[int] = set()
    for _, first, second in candidates:
        if first not in matched and second not in taken:
            matched[first] = second
            taken.add(second)
    return tuple(sorted(matched.items()))


def _compare(before: pa.Table, after: pa.Table, *, known: pa.Table, answer: Answer) -> Iterator[_Row]:
    """The changes that an answer brings, without their place and revision."""
    versions = _versions_before(before, known)
    arrived = set(answer.arrived)
    compared: dict[SearchedPair, str | None] = {}
    for pair in answer.searched:
        earlier = versions.get((pair.query_id, pair.video_no), {})
        if earlier:
            newest = max(earlier, key=lambda version: earlier[version])
            nearest = pair.query_version if pair.query_version in earlier else newest
            if earlier[nearest] != _LOST:
                compared[pair] = nearest
        elif pair in arrived:
            compared[pair] = None
    if not compared:
        return
    videos = {pair.video_no for pair in compared}
    stood, stands = _by_pair(before, videos), _by_pair(after, videos)
    for pair, version in sorted(compared.items(), key=lambda item: (item[0].query_id, item[0].video_no)):
        now = stands.get((pair.query_id, pair.query_version, pair.video_no), [])
        then = stood.get((pair.query_id, version, pair.video_no), []) if version is not None else []
        for change, old, new in _changes(then, now):
            yield _row(pair, change, version, old, new, answer)


def _versions_before(before: pa.Table, known: pa.Table) -> Mapping[tuple[str, str], Mapping[str, int]]:
    """The versions that were answered, by query and video, each with the revision of its first answer."""
    versions: dict[tuple[str, str], dict[str, int]] = defaultdict(dict)
    names = ("query_id", "query_version", "video_no")
    # Hits that stand there were answered, even if they were written before answers were kept.
    for query_id, version, video_no in zip(*(before.column(name).to_pylist() for name in names), strict=True):
        versions[query_id, video_no][version] = 1
    columns = (known.column(name).to_pylist() for name in (*names, "revision"))
    for query_id, version, video_no, revision in zip(*columns, strict=True):
        versions[query_id, video_no][version] = revision
    return versions


def _by_pair(hits: pa.Table, videos: Collection[str]) -> Mapping[tuple[str, str | None, str], list[_Row]]:
    rows: dict[tuple[str, str | None, str], list[_Row]] = defaultdict(list)
    wanted = hits.filter(pc.is_in(hits.column("video_no"), pa.array(sorted(videos), pa.string())))
    for row in wanted.to_pylist():
        rows[row["query_id"], row["query_version"], row["video_no"]].append(row)
    return rows


def _changes(before: Sequence[_Row], after: Sequence[_Row]) -> Iterator[tuple[Change, _Row | None, _Row | None]]:
    # Most hits stay where they are; what is left to be matched clip by clip is little.
    places = {_place(row): row for row in after}
    kept = {_place(row) for row in before} & places.keys()
    before = [row for row in before if _place(row) not in kept]
    after = [row for row in after if _place(row) not in kept]
    timed_before, timed_after = _timed(before), _timed(after)
    pairs = match_clips([span for span, _ in timed_before], [span for span, _ in timed_after])
    for first, second in pairs:
        (then, old), (now, new) = timed_before[first], timed_after[second]
        if max(abs(then[0] - now[0]), abs(then[1] - now[1])) > MOVED_SECONDS:
            yield "moved", old, new
    matched_before = {id(timed_before[first][1]) for first, _ in pairs}
    matched_after = {id(timed_after[second][1]) for _, second in pairs}
    yield from (("gone", row, None) for row in before if id(row) not in matched_before)
    yield from (("new", None, row) for row in after if id(row) not in matched_after)


def _place(row: _Row) -> tuple[object, ...]:
    # A hit without a place in time is told from others by its words alone.
    start = row["start_seconds"]
    return (start, row["end_seconds"], row["text"] if start is None else None)


def _timed(rows: Iterable[_Row]) -> list[tuple[_Span, _Row]]:
    timed: list[tuple[_Span, _Row]] = []
    for row in rows:
        start, end = row["start_seconds"], row["end_seconds"]
        if isinstance(start, float):
            timed.append(((start, max(start, end) if isinstance(end, float) else start), row))
    return timed


def _overlap(one: _Span, other: _Span) -> bool:
    start, end = max(one[0], other[0]), min(one[1], other[1])
    is_point = one[0] == one[1] or other[0] == other[1]
    return start <= end if is_point else start < end


def _in_common(one: _Span, other: _Span) -> float:
    """The share of both that both have, 0 to 1."""
    together = max(one[1], other[1]) - min(one[0], other[0])
    return (min(one[1], other[1]) - max(one[0], other[0])) / together if together else 1.0


def _row(
    pair: SearchedPair, change: Change, version: str | None, old: _Row | None, new: _Row | None, answer: Answer
) -> dict[str, object]:
    shown = new or old or {}
    row: dict[str, object] = {
        "query_id": pair.query_id,
        "query_version": pair.query_version,
        "previous_query_version": version,
        "video_no": pair.video_no,
        "change": change,
        "detected_at": answer.answered_at,
        "run_id": answer.run_id,
    }
    for name in ("media_uri", "video_name", "text", "keyframe_bucket", "keyframe_blob"):
        row[name] = shown.get(name)
    for name in ("start_seconds", "end_seconds", "score"):
        row[name] = new[name] if new else None
        row[f"previous_{name}"] = old[name] if old else None
    return row


def _answered_since(known: pa.Table, answer: Answer, place: Mapping[str, object]) -> pa.Table:
    """The pairs that are answered from now on: a first answer is remembered, and one that follows a loss."""
    names = ("query_id", "query_version", "video_no")
    columns = (known.column(name).to_pylist() for name in (*names, "revision"))
    kept = {
        (query_id, version, video_no): revision for query_id, version, video_no, revision in zip(*columns, strict=True)
    }
    for pair in answer.searched:
        key = (pair.query_id, pair.query_version, pair.video_no)
        if kept.get(key, _LOST) == _LOST:
            kept[key] = place["revision"]
    rows = [{**place, **dict(zip(names, key, strict=True)), "revision": kept[key]} for key in sorted(kept)]
    return pa.Table.from_pylist(rows, schema=ANSWERED.arrow_schema)


def _with_revision(rows: pa.Table, revision: int) -> pa.Table:
    column = pa.repeat(pa.scalar(revision, pa.int64()), rows.num_rows)
    return rows.set_column(rows.column_names.index("revision"), rows.schema.field("revision"), column)


def _up_to(rows: pa.Table, revision: int) -> pa.Table:
    return rows.filter(pc.less_equal(rows.column("revision"), revision))


def _newest(rows: pa.Table) -> int:
    return int(pc.max(rows.column("revision")).as_py() or 0)
