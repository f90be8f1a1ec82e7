"""A Dagster project of somebody else, which knows this package only as something installed."""

from __future__ import annotations

import importlib
import itertools
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import dagster as dg
import yaml

COMPONENT: Final = "visualsearch_pipeline.VisualSearchComponent"

_PYPROJECT: Final = """\
[project]
name = "{name}"
version = "0.1.0"

[tool.dg]
directory_type = "project"

[tool.dg.project]
root_module = "{name}"
"""

_DEFINITIONS: Final = """\
from pathlib import Path

import dagster as dg


@dg.definitions
def defs() -> dg.Definitions:
    return dg.load_from_defs_folder(path_within_project=Path(__file__).parent)
"""

_numbers = itertools.count()


@dataclass(frozen=True)
class TeamProject:
    """Its folder, and the name of its package."""

    root: Path
    name: str

    @property
    def source(self) -> Path:
        return self.root / "src"

    @property
    def defs(self) -> Path:
        return self.source / self.name / "defs"

    def add_instance(
        self, name: str, attributes: Mapping[str, object], *, component: str = COMPONENT, **more: object
    ) -> Path:
        """Write the `defs.yaml` of an instance; returns its folder."""
        folder = self.defs / name
        folder.mkdir(parents=True, exist_ok=True)
        document = {"type": component, "attributes": dict(attributes), **more}
        (folder / "defs.yaml").write_text(yaml.safe_dump(document, sort_keys=False))
        return folder

    def write(self, path: str, text: str) -> Path:
        """Write a file of the package, such as a component of the team's own."""
        file = self.source / self.name / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        return file

    @contextmanager
    def loaded(self) -> Iterator[dg.Definitions]:
        """The project's definitions, loaded as `dagster dev` loads them, in this process."""
        sys.path.insert(0, str(self.source))
        importlib.invalidate_caches()
        try:
            yield dg.load_from_defs_folder(path_within_project=self.root)
        finally:
            sys.path.remove(str(self.source))
            for module in [module for module in sys.modules if module.split(".")[0] == self.name]:
                del sys.modules[module]


def lay_out_team_project(root: Path) -> TeamProject:
    """Make an empty project, as `create-dagster project` does. Each has a package name of its own."""
    project = TeamProject(root, f"team_project_{next(_numbers)}")
    project.defs.mkdir(parents=True)
    (root / "pyproject.toml").write_text(_PYPROJECT.format(name=project.name))
    project.write("__init__.py", "")
    project.write("definitions.py", _DEFINITIONS)
    project.write("defs/__init__.py", "")
    return project
