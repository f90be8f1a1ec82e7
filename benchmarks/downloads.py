"""Downloading a gibibyte with its SHA-256, against curl followed by sha256sum; needs `curl` and `sha256sum`."""

from __future__ import annotations

import hashlib
import os
import shutil
import statistics
import subprocess
import tempfile
from pathlib import Path
from typing import Final

from benchmarks._measuring import peak_memory_bytes, report, seconds_of
from benchmarks._served import large_video, sandbox
from visualsearch_pipeline.api import UniqueIdScope, VisualSearchClient
from visualsearch_pipeline.sandbox import DEFAULT_API_KEY

SIZE_BYTES: Final = int(os.environ.get("BENCHMARK_DOWNLOAD_BYTES", str(1024**3)))
ROUNDS: Final = int(os.environ.get("BENCHMARK_ROUNDS", "3"))
NEEDED: Final = ("curl", "sha256sum")


def main() -> None:
    missing = [program for program in NEEDED if shutil.which(program) is None]
    if missing:
        print(f"not measured: {', '.join(missing)} not found")
        return
    with tempfile.TemporaryDirectory(prefix="visualsearch-downloads-") as folder:
        _measure(Path(folder))


def _measure(folder: Path) -> None:
    large = large_video(folder / "large.mp4", size_bytes=SIZE_BYTES)
    with large.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    with (
        sandbox(folder / "sandbox") as address,
        VisualSearchClient(base_url=address, api_key=DEFAULT_API_KEY, scope=UniqueIdScope("default")) as client,
    ):
        video_no = client.upload(large, upload_name="large.mp4").video_no
        before_bytes = peak_memory_bytes()
        target = folder / "downloaded.mp4"

        def ours() -> None:
            assert client.download(video_no, target, expected_sha256=sha256).proven_by == "sha256"

        def theirs() -> None:
            _curl(address, video_no, target)
            summed = subprocess.run(["sha256sum", str(target)], check=True, capture_output=True, text=True)
            assert summed.stdout.split()[0] == sha256

        times: dict[str, list[float]] = {"ours": [], "theirs": []}
        for number in range(ROUNDS):
            pair = [("ours", ours), ("theirs", theirs)]
            for name, download in pair if number % 2 else pair[::-1]:
                target.unlink(missing_ok=True)
                # What the one before left to be written is not this one's to wait for.
                os.sync()
                times[name].append(seconds_of(download))
    us, curl = statistics.median(times["ours"]), statistics.median(times["theirs"])
    report(f"download of {SIZE_BYTES / 1024**2:.0f} MiB, proven", ours=us, theirs=curl, against="curl + sha256sum")
    grown = peak_memory_bytes() - before_bytes
    print(f"{'peak memory, and what the download added':<46} {before_bytes / 1e6:.0f} MB, {grown / 1e6:+.1f} MB")


def _curl(address: str, video_no: str, target: Path) -> None:
    command = ["curl", "--silent", "--show-error", "--fail", "--header", f"Authorization: {DEFAULT_API_KEY}"]
    asked = ["--json", f'{{"video_no": "{video_no}", "unique_id": "default"}}', "--output", str(target)]
    subprocess.run([*command, *asked, f"{address}/serve/api/v1/download"], check=True)
