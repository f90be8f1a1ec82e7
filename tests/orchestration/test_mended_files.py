"""A file that failed is mended, and its day run again at once: it is taken, and not called broken once more."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import dagster as dg

from tests.orchestration.daemon import Daemon

if TYPE_CHECKING:
    from tests.conftest import MakeProject


def test_a_file_mended_with_its_old_time_is_taken_by_the_next_run(make_project: MakeProject) -> None:
    project = make_project(())
    project.configure(source={"settle_seconds": 1})
    broken = project.footage / "broken.mp4"
    broken.write_text("no video")
    project.touch(broken)
    with dg.DagsterInstance.ephemeral(tempdir=str(project.root)) as instance:
        daemon = Daemon(project, instance)
        (wanted,) = daemon.request("new_media")
        day = dict(wanted.tags)
        assert not daemon.execute(wanted).success

        was = broken.stat()
        project.add_clip("red", "broken.mp4")
        os.utime(broken, (was.st_mtime, was.st_mtime))
        assert daemon.materialize([dg.AssetKey("media")], day).success
    with project.pipeline() as pipeline:
        assert pipeline.ledger.failures.unresolved() == ()
        assert len(pipeline.ledger.uploads.open()) == 1
