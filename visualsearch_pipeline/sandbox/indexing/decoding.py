"""Reading a media file with PyAV: measures, keyframes, clips, subtitle track."""

import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import av
import av.container
import av.error
import numpy as np
from av.subtitles.stream import SubtitleStream
from av.subtitles.subtitle import AssSubtitle
from av.video.stream import VideoStream
from PIL import Image

from visualsearch_pipeline.sandbox.indexing.captions import describe_clip
from visualsearch_pipeline.sandbox.indexing.descriptors import DESCRIPTOR_LENGTH, describe, likeness
from visualsearch_pipeline.sandbox.indexing.pictures import Picture
from visualsearch_pipeline.sandbox.state.entries import Descriptors, Segment, SpokenSegment
from visualsearch_pipeline.sandbox.state.progress import MediaFacts

ACCEPTED_CODECS = frozenset({"h264", "hevc", "vp9"})
"""What the service can index (contract §2.1)."""

CLIP_SECONDS = 5
_SCENE_LIKENESS = 0.45
_KEYFRAME_WIDTH = 640
_SPARSE_BEYOND_SECONDS = 180


class MediaUnreadableError(Exception):
    """A file holds no video that can be indexed; the message says what was found instead."""


@dataclass(frozen=True, kw_only=True)
class Still:
    """One keyframe: the second it stands for, and its JPEG bytes."""

    seconds: float
    jpeg: bytes


@dataclass(frozen=True, kw_only=True)
class DecodedMedia:
    """Everything indexing takes from a file. `descriptors` has one row per still."""

    facts: MediaFacts
    stills: tuple[Still, ...]
    segments: tuple[Segment, ...]
    transcript: tuple[SpokenSegment, ...]
    descriptors: Descriptors


def decode(path: Path) -> DecodedMedia:
    """Decode a video file.

    One still per second (only the codec's own keyframes in files over three minutes), clips of about five seconds
    that end where the scene changes, and the first subtitle track as the transcript.

    Raises:
        MediaUnreadableError: Not a media file, no video stream, a codec the service refuses, or no frame in it.
    """
    try:
        with av.open(str(path)) as container:
            facts = _facts(container)
            stills: list[Still] = []
            pictures: list[Picture] = []
            for seconds, image in _stills(container, facts.duration_seconds):
                stills.append(Still(seconds=seconds, jpeg=_jpeg(image)))
                pictures.append(Picture.from_image(image))
    except (av.error.FFmpegError, OSError, ValueError, EOFError) as error:
        message = f"cannot decode: {error}"
        raise MediaUnreadableError(message) from error
    if not stills:
        raise MediaUnreadableError("no video frame in the file")
    try:
        transcript = _transcript(path)
    except (av.error.FFmpegError, ValueError):
        transcript = ()  # A subtitle track that cannot be read makes a video silent, not unusable.
    descriptors = np.stack([describe(picture) for picture in pictures]).reshape(-1, DESCRIPTOR_LENGTH)
    duration = facts.duration_seconds or stills[-1].seconds + 1
    facts = MediaFacts(duration_seconds=duration, fps=facts.fps, width=facts.width, height=facts.height)
    return DecodedMedia(
        facts=facts,
        stills=tuple(stills),
        segments=tuple(_segments(stills, pictures, descriptors, duration)),
        transcript=transcript,
        descriptors=descriptors,
    )


def _facts(container: av.container.InputContainer) -> MediaFacts:
    if not container.streams.video:
        raise MediaUnreadableError("no video stream in the file")
    stream = _video_stream(container)
    if stream.codec_context.name not in ACCEPTED_CODECS:
        message = f"codec {stream.codec_context.name} is not one of {', '.join(sorted(ACCEPTED_CODECS))}"
        raise MediaUnreadableError(message)
    duration = container.duration / av.time_base if container.duration else 0.0
    rate = stream.average_rate
    return MediaFacts(
        duration_seconds=duration, fps=float(rate) if rate else None, width=stream.width, height=stream.height
    )


def _video_stream(container: av.container.InputContainer) -> VideoStream:
    """The first stream of an accepted codec: before it there may be a cover picture."""
    streams = container.streams.video
    return next((stream for stream in streams if stream.codec_context.name in ACCEPTED_CODECS), streams[0])


def _stills(container: av.container.InputContainer, duration: float) -> Iterator[tuple[float, Image.Image]]:
    stream = _video_stream(container)
    stream.thread_type = "AUTO"
    if duration > _SPARSE_BEYOND_SECONDS:
        stream.codec_context.skip_frame = "NONKEY"
    due = 0.0
    start: float | None = None
    for frame in container.decode(stream):
        if frame.pts is None:
            continue
        start = frame.time if start is None else start
        at = frame.time - start
        if at + 1e-3 < due:
            continue
        width = min(frame.width, _KEYFRAME_WIDTH)
        height = max(1, round(frame.height * width / frame.width))
        yield at, Image.fromarray(frame.to_ndarray(format="rgb24", width=width, height=height))
        due = np.floor(at + 1e-3) + 1


def _jpeg(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=88)
    return buffer.getvalue()


def _segments(
    stills: list[Still], pictures: list[Picture], descriptors: Descriptors, duration: float
) -> Iterator[Segment]:
    first = 0
    for index in range(1, len(stills) + 1):
        at_end = index == len(stills)
        long_enough = not at_end and stills[index].seconds - stills[first].seconds >= CLIP_SECONDS - 1e-3
        cut = (
            not at_end and float(likeness(descriptors[index - 1], descriptors[index : index + 1])[0]) < _SCENE_LIKENESS
        )
        if not (at_end or long_enough or cut):
            continue
        end = max(duration, stills[first].seconds) if at_end else stills[index].seconds
        yield Segment(
            start_seconds=round(stills[first].seconds, 3),
            end_seconds=round(end, 3),
            caption=describe_clip(pictures[first:index]),
            keyframe_index=(first + index - 1) // 2,
        )
        first = index


def _transcript(path: Path) -> tuple[SpokenSegment, ...]:
    lines: list[SpokenSegment] = []
    with av.open(str(path)) as container:
        if not container.streams.subtitles:
            return ()
        stream = container.streams.subtitles[0]
        for packet in container.demux(stream):
            if packet.size == 0 or packet.pts is None or packet.time_base is None:
                continue
            start = float(packet.pts * packet.time_base)
            end = start + float((packet.duration or 0) * packet.time_base)
            text = _text(stream, packet)
            if text:
                lines.append(SpokenSegment(start_seconds=round(start, 3), end_seconds=round(end, 3), text=text))
    return tuple(sorted(lines, key=lambda line: line.start_seconds))


def _text(stream: SubtitleStream, packet: "av.Packet[SubtitleStream]") -> str:
    found = stream.decode2(packet)
    parts = [rect.dialogue or rect.text for rect in found or () if isinstance(rect, AssSubtitle)]
    return " ".join(b" ".join(parts).decode("utf-8", "replace").replace("\\N", " ").split())
