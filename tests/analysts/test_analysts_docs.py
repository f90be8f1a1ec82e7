from __future__ import annotations

import re
from datetime import date
from pathlib import Path
from typing import Final

import pytest

from tests.sample_warehouse import SampleWarehouse, make_sample_warehouse
from visualsearch_pipeline import open_warehouse

PAGE: Final = Path(__file__).parents[2] / "docs" / "analysts.md"

ANSWERS: Final[dict[str, list[tuple[object, ...]]]] = {
    "Where is a red truck, best first?": [
        ("/footage/gate.mp4", 1.0, 3.0, 0.91),
        ("/footage/yard/night.mp4", 4.0, 6.0, 0.83),
        ("/footage/gate.mp4", 2.0, 5.0, 0.72),
        ("/footage/dock.mp4", 0.0, 2.0, 0.55),
        ("/footage/shop floor.mp4", 2.5, 4.0, 0.31),
    ],
    "How long is it in the picture, per video?": [
        ("gate", 1, 4.0),
        ("dock", 1, 2.0),
        ("night", 1, 2.0),
        ("shop floor", 1, 1.5),
    ],
    "Which videos show two things at once?": [("dock", 0.0, 1.0), ("shop floor", 2.5, 3.0)],
    "In which videos was nothing found?": [("dock.mp4",), ("gate.mp4",), ("yard/night.mp4",)],
    "What has not been asked yet?": [
        ("speech", "says_warranty", 1, date(2026, 3, 5)),
        ("street", "logo", 1, date(2026, 3, 5)),
        ("street", "red_shirt", 1, date(2026, 3, 5)),
        ("street", "red_truck", 1, date(2026, 3, 5)),
    ],
    "Which answers may be incomplete?": [("logo", "dock.mp4", 1)],
    "How many hits does each day have, the empty ones included?": [
        (date(2026, 3, 2), 4),
        (date(2026, 3, 3), 2),
        (date(2026, 3, 4), 2),
        (date(2026, 3, 5), 0),
    ],
    "How many hits has each query had in all, and how good are they?": [
        ("speech", "says_warranty", 2, 2, None, None, date(2026, 3, 4)),
        ("street", "logo", 2, 2, 0.98, 0.81, date(2026, 3, 4)),
        ("street", "red_shirt", 1, 1, 0.86, 0.86, date(2026, 3, 3)),
        ("street", "red_truck", 5, 4, 0.91, 0.664, date(2026, 3, 4)),
    ],
    "Which camera sees it most, per hour of footage?": [
        ("GoPro HERO12", 3, 11.3),
        ("unknown", 1, 8.0),
        ("Sony ILCE-7M4", 1, 1.7),
    ],
    "What was said around the word?": [
        ("interview", 0.0, "Welcome to the shop."),
        ("interview", 3.0, "The warranty covers water damage."),
        ("shop floor", 1.0, "Two years of warranty on every part."),
    ],
    "What was recorded within five kilometres of a place?": [("gate.mp4", 0.0, 2), ("dock.mp4", 1.3, 2)],
    "What is new since the run before?": [
        ("gone", "red_truck", "dock.mp4", 7.0),
        ("new", "red_truck", "shop floor.mp4", 2.5),
    ],
    "What did a changed wording do?": [
        ("a red lorry", False, 3, 0.2),
        ("a red truck at night", True, 5, 0.91),
    ],
    "What did each day cost?": [
        ("2026-03-05", 1, 0, 0.02),
        ("2026-03-04", 4, 1, 0.3001),
        ("2026-03-03", 5, 0, 0.3002),
        ("2026-03-02", 2, 0, 0.3),
    ],
    "What does an hour of footage cost to index?": [(0.92,)],
    "Where does the time go?": [
        ("search", 3, 0.6, 3.0),
        ("upload", 6, 2.0, 3.0),
        ("download", 1, 5.0, 0.0),
        ("list_videos", 1, 0.2, 0.0),
        ("search_similar_images", 1, 1.2, 0.0),
    ],
    "How much is archived, and proven whole?": [("keyframe", "structure", 7, 0.0), ("video", "sha256", 5, 3.45)],
    "What failed, and is not mended?": [("index", "/footage/broken upload.mp4", "it cannot be decoded", 3)],
}


def questions() -> dict[str, str]:
    """Every question of the page with its SQL."""
    return dict(re.findall(r"^### (.+?)\n.*?^```sql\n(.*?)^```$", PAGE.read_text("utf-8"), re.M | re.S))


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> SampleWarehouse:
    return make_sample_warehouse(tmp_path_factory.mktemp("analysts"), media=False)


@pytest.mark.parametrize("question", questions())
def test_every_question_of_the_page_has_the_answer_worked_out_by_hand(sample: SampleWarehouse, question: str) -> None:
    with open_warehouse(sample.database_path) as warehouse:
        answer = warehouse.sql(questions()[question]).to_arrow()
    rows = list(zip(*(column.to_pylist() for column in answer.columns), strict=True)) if answer.num_columns else []
    assert [tuple(_rounded(value) for value in row) for row in rows] == ANSWERS[question]


def _rounded(value: object) -> object:
    return round(value, 4) if isinstance(value, float) else value


def test_no_answer_is_kept_for_a_question_that_is_gone() -> None:
    assert set(ANSWERS) == set(questions())
    assert len(ANSWERS) >= 12


def test_python_on_the_page_runs_in_the_folder_of_a_project(
    sample: SampleWarehouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (sample.folder / "visualsearch.yaml").write_text("state: ./state\n")
    monkeypatch.chdir(sample.folder)
    monkeypatch.delenv("VISUALSEARCH_CONFIG", raising=False)
    blocks = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text("utf-8"), re.M | re.S)
    assert len(blocks) == 4
    for block in blocks:
        names: dict[str, object] = {}
        exec(compile(block, str(PAGE), "exec"), names)  # noqa: S102 - our own documentation
        assert "hits" not in names or len(names["hits"]) in {8, 13}  # type: ignore[arg-type]  # a data frame
        assert "best" not in names or len(names["best"]) == 4  # type: ignore[arg-type]  # a row per query
    said = capsys.readouterr().out
    assert "start_seconds DOUBLE Where the match begins" in said
    assert "One row per query version and video that was searched" in said
