"""The videos of all libraries: adding, finding, deleting."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePath

import numpy as np
from sqlalchemy import (
    ColumnElement,
    Connection,
    RowMapping,
    and_,
    delete,
    false,
    func,
    insert,
    or_,
    select,
    true,
    update,
)

from visualsearch_pipeline.sandbox.identifiers import next_snowflake, seeded_uuid
from visualsearch_pipeline.sandbox.indexing.descriptors import DESCRIPTOR_LENGTH
from visualsearch_pipeline.sandbox.state import tables
from visualsearch_pipeline.sandbox.state.database import Database, last_snowflake, remember_snowflake
from visualsearch_pipeline.sandbox.state.entries import (
    DEFAULT_FOLDER_ID,
    DEFAULT_UNIQUE_ID,
    CaptureDetails,
    DecodeState,
    Keyframe,
    MediaIndex,
    Scope,
    Segment,
    SpokenSegment,
    Status,
    VideoEntry,
)
from visualsearch_pipeline.sandbox.state.places import NEARBY_KM

PRIVATE_BUCKET = "mavi-resource"
PRIVATE_KEYFRAME_BUCKET = "mavi-keyframe"
PUBLIC_BUCKET = "mavi-public-video"
PUBLIC_KEYFRAME_BUCKET = "mavi-public-keyframe"

_IDS_PER_QUERY = 10_000
_VIDEO = tables.videos.c


@dataclass(frozen=True, kw_only=True)
class NewVideo:
    """A file that was accepted and lies ready to be stored."""

    scope: Scope
    file_name: str
    video_name: str
    size_bytes: int
    details: CaptureDetails
    callback: str | None = None
    transcription_prompt: str | None = None
    retains_original: bool = True
    platform: str | None = None
    source_url: str | None = None
    task_id: str | None = None
    detail: str | None = None
    is_public: bool = False


@dataclass(frozen=True, kw_only=True)
class VideoFilter:
    """Conditions of list_videos and search, all of which must hold."""

    video_name: str | None = None
    name_is_partial: bool = False
    video_no: str | None = None
    video_nos: tuple[str, ...] | None = None
    status: Status | None = None
    camera_model: str | None = None
    tag: str | None = None
    taken_since_ms: int | None = None
    near: tuple[float, float] | None = None
    platform: str | None = None
    source_url: str | None = None
    task_id: str | None = None
    created_until_ms: int | None = None
    parsed_until_ms: int | None = None

    @property
    def reads_metadata(self) -> bool:
        """Whether it asks for what is known of parsed videos only (contract §2.6, §9.34)."""
        return any(value is not None for value in (self.camera_model, self.tag, self.taken_since_ms, self.near))


class Library:
    """All videos of all accounts, and the public ones."""

    def __init__(self, database: Database, *, seed: int) -> None:
        self._database = database
        self._seed = seed

    def next_id(self, connection: Connection, *, now_ms: int) -> int:
        """A new snowflake, remembered in the given transaction."""
        snowflake = next_snowflake(now_ms=now_ms, last=last_snowflake(connection), seed=self._seed)
        remember_snowflake(connection, snowflake)
        return snowflake

    def add(
        self,
        video: NewVideo,
        *,
        now_ms: int,
        ready_at_ms: int,
        on_insert: Callable[[Connection, VideoEntry], None],
    ) -> VideoEntry:
        """Enter a video as UNPARSE, waiting for the worker.

        `on_insert` runs inside the transaction: it puts the file at the place that the new entry names. Killed before
        the commit, the sandbox has a file that belongs to nothing, never an entry without its file.
        """
        with self._database.write() as connection:
            snowflake = self.next_id(connection, now_ms=now_ms)
            video_no = f"PI-{snowflake | 1}" if video.is_public else f"VI{snowflake}"
            values: dict[str, object] = {
                "video_no": video_no,
                "snowflake": snowflake,
                "library": video.scope.library,
                "unique_id": video.scope.unique_id or DEFAULT_UNIQUE_ID,
                "folder_id": DEFAULT_FOLDER_ID if video.scope.folder_id is None else video.scope.folder_id,
                "platform": video.platform,
                "source_url": video.source_url,
                "task_id": video.task_id,
                "video_name": video.video_name,
                "file_name": video.file_name,
                "status": Status.UNPARSE,
                "decode_state": DecodeState.QUEUED,
                "created_ms": now_ms,
                "ready_at_ms": ready_at_ms,
                "size_bytes": video.size_bytes,
                "bucket": PUBLIC_BUCKET if video.is_public else PRIVATE_BUCKET,
                "blob": f"{video_no}.mp4",
                "keyframe_bucket": PUBLIC_KEYFRAME_BUCKET if video.is_public else PRIVATE_KEYFRAME_BUCKET,
                "keyframe_prefix": str(seeded_uuid(video_no, seed=self._seed)),
                "retains_original": video.retains_original,
                "tags": json.dumps(video.details.tags, ensure_ascii=False),
                "callback": video.callback,
                "transcription_prompt": video.transcription_prompt,
                "detail": video.detail,
                "datetime_taken_ms": video.details.datetime_taken_ms,
                "camera_model": video.details.camera_model,
                "latitude": video.details.latitude,
                "longitude": video.details.longitude,
            }
            connection.execute(insert(tables.videos).values(values))
            row = connection.execute(select(tables.videos).where(_VIDEO.video_no == video_no)).mappings().one()
            entry = VideoEntry.from_row(row)
            on_insert(connection, entry)
            return entry

    def find(
        self, scope: Scope, wanted: VideoFilter = VideoFilter(), *, offset: int = 0, limit: int | None = None
    ) -> tuple[list[VideoEntry], int]:
        """The matching videos, newest first, and how many match in all."""
        conditions = [*_in_scope(scope), *_matching(wanted)]
        with self._database.read() as connection:
            total = connection.execute(select(func.count()).select_from(tables.videos).where(*conditions)).scalar_one()
            query = select(tables.videos).where(*conditions).order_by(_VIDEO.snowflake.desc()).offset(offset)
            rows = connection.execute(query if limit is None else query.limit(limit)).mappings()
            return [VideoEntry.from_row(row) for row in rows], total

    def get(self, scope: Scope, video_no: str, *, created_until_ms: int | None = None) -> VideoEntry | None:
        """One video, None when it is unknown, outside the scope or newer than that."""
        found, _ = self.find(scope, VideoFilter(video_no=video_no, created_until_ms=created_until_ms), limit=1)
        return found[0] if found else None

    def by_blob(self, bucket: str, blob: str) -> VideoEntry | None:
        """The video whose file, or one of whose keyframes, lies at this place."""
        its_file = and_(_VIDEO.bucket == bucket, _VIDEO.blob == blob)
        its_keyframe = and_(_VIDEO.keyframe_bucket == bucket, _VIDEO.keyframe_prefix == blob.partition("/")[0])
        with self._database.read() as connection:
            query = select(tables.videos).where(or_(its_file, its_keyframe))
            row = connection.execute(query).mappings().one_or_none()
            return None if row is None else VideoEntry.from_row(row)

    def everything(self) -> list[VideoEntry]:
        """Every video of every library, oldest first."""
        with self._database.read() as connection:
            rows = connection.execute(select(tables.videos).order_by(_VIDEO.snowflake)).mappings()
            return [VideoEntry.from_row(row) for row in rows]

    def remove(self, scope: Scope, video_nos: Sequence[str]) -> list[VideoEntry]:
        """Delete those of the ids that are in scope; returns what was there."""
        conditions = [*_in_scope(scope), _VIDEO.video_no.in_(video_nos)]
        with self._database.write() as connection:
            rows = connection.execute(select(tables.videos).where(*conditions)).mappings().all()
            removed = [VideoEntry.from_row(row) for row in rows]
            gone = [entry.video_no for entry in removed]
            connection.execute(delete(tables.videos).where(_VIDEO.video_no.in_(gone)))
            connection.execute(delete(tables.media_index).where(tables.media_index.c.video_no.in_(gone)))
        return removed

    def move(self, scope: Scope, video_nos: Sequence[str], *, folder_id: int) -> int:
        """Put videos of the scope into a folder; returns how many were moved."""
        conditions = [*_in_scope(scope), _VIDEO.video_no.in_(video_nos)]
        with self._database.write() as connection:
            return connection.execute(update(tables.videos).where(*conditions).values(folder_id=folder_id)).rowcount

    def unique_ids(self, library: str) -> list[str]:
        """The namespaces that hold anything, sorted."""
        with self._database.read() as connection:
            of_videos = select(_VIDEO.unique_id).where(_VIDEO.library == library)
            of_images = select(tables.images.c.unique_id).where(tables.images.c.account == library)
            return sorted({*connection.execute(of_videos).scalars(), *connection.execute(of_images).scalars()})

    def media(self, video_nos: Sequence[str]) -> dict[str, MediaIndex]:
        """What indexing found in these videos, by id; those that are not decoded are left out."""
        found: dict[str, MediaIndex] = {}
        with self._database.read() as connection:
            for start in range(0, len(video_nos), _IDS_PER_QUERY):
                ids = video_nos[start : start + _IDS_PER_QUERY]
                query = select(tables.media_index).where(tables.media_index.c.video_no.in_(ids))
                found.update((row["video_no"], _media_index(row)) for row in connection.execute(query).mappings())
        return found


def stem(file_name: str) -> str:
    """The name a video gets from its file: the stem, as the live service keeps it (contract §2.1)."""
    return PurePath(file_name).stem or file_name


def whole(scope: Scope) -> Scope:
    """The scope widened to its whole library."""
    return replace(scope, unique_id=None, folder_id=None)


def _media_index(row: RowMapping) -> MediaIndex:
    keyframes = tuple(Keyframe(**frame) for frame in json.loads(row["keyframes"]))
    flat = np.frombuffer(row["descriptors"], dtype=np.float32)
    return MediaIndex(
        segments=tuple(Segment(**segment) for segment in json.loads(row["segments"])),
        transcript=tuple(SpokenSegment(**line) for line in json.loads(row["transcript"])),
        keyframes=keyframes,
        descriptors=flat.reshape(len(keyframes), -1 if keyframes else DESCRIPTOR_LENGTH),
    )


def _in_scope(scope: Scope) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = [_VIDEO.library == scope.library]
    if scope.unique_id is not None:
        conditions.append(_VIDEO.unique_id == scope.unique_id)
    if scope.folder_id is not None:
        conditions.append(_VIDEO.folder_id == scope.folder_id)
    return conditions


def _matching(wanted: VideoFilter) -> list[ColumnElement[bool]]:
    name: ColumnElement[bool] = true()
    if wanted.video_name is not None:
        name = (
            _VIDEO.video_name.contains(wanted.video_name, autoescape=True)
            if wanted.name_is_partial
            else _VIDEO.video_name == wanted.video_name
        )
    conditions = [name]
    if wanted.video_nos is not None:
        conditions.append(_VIDEO.video_no.in_(wanted.video_nos) if wanted.video_nos else false())
    for column, value in (
        (_VIDEO.video_no, wanted.video_no),
        (_VIDEO.status, wanted.status),
        (_VIDEO.camera_model, wanted.camera_model),
        (_VIDEO.platform, wanted.platform),
        (_VIDEO.source_url, wanted.source_url),
        (_VIDEO.task_id, wanted.task_id),
    ):
        if value is not None:
            conditions.append(column == value)
    if wanted.tag is not None:
        conditions.append(_VIDEO.tags.contains(json.dumps(wanted.tag, ensure_ascii=False), autoescape=True))
    if wanted.taken_since_ms is not None:
        conditions.append(_VIDEO.datetime_taken_ms >= wanted.taken_since_ms)
    if wanted.created_until_ms is not None:
        conditions.append(_VIDEO.created_ms <= wanted.created_until_ms)
    if wanted.parsed_until_ms is not None:
        conditions.append(_VIDEO.parsed_ms <= wanted.parsed_until_ms)
    if wanted.near is not None:
        conditions.append(func.distance_km(_VIDEO.latitude, _VIDEO.longitude, *wanted.near) <= NEARBY_KM)
    if wanted.reads_metadata:
        conditions.append(_VIDEO.status == Status.PARSE)
    return conditions
