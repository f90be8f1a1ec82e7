"""Where downloads are written: names, part files, full disks; and memory stays small (contract §9.51-9.54)."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.scripted_server import Reply, ScriptedServer
from tests.transferred_files import MP4, box, chunks, names_in
from tests.waiting import wait_until
from visualsearch_pipeline.api import (
    DestinationError,
    VisualSearchClient,
)

if TYPE_CHECKING:
    pass


def test_names_that_the_server_sends_are_not_used(
    server: ScriptedServer, client: VisualSearchClient, tmp_path: Path
) -> None:
    folder = tmp_path / "inner"
    folder.mkdir()
    disposition = 'Content-Disposition: attachment; filename="../../evil.mp4"\r\n'
    server.script(server.chunked(MP4, headers=disposition))
    client.download("VI1", folder / "a.mp4")
    assert names_in(folder) == ["a.mp4"]
    assert names_in(tmp_path) == ["inner"]


def test_the_longest_names_have_room_for_their_part_file(
    server: ScriptedServer, client: VisualSearchClient, tmp_path: Path
) -> None:
    server.script(server.chunked(MP4))
    target = tmp_path / ("ü" * 125 + ".mp4")
    client.download("VI1", target)
    assert target.read_bytes() == MP4


@pytest.mark.parametrize("kind", ["no folder", "folder in its place", "file as folder"])
def test_a_destination_that_cannot_be_written_is_found_before_anything_is_charged(
    server: ScriptedServer, client: VisualSearchClient, tmp_path: Path, kind: str
) -> None:
    (tmp_path / "taken.mp4").mkdir()
    (tmp_path / "file").touch()
    target = {
        "no folder": tmp_path / "missing" / "a.mp4",
        "folder in its place": tmp_path / "taken.mp4",
        "file as folder": tmp_path / "file" / "a.mp4",
    }[kind]
    with pytest.raises(DestinationError, match="Cannot"):
        client.download("VI1", target)
    assert server.requests == []


def test_a_full_disk_is_said_so_and_leaves_nothing(server: ScriptedServer, tmp_path: Path) -> None:
    # A limit on the size of files stands for the disk: the kernel refuses the write the same way.
    server.script(server.chunked(*chunks(MP4)))
    program = """
        import resource, signal, sys
        from pathlib import Path
        from visualsearch_pipeline.api import DestinationError, UniqueIdScope, VisualSearchClient
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))
        with VisualSearchClient(base_url=sys.argv[1], api_key="sk-mavi-1", scope=UniqueIdScope()) as client:
            try:
                client.download("VI1", Path(sys.argv[2]))
            except DestinationError as error:
                print(error)
    """
    done = run(program, server.url, str(tmp_path / "a.mp4"))
    assert "Cannot" in done
    assert "File too large" in done
    assert names_in(tmp_path) == []


def run(program: str, *arguments: str) -> str:
    command = [sys.executable, "-W", "error", "-c", textwrap.dedent(program), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


STUCK_PROGRAM = """
    import sys
    from pathlib import Path
    from visualsearch_pipeline.api import UniqueIdScope, VisualSearchClient
    with VisualSearchClient(base_url=sys.argv[1], api_key="sk-mavi-1", scope=UniqueIdScope()) as client:
        client.download("VI1", Path(sys.argv[2]))
"""


def test_what_a_killed_process_left_is_cleared_and_what_a_living_one_writes_is_not(
    server: ScriptedServer, client: VisualSearchClient, tmp_path: Path
) -> None:
    server.script(server.chunked(*chunks(MP4)[:5], terminated=False, then="stall"))
    command = [sys.executable, "-c", textwrap.dedent(STUCK_PROGRAM), server.url, str(tmp_path / "a.mp4")]
    with subprocess.Popen(command) as process:
        wait_until(lambda: bool(names_in(tmp_path)), seconds=20, told=lambda: "no part file")
        (left,) = names_in(tmp_path)
        assert left.startswith(".a.mp4.")
        assert left.endswith(".part")
        wait_until(lambda: bool(server.requests), seconds=20, told=lambda: "no request")
        server.script(server.chunked(*chunks(MP4)))
        client.download("VI1", tmp_path / "a.mp4")
        assert names_in(tmp_path) == [left, "a.mp4"], "the living process keeps its part"
        os.kill(process.pid, signal.SIGKILL)
    assert names_in(tmp_path) == [left, "a.mp4"], "the dead process left its part"
    client.download("VI1", tmp_path / "a.mp4")
    assert names_in(tmp_path) == ["a.mp4"]


def test_memory_does_not_grow_with_the_file(server: ScriptedServer, tmp_path: Path) -> None:
    head = box(b"ftyp", b"mp42\x00\x00\x00\x00mp42") + box(b"moov", b"i" * 300)
    piece = bytes(1 << 20)

    def large(count: int) -> Reply:
        size_bytes = count << 20
        start = server.chunked(head + (size_bytes + 8).to_bytes(4, "big") + b"mdat", terminated=False).raw
        pieces = (b"%x\r\n" % len(piece) + piece + b"\r\n",) * count
        return Reply(start, pieces=(*pieces, b"0\r\n\r\n"))

    program = """
        import resource, sys
        from pathlib import Path
        from visualsearch_pipeline.api import UniqueIdScope, VisualSearchClient
        target = Path(sys.argv[2])
        with VisualSearchClient(base_url=sys.argv[1], api_key="sk-mavi-1", scope=UniqueIdScope()) as client:
            client.download("VI1", target)
            before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            receipt = client.download("VI2", target)
            print(receipt.size_bytes, receipt.proven_by, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
    """
    server.script(large(2), large(200))
    size_bytes, proven_by, grown = run(program, server.url, str(tmp_path / "a.mp4")).split()
    assert int(size_bytes) > 200 << 20
    assert proven_by == "structure"
    assert int(grown) < 10_000, "kilobytes"
