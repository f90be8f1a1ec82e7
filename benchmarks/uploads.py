"""Uploading a gibibyte over a link of 1 Gbit/s, against curl; needs Linux, `curl`, `ip`, `tc` and `unshare`.

The link is the loopback device of a network namespace that is made for this and goes with it; the machine's own
devices are left alone. Half the bytes first, so that the memory of the whole can be compared with it.
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

from benchmarks._measuring import peak_memory_bytes, report, seconds_of
from benchmarks._served import large_video, sandbox
from visualsearch_pipeline.api import UniqueIdScope, VisualSearchClient
from visualsearch_pipeline.sandbox import DEFAULT_API_KEY, SandboxAdmin

SIZE_BYTES: Final = int(os.environ.get("BENCHMARK_UPLOAD_BYTES", str(1024**3)))
ROUNDS: Final = int(os.environ.get("BENCHMARK_ROUNDS", "3"))
NEEDED: Final = ("curl", "ip", "tc", "unshare")
_INSIDE: Final = "BENCHMARK_INSIDE_NAMESPACE"


def main() -> None:
    missing = [program for program in NEEDED if shutil.which(program) is None]
    if missing:
        print(f"not measured: {', '.join(missing)} not found (Debian: curl, iproute2, util-linux)")
        return
    if _INSIDE in os.environ:
        _shape()
        with tempfile.TemporaryDirectory(prefix="visualsearch-uploads-") as folder:
            _measure(Path(folder))
        return
    as_root = [] if os.geteuid() == 0 else ["--map-root-user"]
    command = ["unshare", "--net", *as_root, sys.executable, "-m", "benchmarks", "--in-process", "uploads"]
    subprocess.run(command, env={**os.environ, _INSIDE: "1"}, check=True)


def _shape() -> None:
    subprocess.run(["ip", "link", "set", "lo", "mtu", "1500", "up"], check=True)
    # A burst of a millisecond at that rate, and room for what waits.
    shape = ["tc", "qdisc", "add", "dev", "lo", "root", "tbf", "rate", "1gbit", "burst", "125kb", "latency", "50ms"]
    subprocess.run(shape, check=True)


def _measure(folder: Path) -> None:
    large = large_video(folder / "large.mp4", size_bytes=SIZE_BYTES)
    half = large_video(folder / "half.mp4", size_bytes=SIZE_BYTES // 2)
    ours: list[float] = []
    theirs: list[float] = []
    with sandbox(folder / "sandbox") as address, SandboxAdmin(address) as admin:
        _ours(half, address)
        half_bytes = peak_memory_bytes()
        for number in range(ROUNDS):
            pair = [(ours, _ours), (theirs, _curl)]
            # The one that goes first finds the disk less busy: they take turns at that.
            for times, upload in pair if number % 2 else pair[::-1]:
                admin.reset()
                times.append(seconds_of(lambda upload=upload: upload(large, address)))
    what = f"upload of {SIZE_BYTES / 1024**2:.0f} MiB at 1 Gbit/s"
    us, curl = statistics.median(ours), statistics.median(theirs)
    report(what, ours=us, theirs=curl, against="curl")
    print(f"{'throughput, as a share of that of curl':<46} {curl / us:.3f} ({SIZE_BYTES * 8 / us / 1e6:.0f} Mbit/s)")
    grown = peak_memory_bytes() - half_bytes
    print(f"{'peak memory, half and whole file':<46} {half_bytes / 1e6:.0f} MB, {grown / 1e6:+.1f} MB")


def _ours(video: Path, address: str) -> None:
    with VisualSearchClient(base_url=address, api_key=DEFAULT_API_KEY, scope=UniqueIdScope("default")) as client:
        client.upload(video, upload_name="large.mp4")


def _curl(video: Path, address: str) -> None:
    command = ["curl", "--silent", "--show-error", "--fail", "--header", f"Authorization: {DEFAULT_API_KEY}"]
    # Without it curl asks for leave first, and may wait a second for it.
    command += ["--header", "Expect:"]
    form = ["--form", f"file=@{video};type=video/mp4", "--form", "unique_id=default"]
    ended = subprocess.run([*command, *form, f"{address}/serve/api/v1/upload"], check=True, capture_output=True)
    assert json.loads(ended.stdout)["code"] == "0000", ended.stdout
