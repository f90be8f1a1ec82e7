"""A PostgreSQL server of one's own: a cluster in a temporary folder, on a free port of the loopback interface."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Final

import psycopg
import pytest

from tests.waiting import wait_until

_BINARIES: Final = Path("/usr/lib/postgresql")
_START_SECONDS: Final = 60
_NUMBERS: Final = count(1)


@dataclass(frozen=True)
class PostgresServer:
    """A server that runs; whoever is on this machine may log in as `postgres`, without a password."""

    port: int

    def url(self, database: str = "postgres") -> str:
        """What `ledger_url` would be."""
        return f"postgresql://postgres@127.0.0.1:{self.port}/{database}"

    def make_schema(self) -> str:
        """Make an empty schema in the first database and return the URL that works in it: in a millisecond."""
        name = f"test_{next(_NUMBERS)}"
        with closing(psycopg.connect(self.url(), autocommit=True)) as connection:
            connection.execute(f"CREATE SCHEMA {name}".encode())
        return f"{self.url()}?options=-csearch_path%3D{name}"

    def make_database(self) -> str:
        """Make an empty database and return its URL."""
        name = f"test_{next(_NUMBERS)}"
        with closing(psycopg.connect(self.url(), autocommit=True)) as connection:
            # The quickest kind, and its order of text is not the code points': what depends on it is found.
            connection.execute(f"CREATE DATABASE {name} STRATEGY wal_log".encode())
        return self.url(name)


def find_postgres() -> Path | None:
    """The folder of `postgres` and `initdb`; Debian keeps them off the path."""
    on_path = shutil.which("postgres")
    if on_path is not None:
        return Path(on_path).resolve().parent
    versions = sorted(_BINARIES.glob("*/bin/postgres"), key=lambda path: int(path.parts[-3]))
    return versions[-1].parent if versions else None


def require_postgres() -> Path:
    """Where PostgreSQL is; skips the test where it is not installed, except in CI."""
    folder = find_postgres()
    if folder is None:
        message = "PostgreSQL is not installed: run scripts/install-system-packages"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    return folder


@contextmanager
def running_postgres() -> Iterator[PostgresServer]:
    """Start a server, and stop it in the end; nothing of it is left."""
    binaries = require_postgres()
    # Not in pytest's own folder: PostgreSQL refuses to run as root, and another user cannot look into that one.
    folder = Path(tempfile.mkdtemp(prefix="visualsearch-postgres-"))
    user = "postgres" if os.geteuid() == 0 else None
    try:
        if user is not None:
            account = pwd.getpwnam(user)
            os.chown(folder, account.pw_uid, account.pw_gid)
        data = folder / "data"
        # Not sorted by code point, as on most servers.
        options = ["--auth=trust", "--username=postgres", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync"]
        icu = ["--locale-provider=icu", "--icu-locale=en-US"]
        command = [str(binaries / "initdb"), "-D", str(data), *options, *icu]
        made = subprocess.run(command, capture_output=True, text=True, user=user, cwd=folder, check=False)
        if made.returncode:
            raise RuntimeError(f"initdb: {made.stderr}")
        with socket.create_server(("127.0.0.1", 0)) as probe:
            port = probe.getsockname()[1]
        with (folder / "log").open("wb") as log:
            arguments = ["-D", str(data), "-p", str(port), "-h", "127.0.0.1", "-k", str(folder), "-F"]
            server = subprocess.Popen(
                [str(binaries / "postgres"), *arguments],
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                user=user,
                cwd=folder,
            )
        try:
            running = PostgresServer(port)
            _wait_for(running, server, folder / "log")
            yield running
        finally:
            # Ends all sessions; there is nothing to keep.
            server.send_signal(signal.SIGQUIT)
            try:
                server.wait(timeout=20)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _wait_for(running: PostgresServer, server: subprocess.Popen[bytes], log: Path) -> None:
    def is_serving() -> bool:
        try:
            psycopg.connect(running.url(), connect_timeout=5).close()
        except psycopg.OperationalError as error:
            if server.poll() is not None:
                raise RuntimeError(f"PostgreSQL does not start: {log.read_text()}") from error
            return False
        return True

    wait_until(is_serving, seconds=_START_SECONDS, told=lambda: f"PostgreSQL does not start: {log.read_text()}")
