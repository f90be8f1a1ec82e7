"""The layers: an import points down the list, never up; and importing the package costs nothing."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import visualsearch_pipeline

PACKAGE = Path(visualsearch_pipeline.__file__).parent
NAME = "visualsearch_pipeline"

FACES = 10
LEVELS = {
    "cli": FACES,
    "commands": FACES,
    "terminal": FACES,
    "workflow": FACES,
    "demo": FACES,
    "definitions": 9,
    "orchestration": 8,
    "pipeline": 7,
    "analysts": 6,
    "report": 6,
    "webhooks": 6,
    "queries": 5,
    "warehouse": 5,
    "ledger": 4,
    "media": 4,
    "api": 3,
    "settings": 2,
    "located_yaml": 1,
    "alert_addresses": 1,
}
"""How high each room lies; an import may point to its own room or to a lower level."""

APART = "sandbox"
"""Imports nothing of the others, and only the highest level knows it."""

DAGSTER_ROOMS = {"orchestration", "definitions", *(room for room, level in LEVELS.items() if level == 9)}


def modules() -> Iterator[tuple[str, str, ast.Module]]:
    """Every module with its room and its syntax."""
    for path in sorted(PACKAGE.rglob("*.py")):
        relative = path.relative_to(PACKAGE)
        room = relative.parts[0].removesuffix(".py")
        if room != "__init__":
            yield str(relative), room, ast.parse(path.read_text())


def imported(tree: ast.Module) -> Iterator[str]:
    """Every module that is imported anywhere in a file, late and for type checking included."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            module = node.module or ""
            yield from (f"{module}.{alias.name}" for alias in node.names) if module == NAME else (module,)


def rooms_of(tree: ast.Module) -> set[str]:
    """The rooms of this package that a file imports from."""
    names = (name.split(".") for name in imported(tree))
    return {parts[1] for parts in names if parts[0] == NAME and len(parts) > 1 and parts[1] != "__version__"}


def test_every_room_has_its_level() -> None:
    assert {room for _, room, _ in modules()} - set(LEVELS) - {APART, "__main__"} == set()


def test_imports_point_down() -> None:
    upward = [
        f"{path} imports {other}"
        for path, room, tree in modules()
        for other in rooms_of(tree)
        if room in LEVELS
        and other in LEVELS
        and room != other
        and LEVELS[other] >= LEVELS[room]
        and LEVELS[room] < FACES
    ]
    assert upward == []


def test_the_sandbox_stands_apart() -> None:
    out_of_it = [path for path, room, tree in modules() if room == APART and rooms_of(tree) - {APART}]
    into_it = [
        path for path, room, tree in modules() if LEVELS.get(room, 0) in range(1, FACES) and APART in rooms_of(tree)
    ]
    assert (out_of_it, into_it) == ([], [])


def test_only_the_orchestration_knows_dagster() -> None:
    knowing = {
        room for _, room, tree in modules() if any(name.partition(".")[0] == "dagster" for name in imported(tree))
    }
    assert "orchestration" in knowing
    assert knowing <= DAGSTER_ROOMS


def test_only_the_run_launcher_uses_what_dagster_keeps_private() -> None:
    using = {
        Path(path).name for path, _, tree in modules() if any(name.startswith("dagster._") for name in imported(tree))
    }
    assert using == {"run_launcher.py"}


def test_the_check_itself_sees_late_and_typing_imports() -> None:
    tree = ast.parse(
        "from typing import TYPE_CHECKING\n"
        "if TYPE_CHECKING:\n    from visualsearch_pipeline.pipeline.upload import upload\n"
        "def late():\n    import visualsearch_pipeline.sandbox\n    from visualsearch_pipeline import media\n"
    )
    assert rooms_of(tree) == {"pipeline", "sandbox", "media"}


@pytest.mark.parametrize(
    ("module", "heavy"),
    [
        ("visualsearch_pipeline", {"dagster", "pandas", "av", "duckdb", "pyarrow", "sqlalchemy", "httpx", "pydantic"}),
        ("visualsearch_pipeline.settings", {"dagster", "pandas", "av", "duckdb", "pyarrow", "sqlalchemy", "httpx"}),
        ("visualsearch_pipeline.api", {"dagster", "pandas", "av", "duckdb", "pyarrow", "sqlalchemy"}),
        ("visualsearch_pipeline.pipeline.upload", {"dagster", "pandas", "av"}),
    ],
)
def test_an_import_brings_in_only_what_it_needs(module: str, heavy: set[str]) -> None:
    script = f"import sys, {module}; print(*sorted({{name.partition('.')[0] for name in sys.modules}}))"
    said = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert set(said.stdout.split()) & heavy == set()
