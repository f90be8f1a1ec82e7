"""What is searched: the indexed media of each video, kept in memory once it was read."""

import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from visualsearch_pipeline.sandbox.searching.words import stems, tag_words
from visualsearch_pipeline.sandbox.state.entries import MediaIndex, VideoEntry
from visualsearch_pipeline.sandbox.state.library import Library

Stems = frozenset[str]


@dataclass(frozen=True, kw_only=True)
class SearchableMedia:
    """The index of one video with the stems of its words, in the order of segments and of spoken lines.

    `vocabulary` is all of them together: a query that shares no word with it cannot hit the video.
    """

    index: MediaIndex
    name_stems: Stems
    tag_stems: Stems
    caption_stems: tuple[Stems, ...]
    spoken_stems: tuple[Stems, ...]
    vocabulary: Stems


class Corpus:
    """Reads each index once; several threads may ask."""

    def __init__(self, library: Library) -> None:
        self._library = library
        self._lock = threading.Lock()
        self._known: dict[str, SearchableMedia] = {}

    def with_media(self, videos: Sequence[VideoEntry]) -> Iterator[tuple[VideoEntry, SearchableMedia]]:
        """Those of the videos that are indexed, each with its searchable index."""
        with self._lock:
            known = {video.video_no: self._known.get(video.video_no) for video in videos}
        unread = [video for video in videos if known[video.video_no] is None]
        if unread:
            indexes = self._library.media([video.video_no for video in unread])
            read = {
                video.video_no: _searchable(video, indexes[video.video_no])
                for video in unread
                if video.video_no in indexes
            }
            with self._lock:
                self._known.update(read)
            known.update(read)
        for video in videos:
            media = known[video.video_no]
            if media is not None:
                yield video, media

    def media(self, video: VideoEntry) -> SearchableMedia | None:
        """The searchable index of one video, None if it has none."""
        return next((media for _, media in self.with_media([video])), None)

    def forget(self, video_no: str) -> None:
        """Drop what is remembered of a deleted or newly indexed video."""
        with self._lock:
            self._known.pop(video_no, None)

    def clear(self) -> None:
        """Drop everything."""
        with self._lock:
            self._known.clear()


def _searchable(video: VideoEntry, index: MediaIndex) -> SearchableMedia:
    name, tags = stems(video.video_name), tag_words(video.tags)
    captions = tuple(stems(segment.caption) for segment in index.segments)
    spoken = tuple(stems(line.text) for line in index.transcript)
    return SearchableMedia(
        index=index,
        name_stems=name,
        tag_stems=tags,
        caption_stems=captions,
        spoken_stems=spoken,
        vocabulary=frozenset().union(name, tags, *captions, *spoken),
    )
