from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.sample_warehouse import SampleWarehouse

REPOSITORY = Path(__file__).parents[2]
PAGE = REPOSITORY / "docs" / "report.md"
VENDOR = REPOSITORY / "visualsearch_pipeline" / "report" / "page" / "vendor"


def test_the_example_writes_the_report(
    sample: SampleWarehouse, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (sample.folder / "visualsearch.yaml").write_text("state: ./state\n")
    monkeypatch.chdir(sample.folder)
    monkeypatch.delenv("VISUALSEARCH_CONFIG", raising=False)
    blocks = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text("utf-8"), re.M | re.S)
    assert len(blocks) == 1
    exec(compile(blocks[0], str(PAGE), "exec"), {})  # noqa: S102 - our own documentation
    assert capsys.readouterr().out == f"10 of 10 hits: {sample.folder / 'state' / 'report' / 'index.html'}\n"


def test_every_picture_and_page_that_is_linked_is_there() -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]+)", PAGE.read_text("utf-8"))
    assert len(links) > 5
    assert [link for link in links if not (PAGE.parent / link).is_file()] == []


def test_libraries_in_the_package_are_the_pinned_ones_with_their_licences() -> None:
    pinned = json.loads((REPOSITORY / "scripts" / "report-vendor" / "package.json").read_text())["dependencies"]
    assert json.loads((VENDOR / "versions.json").read_text()) == pinned
    assert f"(v{pinned['uplot']})" in (VENDOR / "uPlot.iife.min.js").read_text("utf-8")[:100]
    for name in ("uPlot", "virtual-core"):
        assert "MIT" in (VENDOR / f"{name}.LICENSE").read_text("utf-8")
