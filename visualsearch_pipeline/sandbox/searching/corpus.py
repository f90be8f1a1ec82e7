"""What is searched: the indexed media of each video, kept in memory once it was read."""

import threading
from dataclasses import dataclass

from visualsearch_pipeline.sandbox.searching.words import stems
from visualsearch_pipeline.sandbox.state.entries import MediaIndex
from visualsearch_pipeline.sandbox.state.library import Library


@dataclass(frozen=True, kw_only=True)
class SearchableMedia:
    """The index of one video with the stems of its sentences, in the order of segments and of spoken lines."""

    index: MediaIndex
    caption_stems: tuple[frozenset[str], ...]
    spoken_stems: tuple[frozenset[str], ...]


class Corpus:
    """Reads each index once; several threads may ask."""

    def __init__(self, library: Library) -> None:
        self._library = library
        self._lock = threading.Lock()
        self._known: dict[str, SearchableMedia] = {}

    def media(self, video_no: str) -> SearchableMedia | None:
        """The searchable index of a video, None if it has none."""
        with self._lock:
            known = self._known.get(video_no)
        if known is not None:
            return known
        index = self._library.media(video_no)
        if index is None:
            return None
        known = SearchableMedia(
            index=index,
            caption_stems=tuple(stems(segment.caption) for segment in index.segments),
            spoken_stems=tuple(stems(line.text) for line in index.transcript),
        )
        with self._lock:
            self._known[video_no] = known
        return known

    def forget(self, video_no: str) -> None:
        """Drop what is remembered of a deleted or newly indexed video."""
        with self._lock:
            self._known.pop(video_no, None)

    def clear(self) -> None:
        """Drop everything."""
        with self._lock:
            self._known.clear()
