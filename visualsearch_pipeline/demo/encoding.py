"""Encoding real video files: pictures from a function of time, sound, subtitles and the tags that cameras write.

The same arguments give the same bytes on the same machine: one thread encodes, and containers carry no random ids.
"""

from __future__ import annotations

import heapq
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal, TypeAlias, cast

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from av import AudioStream, Packet, VideoStream
    from av.stream import Stream
    from av.subtitles.stream import SubtitleStream
    from PIL.Image import Image

Draw: TypeAlias = "Callable[[float], Image]"
"""The picture at a time in seconds; all pictures of a clip have the same, even, width and height."""

Sound: TypeAlias = Callable[[NDArray[np.float64]], NDArray[np.float64]]
"""The samples, between -1 and 1, at the given times in seconds."""

VideoCodec: TypeAlias = Literal["h264", "hevc", "vp9", "mpeg4"]

# Without x264's macroblock tree: its SIMD code weighs what lay in memory before, so that bytes differ from run to run.
_ENCODERS: Final[Mapping[VideoCodec, tuple[str, dict[str, str]]]] = {
    "h264": ("libx264", {"preset": "veryfast", "threads": "1", "x264-params": "mbtree=0"}),
    "hevc": ("libx265", {"preset": "ultrafast", "x265-params": "log-level=none:pools=none:frame-threads=1"}),
    "vp9": ("libvpx-vp9", {"deadline": "realtime", "cpu-used": "8", "threads": "1"}),
    "mpeg4": ("mpeg4", {"threads": "1"}),
}
_FORMATS: Final = {".mp4": "mp4", ".mov": "mov", ".mkv": "matroska", ".avi": "avi"}
_SUBTITLE_CODECS: Final = {"mp4": "mov_text", "mov": "mov_text", "matroska": "subrip"}
_SAMPLE_RATE: Final = 44_100
_AAC_FRAME_SAMPLES: Final = 1_024
_SUBTITLE_TIME_BASE: Final = Fraction(1, 1_000)

# FFmpeg encodes text subtitles from ASS events and wants the style sheet that they refer to.
_ASS_HEADER: Final = b"""[Script Info]
ScriptType: v4.00+

[V4+ Styles]
Format: Name, Fontname, Fontsize, PrimaryColour, SecondaryColour, OutlineColour, BackColour, Bold, Italic, Underline, \
StrikeOut, ScaleX, ScaleY, Spacing, Angle, BorderStyle, Outline, Shadow, Alignment, MarginL, MarginR, MarginV, Encoding
Style: Default,Arial,16,&Hffffff,&Hffffff,&H0,&H0,0,0,0,0,100,100,0,0,1,1,0,2,10,10,10,0

[Events]
Format: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text
"""


@dataclass(frozen=True, slots=True)
class SubtitleLine:
    """What is said from one second of a clip to another."""

    start_seconds: float
    end_seconds: float
    text: str


def encode_clip(
    path: Path,
    *,
    seconds: float,
    draw: Draw | None = None,
    fps: int = 12,
    codec: VideoCodec = "h264",
    audio: Sound | None = None,
    subtitles: Sequence[SubtitleLine] = (),
    tags: Mapping[str, str] | None = None,
) -> Path:
    """Encode one clip; the container follows from the extension.

    Args:
        path: Where to write: `.mp4`, `.mov`, `.mkv` or `.avi`, in any case.
        seconds: Length of the pictures; 0 makes a file with a video stream and no picture in it.
        draw: The picture at a time; a bar that moves over grey if not given.
        fps: Pictures per second.
        codec: Codec of the pictures. `mpeg4` is there because the service does not take it.
        audio: The sound, encoded as mono AAC; none if not given.
        subtitles: Spoken lines as a text subtitle track (mov_text or SubRip); not for `.avi`.
        tags: Container metadata under FFmpeg's names, e.g. `creation_time`, `make`, `location`.

    Returns:
        `path`.

    Raises:
        ValueError: The extension is unknown, or the container cannot carry subtitles.
    """
    import av

    container_format = _FORMATS.get(path.suffix.lower())
    if container_format is None:
        raise ValueError(f"cannot encode {path.name!r}: the extension must be one of {', '.join(_FORMATS)}")
    if subtitles and container_format not in _SUBTITLE_CODECS:
        raise ValueError(f"cannot encode {path.name!r}: {container_format} carries no text subtitles")
    draw = draw or _moving_bar
    picture = draw(0.0)
    options = _muxer_options(container_format, tags=tags or {}, seconds=seconds)
    # Through a file object, not a name: FFmpeg reads meaning into `%03d`, a leading dash and `scheme:` in names.
    with path.open("wb") as file, av.open(file, "w", format=container_format, options=options) as container:
        container.metadata.update(tags or {})
        encoder, encoder_options = _ENCODERS[codec]
        video = cast("VideoStream", container.add_stream(encoder, rate=fps, options=dict(encoder_options)))
        video.width, video.height, video.pix_fmt = picture.width, picture.height, "yuv420p"
        tracks = [_video_packets(video, draw, fps=fps, frame_count=round(seconds * fps))]
        if audio is not None:
            sound = container.add_stream("aac", rate=_SAMPLE_RATE)
            sound.layout = "mono"
            tracks.append(_sound_packets(sound, audio, seconds=seconds))
        if subtitles:
            spoken = cast("SubtitleStream", container.add_stream(_SUBTITLE_CODECS[container_format]))
            spoken.codec_context.subtitle_header = _ASS_HEADER
            spoken.codec_context.time_base = spoken.time_base = _SUBTITLE_TIME_BASE
            tracks.append(_subtitle_packets(spoken, subtitles))
        container.start_encoding()
        for packet in heapq.merge(*tracks, key=_decoding_seconds):
            container.mux(packet)
    return path


def pad_mp4(path: Path, *, size_bytes: int) -> Path:
    """Make an MP4 or QuickTime file as large as wanted, without writing that much: a `free` box, sparse, at its end.

    The file stays valid, and every player skips the padding.

    Raises:
        ValueError: The file is already larger, or has fewer than 16 bytes to grow by.
    """
    padding_bytes = size_bytes - path.stat().st_size
    if padding_bytes < 16:
        raise ValueError(f"cannot pad {path.name!r} to {size_bytes} bytes: a box of at least 16 bytes must fit")
    with path.open("r+b") as file:
        file.seek(0, os.SEEK_END)
        file.write((1).to_bytes(4) + b"free" + padding_bytes.to_bytes(8))  # length 1: the real one follows, 64 bits
        file.truncate(size_bytes)
    return path


def _muxer_options(container_format: str, *, tags: Mapping[str, str], seconds: float) -> dict[str, str]:
    options = {"fflags": "+bitexact"}  # no version of the library, no random id
    flags = []
    if container_format == "mp4" or (container_format == "mov" and any(tag.startswith("com.") for tag in tags)):
        flags.append("use_metadata_tags")  # else only the few tags are kept that have a box of their own
    if seconds <= 0 and container_format in {"mp4", "mov"}:
        flags.append("empty_moov")  # else a track without pictures is left out altogether
    return options | ({"movflags": "+".join(flags)} if flags else {})


def _decoding_seconds(packet: Packet[Stream]) -> Fraction:
    return Fraction(packet.dts or 0) * packet.time_base


def _video_packets(stream: VideoStream, draw: Draw, *, fps: int, frame_count: int) -> Iterator[Packet[Stream]]:
    from av import VideoFrame

    for number in range(frame_count):
        frame = VideoFrame.from_ndarray(np.asarray(draw(number / fps)), format="rgb24")
        frame.pts, frame.time_base = number, Fraction(1, fps)
        yield from stream.encode(frame)
    if frame_count:
        yield from stream.encode(None)


def _sound_packets(stream: AudioStream, sound: Sound, *, seconds: float) -> Iterator[Packet[Stream]]:
    from av import AudioFrame

    for first in range(0, round(seconds * _SAMPLE_RATE), _AAC_FRAME_SAMPLES):
        times = np.arange(first, first + _AAC_FRAME_SAMPLES) / _SAMPLE_RATE
        samples = sound(times).astype(np.float32).reshape(1, -1)
        frame = AudioFrame.from_ndarray(samples, format="fltp", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = _SAMPLE_RATE, first, Fraction(1, _SAMPLE_RATE)
        yield from stream.encode(frame)
    yield from stream.encode(None)


def _subtitle_packets(stream: SubtitleStream, lines: Sequence[SubtitleLine]) -> Iterator[Packet[Stream]]:
    from av.subtitles.subtitle import SubtitleSet

    for line in lines:
        start = round(line.start_seconds / _SUBTITLE_TIME_BASE)
        duration = round((line.end_seconds - line.start_seconds) / _SUBTITLE_TIME_BASE)
        # The fields of an ASS event before its text: reading order, layer, style, name, three margins, effect.
        event = f"0,0,Default,,0,0,0,,{line.text}".encode()
        packet = stream.codec_context.encode_subtitle(SubtitleSet.create(event, 0, duration, start))
        packet.stream, packet.time_base = stream, _SUBTITLE_TIME_BASE
        packet.pts = packet.dts = start
        packet.duration = duration
        yield packet


def _moving_bar(seconds: float) -> Image:
    from PIL import Image, ImageDraw

    picture = Image.new("RGB", (320, 180), (96, 96, 96))
    left = round(seconds * 40) % 320
    ImageDraw.Draw(picture).rectangle((left, 40, left + 48, 140), fill=(220, 40, 40))
    return picture
