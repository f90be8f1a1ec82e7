from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest

import visualsearch_pipeline
from tests.sample_warehouse import HITS, SampleWarehouse, make_sample_warehouse
from visualsearch_pipeline import open_warehouse
from visualsearch_pipeline.settings import SettingsError
from visualsearch_pipeline.warehouse import InvalidSqlError, NotPublishedError


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> SampleWarehouse:
    return make_sample_warehouse(tmp_path_factory.mktemp("opened"), media=False)


def test_a_table_comes_as_frame_arrow_table_or_relation_with_the_same_rows(sample: SampleWarehouse) -> None:
    with open_warehouse(sample.database_path) as warehouse:
        frame = warehouse["street"].to_pandas()
        arrow = warehouse["street"].to_arrow()
        relation = warehouse["street"].to_relation()
        assert relation.filter("score > 0.9").order("score").project("score").fetchall() == [(0.91,), (0.98,)]
    assert isinstance(frame, pd.DataFrame)
    assert isinstance(arrow, pa.Table)
    expected = sorted(hit.score for hit in HITS if hit.query.startswith("street.") and hit.score)
    assert sorted(frame["score"]) == sorted(arrow["score"].to_pylist()) == expected
    assert str(frame["searched_at"].dt.tz) == "UTC"


def test_tables_say_what_they_are(sample: SampleWarehouse) -> None:
    with open_warehouse(sample.database_path) as warehouse:
        assert {"hits", "street", "speech", "videos", "coverage", "moments"} <= set(warehouse)
        assert len(warehouse) == len(list(warehouse))
        assert all(warehouse.descriptions.values()), "every table and view has its comment"
        score = next(column for column in warehouse.columns("street") if column.name == "score")
        assert (score.type, score.description[:20]) == ("DOUBLE", "How well it matches,")
        assert warehouse["hits"].columns[:2] == ("query_set", "query_id")
        assert "│" in repr(warehouse["videos"])


def test_a_question_takes_parameters_and_never_text_in_text(sample: SampleWarehouse) -> None:
    name = 'it\'s a "name"; DROP TABLE hits'
    with open_warehouse(sample.database_path) as warehouse:
        answer = warehouse.sql("SELECT $name AS name, count(*) AS hits FROM hits", {"name": name}).to_arrow()
    assert answer.to_pylist() == [{"name": name, "hits": 13}]


@pytest.mark.parametrize(
    "question",
    ["DROP TABLE hits", "UPDATE hits SET score = 1", "CREATE TABLE mine AS FROM hits", "SELEKT 1", "FROM hit", ""],
)
def test_what_would_write_or_means_nothing_is_refused(sample: SampleWarehouse, question: str) -> None:
    before = sample.database_path.read_bytes()
    with open_warehouse(sample.database_path) as warehouse, pytest.raises(InvalidSqlError):
        warehouse.sql(question)
    assert sample.database_path.read_bytes() == before


def test_what_only_the_data_shows_is_an_error_of_ours_too(sample: SampleWarehouse) -> None:
    with open_warehouse(sample.database_path) as warehouse:
        rows = warehouse.sql("SELECT media_name::INTEGER FROM videos")
        with pytest.raises(InvalidSqlError, match="cannot answer"):
            rows.to_pandas()
        with pytest.raises(InvalidSqlError, match="cannot answer"):
            rows.to_arrow()


def test_a_mistyped_table_is_answered_with_the_nearest(sample: SampleWarehouse) -> None:
    with open_warehouse(sample.database_path) as warehouse:
        with pytest.raises(KeyError, match="did you mean coverage"):
            warehouse["covrage"]
        with pytest.raises(KeyError, match=r"there are .*api_calls, archive"):
            warehouse.columns("zzz")
        assert "zzz" not in warehouse


def test_readers_in_one_process_see_the_publication_of_the_time_they_opened(tmp_path: Path) -> None:
    first = make_sample_warehouse(tmp_path, hits=HITS[:2], media=False)
    with open_warehouse(first.database_path) as earlier:
        assert earlier["street"].to_arrow().num_rows == 2
        make_sample_warehouse(tmp_path, media=False)
        with open_warehouse(first.database_path) as later:
            assert later["street"].to_arrow().num_rows == 8
        assert earlier["street"].to_arrow().num_rows == 2


def test_the_settings_say_where_the_warehouse_is(
    sample: SampleWarehouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tmp_path / "team.yaml"
    config.write_text(f"state: {sample.folder / 'state'}\n")
    with open_warehouse(config=config) as named:
        assert named.database_path == sample.database_path
    monkeypatch.setenv("VISUALSEARCH_CONFIG", str(config))
    with open_warehouse() as found:
        assert found.database_path == sample.database_path
    with open_warehouse(str(sample.database_path.parent)) as folder:
        assert repr(folder) == f"Warehouse({str(sample.database_path)!r})"
    monkeypatch.delenv("VISUALSEARCH_CONFIG")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SettingsError, match=r"visualsearch\.yaml: there is no such settings file"):
        open_warehouse()


def test_nothing_published_yet_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(NotPublishedError, match="run `visualsearch run` first"):
        open_warehouse(tmp_path)


def test_importing_the_package_stays_light() -> None:
    code = """
import sys, visualsearch_pipeline
heavy = {"duckdb", "pandas", "pyarrow", "dagster", "pydantic", "httpx", "visualsearch_pipeline.analysts"}
assert not heavy & set(sys.modules), heavy & set(sys.modules)
from visualsearch_pipeline import open_warehouse
assert not {"duckdb", "pandas", "dagster"} & set(sys.modules), "not before something is opened"
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_public_names_are_there_and_others_are_not() -> None:
    assert {name for name in visualsearch_pipeline.__all__ if not hasattr(visualsearch_pipeline, name)} == set()
    with pytest.raises(AttributeError, match="no attribute 'open_warehuose'"):
        getattr(visualsearch_pipeline, "open_warehuose")  # noqa: B009 - a name that types would refuse
