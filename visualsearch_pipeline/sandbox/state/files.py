"""Where media lies: one folder per bucket, files named by their blob."""

import secrets
import shutil
from pathlib import Path, PurePosixPath


class FileStore:
    """Stored media under `<state>/media/<bucket>/<blob>`, and a folder for what is still arriving."""

    def __init__(self, state_dir: Path) -> None:
        self._media = state_dir / "media"
        self._incoming = state_dir / "incoming"
        self._media.mkdir(parents=True, exist_ok=True)
        # Half-received files of a server that was killed belong to nobody.
        shutil.rmtree(self._incoming, ignore_errors=True)
        self._incoming.mkdir(parents=True)

    def new_incoming(self) -> Path:
        """A name that nothing has yet, for a file that is arriving."""
        return self._incoming / secrets.token_hex(12)

    def path(self, bucket: str, blob: str) -> Path | None:
        """Where a blob lies or would lie; None for a bucket or blob that no store could have."""
        parts = (bucket, *PurePosixPath(blob).parts)
        if not blob or any(part in {"", ".", "..", "/"} or "\x00" in part for part in parts) or "/" in bucket:
            return None
        return self._media.joinpath(*parts)

    def keep(self, incoming: Path, bucket: str, blob: str) -> Path:
        """Move an arrived file to its place."""
        place = self._place(bucket, blob)
        incoming.replace(place)
        return place

    def write(self, bucket: str, blob: str, content: bytes) -> Path:
        """Write a small file, whole or not at all."""
        incoming = self.new_incoming()
        incoming.write_bytes(content)
        return self.keep(incoming, bucket, blob)

    def remove(self, bucket: str, blob: str) -> None:
        """Delete a blob if it is there."""
        place = self.path(bucket, blob)
        if place is not None:
            place.unlink(missing_ok=True)

    def remove_folder(self, bucket: str, prefix: str) -> None:
        """Delete all blobs below a prefix."""
        place = self.path(bucket, prefix)
        if place is not None:
            shutil.rmtree(place, ignore_errors=True)

    def clear(self) -> None:
        """Delete everything stored."""
        shutil.rmtree(self._media, ignore_errors=True)
        self._media.mkdir(parents=True)

    def replace_by(self, folder: Path) -> None:
        """Take over the stored files of another state."""
        shutil.rmtree(self._media, ignore_errors=True)
        if folder.is_dir():
            folder.replace(self._media)
        else:
            self._media.mkdir(parents=True)

    def _place(self, bucket: str, blob: str) -> Path:
        place = self.path(bucket, blob)
        if place is None:
            message = f"no blob can be called {blob!r} in bucket {bucket!r}"
            raise ValueError(message)
        place.parent.mkdir(parents=True, exist_ok=True)
        return place
