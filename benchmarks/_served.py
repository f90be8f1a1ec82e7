"""A sandbox in a process of its own, and a large video for it."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from PIL import Image

from visualsearch_pipeline.demo.encoding import encode_clip, pad_mp4


@contextmanager
def sandbox(state: Path) -> Iterator[str]:
    """A sandbox that indexes at once; its address. Its memory and its interpreter are not the benchmark's."""
    command = [sys.executable, "-m", "visualsearch_pipeline.sandbox", "--state", str(state), "--indexing-seconds", "0"]
    with subprocess.Popen([*command, "--admin"], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().split()[-1]
        finally:
            process.send_signal(signal.SIGINT)


def large_video(path: Path, *, size_bytes: int) -> Path:
    """A valid video: one second of picture, and a box of free space."""
    encode_clip(path, seconds=1, fps=2, draw=lambda _: Image.new("RGB", (64, 48), "black"))
    return pad_mp4(path, size_bytes=size_bytes)
