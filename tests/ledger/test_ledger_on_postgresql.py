"""What only a database server can do to a ledger: lock across machines, lose a connection, sort by language."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, date, datetime

import psycopg
import pytest

from tests.postgres_server import PostgresServer
from visualsearch_pipeline.ledger import ItemState, Ledger, LedgerError, Sighting
from visualsearch_pipeline.ledger.schema import SCHEMA_VERSION

NOW = datetime(2026, 2, 1, 12, tzinfo=UTC)
DAY = date(2026, 2, 1)


@pytest.fixture
def shared_url(postgres: PostgresServer) -> str:
    return postgres.make_schema()


def see(ledger: Ledger, *names: str, size_bytes: int = 1) -> None:
    sightings = [Sighting(name, name, DAY, ItemState.FOUND, size_bytes, NOW, None) for name in names]
    ledger.items.record_sightings(sightings, gone=(), seen_at=NOW)


@contextmanager
def another_process(url: str, work: str) -> Iterator[subprocess.Popen[str]]:
    """A process that opens the ledger, says `ready` where `work` tells it to, and is killed in the end."""
    program = f"""
        import sys, time
        from visualsearch_pipeline.ledger import Ledger
        def ready_and_wait():
            print("ready", flush=True)
            time.sleep(60)  # until it is killed; not for ever, should nobody do so
        with Ledger(sys.argv[1]) as ledger:
            {work}
    """
    command = [sys.executable, "-c", textwrap.dedent(program), url]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            yield process
        finally:
            process.kill()


def test_large_files_odd_text_and_long_words_of_the_service_are_kept(shared_url: str) -> None:
    with Ledger(shared_url) as ledger:
        see(ledger, "file:///large.mp4", size_bytes=5 * 2**40)
        ledger.failures.record("hits", subject="a", day=DAY, reason="nul \0 \N{FILM FRAMES}", retryable=True, at=NOW)
        (item,) = ledger.items.in_state(ItemState.FOUND)
        (failure,) = ledger.failures.unresolved()
    assert item.size_bytes == 5 * 2**40
    assert failure.reason == "nul \N{REPLACEMENT CHARACTER} \N{FILM FRAMES}"


def test_text_is_sorted_by_code_point_whatever_the_server_speaks(shared_url: str) -> None:
    names = ["file:///B", "file:///a", "file:///_", "file:///É", "file:///e"]
    with closing(psycopg.connect(shared_url)) as connection:
        spoken = [row[0] for row in connection.execute("SELECT unnest(%s::text[]) AS name ORDER BY name", (names,))]
    assert spoken != sorted(names), "this server sorts by language, or the test proves nothing"
    with Ledger(shared_url) as ledger:
        see(ledger, *names)
        assert [item.uri for item in ledger.items.in_state(ItemState.FOUND)] == sorted(names)


def test_a_newer_ledger_is_refused_without_telling_the_password(shared_url: str) -> None:
    Ledger(shared_url).close()
    with closing(psycopg.connect(shared_url)) as connection:
        connection.execute("UPDATE schema_version SET version = %s", (SCHEMA_VERSION + 1,))
        connection.commit()
    with pytest.raises(LedgerError, match="newer visualsearch_pipeline") as refused:
        Ledger(shared_url.replace("postgres@", "postgres:hunter2@"))
    assert "hunter2" not in str(refused.value)


def test_a_server_that_does_not_answer_is_told_in_words(shared_url: str) -> None:
    with pytest.raises(LedgerError, match=r"the ledger postgresql://.*/nowhere cannot be written.*does not exist"):
        Ledger(shared_url.rpartition("/")[0] + "/nowhere")


def test_a_database_of_another_make_is_refused() -> None:
    with pytest.raises(LedgerError, match="names mysql; the ledger lives in sqlite or postgresql"):
        Ledger("mysql://somewhere/ledger")


def test_a_writer_killed_in_its_transaction_leaves_nothing_and_blocks_nobody(shared_url: str) -> None:
    work = """
            with ledger._database.writing() as connection:
                connection.exec_driver_sql("INSERT INTO schema_version VALUES (99, 'x', now())")
                ready_and_wait()
    """
    with Ledger(shared_url) as ledger, another_process(shared_url, work.strip()) as writer:
        written = threading.Thread(target=see, args=(ledger, "file:///a.mp4"))
        written.start()
        written.join(0.3)
        assert written.is_alive(), "the killed one still has the ledger to itself"
        os.kill(writer.pid, signal.SIGKILL)
        written.join(10)
        assert not written.is_alive()
        assert set(ledger.items.all_by_uri()) == {"file:///a.mp4"}
    Ledger(shared_url).close()  # version 99 would be refused


def test_readers_wait_for_no_writer_and_see_one_moment(shared_url: str) -> None:
    with Ledger(shared_url) as ledger:
        see(ledger, "file:///a.mp4")
        with ledger._database.writing() as connection:
            connection.exec_driver_sql("DELETE FROM items")
            assert set(ledger.items.all_by_uri()) == {"file:///a.mp4"}
        with ledger._database.reading() as connection:
            assert connection.exec_driver_sql("SELECT count(*) FROM items").scalar() == 0
            see(ledger, "file:///b.mp4")
            assert connection.exec_driver_sql("SELECT count(*) FROM items").scalar() == 0


def test_a_lock_is_held_by_one_process_and_freed_when_its_holder_is_killed(shared_url: str) -> None:
    work = """
            with ledger.locked("hits-street-2026-02-01"):
                ready_and_wait()
    """
    entered = threading.Event()

    def enter() -> None:
        with Ledger(shared_url) as other, other.locked("hits-street-2026-02-01"):
            entered.set()

    with another_process(shared_url, work.strip()) as holder:
        with Ledger(shared_url) as ledger, ledger.locked("hits-street-2026-02-02"):
            pass  # another name is another lock
        waiting = threading.Thread(target=enter)
        waiting.start()
        assert not entered.wait(0.3)
        os.kill(holder.pid, signal.SIGKILL)
        assert entered.wait(10)
        waiting.join()


def test_a_lock_that_was_lost_with_its_connection_is_told(shared_url: str) -> None:
    kill = """
        SELECT pg_terminate_backend(pid) FROM pg_locks JOIN pg_database ON pg_database.oid = pg_locks.database
        WHERE locktype = 'advisory' AND datname = current_database()
    """
    with Ledger(shared_url) as ledger:
        with (
            pytest.raises(LedgerError, match="the lock 'publish' was lost"),
            ledger.locked("publish"),
            closing(psycopg.connect(shared_url, autocommit=True)) as connection,
        ):
            assert connection.execute(kill).fetchall() == [(True,)]
        with ledger.locked("publish"):
            see(ledger, "file:///a.mp4")  # the next one works, and so does the ledger


def test_an_exception_within_a_lock_frees_it_and_goes_on(shared_url: str) -> None:
    with Ledger(shared_url) as ledger:
        with pytest.raises(ZeroDivisionError), ledger.locked("publish"):
            _ = 1 / 0
        with ledger.locked("publish"):
            pass
