"""The clips of the stand-in platforms, encoded when they are fetched."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from PIL import Image, ImageDraw

from visualsearch_pipeline.sandbox.platforms.posts import Post

_WIDTH, _HEIGHT, _FRAMES_PER_SECOND = 180, 320, 5
_SIDE = 60
_MILLISECONDS = Fraction(1, 1000)


def encode_clip(post: Post, path: Path) -> int:
    """Write the clip of a post as MP4 (H.264 and a subtitle track); returns its size in bytes."""
    with av.open(str(path), "w", format="mp4") as container:
        video = container.add_stream("libx264", rate=_FRAMES_PER_SECOND, options={"preset": "ultrafast"})
        video.width, video.height, video.pix_fmt = _WIDTH, _HEIGHT, "yuv420p"
        _write_spoken(container, post)
        count = post.seconds * _FRAMES_PER_SECOND
        for number in range(count):
            picture = np.asarray(_frame(post, number / count))
            container.mux(video.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(video.encode())
    return path.stat().st_size


def _frame(post: Post, progress: float) -> Image.Image:
    image = Image.new("RGB", (_WIDTH, _HEIGHT), post.background)
    pen = ImageDraw.Draw(image)
    left, top = (_WIDTH - _SIDE) // 2, 20 + int(progress * (_HEIGHT - _SIDE - 40))
    box = (left, top, left + _SIDE, top + _SIDE)
    if post.shape == "circle":
        pen.ellipse(box, fill=post.colour)
    elif post.shape == "square":
        pen.rectangle(box, fill=post.colour)
    else:
        pen.polygon([(left, top + _SIDE), (left + _SIDE, top + _SIDE), (left + _SIDE // 2, top)], fill=post.colour)
    return image


def _write_spoken(container: av.container.OutputContainer, post: Post) -> None:
    track = container.add_mux_stream("mov_text")
    track.time_base = _MILLISECONDS
    container.start_encoding()
    text = post.spoken.encode()
    packet = av.Packet(len(text).to_bytes(2, "big") + text)
    packet.stream = track
    packet.time_base = _MILLISECONDS
    packet.pts = packet.dts = 500
    packet.duration = 2000
    container.mux(packet)
