"""What the ledger keeps and refuses."""

from __future__ import annotations

import sqlite3
from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import StatementError

from visualsearch_pipeline.ledger import (
    Content,
    Covered,
    ItemState,
    LeaseOwner,
    Ledger,
    LedgerError,
    QueryRecord,
    Question,
    Sighting,
    UploadState,
    VideoObservation,
    VideoState,
    WantedObject,
)
from visualsearch_pipeline.ledger.schema import SCHEMA_VERSION, items, queries

NOW = datetime(2026, 2, 1, 12, tzinfo=UTC)
LATER = NOW + timedelta(hours=1)
DAY = date(2026, 2, 1)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "ledger.db"


def open_ledger(path: Path) -> Ledger:
    return Ledger(f"sqlite:///{path}")


def sighting(uri: str = "file:///a.mp4", **fields: object) -> Sighting:
    given: dict[str, object] = {
        "uri": uri,
        "name": uri.rpartition("/")[2],
        "day": DAY,
        "state": ItemState.FOUND,
        "size_bytes": 1,
        "modified_at": NOW,
        "etag": None,
    }
    return Sighting(**(given | fields))  # type: ignore[arg-type]  # fields of the dataclass by name


def accept(ledger: Ledger, uri: str = "file:///a.mp4", *, sha256: str = "a" * 64) -> bool:
    ledger.items.record_sightings([sighting(uri)], gone=(), seen_at=NOW)
    content = Content(sha256=sha256, day=DAY, uri=uri, name=uri, size_bytes=1, captured_at=NOW)
    return ledger.items.record_accepted(uri, content=content, upload_name=f"{sha256[:16]}.mp4", at=NOW)


def make_ready(ledger: Ledger, *video_nos: str) -> None:
    for number, video_no in enumerate(video_nos):
        sha256 = f"{number:064x}"
        accept(ledger, f"file:///{number}.mp4", sha256=sha256)
        ledger.uploads.record_uploaded(sha256, video_no=video_no, video_name=None, adopted=False, at=NOW)
    ledger.videos.record_observations([VideoObservation(no, VideoState.READY) for no in video_nos], at=NOW)


def test_a_ledger_of_a_newer_version_is_refused_and_left_alone(path: Path) -> None:
    open_ledger(path).close()
    connection = sqlite3.connect(path)
    connection.execute("UPDATE schema_version SET version = ?", (SCHEMA_VERSION + 1,))
    connection.commit()
    connection.close()
    with pytest.raises(LedgerError, match=f"schema version {SCHEMA_VERSION + 1}.*newer visualsearch_pipeline.*Upgrade"):
        open_ledger(path)


def test_what_is_no_ledger_is_refused_in_words(path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b"a shopping list, not a database" * 100)
    with pytest.raises(LedgerError, match=r"ledger\.db cannot be .*not a database"):
        open_ledger(path)
    assert path.read_bytes().startswith(b"a shopping list")


def test_a_ledger_whose_folder_cannot_be_made_is_refused_in_words(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("in the way")
    with pytest.raises(LedgerError, match="folder cannot be made"):
        open_ledger(tmp_path / "state" / "ledger.db")


def test_a_ledger_url_that_is_none_is_refused_without_repeating_it() -> None:
    with pytest.raises(LedgerError, match="ledger_url") as refused:
        Ledger("my-password-is-hunter2")
    assert "hunter2" not in str(refused.value)


def test_moments_without_a_zone_are_refused(url: str) -> None:
    with Ledger(url) as ledger, pytest.raises(StatementError, match="aware moments only"):
        ledger.failures.record("hits", subject="x", day=None, reason="y", retryable=True, at=datetime(2026, 2, 1))  # noqa: DTZ001  the point
    with Ledger(url) as ledger:
        assert ledger.failures.unresolved() == ()


def test_moments_of_any_zone_come_back_as_the_same_moment_in_utc(url: str) -> None:
    tokyo = datetime(2026, 2, 1, 21, 0, 0, 123456, tzinfo=timezone(timedelta(hours=9)))
    with Ledger(url) as ledger:
        ledger.items.record_sightings([sighting(modified_at=tokyo)], gone=(), seen_at=NOW)
        (item,) = ledger.items.in_state(ItemState.FOUND)
    assert item.modified_at == tokyo
    assert item.modified_at is not None
    assert item.modified_at.tzinfo is UTC


def test_a_transaction_that_fails_leaves_nothing_behind(url: str) -> None:
    with Ledger(url) as ledger:
        with pytest.raises(StatementError):
            ledger.items.record_sightings(
                [sighting("file:///good.mp4"), sighting("file:///bad.mp4", modified_at=datetime(2026, 2, 1))],  # noqa: DTZ001  the point
                gone=(),
                seen_at=NOW,
            )
        assert ledger.items.all_by_uri() == {}


def test_the_day_of_an_item_is_fixed_when_it_is_first_seen(url: str) -> None:
    with Ledger(url) as ledger:
        ledger.items.record_sightings([sighting()], gone=(), seen_at=NOW)
        ledger.items.record_sightings([sighting(day=DAY + timedelta(days=9), size_bytes=2)], gone=(), seen_at=LATER)
        (item,) = ledger.items.in_state(ItemState.FOUND)
    assert (item.day, item.size_bytes) == (DAY, 2)


def test_failures_are_counted_until_they_are_over_and_then_begin_anew(url: str) -> None:
    with Ledger(url) as ledger:
        for reason in ("first", "second", "third"):
            ledger.failures.record("uploads", subject="a", day=DAY, reason=reason, retryable=True, at=NOW)
        (failure,) = ledger.failures.unresolved()
        assert (failure.reason, failure.failure_count, failure.first_failed_at) == ("third", 3, NOW)
        ledger.failures.resolve(subject="a", at=NOW)
        assert ledger.failures.unresolved() == ()
        ledger.failures.record("uploads", subject="a", day=DAY, reason="again", retryable=True, at=LATER)
        (failure,) = ledger.failures.unresolved()
        assert (failure.failure_count, failure.first_failed_at) == (1, LATER)


def test_an_upload_closes_the_failures_of_every_path_with_its_content(url: str) -> None:
    with Ledger(url) as ledger:
        assert accept(ledger, "file:///a.mp4") is True
        assert accept(ledger, "file:///b.mp4") is False
        for uri in ("file:///a.mp4", "file:///b.mp4"):
            ledger.uploads.record_failed(
                "a" * 64, state=UploadState.PENDING, reason="no route", retryable=True, uri=uri, at=NOW
            )
        assert len(ledger.failures.unresolved()) == 2
        ledger.uploads.record_uploaded("a" * 64, video_no="VI1", video_name=None, adopted=False, at=LATER)
        assert ledger.failures.unresolved() == ()


def test_the_intent_is_kept_from_the_first_call_that_may_have_taken_effect(url: str) -> None:
    with Ledger(url) as ledger:
        accept(ledger)
        owner = LeaseOwner.current()
        for at in (NOW, LATER):
            assert ledger.uploads.take("a" * 64, owner=owner, now=at) is not None
            ledger.uploads.record_intent("a" * 64, at=at)
            ledger.uploads.release("a" * 64, state=UploadState.UNCERTAIN)
        (upload,) = ledger.uploads.open()
        assert (upload.intended_at, upload.attempted_at, upload.attempts) == (NOW, LATER, 2)
        # Once it is known that no call took effect, the next intent is the first again.
        ledger.uploads.release("a" * 64, state=UploadState.PENDING)
        ledger.uploads.record_intent("a" * 64, at=LATER)
        (upload,) = ledger.uploads.open()
        assert upload.intended_at == LATER


def test_a_content_that_left_the_source_is_not_sent_but_is_still_looked_for(url: str) -> None:
    with Ledger(url) as ledger:
        accept(ledger)
        ledger.items.record_sightings([], gone=["file:///a.mp4"], seen_at=LATER)
        assert ledger.uploads.open() == ()
        ledger.uploads.release("a" * 64, state=UploadState.UNCERTAIN)
        assert len(ledger.uploads.open()) == 1


def test_coverage_says_what_is_left_to_ask(url: str) -> None:
    logo = Question("street", "logo", "v1")
    inside = Question("street", "inside", "v2", within_hits_of="v1")
    listed = Question("street", "listed", "v3", within_videos=("VI2", "VI9"))

    def left(ledger: Ledger, question: Question) -> list[str]:
        return [video.video_no for video in ledger.searches.unanswered(question)]

    with Ledger(url) as ledger:
        make_ready(ledger, "VI1", "VI2", "VI3")
        assert left(ledger, logo) == ["VI1", "VI2", "VI3"]
        assert left(ledger, inside) == []
        assert left(ledger, listed) == ["VI2"]
        answers = [
            Covered("street", "logo", "v1", video_no, DAY, hits=hits, truncated=False)
            for video_no, hits in (("VI1", 2), ("VI2", 0))
        ]
        ledger.searches.record_coverage(answers, run_id="r", at=NOW)
        assert left(ledger, logo) == ["VI3"]
        assert left(ledger, inside) == ["VI1"]
        assert ledger.searches.unanswered_days([logo]) == (DAY,)
        ledger.searches.forget(logo, days=[DAY])
        assert left(ledger, logo) == ["VI1", "VI2", "VI3"]


def test_queries_retire_when_nobody_asks_them_and_not_when_their_file_is_broken(url: str) -> None:
    def record(query_set: str, query_id: str) -> QueryRecord:
        return QueryRecord(query_set, query_id, "v1", "text", "a", {"text": "a"}, None)

    def current(ledger: Ledger) -> set[tuple[object, object]]:
        rows = ledger.rows(sa.select(queries).where(queries.c.retired_at.is_(None)))
        return {(row["query_set"], row["query_id"]) for row in rows}

    with Ledger(url) as ledger:
        ledger.searches.register([record("a", "x"), record("a", "y"), record("b", "z")], at=NOW)
        ledger.searches.register([], unreadable_sets={"b"}, unreadable_queries={("a", "x")}, at=LATER)
        assert current(ledger) == {("a", "x"), ("b", "z")}
        ledger.searches.register([record("a", "y")], at=LATER)
        assert current(ledger) == {("a", "y")}


def test_a_keyframe_that_is_kept_is_not_wanted_again(url: str) -> None:
    wanted = WantedObject("bucket/k.jpg", "VI1", DAY, "bucket", "k.jpg")
    with Ledger(url) as ledger:
        make_ready(ledger, "VI1")
        ledger.fetches.want([wanted, wanted])
        assert ledger.fetches.wanted() == (wanted,)
        ledger.fetches.record_not_archived(
            kind="keyframe", object_key="bucket/k.jpg", video_no="VI1", day=DAY, reason="404", retryable=False, at=NOW
        )
        assert ledger.fetches.wanted() == ()  # failed for good
        ledger.fetches.want([wanted])
        assert ledger.fetches.wanted() == ()


def test_the_ledger_is_readable_with_plain_sql(path: Path) -> None:
    with open_ledger(path) as ledger:
        accept(ledger)
        assert ledger.count_by(items.c.state) == {("accepted",): 1}
    connection = sqlite3.connect(path)
    assert connection.execute("SELECT state FROM uploads").fetchall() == [("pending",)]
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    connection.close()
