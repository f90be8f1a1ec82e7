"""Pictures of what a walk through the UI sees, for the documentation: only taken when a folder is named for them."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import Final

from PIL import Image
from playwright.sync_api import Error, Page

FOLDER_VARIABLE: Final = "VISUALSEARCH_PICTURES"
SETTLE_MILLISECONDS: Final = 2_500
QUIET_MILLISECONDS: Final = 20_000
COLOURS: Final = 160
"""A tenth of the size of a full-colour picture of the UI, and nothing that a reader could see is lost."""


def picture(page: Page, name: str, *, height: int = 900, width: int = 1500) -> None:
    """Save what the page shows as a small PNG, if pictures are wanted."""
    folder = os.environ.get(FOLDER_VARIABLE)
    if not folder:
        return
    before = page.viewport_size
    page.set_viewport_size({"width": width, "height": height})
    with suppress(Error):  # the UI goes on asking while something runs
        page.wait_for_load_state("networkidle", timeout=QUIET_MILLISECONDS)
    page.wait_for_timeout(SETTLE_MILLISECONDS)
    path = Path(folder) / f"{name}.png"
    page.screenshot(path=path)
    with Image.open(path) as shot:
        shot.quantize(COLOURS).save(path, optimize=True)
    if before:
        page.set_viewport_size(before)
