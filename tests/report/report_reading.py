"""What stands in a report's folder, read back without a browser."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any


def shown_build(report: Path) -> Path:
    """The build that the page shows."""
    found = re.findall(r'(?:src|href)="(build-[0-9a-f]{16})/', (report / "index.html").read_text("utf-8"))
    assert len(set(found)) == 1, "the page takes its files from one build"
    return report / str(found[0])


def shown_data(report: Path, name: str) -> Any:
    """What the page is told under `name`."""
    text = (shown_build(report) / "data" / f"{name}.js").read_text("utf-8")
    match = re.fullmatch(rf'visualSearchReport\.receive\("{name}",(?P<value>.*)\);\n', text.replace(", ", ",", 1), re.S)
    assert match is not None
    return json.loads(match["value"])


def missing_files(report: Path) -> list[str]:
    """Files that the page refers to and that are not there."""
    text = (report / "index.html").read_text("utf-8")
    named = re.findall(r'(?:src|href)="(build-[^"]+)"', text)
    named += [f"pictures/{name}" for name in shown_data(report, "hits")["picture"] if name]
    assert len(named) > 10
    return [name for name in named if not (report / name).is_file()]
