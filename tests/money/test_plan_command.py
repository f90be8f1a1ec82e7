"""`visualsearch plan` says what a run then does, spends, and where a budget stops it; and makes no call itself."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from tests.command_line import visualsearch
from tests.pipeline.seeded_library import FIRST_DAY, SeededLibrary, spread
from visualsearch_pipeline.pipeline.expected_work import read_expected_work, read_forecast
from visualsearch_pipeline.pipeline.index import poll
from visualsearch_pipeline.pipeline.ingest import ingest, look_at_source
from visualsearch_pipeline.pipeline.upload import upload

if TYPE_CHECKING:
    from tests.conftest import MakeProject, Project
    from visualsearch_pipeline.pipeline.forecast import Forecast

CLIP_SECONDS = 3
CLIP_USD = CLIP_SECONDS / 60 * 15 / 1000


def read(project: Project, *, look: bool = True) -> Forecast:
    with project.pipeline(run_id="plan") as pipeline:
        return read_forecast(pipeline, look=look)


def finish(project: Project) -> None:
    """Everything that is billed, to its end."""
    status = project.run()
    assert status.is_done


def spent(project: Project) -> float:
    with project.pipeline() as pipeline:
        return float(pipeline.ledger.calls.spent_usd())


def test_a_plan_of_new_footage_is_what_the_run_then_does(make_project: MakeProject) -> None:
    project = make_project(("red", "blue", "green"))
    planned = read(project)
    assert project.calls() == []
    steps = {step.name: step for step in planned.steps}
    assert steps["uploads"].calls == 3
    assert steps["uploads"].size_bytes == sum(path.stat().st_size for path in project.footage.iterdir())
    assert steps["uploads"].video_seconds == pytest.approx(3 * CLIP_SECONDS, rel=0.05)
    finish(project)
    by_operation = {name: len(project.calls(name)) for name in ("upload", "get_audio_transcription", "download")}
    assert by_operation == dict.fromkeys(by_operation, 3)
    searches = [entry for entry in project.calls() if entry.operation.startswith("search")]
    assert steps["search street"].calls <= len(searches) <= steps["search street"].possible_calls
    # Keyframes and what depends on hits were not known.
    unknown = sum(entry.bytes_out for entry in project.calls("download_blob")) * 0.12e-9
    assert spent(project) == pytest.approx(
        planned.cost_usd + unknown + (len(searches) - steps["search street"].calls) * 0.0001, rel=0.02
    )


def test_copies_of_a_file_are_planned_as_one_upload_whether_known_or_new(make_project: MakeProject) -> None:
    project = make_project(("red", "blue"))
    for path in tuple(project.footage.iterdir()):
        shutil.copy2(path, path.with_name(f"copy-of-{path.name}"))

    planned = {step.name: step for step in read(project).steps}
    assert planned["uploads"].calls == 2
    finish(project)
    assert len(project.calls("upload")) == 2

    first = min(project.footage.iterdir())
    shutil.copy2(first, first.with_name(f"again-{first.name}"))
    assert "uploads" not in {step.name for step in read(project).steps}


def test_planned_calls_and_saved_ones_are_those_of_the_run_where_queries_and_sets_share_them(
    make_project: MakeProject,
) -> None:
    library = SeededLibrary(make_project(()))
    project = library.project
    project.configure(archive={"videos": False, "keyframes": False})
    by_day, _ = spread(250, day_count=2, hit_count=40)
    library.add(by_day)
    project.write_queries("street", "queries: [{id: zebra, text: zebra}]")
    library.search("street", days=[FIRST_DAY])
    shared = """\
        queries:
          - {id: zebra, text: zebra}
          - {id: good, text: zebra, min_score: 0.2}
          - {id: best, text: zebra, top_k: 5}
          - {id: again, text: zebra}
          - {id: horse, text: horse}
        """
    project.write_queries("street", shared)
    project.write_queries("night", "queries: [{id: stripes, text: zebra, top_k: 5}, {id: horse, text: horse}]")
    sets = ("night", "street")
    steps = {step.name: step for step in read(project).steps}
    planned = [(steps[f"search {name}"].calls, steps[f"search {name}"].calls_saved) for name in sets]
    mark = project.mark()

    reports = [library.search(name) for name in sets]

    assert [(report.calls, report.calls_saved) for report in reports] == planned
    assert sum(report.calls for report in reports) == len(project.calls("search", since=mark))
    # Lists of a hundred: three for each word; then three more for what neither `zebra` nor `good` was told.
    assert [calls for calls, _ in planned] == [6, 3]
    assert not [step for step in read(project).steps if step.name.startswith("search")]


def test_the_command_says_how_many_calls_are_saved(make_project: MakeProject) -> None:
    library = SeededLibrary(make_project(()))
    library.project.write_queries("street", "queries: [{id: zebra, text: zebra}, {id: best, text: zebra, top_k: 5}]")
    by_day, _ = spread(150, day_count=1, hit_count=4)
    library.add(by_day)

    answer = visualsearch("plan", cwd=library.project.root)

    assert answer.code == 0, answer
    assert "2 calls, 298 saved" in " ".join(answer.out.split())


def test_after_a_run_nothing_is_left_to_plan(project: Project) -> None:
    finish(project)
    assert read(project).steps == ()


def test_a_plan_counts_each_video_once_on_its_way_through_the_states(make_project: MakeProject) -> None:
    project = make_project(("red", "blue"), indexing_seconds=3600)

    def amounts() -> tuple[int, int, int, int]:
        with project.pipeline() as pipeline:
            work = read_expected_work(pipeline)
            return len(work.uploads), work.indexing, work.transcripts, len(work.original_bytes)

    assert amounts() == (2, 0, 2, 2)
    with project.pipeline() as pipeline:
        look_at_source(pipeline)
        ingest(pipeline)
    assert amounts() == (2, 0, 2, 2)
    with project.pipeline() as pipeline:
        upload(pipeline)
    assert amounts() == (0, 2, 2, 2)
    project.server.clock.advance(7200)
    project.server.settle()
    with project.pipeline() as pipeline:
        poll(pipeline)
    assert amounts() == (0, 0, 2, 2)


def test_files_that_would_be_refused_are_counted_and_cost_nothing(project: Project) -> None:
    broken = project.footage / "broken.mp4"
    broken.write_bytes(b"no video at all" * 100)
    project.touch(broken)
    planned = read(project)
    assert planned.work.refused == 1
    assert len(planned.work.uploads) == 2


def test_without_a_look_only_what_the_ledger_knows_is_counted(project: Project) -> None:
    assert read(project, look=False).steps == ()
    assert read(project).steps != ()


def test_an_archive_that_is_not_wanted_is_not_planned(project: Project) -> None:
    project.configure(archive={"videos": False, "keyframes": False})
    assert "originals" not in {step.name for step in read(project).steps}


def test_a_budget_s_stop_is_foretold_where_it_happens(make_project: MakeProject) -> None:
    project = make_project(("red", "red-2", "red-3", "red-4"))
    project.configure(budget={"per_run_usd": 2.5 * CLIP_USD}, api={"concurrent_transfers": 1})
    (stop,) = read(project).budget_stops
    assert (stop.step, stop.calls_before, stop.calls) == ("uploads", 2, 4)
    with project.pipeline() as pipeline:
        ingest(pipeline)
        with pytest.raises(Exception, match="per_run_usd"):
            upload(pipeline)
    assert len(project.server.videos()) == 2


def test_the_command_needs_no_key_makes_no_call_and_fits_80_columns(make_project: MakeProject) -> None:
    project = make_project(("red", "blue", "green"))
    project.configure(api={"rate_limits": "documented"}, budget={"per_run_usd": 1.5 * CLIP_USD})
    answer = visualsearch("plan", cwd=project.root)
    assert answer.code == 0, answer
    assert project.calls() == []
    text = " ".join(answer.out.split())
    assert "3 files" in text
    assert "0.1 min to index" in text
    assert "the limit `upload: 1/minute` takes longest: at least 2 min" in text
    assert "stopped by `budget.per_run_usd`" in text
    assert "uploads after 1 of 3" in text
    assert max(map(len, answer.out.splitlines())) <= 80


def test_a_source_that_is_not_there_is_told_and_can_be_left_out(project: Project) -> None:
    project.configure(source={"path": "./nowhere"})
    answer = visualsearch("plan", cwd=project.root)
    assert answer.code == 1
    assert "nowhere" in answer.err
    answer = visualsearch("plan", "--no-look", cwd=project.root)
    assert (answer.code, "nothing to do" in answer.out) == (0, True)
