"""`visualsearch doctor`: one line per check, and a remedy below each that is not well."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

from rich.padding import Padding
from rich.text import Text

from visualsearch_pipeline.commands.service import client_opener
from visualsearch_pipeline.pipeline.doctor import (
    Check,
    Level,
    check_environment,
    check_project,
    check_service,
)
from visualsearch_pipeline.settings import SettingsError, find_settings_file, load_settings
from visualsearch_pipeline.terminal import printable

if TYPE_CHECKING:
    from rich.console import Console


_STYLES: Final = {Level.OK: "green", Level.WARNING: "yellow", Level.FAILED: "red"}
_NAME_COLUMNS: Final = 14
_LEVEL_COLUMNS: Final = 8


def examine(config: Path | None, *, console: Console) -> bool:
    """Make every check that can be made, telling each at once. Returns whether nothing failed."""
    is_well = True
    for check in _checks(config):
        _print(console, check)
        is_well = is_well and check.level is not Level.FAILED
    return is_well


def _checks(config: Path | None) -> Iterator[Check]:
    key_is_well = True
    for check in check_environment(os.environ):
        key_is_well = key_is_well and not (check.name == "key" and check.level is Level.FAILED)
        yield check
    try:
        settings = load_settings(config)
    except SettingsError as error:
        yield Check("settings", Level.FAILED, "cannot be used", str(error))
        return
    yield Check("settings", Level.OK, str(find_settings_file(config)))
    yield from check_project(settings)
    if key_is_well:
        yield from check_service(settings, open_client=client_opener(settings))


def _print(console: Console, check: Check) -> None:
    line = Text.assemble(
        (f"{check.level.value:<{_LEVEL_COLUMNS}}", _STYLES[check.level]),
        (f"{check.name:<{_NAME_COLUMNS}}", "bold"),
    )
    indent = _LEVEL_COLUMNS + _NAME_COLUMNS
    shown = Text(printable(check.found)).wrap(console, console.width - indent)
    console.print(line + (shown[0] if len(shown) else Text()))
    for more in shown[1:]:
        console.print(Padding(more, (0, 0, 0, indent)))
    if check.remedy is not None:
        for part in check.remedy.splitlines():
            console.print(Padding(Text(printable(part)), (0, 0, 0, indent)))
