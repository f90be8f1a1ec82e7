"""Publishes a project, and is killed before or after the n-th request that changes something in the object store.

    python -m tests.scale.killed_publisher <settings file> before|after <n>

Says what it is killed at, or `finished`.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Any

import s3fs

from visualsearch_pipeline.pipeline.pipeline import Pipeline
from visualsearch_pipeline.pipeline.publish import publish
from visualsearch_pipeline.settings import load_settings

_CHANGES = ("put_", "copy_", "delete_", "create_", "upload_", "complete_")


def die_at(wanted: int, *, is_answered: bool) -> None:
    """Let SIGKILL fall before the `wanted`-th changing request is sent, or when it was answered."""
    send = s3fs.S3FileSystem._call_s3  # the one way to the store
    seen = 0

    async def call(self: s3fs.S3FileSystem, method: str, *args: object, **kwargs: object) -> Any:
        nonlocal seen
        seen += method.startswith(_CHANGES)
        is_wanted = method.startswith(_CHANGES) and seen == wanted
        answer = await send(self, method, *args, **kwargs) if is_answered or not is_wanted else None
        if is_wanted:
            os.write(1, f"{method} {kwargs.get('Key')}\n".encode())
            os.kill(os.getpid(), signal.SIGKILL)
        return answer

    s3fs.S3FileSystem._call_s3 = call


def main() -> None:
    settings_file, moment, number = sys.argv[1:]
    die_at(int(number), is_answered=moment == "after")

    def no_client(_: object) -> Any:
        raise AssertionError("publishing makes no call")

    with Pipeline(load_settings(Path(settings_file)), open_client=no_client) as pipeline:
        publish(pipeline)
    sys.stdout.write("finished\n")


if __name__ == "__main__":
    main()
