"""Query sets as people write them, with real images."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from textwrap import dedent

import pytest
from PIL import Image

WriteSet = Callable[[str, str], Path]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of query sets with a real image beside them, `images/logo.png`."""
    folder = tmp_path / "queries"
    (folder / "images").mkdir(parents=True)
    Image.new("RGB", (32, 16), "red").save(folder / "images" / "logo.png")
    return folder


@pytest.fixture
def write_set(folder: Path) -> WriteSet:
    """Write a query set file, given its name and its text."""

    def write(name: str, text: str) -> Path:
        path = folder / name
        path.write_text(dedent(text), encoding="utf-8")
        return path

    return write
