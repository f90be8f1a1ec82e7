"""Entering an accepted file into a library, whichever way it came."""

from pathlib import Path

from sqlalchemy import Connection

from visualsearch_pipeline.sandbox.clock import Clock
from visualsearch_pipeline.sandbox.control.transitions import Transitions
from visualsearch_pipeline.sandbox.indexing.worker import Indexer
from visualsearch_pipeline.sandbox.state.entries import VideoEntry
from visualsearch_pipeline.sandbox.state.files import FileStore
from visualsearch_pipeline.sandbox.state.library import Library, NewVideo


class Uploading:
    """The last step of every upload: an id, a place for the file, a plan if there is one, and the queue."""

    def __init__(
        self,
        *,
        clock: Clock,
        library: Library,
        files: FileStore,
        transitions: Transitions,
        indexer: Indexer,
        indexing_seconds: float,
    ) -> None:
        self._clock = clock
        self._library = library
        self._files = files
        self._transitions = transitions
        self._indexer = indexer
        self._indexing_seconds = indexing_seconds

    def new_incoming(self) -> Path:
        """A name for a file that is arriving."""
        return self._files.new_incoming()

    def store(self, video: NewVideo, path: Path) -> VideoEntry:
        """Enter a video, move its file into place and have it indexed."""

        def settle_in(connection: Connection, entry: VideoEntry) -> None:
            self._files.keep(path, entry.bucket, entry.blob)
            self._transitions.apply_to_new(connection, entry.video_no, entry.file_name)

        now_ms = self._clock.now_ms()
        ready_at_ms = now_ms + round(self._indexing_seconds * 1000)
        entry = self._library.add(video, now_ms=now_ms, ready_at_ms=ready_at_ms, on_insert=settle_in)
        self._indexer.enqueue(entry)
        return entry
