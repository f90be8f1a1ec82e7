"""Scraper tasks: what is to be fetched, and the worker that fetches it."""

import json
import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import RowMapping, insert, select, update

from visualsearch_pipeline.sandbox.callbacks import Callbacks
from visualsearch_pipeline.sandbox.clock import Clock
from visualsearch_pipeline.sandbox.platforms.posts import Post, post_at
from visualsearch_pipeline.sandbox.state import tables
from visualsearch_pipeline.sandbox.state.database import Database
from visualsearch_pipeline.sandbox.state.entries import DEFAULT_FOLDER_ID, DEFAULT_UNIQUE_ID, PUBLIC_LIBRARY, Scope

_LOGGER = logging.getLogger(__name__)
_TICK_SECONDS = 0.05
_TASK = tables.tasks.c


@dataclass(frozen=True, kw_only=True)
class ScraperTask:
    """An accepted task. `scope.library` is `public` for the public forms."""

    task_id: str
    account: str
    scope: Scope
    posts: tuple[tuple[str, str | None], ...]
    callback: str | None

    @property
    def is_public(self) -> bool:
        """Whether it adds to the public library."""
        return self.scope.library == PUBLIC_LIBRARY


class ScraperTasks:
    """Tasks survive a restart; one that was cut off is begun again, and skips the posts it has fetched."""

    def __init__(
        self,
        database: Database,
        *,
        clock: Clock,
        callbacks: Callbacks,
        seed: int,
        fetch: Callable[[ScraperTask, Post], None],
    ) -> None:
        self._database = database
        self._clock = clock
        self._callbacks = callbacks
        self._seed = seed
        self._fetch = fetch
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="sandbox-scraper", daemon=True)

    def start(self) -> None:
        """Start the worker."""
        self._thread.start()

    def stop(self) -> None:
        """End the worker after the post it is at."""
        self._stopping.set()
        self._thread.join()

    def add(self, task: ScraperTask, *, ready_at_ms: int) -> None:
        """Accept a task; its posts are fetched when the time has come."""
        values = {
            "task_id": task.task_id,
            "account": task.account,
            "unique_id": task.scope.unique_id or DEFAULT_UNIQUE_ID,
            "folder_id": DEFAULT_FOLDER_ID if task.scope.folder_id is None else task.scope.folder_id,
            "library": task.scope.library,
            "created_ms": self._clock.now_ms(),
            "ready_at_ms": ready_at_ms,
            "callback": task.callback,
            "posts": json.dumps(task.posts),
        }
        with self._database.write() as connection:
            connection.execute(insert(tables.tasks).values(values))

    def known(self, task_id: str) -> bool:
        """Whether a task was accepted, finished or not."""
        with self._database.read() as connection:
            return connection.execute(select(_TASK.task_id).where(_TASK.task_id == task_id)).first() is not None

    def waiting(self) -> int:
        """How many tasks are due but not finished."""
        return len(self._due())

    def _due(self) -> list[ScraperTask]:
        due = (_TASK.finished.is_(False), _TASK.ready_at_ms <= self._clock.now_ms())
        with self._database.read() as connection:
            rows = connection.execute(select(tables.tasks).where(*due).order_by(_TASK.ready_at_ms)).mappings()
            return [_task(row) for row in rows]

    def _run(self) -> None:
        while not self._stopping.wait(_TICK_SECONDS):
            for task in self._due():
                self._perform(task)

    def _perform(self, task: ScraperTask) -> None:
        fetched = 0
        for url, hash_tag in task.posts:
            if self._stopping.is_set():
                return
            post = post_at(url, seed=self._seed, hash_tag=hash_tag)
            if post is None:
                continue
            try:
                self._fetch(task, post)
                fetched += 1
            except Exception:  # A post that cannot be had must not end the worker; the task goes on without it.
                _LOGGER.exception("%s could not be fetched for task %s", url, task.task_id)
        with self._database.write() as connection:
            connection.execute(update(tables.tasks).where(_TASK.task_id == task.task_id).values(finished=True))
        if task.callback:
            status = "SUCCEEDED" if fetched else "FAILED"
            self._callbacks.post(task.callback, {"taskId": task.task_id, "status": status})


def _task(row: RowMapping) -> ScraperTask:
    scope = Scope(library=row["library"], unique_id=row["unique_id"], folder_id=row["folder_id"])
    return ScraperTask(
        task_id=row["task_id"],
        account=row["account"],
        scope=scope,
        posts=tuple((url, tag) for url, tag in json.loads(row["posts"])),
        callback=row["callback"],
    )
