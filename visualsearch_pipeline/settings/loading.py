"""Reading the settings file, and what the environment says in its place."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from visualsearch_pipeline.located_yaml import YamlFileError, load_model
from visualsearch_pipeline.settings.errors import SettingsError
from visualsearch_pipeline.settings.model import Settings
from visualsearch_pipeline.settings.values import check_base_url, check_ledger_url

CONFIG_VARIABLE: Final = "VISUALSEARCH_CONFIG"
BASE_URL_VARIABLE: Final = "VISUALSEARCH_BASE_URL"
LEDGER_URL_VARIABLE: Final = "VISUALSEARCH_LEDGER_URL"
DEFAULT_FILE_NAME: Final = "visualsearch.yaml"


def find_settings_file(path: Path | None = None, *, environ: Mapping[str, str] | None = None) -> Path:
    """The absolute path of the settings file, which need not exist."""
    environ = os.environ if environ is None else environ
    return Path(path or environ.get(CONFIG_VARIABLE) or DEFAULT_FILE_NAME).expanduser().absolute()


def load_settings(path: Path | None = None, *, environ: Mapping[str, str] | None = None) -> Settings:
    """Read the settings file and apply the environment's overrides.

    Args:
        path: the file; default `VISUALSEARCH_CONFIG`, else `visualsearch.yaml` in the working directory.
        environ: default `os.environ`.

    Raises:
        SettingsError: the file is missing, or a key is unknown, of the wrong type or impossible.
    """
    environ = os.environ if environ is None else environ
    file = find_settings_file(path, environ=environ)
    if not file.exists():
        raise SettingsError(
            f"{file}: there is no such settings file. Name one with --config or {CONFIG_VARIABLE}, "
            "or type `visualsearch demo` to have one written with sample footage."
        )
    try:
        settings = load_model(file, Settings, context={"base": file.parent})
    except YamlFileError as error:
        raise SettingsError(str(error)) from error
    return _overridden(settings, environ)


def complete_settings(settings: Settings, *, base: Path, environ: Mapping[str, str] | None = None) -> Settings:
    """Settings that were written somewhere else than in a settings file, as if `base` were their file's folder.

    Args:
        settings: relative paths in it are relative to `base`; absolute ones and URLs stay.
        base: a folder.
        environ: default `os.environ`; its overrides are applied as `load_settings` applies them.

    Raises:
        SettingsError: an override is impossible.
    """
    written = settings.model_dump(mode="json", exclude_unset=True)
    placed = Settings.model_validate(written, context={"base": base})
    return _overridden(placed, os.environ if environ is None else environ)


def _overridden(settings: Settings, environ: Mapping[str, str]) -> Settings:
    """The settings with what the environment says in place of the file."""
    base_url, ledger_url = environ.get(BASE_URL_VARIABLE), environ.get(LEDGER_URL_VARIABLE)
    changes: dict[str, object] = {}
    try:
        if base_url:
            changes["api"] = settings.api.model_copy(update={"base_url": check_base_url(base_url)})
    except ValueError as error:
        raise SettingsError(f"{BASE_URL_VARIABLE} {error}") from error
    try:
        if ledger_url:
            changes["ledger_url"] = check_ledger_url(ledger_url)
    except ValueError as error:
        raise SettingsError(f"{LEDGER_URL_VARIABLE} {error}") from error
    return settings.model_copy(update=changes) if changes else settings
