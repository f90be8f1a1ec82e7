"""A call, the parts of the server that answer it, and its reply."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from visualsearch_pipeline.sandbox.arguments import Arguments
from visualsearch_pipeline.sandbox.callbacks import Callbacks
from visualsearch_pipeline.sandbox.clock import Clock
from visualsearch_pipeline.sandbox.config import OperationFamily, SandboxConfig
from visualsearch_pipeline.sandbox.control.faults import FaultBoard
from visualsearch_pipeline.sandbox.control.journal import Journal
from visualsearch_pipeline.sandbox.control.transitions import Transitions
from visualsearch_pipeline.sandbox.credits import Credits
from visualsearch_pipeline.sandbox.dialect import Wire
from visualsearch_pipeline.sandbox.errors import ApiError
from visualsearch_pipeline.sandbox.indexing.worker import Indexer
from visualsearch_pipeline.sandbox.platforms.tasks import ScraperTasks
from visualsearch_pipeline.sandbox.rate_limits import RateLimiter
from visualsearch_pipeline.sandbox.searching.corpus import Corpus
from visualsearch_pipeline.sandbox.signed_links import SignedLinks
from visualsearch_pipeline.sandbox.state.database import Database
from visualsearch_pipeline.sandbox.state.entries import DEFAULT_FOLDER_ID, DEFAULT_UNIQUE_ID, LEGACY_FOLDER_ID, Scope
from visualsearch_pipeline.sandbox.state.files import FileStore
from visualsearch_pipeline.sandbox.state.folders import Folders
from visualsearch_pipeline.sandbox.state.library import Library
from visualsearch_pipeline.sandbox.state.progress import Progress
from visualsearch_pipeline.sandbox.uploading import Uploading


@dataclass(frozen=True, kw_only=True)
class Services:
    """Everything a running sandbox consists of."""

    config: SandboxConfig
    database: Database
    clock: Clock
    library: Library
    folders: Folders
    progress: Progress
    files: FileStore
    corpus: Corpus
    indexer: Indexer
    wire: Wire
    rate_limiter: RateLimiter
    credits: Credits
    journal: Journal
    faults: FaultBoard
    transitions: Transitions
    callbacks: Callbacks
    uploading: Uploading
    scraper_tasks: ScraperTasks
    signed_links: SignedLinks


@dataclass(frozen=True, kw_only=True)
class Call:
    """An authenticated call with its parameters read."""

    operation: str
    account: str
    arguments: Arguments
    services: Services
    base_url: str

    def read_scope(self) -> Scope:
        """The part of the private library that this call sees (contract §1.9, §9.37)."""
        if not self.services.wire.uses_folders:
            return Scope(library=self.account, unique_id=self._unique_id())
        folder_id = self.arguments.integer("folder_id")
        if folder_id is not None:
            self.check_folder(folder_id)
        return Scope(library=self.account, folder_id=folder_id)

    def item_scope(self) -> Scope:
        """The scope of calls on single items: by id in the whole account where folders are spoken (contract §1.9)."""
        if not self.services.wire.uses_folders:
            return self.read_scope()
        return Scope(library=self.account)

    def write_scope(self) -> Scope:
        """Where new items go."""
        if not self.services.wire.uses_folders:
            return Scope(library=self.account, unique_id=self._unique_id())
        folder_id = self.arguments.integer("folder_id")
        folder_id = DEFAULT_FOLDER_ID if folder_id is None else folder_id
        if folder_id == LEGACY_FOLDER_ID:
            raise ApiError("The API folder is read-only")
        self.check_folder(folder_id)
        return Scope(library=self.account, folder_id=folder_id)

    @property
    def visible_until_ms(self) -> int:
        """Videos accepted later than this are not seen by lists yet (contract §2.7)."""
        return self.services.clock.now_ms() - round(self.services.config.visibility_lag_seconds * 1000)

    @property
    def searchable_until_ms(self) -> int:
        """Videos parsed later than this are not found by searches yet (contract §6)."""
        return self.services.clock.now_ms() - round(self.services.config.search_lag_seconds * 1000)

    def check_folder(self, folder_id: int) -> None:
        """Refuse a folder that does not exist or belongs to someone else."""
        known = folder_id in {DEFAULT_FOLDER_ID, LEGACY_FOLDER_ID}
        if not known and not self.services.folders.exists(self.account, folder_id):
            raise ApiError(f"The folder {folder_id} does not exist")

    def _unique_id(self) -> str:
        unique_id = self.arguments.text("unique_id")
        if unique_id is None:
            return DEFAULT_UNIQUE_ID
        if not unique_id.strip():
            raise ApiError("unique_id cannot be empty")
        return unique_id


@dataclass(frozen=True, kw_only=True)
class FileBody:
    """A stored file to be streamed."""

    path: Path
    file_name: str
    media_type: str
    size_bytes: int


@dataclass(frozen=True, kw_only=True)
class Reply:
    """What a successful call answers: `data` in an envelope, or a file."""

    data: object = None
    item_ids: tuple[str, ...] = ()
    file: FileBody | None = None


Handler = Callable[[Call], Reply]


class BodyKind(StrEnum):
    """How an endpoint is sent its parameters."""

    QUERY = "query"
    JSON = "json"
    FORM = "form"
    MULTIPART = "multipart"


@dataclass(frozen=True, kw_only=True)
class Endpoint:
    """One operation of the API.

    `price_usd` is charged when it succeeds; metered ones need some balance. A terse one answers without the flags
    `success` and `failed`.
    """

    operation: str
    method: str
    paths: tuple[str, ...]
    family: OperationFamily
    body: BodyKind
    handler: Handler
    price_usd: float = 0.0
    is_metered: bool = False
    is_terse: bool = False
