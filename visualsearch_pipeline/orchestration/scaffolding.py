"""What `dg scaffold defs visualsearch_pipeline.VisualSearchComponent <name>` writes."""

from __future__ import annotations

import os
import re
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Final

import dagster as dg
from pydantic import BaseModel, Field

SETTINGS_NAME: Final = "visualsearch.yaml"

_NOT_IN_NAMES: Final = re.compile(r"[^A-Za-z0-9_]+")

_SETTINGS_FILE: Final = """\
# The pipeline's settings. Paths are relative to this file. The API key never stands here: it is read from
# VISUALSEARCH_API_KEY. The command line takes this file too: visualsearch --config {file} plan
api:
  base_url: https://api.memories.ai
  # Where in the account the library lives. Each pipeline should have a namespace of its own.
  scope: {{unique_id: {name}}}
source:
  # A folder or any fsspec URL.
  path: {source}
  # The first day that has a partition.
  start_date: {start_date}
queries: queries
# Ledger, tables and archive. Keep it between deployments: it remembers what was uploaded and paid for.
state: {state}
# All pipelines of this project share the account's rates here.
limits: {limits}
"""

_QUERY_SET_FILE: Final = """\
# Each file in this folder is a query set: one asset and one table. `visualsearch queries check` reads them all.
description: What the team looks for.
queries:
  - id: red_truck
    text: a red truck at night
  - id: says_warranty
    transcript: warranty
"""

_PYTHON_FILE: Final = """\
from pathlib import Path

import dagster as dg
from {module} import {name}


@dg.component_instance
def load(context: dg.ComponentLoadContext) -> {name}:
    return {name}(settings=str(Path(__file__).with_name("{settings}")), prefix="{prefix}")
"""


class VisualSearchScaffoldParams(BaseModel):
    """What can be said on the command line of `dg scaffold defs`."""

    source: str | None = Field(None, description="The footage: a folder or any fsspec URL. Default: <project>/footage")
    start_date: date | None = Field(None, description="The first day that has a partition. Default: today")


class VisualSearchScaffolder(dg.Scaffolder[VisualSearchScaffoldParams]):
    """Writes an instance that loads as it is: `defs.yaml`, a settings file, and a query set to begin with."""

    @classmethod
    def get_scaffold_params(cls) -> type[VisualSearchScaffoldParams]:
        """The options of `dg scaffold defs`."""
        return VisualSearchScaffoldParams

    def scaffold(self, request: dg.ScaffoldRequest[VisualSearchScaffoldParams]) -> None:
        """Write the files of an instance. Settings and queries that are there already stay as they are."""
        folder = request.target_path
        prefix = _NOT_IN_NAMES.sub("_", folder.name).strip("_") or "footage"
        if request.scaffold_format == "yaml":
            dg.scaffold_component(request, {"settings": SETTINGS_NAME, "prefix": prefix})
        else:
            module, _, name = request.type_name.rpartition(".")
            text = _PYTHON_FILE.format(module=module, name=name, settings=SETTINGS_NAME, prefix=prefix)
            (folder / "component.py").write_text(text, encoding="utf-8")
        root = request.project_root or folder
        params = request.params
        settings = _SETTINGS_FILE.format(
            file=_relative(folder / SETTINGS_NAME, root),
            name=prefix,
            source=params.source or _relative(root / "footage", folder),
            start_date=params.start_date or datetime.now(UTC).date(),
            # Beside the code and not in it: a package is replaced, its state is kept.
            state=_relative(root / "state" / prefix, folder),
            limits=_relative(root / "state" / "limits", folder),
        )
        _write_new(folder / SETTINGS_NAME, settings)
        _write_new(folder / "queries" / "street.yaml", _QUERY_SET_FILE)


def _relative(path: Path, base: Path) -> str:
    return Path(os.path.relpath(path, base)).as_posix()


def _write_new(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        path.write_text(text, encoding="utf-8")
