"""SQL state: the transactional record of every item, attempt and call (SQLAlchemy Core)."""

from visualsearch_pipeline.ledger.calls import CallRecord
from visualsearch_pipeline.ledger.errors import LedgerError
from visualsearch_pipeline.ledger.failures import Failure
from visualsearch_pipeline.ledger.fetches import ArchivedObject, TranscriptionKind, WantedObject
from visualsearch_pipeline.ledger.image_searches import CoveredImage, LibraryImage
from visualsearch_pipeline.ledger.images import ImageContent, ImageUpload
from visualsearch_pipeline.ledger.imports import ImportedVideo, ImportTask, NewImport
from visualsearch_pipeline.ledger.items import Content, Item, Sighting
from visualsearch_pipeline.ledger.leases import LeaseOwner
from visualsearch_pipeline.ledger.ledger import Ledger
from visualsearch_pipeline.ledger.notices import Notice, NoticeKind, NoticeOutcome
from visualsearch_pipeline.ledger.public_searches import PlatformAnswer, PublicAnswer, PublicDetail
from visualsearch_pipeline.ledger.reindexing import IndexMark
from visualsearch_pipeline.ledger.reservations import LimitPassed, Reservation, SpendingLimit
from visualsearch_pipeline.ledger.searches import Coverage, Covered, KnownVersion, QueryRecord, Question
from visualsearch_pipeline.ledger.states import (
    ArchiveState,
    DeletionState,
    DeliveryState,
    ImportState,
    ItemState,
    UploadState,
    VideoOrigin,
    VideoState,
)
from visualsearch_pipeline.ledger.uploads import Upload
from visualsearch_pipeline.ledger.url_uploads import UrlSighting, UrlUpload
from visualsearch_pipeline.ledger.videos import LibraryVideo, VideoObservation

__all__ = [
    "ArchiveState",
    "ArchivedObject",
    "CallRecord",
    "Content",
    "Coverage",
    "Covered",
    "CoveredImage",
    "DeletionState",
    "DeliveryState",
    "Failure",
    "ImageContent",
    "ImageUpload",
    "ImportState",
    "ImportTask",
    "ImportedVideo",
    "IndexMark",
    "Item",
    "ItemState",
    "KnownVersion",
    "LeaseOwner",
    "Ledger",
    "LedgerError",
    "LibraryImage",
    "LibraryVideo",
    "LimitPassed",
    "NewImport",
    "Notice",
    "NoticeKind",
    "NoticeOutcome",
    "PlatformAnswer",
    "PublicAnswer",
    "PublicDetail",
    "QueryRecord",
    "Question",
    "Reservation",
    "Sighting",
    "SpendingLimit",
    "TranscriptionKind",
    "Upload",
    "UploadState",
    "UrlSighting",
    "UrlUpload",
    "VideoObservation",
    "VideoOrigin",
    "VideoState",
    "WantedObject",
]
