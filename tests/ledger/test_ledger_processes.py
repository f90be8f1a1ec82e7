"""Several processes, one ledger: nothing is lost, one holds a lease, and a dead holder is succeeded at once."""

from __future__ import annotations

import multiprocessing
import os
import signal
import socket
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, date, datetime, timedelta
from multiprocessing.connection import Connection

import psutil
import pytest

from visualsearch_pipeline.ledger import CallRecord, Content, ItemState, LeaseOwner, Ledger, Sighting, UploadState

NOW = datetime(2026, 2, 1, 12, tzinfo=UTC)
DAY = date(2026, 2, 1)
PROCESSES = 3
CALLS_EACH = 40
UPLOADS = 30


@pytest.fixture
def pool() -> Iterator[ProcessPoolExecutor]:
    """Processes that live until the test ends, so that none of their leases is a dead one's."""
    with ProcessPoolExecutor(PROCESSES, mp_context=multiprocessing.get_context("spawn")) as executor:
        yield executor


def sha256_of(number: int) -> str:
    return f"{number:064x}"


def queue_upload(ledger: Ledger, number: int) -> None:
    uri = f"file:///footage/{number}.mp4"
    sighting = Sighting(uri, f"{number}.mp4", DAY, ItemState.FOUND, size_bytes=1, modified_at=NOW, etag=None)
    ledger.items.record_sightings([sighting], gone=(), seen_at=NOW)
    content = Content(sha256=sha256_of(number), day=DAY, uri=uri, name=f"{number}.mp4", size_bytes=1)
    ledger.items.record_accepted(uri, content=content, upload_name=f"{number}.mp4", at=NOW)


def open_and_write(url: str, process: int) -> None:
    """Open a ledger that may not exist yet, and write everything that steps write side by side."""
    with Ledger(url) as ledger:
        for number in range(CALLS_EACH):
            call = CallRecord(NOW, "search", None, f"run-{process}", "ok", "0000", 200, 0.1, 0.0, 1, 1, 0.0001)
            ledger.calls.record(call)
            ledger.failures.record("hits", subject="shared", day=None, reason=str(number), retryable=True, at=NOW)


def take_all(url: str) -> list[str]:
    owner = LeaseOwner.current()
    with Ledger(url) as ledger:
        taken = (ledger.uploads.take(sha256_of(number), owner=owner, now=NOW) for number in range(UPLOADS))
        return [upload.sha256 for upload in taken if upload is not None]


def take_one_and_wait(url: str, connection: Connection) -> None:
    with Ledger(url) as ledger:
        connection.send(ledger.uploads.take(sha256_of(1), owner=LeaseOwner.current(), now=NOW) is not None)
    connection.recv()


def accept_the_same(url: str, process: int) -> bool:
    """Bind an item of one's own to a content that others bind theirs to at the same time."""
    uri = f"file:///footage/copy-{process}.mp4"
    with Ledger(url) as ledger:
        sighting = Sighting(uri, "copy.mp4", DAY, ItemState.FOUND, size_bytes=1, modified_at=NOW, etag=None)
        ledger.items.record_sightings([sighting], gone=(), seen_at=NOW)
        content = Content(sha256=sha256_of(9), day=DAY, uri=uri, name="copy.mp4", size_bytes=1)
        return ledger.items.record_accepted(uri, content=content, upload_name="copy.mp4", at=NOW)


def test_processes_that_make_and_write_a_ledger_at_once_lose_nothing(url: str, pool: ProcessPoolExecutor) -> None:
    list(pool.map(open_and_write, [url] * PROCESSES, range(PROCESSES)))
    with Ledger(url) as ledger:
        assert ledger.calls.count_by_operation() == {"search": PROCESSES * CALLS_EACH}
        assert ledger.calls.spent_usd() == pytest.approx(PROCESSES * CALLS_EACH * 0.0001)
        (failure,) = ledger.failures.unresolved()
        assert failure.failure_count == PROCESSES * CALLS_EACH


def test_each_upload_is_taken_by_one_process_only(url: str, pool: ProcessPoolExecutor) -> None:
    with Ledger(url) as ledger:
        for number in range(UPLOADS):
            queue_upload(ledger, number)
    taken = Counter(sha256 for batch in pool.map(take_all, [url] * PROCESSES) for sha256 in batch)
    assert taken == Counter({sha256_of(number): 1 for number in range(UPLOADS)})


def test_the_same_content_found_by_several_processes_is_one_upload(url: str, pool: ProcessPoolExecutor) -> None:
    is_new = list(pool.map(accept_the_same, [url] * PROCESSES, range(PROCESSES)))
    assert sorted(is_new) == [False] * (PROCESSES - 1) + [True]
    with Ledger(url) as ledger:
        assert len(ledger.uploads.open()) == 1
        assert len(ledger.items.items_with(sha256_of(9))) == PROCESSES


def test_a_living_holder_keeps_its_lease_and_a_killed_one_is_succeeded_at_once(url: str) -> None:
    with Ledger(url) as ledger:
        queue_upload(ledger, 1)
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        holder = context.Process(target=take_one_and_wait, args=(url, theirs))
        holder.start()
        assert ours.recv() is True
        me = LeaseOwner.current()
        assert ledger.uploads.take(sha256_of(1), owner=me, now=NOW) is None
        # A machine that slept: the expiry passed, and the holder goes on with its transfer.
        assert ledger.uploads.take(sha256_of(1), owner=me, now=NOW + timedelta(days=1)) is None
        assert holder.pid is not None
        os.kill(holder.pid, signal.SIGKILL)
        holder.join()
        taken = ledger.uploads.take(sha256_of(1), owner=me, now=NOW)
        assert taken is not None
        assert taken.state is UploadState.PENDING


def test_a_holder_on_another_host_is_believed_until_its_lease_expires(url: str) -> None:
    elsewhere = LeaseOwner(host="elsewhere", process_id=1, started_at=1.0)
    with Ledger(url) as ledger:
        queue_upload(ledger, 1)
        me = LeaseOwner.current()
        assert ledger.uploads.take(sha256_of(1), owner=elsewhere, now=NOW) is not None
        assert ledger.uploads.take(sha256_of(1), owner=me, now=NOW + timedelta(minutes=29)) is None
        ledger.uploads.renew(sha256_of(1), owner=elsewhere, now=NOW + timedelta(minutes=29))
        assert ledger.uploads.take(sha256_of(1), owner=me, now=NOW + timedelta(minutes=58)) is None
        assert ledger.uploads.take(sha256_of(1), owner=me, now=NOW + timedelta(minutes=59)) is not None


def test_a_zombie_holds_nothing() -> None:
    # Killed, and not yet collected by its parent: as in a container without an init process.
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        owner = LeaseOwner(socket.gethostname(), process.pid, psutil.Process(process.pid).create_time())
        assert not owner.is_dead()
        process.kill()
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)  # dead, and left uncollected
        assert psutil.Process(process.pid).status() == psutil.STATUS_ZOMBIE
        assert owner.is_dead()
    finally:
        process.kill()
        process.communicate()
    assert owner.is_dead()


def test_a_reused_process_id_is_not_taken_for_the_holder() -> None:
    me = LeaseOwner.current()
    assert not me.is_dead()
    assert LeaseOwner(me.host, me.process_id, me.started_at - 3600).is_dead()


def test_an_owner_survives_being_written_down() -> None:
    me = LeaseOwner.current()
    assert LeaseOwner.parse(str(me)) == me
