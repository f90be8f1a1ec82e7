"""Headless Chromium, as the tests of the UI and of the report start it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import pytest
from playwright.sync_api import Browser, sync_playwright

_NAMES: Final = ("chromium", "chromium-browser", "google-chrome")
_ARGUMENTS: Final = ("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-dev-shm-usage")


@contextmanager
def chromium() -> Iterator[Browser]:
    """A browser; skips the test where there is none, but not in CI.

    Fixtures of it have a module's scope, not the session's: as long as it is open, its thread has a running event loop,
    in which other tests' `asyncio.run` fails.
    """
    path = next((found for name in _NAMES if (found := shutil.which(name))), None)
    if path is None:
        message = "Chromium is not installed: scripts/install-system-packages does it"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(_ARGUMENTS))
        yield browser
        browser.close()
