"""Runs every step of a project to its end, in a process of its own, so that a test can kill it.

    python run_all_steps.py SETTINGS_FILE [SUFFIX MOMENT]

With a suffix the process kills itself where a file gets a final name that ends so: `before` the rename, or `after` it
and before anything else is written. Python's audit events tell when that is, so no code of the product is replaced.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

from visualsearch_pipeline.api import UniqueIdScope, VisualSearchClient
from visualsearch_pipeline.pipeline.archive import archive
from visualsearch_pipeline.pipeline.index import poll
from visualsearch_pipeline.pipeline.ingest import ingest, look_at_source
from visualsearch_pipeline.pipeline.pipeline import Pipeline
from visualsearch_pipeline.pipeline.publish import publish
from visualsearch_pipeline.pipeline.search import register_queries, search
from visualsearch_pipeline.pipeline.transcribe import transcribe
from visualsearch_pipeline.pipeline.upload import upload
from visualsearch_pipeline.settings import load_settings, read_api_key

_POLLS = 600


def die_at(suffix: str, moment: str) -> None:
    """Kill this process, as `kill -9` does, at the first rename to a name that ends in `suffix`."""
    is_renamed = False

    def hook(event: str, arguments: tuple[object, ...]) -> None:
        nonlocal is_renamed
        if is_renamed and event == "open":
            os.kill(os.getpid(), signal.SIGKILL)
        if event == "os.rename" and str(arguments[1]).endswith(suffix):
            if moment == "before":
                os.kill(os.getpid(), signal.SIGKILL)
            is_renamed = True

    sys.addaudithook(hook)


def main(settings_file: Path) -> None:
    """Run the steps."""
    settings = load_settings(settings_file, environ={})
    with Pipeline(
        settings,
        open_client=lambda on_call: VisualSearchClient(
            base_url=settings.api.base_url,
            api_key=read_api_key(),
            scope=UniqueIdScope("default"),
            on_call=on_call,
        ),
    ) as pipeline:
        look_at_source(pipeline)
        ingest(pipeline)
        upload(pipeline)
        for _ in range(_POLLS):
            poll(pipeline)
            if not pipeline.ledger.videos.open():
                break
            # The step asks once: to come back later is for whoever runs it, here as in a sensor.
            time.sleep(0.05)
        register_queries(pipeline, pipeline.catalog)
        for query_set in pipeline.catalog.sets:
            search(pipeline, query_set)
        transcribe(pipeline, "transcripts")
        transcribe(pipeline, "captions")
        archive(pipeline)
        publish(pipeline)


if __name__ == "__main__":
    if len(sys.argv) > 2:
        die_at(sys.argv[2], sys.argv[3])
    main(Path(sys.argv[1]))
