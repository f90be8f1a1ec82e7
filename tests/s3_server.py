"""An S3 server of one's own on the loopback interface, and what a client needs to know in its environment."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from unittest.mock import patch

import boto3
import httpx
import s3fs
from moto.server import ThreadedMotoServer


@dataclass(frozen=True)
class S3Server:
    """A server that runs; everything in it is gone when it stops."""

    url: str

    @property
    def environ(self) -> Mapping[str, str]:
        """What processes need to reach it, and nothing of this machine's own."""
        return {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing",
            "AWS_REGION": "us-east-1",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_EC2_METADATA_DISABLED": "true",
            "NO_PROXY": "127.0.0.1",
        }

    def make_bucket(self, name: str) -> str:
        """Make a bucket; its URL."""
        boto3.client("s3").create_bucket(Bucket=name)
        return f"s3://{name}"

    def keys(self, bucket: str) -> list[str]:
        """The names of all objects that a reader sees."""
        listed = boto3.client("s3").list_objects_v2(Bucket=bucket)
        return sorted(entry["Key"] for entry in listed.get("Contents", ()))

    def unfinished_uploads(self, bucket: str) -> list[str]:
        """The names of objects that were begun in parts, and neither completed nor given up."""
        listed = boto3.client("s3").list_multipart_uploads(Bucket=bucket)
        return sorted(entry["Key"] for entry in listed.get("Uploads", ()))


@contextmanager
def running_s3() -> Iterator[S3Server]:
    """Start a server and point this process's environment to it; stop it in the end."""
    logging.getLogger("werkzeug").setLevel(logging.WARNING)  # a line for each request
    server = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        running = S3Server(f"http://{host}:{port}")
        # What earlier servers of this process held is held by the library.
        httpx.post(f"{running.url}/moto-api/reset", trust_env=False).raise_for_status()
        with patch.dict(os.environ, running.environ):
            yield running
    finally:
        # File systems are kept by fsspec for the life of a process, with the address that they were made with.
        s3fs.S3FileSystem.clear_instance_cache()
        server.stop()
