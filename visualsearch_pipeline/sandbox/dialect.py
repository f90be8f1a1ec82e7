"""The three generations of response shapes (contract §1.7, §1.8, §2, §7)."""

import hashlib
import math

from visualsearch_pipeline.sandbox.config import Dialect, NameMatch, SandboxConfig
from visualsearch_pipeline.sandbox.searching.hits import Hit
from visualsearch_pipeline.sandbox.searching.words import stems
from visualsearch_pipeline.sandbox.state.entries import ImageEntry, Segment, SpokenSegment, Status, VideoEntry

Json = dict[str, object]

_FAILED_SPELLING = {Dialect.LIVE_2025: "FAIL", Dialect.SPRING_2026: "FAILED", Dialect.OPENAPI: "FAILED"}
_VECTOR_LENGTH = 16


class Wire:
    """Turns entries into the JSON of one dialect."""

    def __init__(self, config: SandboxConfig) -> None:
        self.dialect = config.dialect
        self.uses_folders = config.dialect is Dialect.OPENAPI
        self.failed_status = config.failed_status or _FAILED_SPELLING[config.dialect]
        by_dialect = NameMatch.PARTIAL if config.dialect is Dialect.LIVE_2025 else NameMatch.EXACT
        self.name_match = config.video_name_match or by_dialect
        self._live = config.dialect is Dialect.LIVE_2025

    def number(self, value: float | None) -> object:
        """A count, size, duration or time: text in 2025, a whole number since."""
        if value is None:
            return None
        return str(int(value)) if self._live else int(value)

    def status(self, status: Status) -> str:
        """A status as this dialect spells it."""
        return self.failed_status if status is Status.FAILED else status.value

    def status_filter(self, value: str) -> Status | None:
        """The status that a filter names; None if it names none."""
        if value in {self.failed_status, "FAILED", "FAIL"}:
            return Status.FAILED
        return Status(value) if value in {Status.PARSE, Status.UNPARSE} else None

    def uploaded(self, video: VideoEntry) -> Json:
        """The answer to an upload (contract §2.1)."""
        answer: Json = {"videoNo": video.video_no, "videoName": video.video_name}
        if not self._live:
            answer |= {"videoStatus": self.status(video.status), "uploadTime": str(video.created_ms)}
        return answer

    def listed(self, video: VideoEntry) -> Json:
        """An item of list_videos (contract §2.6)."""
        ready = video.status is Status.PARSE
        item: Json = {
            "duration": self.number(video.duration_seconds if ready else 0),
            "size": self.number(video.size_bytes) if ready or not self._live else None,
            "status": self.status(video.status),
            "cause": video.cause if video.cause is not None else ("null" if self._live else None),
            "video_no": video.video_no,
            "video_name": video.video_name,
            "create_time": self.number(video.created_ms),
            "datetime_taken": self.number(video.datetime_taken_ms),
            "camera_model": video.camera_model,
            "latitude": video.latitude,
            "longitude": video.longitude,
            "tags": list(video.tags) or None,
            "video_url": video.source_url,
        }
        return without_none(item) | self.place(video, "bucket", "blob")

    def metadata(self, video: VideoEntry) -> Json:
        """The answer of get_metadata (contract §2.7)."""
        ready = video.status is Status.PARSE
        measures: Json = {
            "resolution_label": f"{video.height}P" if video.height else None,
            "fps": round(video.fps) if video.fps else None,
            "width": video.width,
            "height": video.height,
        }
        return self.listed(video) | (without_none(measures) if ready else {})

    def task_item(self, video: VideoEntry) -> Json:
        """An item of get_video_ids_by_task_id (contract §2.5), where what is unknown is sent as null."""
        ready = video.status is Status.PARSE
        return {
            "video_no": video.video_no,
            "video_name": video.video_name,
            "status": self.status(video.status),
            "duration": self.number(video.duration_seconds if ready else 0),
            "size": self.number(video.size_bytes) if ready else None,
            "fps": round(video.fps) if ready and video.fps else None,
            "width": video.width if ready else None,
            "height": video.height if ready else None,
            "resolution_label": f"{video.height}P" if ready and video.height else None,
            "create_time": self.number(video.created_ms),
            "video_url": video.source_url,
        } | self.place(video, "bucket", "blob")

    def page(self, key: str, items: list[Json], *, page: int, size: int, total: object) -> Json:
        """One page of a list."""
        return {key: items, "current_page": page, "page_size": size, "total_count": total}

    def clip(self, hit: Hit, *, spoken: bool = False, whole_video: bool = False) -> Json:
        """A hit of search and of the searches by image over a library (contract §2.8, §2.9)."""
        start, end = seconds_text(hit.start_seconds), seconds_text(hit.end_seconds, up=True)
        item: Json = {
            "videoNo": hit.video.video_no,
            "videoName": hit.video.video_name,
            "startTime": "null" if whole_video else start,
            "endTime": "null" if whole_video else end,
        }
        if spoken:
            item["audio_ts"] = hit.text
        if not whole_video:
            item["score"] = hit.score
        return item | self.place(hit.video, "video_bucket", "video_blob") | self._keyframe(hit)

    def similar(self, hit: Hit) -> Json:
        """A hit of search_similar_images; the end was missing in 2025 (contract §2.9, §9.46)."""
        item = self.clip(hit)
        if self._live:
            del item["endTime"]
        return item

    def clip_within(self, hit: Hit) -> Json:
        """A hit of search_clips_by_image: times are decimals here (contract §2.10)."""
        item: Json = {
            "start_time": float(hit.start_seconds),
            "end_time": float(hit.end_seconds),
            "score": hit.score,
        }
        return item | self.place(hit.video, "video_bucket", "video_blob")

    def caption_hit(self, hit: Hit) -> Json:
        """A hit of BY_CAPTION (contract §2.8)."""
        namespace = f"{hit.video.library}/{hit.video.unique_id}"
        return {
            "video_no": hit.video.video_no,
            "text": hit.text,
            "vector": _vector(hit.text),
            "user_id": hashlib.md5(namespace.encode(), usedforsecurity=False).hexdigest(),
            "start_time": float(hit.start_seconds),
            "end_time": float(hit.end_seconds),
            "score": hit.score,
        }

    def spoken_hit(self, hit: Hit) -> Json:
        """A hit of search_audio_transcripts: no end, no score (contract §2.11)."""
        item: Json = {
            "videoNo": hit.video.video_no,
            "videoName": hit.video.video_name,
            "startTime": seconds_text(hit.start_seconds),
            "audio_ts": hit.text,
        }
        return item | self.place(hit.video, "video_bucket", "video_blob")

    def transcript_total(self, total: int) -> object:
        """total_count of the transcript searches: text everywhere but in the OpenAPI document (contract §2.11)."""
        return total if self.dialect is Dialect.OPENAPI else str(total)

    def transcription(self, video: VideoEntry, lines: list[Json]) -> Json:
        """The answer of the transcription and caption endpoints (contract §2.15)."""
        answer: Json = {
            "videoNo": video.video_no,
            "transcriptions": lines,
            "createTime": str(video.created_ms),
        }
        return answer | self.place(video, "video_bucket", "video_blob")

    def image_id(self, image_id: int) -> object:
        """An image id: text in 2025, a number above 2^53 since (contract §2.3)."""
        return str(image_id) if self._live else image_id

    def image(self, image: ImageEntry, *, score: float, url: str) -> Json:
        """An item of BY_IMAGE (contract §2.8)."""
        item: Json = {
            "id": self.image_id(image.image_id),
            "name": image.name,
            "img_url": url,
            "datetime_taken": self.number(image.datetime_taken_ms),
            "camera_model": image.camera_model,
            "latitude": image.latitude,
            "longitude": image.longitude,
            "score": score,
        }
        if not self._live:
            item |= {"bucket": image.bucket, "blob": image.blob}
        return without_none(item)

    def place(self, video: VideoEntry, bucket_key: str, blob_key: str) -> Json:
        """Bucket and blob of the file; no source before 2026 knows them, and seeded videos have no file."""
        return {} if self._live or not video.has_file else {bucket_key: video.bucket, blob_key: video.blob}

    def _keyframe(self, hit: Hit) -> Json:
        if self._live or hit.keyframe is None:
            return {}
        return {"keyframe_bucket": hit.video.keyframe_bucket, "keyframe_blob": hit.keyframe.blob}


def seconds_text(seconds: float, *, up: bool = False) -> str:
    """A time as the searches send it: whole seconds as text, starts rounded down and ends up."""
    return str(math.ceil(seconds - 1e-6) if up else math.floor(seconds + 1e-6))


def line(number: int, segment: SpokenSegment | Segment) -> Json:
    """A line of a transcript or caption, with the leading space that the service likes to send (contract §2.15)."""
    return {
        "index": number,
        "content": f" {segment.text if isinstance(segment, SpokenSegment) else segment.caption}",
        "startTime": seconds_text(segment.start_seconds),
        "endTime": seconds_text(segment.end_seconds, up=True),
    }


def without_none(item: Json) -> Json:
    """Leave out what is not known: keys are absent, not null (contract §2.6)."""
    return {key: value for key, value in item.items() if value is not None}


def _vector(text: str) -> list[float]:
    """A small embedding of the words: enough to have the documented shape, too small to search by."""
    vector = [0.0] * _VECTOR_LENGTH
    for word in stems(text):
        vector[hashlib.blake2b(word.encode(), digest_size=1).digest()[0] % _VECTOR_LENGTH] += 1.0
    length = math.sqrt(sum(value * value for value in vector)) or 1.0
    return [value / length for value in vector]
