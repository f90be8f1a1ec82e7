"""Private images: from a folder into the library, each once, and found by a text."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from PIL import ExifTags, Image

from tests.command_line import Answer, visualsearch
from tests.pipeline.picture_folder import add_picture, ask, image_hits, send, stored_ids, with_images
from visualsearch_pipeline.api import ImageHit
from visualsearch_pipeline.ledger import LibraryImage, UploadState
from visualsearch_pipeline.pipeline.image_answers import identified
from visualsearch_pipeline.pipeline.image_reconciling import ImageVerdict, LostImage, find_lost_image
from visualsearch_pipeline.sandbox import FaultKind, FaultRule

if TYPE_CHECKING:
    from tests.conftest import MakeProject, Project

DIALECTS: dict[str, dict[str, Any]] = {
    "live-2025": {"unique_id": "default"},
    "spring-2026": {"unique_id": "default"},
    "openapi": {"folder_id": -1},
}
FAULTS = {
    "reset before": FaultRule(operation="upload_img", kind=FaultKind.RESET, when="before"),
    "reset after": FaultRule(operation="upload_img", kind=FaultKind.RESET, when="after"),
    "503 before": FaultRule(operation="upload_img", kind=FaultKind.SPRING_503, when="before"),
    "503 after": FaultRule(operation="upload_img", kind=FaultKind.SPRING_503, when="after"),
    "half an answer": FaultRule(operation="upload_img", kind=FaultKind.TRUNCATED_JSON, when="after"),
    "a proxy's page": FaultRule(operation="upload_img", kind=FaultKind.HTML_200, when="after"),
}


class LostUpload(NamedTuple):
    """An undecided image, and the ids in the library that may be its own."""

    sha256: str
    candidates: list[str]


def later(**time: float) -> Callable[[], datetime]:
    """A clock that is ahead."""
    return lambda: datetime.now(UTC) + timedelta(**time)


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


@pytest.mark.parametrize(
    "fault",
    ["reset before", "reset after", *(pytest.param(name, marks=pytest.mark.soak) for name in list(FAULTS)[2:])],
)
def test_whatever_becomes_of_an_answer_each_image_is_in_the_library_once(project: Project, fault: str) -> None:
    project.configure(indexing={"grace_seconds": 0.001})
    for name, colour in (("red.png", "red"), ("blue.png", "blue"), ("green.png", "green")):
        add_picture(project, name, colour)
    fault_id = project.server.faults.add(FAULTS[fault])

    first = send(project)
    (met,) = project.server.faults.fired(fault_id)
    second = send(project)

    assert (first.uploads.uploaded, first.uploads.failed) == (0, 3)
    adopted, uploaded = (3, 0) if met.took_effect else (0, 3)
    assert (second.uploads.adopted, second.uploads.uploaded) == (adopted, uploaded)
    assert len(stored_ids(project)) == 3
    with project.pipeline() as pipeline:
        images = pipeline.ledger.images.uploaded()
        assert {image.image_id for image in images} == stored_ids(project)
        assert pipeline.ledger.failures.unresolved(step="images") == ()
    assert ask(project).hits == 1
    (hit,) = image_hits(project)
    assert str(hit["media_uri"]).endswith("/red.png")


def test_an_image_that_is_not_found_at_once_is_waited_for_before_it_is_sent_again(project: Project) -> None:
    add_picture(project, "red.png", "red")
    project.server.faults.add(FAULTS["reset before"])
    send(project)

    again = send(project)

    assert (again.uploads.uploaded, again.uploads.waiting) == (0, 1)
    assert len(project.calls("upload_img")) == 1
    with project.pipeline(clock=later(minutes=16)) as pipeline:
        from visualsearch_pipeline.pipeline.images import send_images

        assert send_images(pipeline).uploads.uploaded == 1
    assert len(stored_ids(project)) == 1


@pytest.mark.parametrize(
    ("found", "batch_size", "expected"),
    [
        ([], 1, ImageVerdict.ABSENT),
        ([("9", "red-" + "a" * 16)], 3, "9"),
        ([("9", "red-" + "a" * 16), ("7", "red-" + "a" * 16)], 1, "7"),
        ([("9", "blue-" + "b" * 16)], 3, ImageVerdict.ABSENT),
        ([("9", "picture of the service")], 1, "9"),
        ([("9", None)], 1, "9"),
        ([("9", "picture of the service")], 2, ImageVerdict.UNDECIDED),
        ([("9", None), ("8", None)], 1, ImageVerdict.UNDECIDED),
        ([("5", "red-" + "a" * 16)], 1, ImageVerdict.ABSENT),
    ],
    ids=["none", "by name", "the first of two", "another's", "alone", "nameless", "one of two", "two", "claimed"],
)
def test_a_lost_image_is_what_its_name_or_its_tag_alone_tells(
    found: list[tuple[str, str | None]], batch_size: int, expected: str | ImageVerdict
) -> None:
    hits = [ImageHit.model_validate({"id": image_id, "name": name}) for image_id, name in found]

    verdict = find_lost_image(LostImage("a" * 64, batch_size), hits, claimed={"5"})

    assert (verdict.image_id if isinstance(verdict, ImageHit) else verdict) == expected


def lose_an_image(project: Project) -> LostUpload:
    """The service is asked within the image's tag, and answers with two images whose names tell nothing."""
    add_picture(project, "red.png", "red")
    project.server.faults.add(FAULTS["reset before"])
    send(project)
    with project.pipeline() as pipeline:
        (lost,) = pipeline.ledger.images.open()
        for name in ("one", "two"):
            path = project.root / f"{name}.png"
            Image.new("RGB", (9, 9), "red").save(path)
            words = lost.upload_name.rsplit("-", 1)[0]
            pipeline.client.upload_images([path], tags=[f"sha256:{lost.sha256}", words])

    send(project)
    return LostUpload(lost.sha256, sorted(stored_ids(project)))


def test_what_cannot_be_decided_is_left_to_a_person_and_not_sent_again(project: Project) -> None:
    lost = lose_an_image(project)

    with project.pipeline() as pipeline:
        (failure,) = pipeline.ledger.failures.unresolved(step="images")
        assert "2 images carry its tag" in failure.reason
        assert f"tell which it is: {', '.join(lost.candidates)}." in failure.reason
        assert f"`visualsearch images resolve {lost.sha256[:12]}`" in failure.reason
        assert pipeline.ledger.images.open() == ()
    mark = project.mark()
    send(project)
    assert project.calls(since=mark) == []


def images_command(project: Project, *arguments: str) -> Answer:
    return visualsearch("images", *arguments, cwd=project.root)


def test_a_person_says_which_image_of_the_library_it_is(project: Project) -> None:
    lost = lose_an_image(project)
    mark = project.mark()

    listed = images_command(project, "list")
    wrong = images_command(project, "resolve", lost.sha256[:12], "--image-id", "no number")
    answer = images_command(project, "resolve", "footage/red.png", "--image-id", lost.candidates[1])

    assert (listed.code, "red.png" in listed.out, lost.sha256[:12] in listed.out) == (0, True, True)
    assert (wrong.code, "'no number' is no id of an image" in wrong.error_text) == (1, True)
    said = f"red.png: it is the image {lost.candidates[1]} of the library; the next run searches it"
    assert (answer.code, " ".join(answer.out.split())) == (0, said)
    assert project.calls(since=mark) == []
    assert images_command(project, "list").out == "no image is undecided\n"
    with project.pipeline() as pipeline:
        (image,) = pipeline.ledger.images.uploaded()
        assert image.image_id == lost.candidates[1]
        assert pipeline.ledger.failures.unresolved(step="images") == ()
    assert send(project).uploads.uploaded == 0
    assert ask(project).pairs == 1


@pytest.mark.parametrize(("decision", "sent"), [("--again", 1), ("--drop", 0)])
def test_a_person_has_it_sent_again_or_left(project: Project, decision: str, sent: int) -> None:
    lost = lose_an_image(project)

    assert images_command(project, "resolve", lost.sha256[:12], decision).code == 0

    report = send(project)
    assert (report.uploads.uploaded, report.uploads.waiting) == (sent, 0)
    assert len(stored_ids(project)) == 2 + sent
    with project.pipeline() as pipeline:
        assert pipeline.ledger.failures.unresolved(step="images") == ()
    again = images_command(project, "resolve", lost.sha256[:12], decision)
    assert (again.code, "`visualsearch images list` shows those that are" in again.error_text) == (1, True)


def test_a_decision_that_is_none_or_takes_another_image_is_refused(project: Project) -> None:
    lost = lose_an_image(project)
    add_picture(project, "blue.png", "blue")
    send(project)
    (other,) = stored_ids(project) - set(lost.candidates)

    taken = images_command(project, "resolve", lost.sha256, "--image-id", other)
    both = images_command(project, "resolve", lost.sha256, "--again", "--drop")

    assert (taken.code, f"the image {other} of the library is blue.png already" in taken.error_text) == (1, True)
    assert (both.code, "exactly one of --image-id ID, --again and --drop" in both.error_text) == (2, True)
    assert "red.png" in images_command(project, "list").out


def test_ids_in_another_order_are_put_right_by_the_names() -> None:
    images = [
        LibraryImage(
            image_id=number,
            sha256=letter * 64,
            day=datetime.now(UTC).date(),
            uri="",
            name="",
            upload_name="",
            batch=None,
            captured_at=None,
            camera_model=None,
            latitude=None,
            longitude=None,
        )
        for number, letter in (("1", "a"), ("2", "b"))
    ]
    hits = [
        ImageHit.model_validate({"id": "2", "name": f"cat-{'a' * 16}", "score": 0.9}),
        ImageHit.model_validate({"id": "3", "name": "somebody else's"}),
    ]

    assert [hit.image_id for hit in identified(hits, images)] == ["1", "3"]


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


def test_a_killed_sender_leaves_a_lease_that_its_successor_takes_over(project: Project) -> None:
    """The intent is written before the call: an image that was being sent is looked for, not sent blindly."""
    add_picture(project, "red.png", "red")
    send(project)
    (image_id,) = stored_ids(project)
    with project.pipeline() as pipeline:
        import sqlalchemy as sa

        from visualsearch_pipeline.ledger.schema_images import images

        with pipeline.ledger._database.writing() as connection:
            died = {"state": UploadState.SENDING, "image_id": None, "lease_owner": "localhost/1/0.0"}
            connection.execute(sa.update(images).values(**died, lease_expires_at=datetime(2026, 1, 1, tzinfo=UTC)))

    again = send(project)

    assert (again.uploads.adopted, again.uploads.uploaded) == (1, 0)
    assert stored_ids(project) == {image_id}


def _written(project: Project, name: str, content: bytes) -> Any:
    path = project.footage / name
    path.write_bytes(content)
    return path
