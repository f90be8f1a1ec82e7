"""The state of a sandbox as one tar file."""

import shutil
import sqlite3
import tarfile
import tempfile
from contextlib import closing
from pathlib import Path

from visualsearch_pipeline.sandbox.calls import Services

_DATABASE_NAME = "sandbox.db"
_MEDIA_NAME = "media"


class NotADumpError(ValueError):
    """A file is not the dump of a sandbox."""


def dump_state(services: Services, path: Path) -> None:
    """Write database and media; the database as of one moment, consistent in itself."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / _DATABASE_NAME
        with closing(sqlite3.connect(services.database.path)) as source, closing(sqlite3.connect(copy)) as target:
            source.backup(target)
        with tarfile.open(path, "w") as archive:
            archive.add(copy, _DATABASE_NAME)
            archive.add(services.config.state_dir / _MEDIA_NAME, _MEDIA_NAME)


def load_state(services: Services, path: Path) -> None:
    """Put a dump in place of the state, under the running server.

    Raises:
        NotADumpError: The file is no tar file or has no sandbox database in it.
    """
    with tempfile.TemporaryDirectory(dir=services.config.state_dir) as folder:
        try:
            with tarfile.open(path) as archive:
                _unpack(archive, Path(folder))
        except tarfile.TarError as error:
            message = f"{path} is not the dump of a sandbox: {error}"
            raise NotADumpError(message) from error
        dumped = Path(folder) / _DATABASE_NAME
        if not dumped.is_file():
            message = f"{path} is not the dump of a sandbox: there is no {_DATABASE_NAME} in it"
            raise NotADumpError(message)
        services.database.replace_by(dumped)
        services.files.replace_by(Path(folder) / _MEDIA_NAME)


def _unpack(archive: tarfile.TarFile, folder: Path) -> None:
    """Write the plain files of `archive` into `folder`, and nothing elsewhere: no links, no devices, no `..`.

    Not `extractall`, whose filters came with Python 3.11.4.
    """
    for member in archive:
        target = (folder / member.name).resolve()
        packed = archive.extractfile(member) if member.isfile() else None
        if not target.is_relative_to(folder.resolve()) or (packed is None and not member.isdir()):
            message = f"{member.name} is not a plain file below the folder it is unpacked in"
            raise tarfile.TarError(message)
        if packed is None:
            target.mkdir(parents=True, exist_ok=True)
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        with packed, target.open("wb") as file:
            shutil.copyfileobj(packed, file)
