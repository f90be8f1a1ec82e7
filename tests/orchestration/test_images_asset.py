"""The asset `images` and its sensor: there if the source has images; sent once, and asked about by what follows."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import dagster as dg
import pytest

from tests.orchestration.daemon import AskedFor, Daemon
from tests.pipeline.picture_folder import add_picture, with_images
from visualsearch_pipeline.orchestration import build_visual_search_defs

if TYPE_CHECKING:
    from tests.conftest import MakeProject, Project


@pytest.fixture
def project(make_project: MakeProject) -> Project:
    return with_images(make_project(()))


def test_the_asset_is_there_if_the_source_has_images(project: Project) -> None:
    definitions = build_visual_search_defs(project.settings, prefix=("clips",))
    dg.Definitions.validate_loadable(definitions)
    graph = definitions.resolve_asset_graph()
    assert dg.AssetKey(["clips", "images"]) in graph.get(dg.AssetKey(["clips", "hits", "street"])).parent_keys
    assert "clips_images" in {sensor.name for sensor in definitions.get_repository_def().sensor_defs}
    project.configure(source={"image_include": []})
    without = build_visual_search_defs(project.settings)
    assert dg.AssetKey("images") not in without.resolve_asset_graph().get_all_asset_keys()


@pytest.mark.soak
def test_the_sensors_take_images_to_the_published_tables_and_ask_for_nothing_twice(
    project: Project, instance: dg.DagsterInstance
) -> None:
    add_picture(project, "red.png", "red")
    add_picture(project, "blue.png", "blue")
    day = project.today - timedelta(days=1)
    daemon = Daemon(project, instance)
    assert daemon.follow() == []
    (request,) = daemon.request("images")
    assert daemon.execute(request).success
    assert daemon.request("images") == []
    assert daemon.follow() == []
    for following in daemon.request("indexing"):
        assert daemon.execute(following).success
    assert AskedFor("hits/street", day) in daemon.follow()
    assert project.sql("SELECT parse_filename(media_uri) FROM current_image_hits") == [("red.png",)]
    mark = project.mark()
    assert [*daemon.request("images"), *daemon.request("indexing"), *daemon.follow()] == []
    assert project.calls("upload_img", "search", since=mark) == []


def test_a_bad_image_fails_its_day_and_the_good_one_is_sent(project: Project, instance: dg.DagsterInstance) -> None:
    add_picture(project, "good.png", "red")
    bad = project.footage / "bad.png"
    bad.write_bytes(b"no picture")
    project.touch(bad)
    daemon = Daemon(project, instance)

    (request,) = daemon.request("images")
    result = daemon.execute(request)

    assert not result.success
    (failed,) = (event for event in result.all_events if event.is_step_failure)
    assert "bad.png" in str(failed.step_failure_data.user_failure_data)
    assert len(project.calls("upload_img")) == 1
