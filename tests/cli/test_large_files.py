"""A file of gigabytes costs no more memory than one of megabytes: there, by way of the service, and back."""

from __future__ import annotations

import hashlib
import os
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest
import yaml

from tests.command_line import COMMAND, environment, visualsearch
from visualsearch_pipeline.sandbox.config import DEFAULT_API_KEY

if TYPE_CHECKING:
    from tests.conftest import ClipShelf

pytestmark = [pytest.mark.soak, pytest.mark.timeout(900)]

MEGABYTE = 1_000_000
SMALL_BYTES = 2 * MEGABYTE
LARGE_BYTES = 2_000 * MEGABYTE
ALLOWED_BYTES = 150 * MEGABYTE
RUN_SECONDS = 600
SAMPLE_SECONDS = 0.02
FREE_DISK_BYTES = 3 * LARGE_BYTES


def test_a_video_of_two_gigabytes_takes_no_more_memory_than_one_of_two_megabytes(
    tmp_path: Path, clip_shelf: ClipShelf
) -> None:
    if psutil.disk_usage(str(tmp_path)).free < FREE_DISK_BYTES:
        pytest.skip(f"needs {FREE_DISK_BYTES / 1e9:.0f} GB of disk")
    peaks = {}
    for size_bytes in (SMALL_BYTES, LARGE_BYTES):
        project = tmp_path / str(size_bytes)
        original = project / "footage" / "long take.mp4"
        enlarge(clip_shelf.path("red"), original, size_bytes=size_bytes)
        with sandbox(tmp_path / f"sandbox-{size_bytes}") as address:
            write_settings(project, base_url=address)
            started = time.monotonic()
            peaks[size_bytes] = peak_bytes_of_run(project)
            seconds = time.monotonic() - started
        (archived,) = (project / "state" / "archive").rglob("*.mp4")
        assert archived.stat().st_size == size_bytes
        assert sha256(archived) == sha256(original)
        archived.unlink()
        original.unlink()
        figures = f"{size_bytes // MEGABYTE} MB: {seconds:.0f} s, peak memory {peaks[size_bytes] // MEGABYTE} MB"
        sys.stdout.write(figures + "\n")
    assert peaks[LARGE_BYTES] - peaks[SMALL_BYTES] < ALLOWED_BYTES, peaks


def enlarge(clip: Path, to: Path, *, size_bytes: int) -> None:
    """A valid MP4 of the given size: a clip, and behind it a box of free space, which takes no place on most disks."""
    to.parent.mkdir(parents=True)
    content = clip.read_bytes()
    with to.open("wb") as file:
        file.write(content)
        # ISO/IEC 14496-12: a size of 1 announces a size of 64 bits behind the type.
        file.write(struct.pack(">I4sQ", 1, b"free", size_bytes - len(content)))
        file.truncate(size_bytes)
    yesterday = (datetime.now(UTC) - timedelta(days=1)).timestamp()
    os.utime(to, (yesterday, yesterday))


@contextmanager
def sandbox(state: Path) -> Iterator[str]:
    """A sandbox in a process of its own; its address."""
    command = [*COMMAND, "sandbox", "--state", str(state), "--indexing-seconds", "0"]
    variables = environment(state.parent)
    with subprocess.Popen(command, env=variables, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().split()[-1]
        finally:
            process.send_signal(signal.SIGINT)


def write_settings(project: Path, *, base_url: str) -> None:
    (project / "queries").mkdir()
    (project / "queries" / "street.yaml").write_text("queries: [{id: red, text: red, filtering_level: low}]")
    settings = {"api": {"base_url": base_url, "rate_limits": "unlimited"}, "source": {"start_date": "2020-01-01"}}
    (project / "visualsearch.yaml").write_text(yaml.safe_dump(settings))


def peak_bytes_of_run(project: Path) -> int:
    """Run everything to its end; the most memory that its process, and any that it started, took at one moment."""
    variables = environment(project, VISUALSEARCH_API_KEY=DEFAULT_API_KEY)
    log = project / "run.log"
    peak = 0
    with log.open("wb") as file:
        command = [*COMMAND, "run", "--wait", "--timeout", str(RUN_SECONDS)]
        process = psutil.Popen(command, cwd=project, env=variables, stdout=file, stderr=file)
        while process.poll() is None:
            peak = max(peak, resident_bytes(process))
            # A sample of what another process holds; nothing tells when it holds the most.
            time.sleep(SAMPLE_SECONDS)
    assert process.returncode == 0, log.read_text()
    counted = visualsearch("sql", "--csv", "select count(*) from hits", cwd=project)
    assert int(counted.out.split()[-1]) > 0
    return peak


def resident_bytes(process: psutil.Process) -> int:
    """The memory of a process and of those it started."""
    total = 0
    # A process may end between two looks.
    with suppress(psutil.NoSuchProcess):
        total = process.memory_info().rss
        command = process.cmdline()
        # Between vfork and exec, a child is its parent's memory seen a second time.
        others = (child for child in process.children(recursive=True) if child.cmdline() != command)
        total += sum(child.memory_info().rss for child in others)
    return total


def sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
