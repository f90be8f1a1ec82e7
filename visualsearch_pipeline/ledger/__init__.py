"""SQL state: the transactional record of every item, attempt and call (SQLAlchemy Core)."""

from visualsearch_pipeline.ledger.calls import CallRecord
from visualsearch_pipeline.ledger.database import LedgerError
from visualsearch_pipeline.ledger.failures import Failure
from visualsearch_pipeline.ledger.fetches import ArchivedObject, TranscriptionKind, WantedObject
from visualsearch_pipeline.ledger.items import Content, Item, Sighting
from visualsearch_pipeline.ledger.leases import LeaseOwner
from visualsearch_pipeline.ledger.ledger import Ledger
from visualsearch_pipeline.ledger.reindexing import IndexMark
from visualsearch_pipeline.ledger.searches import Coverage, Covered, KnownVersion, QueryRecord, Question
from visualsearch_pipeline.ledger.states import ArchiveState, ItemState, UploadState, VideoState
from visualsearch_pipeline.ledger.uploads import Upload
from visualsearch_pipeline.ledger.videos import LibraryVideo, VideoObservation

__all__ = [
    "ArchiveState",
    "ArchivedObject",
    "CallRecord",
    "Content",
    "Coverage",
    "Covered",
    "Failure",
    "IndexMark",
    "Item",
    "ItemState",
    "KnownVersion",
    "LeaseOwner",
    "Ledger",
    "LedgerError",
    "LibraryVideo",
    "QueryRecord",
    "Question",
    "Sighting",
    "TranscriptionKind",
    "Upload",
    "UploadState",
    "VideoObservation",
    "VideoState",
    "WantedObject",
]
