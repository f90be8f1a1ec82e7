from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.sample_warehouse import SampleWarehouse, make_sample_warehouse

REPOSITORY = Path(__file__).parents[2]
NOTEBOOK = REPOSITORY / "examples" / "notebook" / "explore.py"

RUN_IT = f"""
import json, runpy
app = runpy.run_path({str(NOTEBOOK)!r})["app"]
outputs, made = app.run()
print(json.dumps({{
    "hits": json.loads(made["hits"].to_json(orient="records")),
    "per_day": json.loads(made["per_day"].to_json()),
    "spend_usd": made["spend"]["cost_usd"].sum(),
    "gaps": made["gaps"].values.tolist(),
    "outputs": len(outputs),
}}))
"""


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> SampleWarehouse:
    sample = make_sample_warehouse(tmp_path_factory.mktemp("notebook"), media=False)
    (sample.folder / "visualsearch.yaml").write_text("state: ./state\n")
    return sample


def run(sample: SampleWarehouse, *arguments: str) -> str:
    environment = {**os.environ, "HOME": str(sample.folder), "PYTHONPATH": str(REPOSITORY)}
    environment.pop("VISUALSEARCH_CONFIG", None)
    command = [sys.executable, *arguments]
    finished = subprocess.run(
        command, cwd=sample.folder, env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert finished.returncode == 0, finished.stderr
    return finished.stdout


def test_the_notebook_shows_the_hits_spend_and_gaps_of_the_project_it_runs_in(sample: SampleWarehouse) -> None:
    made: dict[str, Any] = json.loads(run(sample, "-c", RUN_IT).splitlines()[-1])
    assert len(made["hits"]) == 10
    assert [(hit["query"], hit["video_name"], hit["score"]) for hit in made["hits"][:2]] == [
        ("street.logo", "dock", 0.98),
        ("street.red_truck", "gate", 0.91),
    ]
    assert made["per_day"]["street.red_truck"] == {"2026-03-02": 3, "2026-03-03": 1, "2026-03-04": 1}
    assert made["spend_usd"] == pytest.approx(0.9203)
    assert made["gaps"] == [["logo", 1], ["red_shirt", 1], ["red_truck", 1], ["says_warranty", 1]]
    assert made["outputs"] == 5


def test_marimo_renders_every_cell_without_an_error(sample: SampleWarehouse) -> None:
    page, notebook = sample.folder / "explore.html", sample.folder / "explore.py"
    shutil.copyfile(NOTEBOOK, notebook)  # marimo keeps its session beside the notebook
    run(sample, "-m", "marimo", "export", "html", str(notebook), "-o", str(page), "--no-include-code")
    text = page.read_text("utf-8")
    assert "Spend: $0.92" in text
    assert "dock" in text
