"""Private images: from a folder into the library, each once, and found by a text."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from PIL import ExifTags, Image

from tests.pipeline.picture_folder import add_picture, ask, image_hits, later, send, stored_ids, with_images

if TYPE_CHECKING:
    from tests.conftest import MakeProject, Project

DIALECTS: dict[str, dict[str, Any]] = {
    "live-2025": {"unique_id": "default"},
    "spring-2026": {"unique_id": "default"},
    "openapi": {"folder_id": -1},
}


@pytest.fixture
def project(make_project: MakeProject) -> Project:
    """A source with images, and none in it yet."""
    return with_images(make_project(()))


@pytest.mark.parametrize(
    "dialect", ["spring-2026", *(pytest.param(name, marks=pytest.mark.soak) for name in ("live-2025", "openapi"))]
)
def test_a_folder_of_images_is_found_by_a_text_in_every_dialect(make_project: MakeProject, dialect: str) -> None:
    project = with_images(make_project((), dialect=dialect), scope=DIALECTS[dialect])
    red = add_picture(project, "red.png", "red")
    add_picture(project, "holidays/blue.jpg", "blue")

    sent = send(project)
    report = ask(project)

    assert (sent.uploads.uploaded, report.calls, report.pairs, report.hits) == (2, 1, 2, 1)
    (hit,) = image_hits(project)
    assert hit["media_uri"] == f"file://{red}"
    assert (hit["query_id"], hit["rank"]) == ("red_things", 1)
    assert ask(project).calls == 0
    assert len(project.calls("upload_img")) == 1


def test_a_batch_that_the_service_finds_too_large_is_halved_until_it_fits(make_project: MakeProject) -> None:
    project = with_images(make_project((), max_images_per_upload=2))
    for number in range(5):
        add_picture(project, f"{number}.png", "red")

    assert send(project).uploads.uploaded == 5
    assert len(stored_ids(project)) == 5
    assert ask(project).hits == 5


def test_files_that_the_service_would_refuse_are_set_aside_with_the_reason_and_stop_nothing(project: Project) -> None:
    add_picture(project, "good.png", "red")
    for name, content in (("text.png", b"no picture"), ("empty.jpg", b"")):
        project.touch(_written(project, name, content))
    whole = add_picture(project, "cut.png", "red").read_bytes()
    project.touch(_written(project, "cut.png", whole[: len(whole) // 2]))

    report = send(project)

    assert (report.ingested.accepted, report.ingested.set_aside, report.uploads.uploaded) == (1, 3, 1)
    with project.pipeline() as pipeline:
        reasons = {f.subject.rsplit("/", 1)[1]: f.reason for f in pipeline.ledger.failures.unresolved(step="images")}
    assert reasons["text.png"] == "the image is not an image, whatever its name says."
    assert reasons["empty.jpg"] == "the file is empty."
    assert "damaged" in reasons["cut.png"]
    (project.footage / "text.png").unlink()
    send(project)
    with project.pipeline() as pipeline:
        assert len(pipeline.ledger.failures.unresolved(step="images")) == 2


def test_the_same_bytes_under_two_names_are_sent_once(project: Project) -> None:
    first = add_picture(project, "first.png", "red")
    project.touch(shutil.copyfile(first, project.footage / "second.png"))

    report = send(project)

    assert (report.ingested.accepted, report.ingested.duplicates, report.uploads.uploaded) == (1, 1, 1)
    assert len(stored_ids(project)) == 1
    assert send(project).uploads.uploaded == 0


def test_an_image_that_comes_later_is_asked_about_alone_and_force_asks_all_again(project: Project) -> None:
    add_picture(project, "red.png", "red")
    send(project)
    ask(project)
    add_picture(project, "late.png", "red")
    send(project)

    assert (ask(project).pairs, len(image_hits(project))) == (1, 2)
    day = project.today - timedelta(days=1)
    assert ask(project, days=[day], force=True).pairs == 2
    assert [row["rank"] for row in image_hits(project)] == [1, 2]


def test_an_alert_tells_of_images_that_came_later_once_however_often_they_are_asked_about(project: Project) -> None:
    from tests.alert_receiver import alert_receiver
    from visualsearch_pipeline.pipeline.alerts import send_alerts, subscribe_alerts
    from visualsearch_pipeline.pipeline.publish import publish

    queries = "queries: [{id: red, text: something red, in: images, filtering_level: low, alert: {webhook: TEAM}}]"
    project.write_queries("street", queries)

    def tell(**given: Any) -> list[dict[str, Any]]:
        send(project)
        ask(project, **given)
        with alert_receiver() as receiver, project.pipeline() as pipeline:
            subscribe_alerts(pipeline)
            publish(pipeline)
            send_alerts(pipeline, environ={"TEAM": receiver.url})
            return [alert for _, alert in receiver.received]

    add_picture(project, "red.png", "red")
    assert tell() == [], "a query's first answer is no news"
    add_picture(project, "late.png", "red")
    add_picture(project, "late blue.png", "blue")
    late = add_picture(project, "late #50%41.png", "red", days_ago=3)
    (alert,) = tell()
    assert alert["text"] == "2 new hits of street.red (something red) in 2 images"
    assert (alert["new_hits"], alert["videos"], alert["images"]) == (2, 0, 2)
    assert (alert["first_day"], alert["query"]["kind"]) == (str(project.today - timedelta(days=3)), "text_in_images")
    (shown,) = (hit for hit in alert["hits"] if hit["media_name"] == "late #50%41.png")
    assert (shown["media_uri"], shown["day"]) == (f"file://{late}", alert["first_day"])
    assert {hit["media_name"] for hit in alert["hits"]} == {"late.png", "late #50%41.png"}
    assert tell() == []
    assert tell(force=True, days=[project.today - timedelta(days=3)]) == [], "asked again, the same is no news"
    news = project.sql("SELECT count(*), bool_or(found_run_id <> run_id) FROM new_image_hits")
    assert news == [(2, True)], "the run that first found a hit is kept"


def test_images_that_were_just_sent_are_searched_when_the_service_had_time(project: Project) -> None:
    project.configure(indexing={"image_seconds": 120})
    add_picture(project, "red.png", "red")
    send(project)

    assert ask(project).pairs == 0
    from visualsearch_pipeline.pipeline.image_search import search_images
    from visualsearch_pipeline.pipeline.pending import pending_work

    with project.pipeline() as pipeline:
        assert pending_work(pipeline).hits["street"] == ()
    with project.pipeline(clock=later(minutes=3)) as pipeline:
        assert pending_work(pipeline).hits["street"] == (project.today - timedelta(days=1),)
        assert search_images(pipeline, pipeline.catalog.sets[0]).pairs == 1


def test_capture_facts_come_from_the_image_and_filters_use_them(project: Project) -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Make], exif[ExifTags.Base.Model] = "GoPro", "HERO12"
    exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.DateTimeOriginal] = "2026:02:03 04:05:06"
    exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.OffsetTimeOriginal] = "+01:00"
    gps = exif.get_ifd(ExifTags.IFD.GPSInfo)
    gps[ExifTags.GPS.GPSLatitudeRef], gps[ExifTags.GPS.GPSLatitude] = "N", (52.0, 30.0, 0.0)
    gps[ExifTags.GPS.GPSLongitudeRef], gps[ExifTags.GPS.GPSLongitude] = "W", (13.0, 15.0, 0.0)
    add_picture(project, "gopro.jpg", "red", exif=exif)
    add_picture(project, "plain.jpg", "red")
    project.write_queries(
        "street",
        """
        queries:
          - {id: camera, text: red, in: images, camera: GoPro HERO12}
          - {id: after, text: red, in: images, taken_after: 2026-02-03 03:05:06}
          - {id: too_late, text: red, in: images, taken_after: 2026-02-03 03:05:07}
          - {id: near, text: red, in: images, near: {latitude: 52.5, longitude: -13.2}}
          - {id: tagged, text: red, in: images, tag: nobody has this}
        """,
    )
    send(project)

    report = ask(project)

    found = sorted((str(row["query_id"]), str(row["media_uri"]).rsplit("/", 1)[1]) for row in image_hits(project))
    assert found == [("after", "gopro.jpg"), ("camera", "gopro.jpg"), ("near", "gopro.jpg")]
    assert (report.pairs, report.calls, report.truncated) == (10, 5, 0)
    (hit,) = (row for row in image_hits(project) if row["query_id"] == "camera")
    assert (hit["camera_model"], hit["latitude"], hit["longitude"]) == ("GoPro HERO12", 52.5, -13.25)
    assert hit["captured_at"] == datetime(2026, 2, 3, 3, 5, 6, tzinfo=UTC)


def test_only_the_best_of_a_day_are_kept_where_a_query_says_so(project: Project) -> None:
    project.write_queries("street", "queries: [{id: best, text: red square, in: images, top_k: 1, min_score: 0.2}]")
    add_picture(project, "a.png", "red")
    add_picture(project, "b.png", "blue")
    send(project)

    assert ask(project).pairs == 2
    (hit,) = image_hits(project)
    assert str(hit["media_uri"]).endswith("/a.png")
    with project.pipeline() as pipeline:
        (coverage,) = pipeline.ledger.image_searches.coverage_of("street")
        assert (coverage.videos, coverage.hits) == (2, 1)


def test_hits_whose_file_was_deleted_are_noticed_and_asked_again(project: Project) -> None:
    from visualsearch_pipeline.pipeline.publish import publish

    add_picture(project, "red.png", "red")
    add_picture(project, "blue.png", "blue")
    send(project)
    ask(project)
    (file,) = project.root.rglob("image_hits.parquet")
    file.unlink()

    with project.pipeline() as pipeline:
        publish(pipeline)

    assert ask(project).pairs == 1
    assert len(image_hits(project)) == 1
    with project.pipeline() as pipeline:
        publish(pipeline)
    assert project.sql("SELECT count(*), sum(hits)::INTEGER FROM image_coverage") == [(2, 1)]


def _written(project: Project, name: str, content: bytes) -> Any:
    path = project.footage / name
    path.write_bytes(content)
    return path
