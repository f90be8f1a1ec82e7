"""The files of a source: found, told apart, looked into and hashed, before the service is asked anything."""

from visualsearch_pipeline.media.discovery import DiscoveryProblem, DiscoveryResult, FolderMet, discover, scan
from visualsearch_pipeline.media.errors import (
    FileChanged,
    FileVanished,
    InvalidPattern,
    MediaError,
    MediaRejected,
    RejectionReason,
    SourceUnavailable,
)
from visualsearch_pipeline.media.filesystem import StorageOptions
from visualsearch_pipeline.media.hashing import ContentHash, sha256_of
from visualsearch_pipeline.media.image_inspection import InspectedImage, inspect_image
from visualsearch_pipeline.media.image_probing import ImageInfo, UndecodableImage, probe_image
from visualsearch_pipeline.media.inspection import InspectedMedia, inspect
from visualsearch_pipeline.media.listing_order import listing_order
from visualsearch_pipeline.media.partitioning import ItemDay, PathDate, day_of
from visualsearch_pipeline.media.patterns import PathFilter
from visualsearch_pipeline.media.probing import MediaInfo, probe
from visualsearch_pipeline.media.source_file import SourceContent, SourceFile
from visualsearch_pipeline.media.stability import Sighting, is_settled

__all__ = [
    "ContentHash",
    "DiscoveryProblem",
    "DiscoveryResult",
    "FileChanged",
    "FileVanished",
    "FolderMet",
    "ImageInfo",
    "InspectedImage",
    "InspectedMedia",
    "InvalidPattern",
    "ItemDay",
    "MediaError",
    "MediaInfo",
    "MediaRejected",
    "PathDate",
    "PathFilter",
    "RejectionReason",
    "Sighting",
    "SourceContent",
    "SourceFile",
    "SourceUnavailable",
    "StorageOptions",
    "UndecodableImage",
    "day_of",
    "discover",
    "inspect",
    "inspect_image",
    "is_settled",
    "listing_order",
    "probe",
    "probe_image",
    "scan",
    "sha256_of",
]
