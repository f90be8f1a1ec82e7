"""Images whose answer was lost: found again by what they carry, or left to a person, and never sent twice."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

import pytest
import sqlalchemy as sa
from PIL import Image

from tests.command_line import Answer, visualsearch
from tests.pipeline.picture_folder import add_picture, ask, image_hits, later, send, stored_ids, with_images
from visualsearch_pipeline.api import ImageHit
from visualsearch_pipeline.ledger import LibraryImage, UploadState
from visualsearch_pipeline.ledger.schema_images import images
from visualsearch_pipeline.pipeline.image_answers import identified
from visualsearch_pipeline.pipeline.image_reconciling import ImageVerdict, LostImage, find_lost_image
from visualsearch_pipeline.sandbox import FaultKind, FaultRule

if TYPE_CHECKING:
    from tests.conftest import MakeProject, Project


@pytest.fixture
def project(make_project: MakeProject) -> Project:
    """A source with images, and none in it yet."""
    return with_images(make_project(()))


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


def test_a_killed_sender_leaves_a_lease_that_its_successor_takes_over(project: Project) -> None:
    """The intent is written before the call: an image that was being sent is looked for, not sent blindly."""
    add_picture(project, "red.png", "red")
    send(project)
    (image_id,) = stored_ids(project)
    with project.pipeline() as pipeline, pipeline.ledger._database.writing() as connection:
        died = {"state": UploadState.SENDING, "image_id": None, "lease_owner": "localhost/1/0.0"}
        connection.execute(sa.update(images).values(**died, lease_expires_at=datetime(2026, 1, 1, tzinfo=UTC)))

    again = send(project)

    assert (again.uploads.adopted, again.uploads.uploaded) == (1, 0)
    assert stored_ids(project) == {image_id}
