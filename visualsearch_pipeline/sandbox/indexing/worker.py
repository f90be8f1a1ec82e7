"""The indexing workers: decode what was accepted, then make it visible when its time has come."""

import logging
import queue
import threading
from collections.abc import Callable

from visualsearch_pipeline.sandbox.clock import Clock
from visualsearch_pipeline.sandbox.config import SandboxConfig
from visualsearch_pipeline.sandbox.indexing.decoding import DecodedMedia, MediaUnreadableError, decode
from visualsearch_pipeline.sandbox.searching.corpus import Corpus
from visualsearch_pipeline.sandbox.state.entries import Keyframe, MediaIndex, VideoEntry
from visualsearch_pipeline.sandbox.state.files import FileStore
from visualsearch_pipeline.sandbox.state.progress import Progress

_LOGGER = logging.getLogger(__name__)
_TICK_SECONDS = 0.05


class Indexer:
    """A bounded set of threads that decode, and one that lets time take its course.

    What was queued when the server ended, by whatever means, is queued again at the next start.
    """

    def __init__(
        self,
        *,
        config: SandboxConfig,
        clock: Clock,
        progress: Progress,
        corpus: Corpus,
        files: FileStore,
        on_decoded: Callable[[VideoEntry, float], None],
        on_change: Callable[[VideoEntry], None],
    ) -> None:
        self._config = config
        self._clock = clock
        self._progress = progress
        self._corpus = corpus
        self._files = files
        self._on_decoded = on_decoded
        self._on_change = on_change
        self._queue: queue.SimpleQueue[VideoEntry | None] = queue.SimpleQueue()
        self._settling = threading.Lock()
        self._stopping = threading.Event()
        self._threads: list[threading.Thread] = []

    def start(self) -> None:
        """Queue what waits and start the threads."""
        for video in self._progress.queued():
            self.enqueue(video)
        for number in range(self._config.indexing_workers):
            self._spawn(self._decode_all, f"sandbox-indexer-{number}")
        self._spawn(self._tick, "sandbox-clock")

    def stop(self) -> None:
        """End the threads; a file that is being decoded is finished first."""
        self._stopping.set()
        for _ in range(self._config.indexing_workers):
            self._queue.put(None)
        for thread in self._threads:
            thread.join()

    def enqueue(self, video: VideoEntry) -> None:
        """Have a video decoded."""
        self._queue.put(video)

    def settle(self) -> None:
        """Make visible what is due by now, and tell whoever wants to know."""
        with self._settling:
            for video in self._progress.settle(now_ms=self._clock.now_ms()):
                self._on_change(video)

    def _spawn(self, target: Callable[[], None], name: str) -> None:
        thread = threading.Thread(target=target, name=name, daemon=True)
        thread.start()
        self._threads.append(thread)

    def _tick(self) -> None:
        while not self._stopping.wait(_TICK_SECONDS):
            self.settle()

    def _decode_all(self) -> None:
        while (video := self._queue.get()) is not None:
            if self._stopping.is_set():
                return
            try:
                self._decode(video)
            except Exception:  # One odd file must not end the worker: it is logged and counts as undecodable.
                _LOGGER.exception("indexing of %s (%s) broke off", video.video_no, video.file_name)
                self._progress.undecodable(video.video_no)

    def _decode(self, video: VideoEntry) -> None:
        path = self._files.path(video.bucket, video.blob)
        if path is None or not path.exists():
            return  # Deleted before its turn came.
        try:
            media = decode(path)
        except MediaUnreadableError as error:
            _LOGGER.info("%s (%s) cannot be indexed: %s", video.video_no, video.file_name, error)
            self._progress.undecodable(video.video_no)
            return
        index = MediaIndex(
            segments=media.segments,
            transcript=media.transcript,
            keyframes=self._store_keyframes(video, media),
            descriptors=media.descriptors,
        )
        minutes = media.facts.duration_seconds / 60
        more_time_ms = round(self._config.indexing_seconds_per_minute * minutes * 1000)
        if not self._progress.decoded(video.video_no, media.facts, index, more_time_ms=more_time_ms):
            self._files.remove_folder(video.keyframe_bucket, video.keyframe_prefix)
            return
        self._corpus.forget(video.video_no)
        if not video.retains_original:
            self._progress.original_dropped(video.video_no)
            self._files.remove(video.bucket, video.blob)
        self._on_decoded(video, minutes)

    def _store_keyframes(self, video: VideoEntry, media: DecodedMedia) -> tuple[Keyframe, ...]:
        keyframes = []
        for still in media.stills:
            blob = f"{video.keyframe_prefix}/keyframe-{int(still.seconds):06d}.jpg"
            self._files.write(video.keyframe_bucket, blob, still.jpeg)
            keyframes.append(Keyframe(seconds=round(still.seconds, 3), blob=blob))
        return tuple(keyframes)
