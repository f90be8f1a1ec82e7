"""Putting the parts of a sandbox together over a state folder."""

from visualsearch_pipeline.sandbox.callbacks import Callbacks
from visualsearch_pipeline.sandbox.calls import Services
from visualsearch_pipeline.sandbox.clock import Clock
from visualsearch_pipeline.sandbox.config import Dialect, SandboxConfig
from visualsearch_pipeline.sandbox.control.faults import FaultBoard
from visualsearch_pipeline.sandbox.control.journal import Journal
from visualsearch_pipeline.sandbox.control.transitions import Transitions
from visualsearch_pipeline.sandbox.credits import INDEX_USD_PER_MINUTE, Credits
from visualsearch_pipeline.sandbox.dialect import Wire
from visualsearch_pipeline.sandbox.endpoints.table import operations
from visualsearch_pipeline.sandbox.indexing.worker import Indexer
from visualsearch_pipeline.sandbox.platforms.fetching import Fetching
from visualsearch_pipeline.sandbox.platforms.tasks import ScraperTasks
from visualsearch_pipeline.sandbox.rate_limits import RateLimiter
from visualsearch_pipeline.sandbox.searching.corpus import Corpus
from visualsearch_pipeline.sandbox.signed_links import SignedLinks
from visualsearch_pipeline.sandbox.state.database import Database
from visualsearch_pipeline.sandbox.state.entries import PUBLIC_LIBRARY, Status, VideoEntry
from visualsearch_pipeline.sandbox.state.files import FileStore
from visualsearch_pipeline.sandbox.state.folders import Folders
from visualsearch_pipeline.sandbox.state.library import Library
from visualsearch_pipeline.sandbox.state.progress import Progress
from visualsearch_pipeline.sandbox.uploading import Uploading


def assemble(config: SandboxConfig) -> Services:
    """Open the state and build everything on it; nothing runs yet."""
    database = Database(config.state_dir / "sandbox.db")
    clock = Clock(database, frozen_at=config.frozen_at)
    library = Library(database, seed=config.seed)
    progress = Progress(database)
    corpus = Corpus(library)
    files = FileStore(config.state_dir)
    wire = Wire(config)
    journal = Journal(database)
    credits_ = Credits(database, clock=clock, opening_usd=config.credits_usd)
    callbacks = Callbacks(
        database,
        clock=clock,
        delay_seconds=config.callback_delay_seconds,
        copies=config.callback_copies,
        is_reversed=config.callback_reversed,
    )

    transitions = Transitions(database)

    def charge_indexing(video: VideoEntry, minutes: float) -> None:
        if video.library != PUBLIC_LIBRARY:
            amount = minutes * INDEX_USD_PER_MINUTE
            credits_.charge(video.library, operation="index", amount_usd=amount, item_id=video.video_no)

    def call_back(video: VideoEntry) -> None:
        if video.callback:
            callbacks.post(video.callback, _indexed(video, wire))

    indexer = Indexer(
        config=config,
        clock=clock,
        progress=progress,
        corpus=corpus,
        files=files,
        on_decoded=charge_indexing,
        on_change=call_back,
    )
    uploading = Uploading(
        clock=clock,
        library=library,
        files=files,
        transitions=transitions,
        indexer=indexer,
        indexing_seconds=config.indexing_seconds,
    )
    # In 2025 users received the callback of the task only (contract §4).
    fetching = Fetching(uploading, library, credits_, calls_back_per_video=config.dialect is not Dialect.LIVE_2025)
    return Services(
        config=config,
        database=database,
        clock=clock,
        library=library,
        folders=Folders(database, library),
        progress=progress,
        files=files,
        corpus=corpus,
        indexer=indexer,
        wire=wire,
        rate_limiter=RateLimiter(config.rate_limits, clock=clock, slack_seconds=config.rate_limit_slack_seconds),
        credits=credits_,
        journal=journal,
        faults=FaultBoard(database, journal, seed=config.seed, operations=operations()),
        transitions=transitions,
        callbacks=callbacks,
        uploading=uploading,
        signed_links=SignedLinks(database, clock=clock, files=files),
        scraper_tasks=ScraperTasks(database, clock=clock, callbacks=callbacks, seed=config.seed, fetch=fetching.fetch),
    )


def _indexed(video: VideoEntry, wire: Wire) -> dict[str, object]:
    if video.task_id is None:
        return {"videoNo": video.video_no, "status": wire.status(video.status)}
    ready = video.status is Status.PARSE
    return {
        "videoId": video.video_no,
        "taskId": video.task_id,
        "status": "INDEXING_SUCCEEDED" if ready else "INDEXING_FAILED",
        "message": "success" if ready else video.cause,
    }
