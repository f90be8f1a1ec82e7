"""The searches over videos; each returns hits, best first, in an order that never depends on chance."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from visualsearch_pipeline.sandbox.indexing.descriptors import likeness
from visualsearch_pipeline.sandbox.searching.corpus import Corpus, SearchableMedia
from visualsearch_pipeline.sandbox.searching.words import Query
from visualsearch_pipeline.sandbox.state.entries import Keyframe, VideoEntry

_CAPTION_WEIGHT, _TAG_WEIGHT, _NAME_WEIGHT, _SPOKEN_WEIGHT = 1.0, 0.75, 0.7, 0.5
_CLIP_LIKENESS = 0.6


@dataclass(frozen=True, kw_only=True)
class Hit:
    """One clip that answers a query; times in seconds, score 0-1."""

    video: VideoEntry
    start_seconds: float
    end_seconds: float
    score: float
    text: str
    keyframe: Keyframe | None


def search_clips(query: Query, videos: Sequence[VideoEntry], corpus: Corpus) -> list[Hit]:
    """Clips whose caption, tags, name or spoken words share words with the query."""
    return _best_first(_clip_hits(query, videos, corpus))


def search_spoken(query: Query, videos: Sequence[VideoEntry], corpus: Corpus) -> list[Hit]:
    """Lines of transcripts that share words with the query."""
    hits = (
        _spoken_hit(video, media, number, query.score((words, 1.0)))
        for video, media in _touched(query, videos, corpus)
        for number, words in enumerate(media.spoken_stems)
    )
    return _best_first(hit for hit in hits if hit.score > 0)


def search_captions(query: Query, videos: Sequence[VideoEntry], corpus: Corpus) -> list[Hit]:
    """Clips whose caption shares words with the query."""
    hits = (
        _segment_hit(video, media, number, query.score((words, 1.0)))
        for video, media in _touched(query, videos, corpus)
        for number, words in enumerate(media.caption_stems)
    )
    return _best_first(hit for hit in hits if hit.score > 0)


def phrase_lines(phrase: str, videos: Sequence[VideoEntry], corpus: Corpus) -> list[Hit]:
    """Lines of transcripts that contain the phrase, whatever the case; newest video first, then by time."""
    wanted = phrase.casefold()
    return [
        _spoken_hit(video, media, number, 1.0)
        for video, media in corpus.with_media(videos)
        for number, line in enumerate(media.index.transcript)
        if wanted in line.text.casefold()
    ]


def search_pictures(
    descriptor: npt.NDArray[np.float32], videos: Sequence[VideoEntry], corpus: Corpus, *, similarity: float
) -> list[Hit]:
    """Stretches between keyframes that look like the query picture, at least as much as `similarity`."""
    return _best_first(
        hit
        for video, media in corpus.with_media(videos)
        for hit in _alike_stretches(video, media, likeness(descriptor, media.index.descriptors), similarity)
    )


def search_within(descriptor: npt.NDArray[np.float32], prompt: Query, video: VideoEntry, corpus: Corpus) -> list[Hit]:
    """Stretches of one video that look like the picture; those whose caption answers the prompt count for more."""
    media = corpus.media(video)
    if media is None:
        return []
    alike = likeness(descriptor, media.index.descriptors)
    prompted = np.asarray([_prompt_score(prompt, media, frame.seconds) for frame in media.index.keyframes])
    return _best_first(_alike_stretches(video, media, alike * (0.8 + 0.2 * prompted), _CLIP_LIKENESS))


def _clip_hits(query: Query, videos: Sequence[VideoEntry], corpus: Corpus) -> Iterator[Hit]:
    for video, media in _touched(query, videos, corpus):
        of_video = ((media.name_stems, _NAME_WEIGHT), (media.tag_stems, _TAG_WEIGHT))
        for number, words in enumerate(media.caption_stems):
            spoken = _spoken_during(media, number)
            score = query.score((words, _CAPTION_WEIGHT), *of_video, (spoken, _SPOKEN_WEIGHT))
            if score > 0:
                yield _segment_hit(video, media, number, score)


def _touched(
    query: Query, videos: Sequence[VideoEntry], corpus: Corpus
) -> Iterator[tuple[VideoEntry, SearchableMedia]]:
    for video, media in corpus.with_media(videos):
        if query.touches(media.vocabulary):
            yield video, media


def _spoken_during(media: SearchableMedia, number: int) -> frozenset[str]:
    segment = media.index.segments[number]
    return frozenset().union(
        *(
            words
            for line, words in zip(media.index.transcript, media.spoken_stems, strict=True)
            if line.start_seconds < segment.end_seconds and line.end_seconds > segment.start_seconds
        )
    )


def _prompt_score(prompt: Query, media: SearchableMedia, seconds: float) -> float:
    for segment, words in zip(media.index.segments, media.caption_stems, strict=True):
        if segment.start_seconds <= seconds < segment.end_seconds:
            return prompt.score((words, 1.0))
    return 0.0


def _segment_hit(video: VideoEntry, media: SearchableMedia, number: int, score: float) -> Hit:
    segment = media.index.segments[number]
    keyframes = media.index.keyframes
    return Hit(
        video=video,
        start_seconds=segment.start_seconds,
        end_seconds=segment.end_seconds,
        score=score,
        text=segment.caption,
        keyframe=keyframes[segment.keyframe_index] if segment.keyframe_index < len(keyframes) else None,
    )


def _spoken_hit(video: VideoEntry, media: SearchableMedia, number: int, score: float) -> Hit:
    line = media.index.transcript[number]
    return Hit(
        video=video,
        start_seconds=line.start_seconds,
        end_seconds=line.end_seconds,
        score=score,
        text=line.text,
        keyframe=None,
    )


def _alike_stretches(
    video: VideoEntry, media: SearchableMedia, alike: npt.NDArray[np.float64], least: float
) -> Iterator[Hit]:
    keyframes = media.index.keyframes
    first: int | None = None
    for number in range(len(keyframes) + 1):
        inside = number < len(keyframes) and alike[number] >= least
        if inside and first is None:
            first = number
        if not inside and first is not None:
            best = first + int(np.argmax(alike[first:number]))
            after = keyframes[number].seconds if number < len(keyframes) else video.duration_seconds
            yield Hit(
                video=video,
                start_seconds=keyframes[first].seconds,
                end_seconds=max(after, keyframes[number - 1].seconds),
                score=float(alike[best]),
                text="",
                keyframe=keyframes[best],
            )
            first = None


def _best_first(hits: Iterable[Hit]) -> list[Hit]:
    return sorted(hits, key=lambda hit: (-hit.score, -hit.video.snowflake, hit.start_seconds))
