"""Looking into a media file before a byte of it is sent: what it is, and whether the service would take it.

FFmpeg (through PyAV) reads the container's index and decodes one picture, wherever the file lies; of a remote file only
the parts that this needs are fetched. What the service would refuse (contract §2.1) is refused here, where it costs
nothing.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from datetime import datetime
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, BinaryIO, Final

from visualsearch_pipeline.api.limits import MAX_UPLOAD_BYTES, UPLOAD_CODECS, UPLOAD_EXTENSIONS
from visualsearch_pipeline.media import container_head, container_metadata
from visualsearch_pipeline.media.errors import FileVanished, MediaRejected, RejectionReason
from visualsearch_pipeline.media.filesystem import StorageOptions
from visualsearch_pipeline.media.source_file import SourceFile

if TYPE_CHECKING:
    from av import AudioStream, VideoFrame, VideoStream
    from av.container import InputContainer
    from av.subtitles.stream import SubtitleStream

# Formats that hold their media themselves. A playlist named .mp4 would make FFmpeg open whatever it points to.
_FORMATS: Final = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpeg,flv,asf"
# A picture wider than any camera's is an attack or damage; decoding it would take gigabytes of memory.
_MAX_PIXELS: Final = 16_384 * 8_192
# How far into a file the first picture may be. Longer leaders than this are damage.
_MAX_PACKETS: Final = 5_000
_MAX_PACKET_BYTES: Final = 64 * 1024**2

_COPY_AGAIN: Final = "Copy it again from where it came from."
_NOT_MEANT: Final = "Remove it from the source or exclude it."


@dataclass(frozen=True, slots=True)
class MediaInfo:
    """What a video file is.

    Attributes:
        container: FFmpeg's name of the format, e.g. `mov,mp4,m4a,3gp,3g2,mj2`.
        size_bytes: Size of the file.
        duration_seconds: Length in seconds; None where the container does not say.
        video_codec: FFmpeg's name of the codec: `h264`, `hevc` or `vp9`.
        width: Width of the first picture in pixels.
        height: Height of the first picture in pixels.
        fps: Pictures per second on average, if known.
        frame_count: Number of pictures, where the index tells it without reading the file through.
        audio_codec: FFmpeg's name of the first sound track's codec; None without sound, and then without transcript.
        subtitle_codecs: FFmpeg's names of the subtitle tracks' codecs.
        captured_at: When it was taken, UTC.
        camera_model: Make and model of the camera.
        latitude: Where it was taken, decimal degrees, north positive; None unless the longitude is known too.
        longitude: Where it was taken, decimal degrees, east positive.
    """

    container: str
    size_bytes: int
    duration_seconds: float | None
    video_codec: str
    width: int
    height: int
    fps: float | None = None
    frame_count: int | None = None
    audio_codec: str | None = None
    subtitle_codecs: tuple[str, ...] = ()
    captured_at: datetime | None = None
    camera_model: str | None = None
    latitude: float | None = None
    longitude: float | None = None

    @property
    def has_audio(self) -> bool:
        """Whether there is a sound track."""
        return self.audio_codec is not None


def probe(file: SourceFile, *, storage_options: StorageOptions | None = None) -> MediaInfo:
    """Read what a file is, and prove that its first picture can be decoded.

    Args:
        file: As it was discovered.
        storage_options: What fsspec needs beyond the URI.

    Raises:
        MediaRejected: The service would refuse the file; the message says what was found and what to do.
        FileVanished: The file is gone.
    """
    _refuse_by_listing(file)
    try:
        with file.open(storage_options=storage_options) as stream:
            head = stream.read(container_head.HEAD_BYTES)
            missing = container_head.missing_bytes(stream, size_bytes=file.size_bytes)
            if missing:
                message = f"it is cut short: {missing} bytes are missing at its end. {_COPY_AGAIN}"
                raise _rejected(file, RejectionReason.BROKEN, message)
            stream.seek(0)
            return _look_inside(file, stream, head)
    except FileNotFoundError as error:
        raise FileVanished(file.uri) from error
    except OSError as error:
        message = f"it cannot be read: {error.strerror or error}. Grant read permission or repair the storage."
        raise _rejected(file, RejectionReason.UNREADABLE, message) from error


def _refuse_by_listing(file: SourceFile) -> None:
    """Refuse what needs no look inside."""
    extension = PurePosixPath(file.name).suffix.lower()
    if extension not in UPLOAD_EXTENSIONS:
        accepted = ", ".join(sorted(UPLOAD_EXTENSIONS))
        message = f"the extension {extension or '(none)'} is not accepted, only {accepted}. {_reencode(file)}"
        raise _rejected(file, RejectionReason.EXTENSION, message)
    if file.size_bytes == 0:
        raise _rejected(file, RejectionReason.EMPTY, f"the file has no bytes. {_COPY_AGAIN}")
    if file.size_bytes > MAX_UPLOAD_BYTES:
        message = (
            f"{file.size_bytes} bytes are more than the {MAX_UPLOAD_BYTES} bytes (3 GB) accepted. "
            f"Split it or make it smaller. {_reencode(file)}"
        )
        raise _rejected(file, RejectionReason.TOO_LARGE, message)


def _look_inside(file: SourceFile, stream: BinaryIO, head: bytes) -> MediaInfo:
    import av

    try:
        container = av.open(
            stream,
            mode="r",
            options={"format_whitelist": _FORMATS},
            metadata_errors="replace",  # cameras write tags in any encoding
        )
    except (av.FFmpegError, ValueError) as error:
        raise _not_opened(file, head) from error
    with container:
        video = _video_stream(file, container)
        codec = _accepted_codec(file, video)
        frame = _first_frame(file, container, video)
        return _describe(file, container, codec, frame, video)


def _not_opened(file: SourceFile, head: bytes) -> MediaRejected:
    if container_head.is_media_container(head):
        message = f"its index is missing or damaged: it was cut short, or is still being recorded. {_COPY_AGAIN}"
        return _rejected(file, RejectionReason.BROKEN, message)
    message = f"it is no video but {container_head.describe(head)}. {_NOT_MEANT}"
    return _rejected(file, RejectionReason.NOT_A_VIDEO, message)


def _video_stream(file: SourceFile, container: InputContainer) -> VideoStream:
    from av.stream import Disposition

    for stream in container.streams.video:
        if not stream.disposition & Disposition.attached_pic:  # the cover of a song is no film
            return stream
    kinds = ", ".join(sorted({stream.type for stream in container.streams})) or "nothing"
    message = f"it has no video stream, only: {kinds}. {_NOT_MEANT}"
    raise _rejected(file, RejectionReason.NO_VIDEO_STREAM, message)


def _accepted_codec(file: SourceFile, video: VideoStream) -> str:
    # The stubs do not know it, but a stream for whose codec FFmpeg has no decoder has no context either.
    context = getattr(video, "codec_context", None)
    codec = "unknown" if context is None else str(context.codec.canonical_name)
    if codec not in UPLOAD_CODECS:
        accepted = ", ".join(sorted(UPLOAD_CODECS))
        message = f"the video codec {codec} is not accepted, only {accepted}. {_reencode(file)}"
        raise _rejected(file, RejectionReason.CODEC, message)
    return codec


def _first_frame(file: SourceFile, container: InputContainer, video: VideoStream) -> VideoFrame:
    import av

    video.codec_context.options = {"max_pixels": str(_MAX_PIXELS)}
    damaged = 0
    packet_bytes = 0
    try:
        # All streams are read, not only this one: the limits must also hold where the pictures never come.
        for number, packet in enumerate(container.demux()):
            packet_bytes += packet.size
            if number > _MAX_PACKETS or packet_bytes > _MAX_PACKET_BYTES:
                break
            if packet.stream_index != video.index:
                continue
            try:
                frames = video.decode(packet)
            except (av.FFmpegError, ValueError):
                damaged += 1
                continue
            if frames:
                return frames[0]
    except (av.FFmpegError, ValueError) as error:
        message = f"reading it failed: {error}. {_COPY_AGAIN}"
        raise _rejected(file, RejectionReason.BROKEN, message) from error
    if damaged:
        message = f"none of its pictures can be decoded ({damaged} damaged packets). Copy it again, or re-encode it."
        raise _rejected(file, RejectionReason.BROKEN, message)
    message = "it has a video stream without a single picture. Export it again, or exclude it."
    raise _rejected(file, RejectionReason.NO_FRAMES, message)


def _describe(
    file: SourceFile, container: InputContainer, codec: str, frame: VideoFrame, video: VideoStream
) -> MediaInfo:
    import av

    # The container's own tags win over those of a track.
    tags = dict(video.metadata) | dict(container.metadata)
    place = container_metadata.position(tags)
    return MediaInfo(
        container=container.format.name,
        size_bytes=file.size_bytes,
        duration_seconds=_duration_seconds(container, video, time_base=av.time_base),
        video_codec=codec,
        width=frame.width,
        height=frame.height,
        fps=float(video.average_rate) if video.average_rate else None,
        frame_count=video.frames or None,
        audio_codec=next((_codec_name(stream) for stream in container.streams.audio), None),
        subtitle_codecs=tuple(_codec_name(stream) for stream in container.streams.subtitles),
        captured_at=container_metadata.captured_at(tags),
        camera_model=container_metadata.camera_model(tags),
        latitude=place.latitude if place else None,
        longitude=place.longitude if place else None,
    )


def _duration_seconds(container: InputContainer, video: VideoStream, *, time_base: int) -> float | None:
    if container.duration is not None and container.duration > 0:
        return container.duration / time_base
    if video.duration is not None and video.duration > 0 and video.time_base is not None:
        return float(video.duration * video.time_base)
    return None


def _codec_name(stream: AudioStream | SubtitleStream) -> str:
    context = getattr(stream, "codec_context", None)
    return "unknown" if context is None else str(context.codec.canonical_name)


def _reencode(file: SourceFile) -> str:
    source = shlex.quote(f"./{file.name}" if file.name.startswith("-") else file.name)
    target = shlex.quote(f"./{PurePosixPath(file.name).stem}.h264.mp4")
    return f"Re-encode it: ffmpeg -i {source} -c:v libx264 -c:a aac {target}"


def _rejected(file: SourceFile, reason: RejectionReason, message: str) -> MediaRejected:
    return MediaRejected(file.uri, reason=reason, message=message)
