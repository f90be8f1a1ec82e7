"""Plans for how the indexing of items ends."""

from fnmatch import fnmatchcase

from sqlalchemy import Connection, delete, or_, select, update

from visualsearch_pipeline.sandbox.control.models import TransitionPlan
from visualsearch_pipeline.sandbox.state import tables
from visualsearch_pipeline.sandbox.state.database import Database, insert_row
from visualsearch_pipeline.sandbox.state.entries import Status

_PLAN = tables.transitions.c
_VIDEO = tables.videos.c


class Transitions:
    """Kept in the database, so that a restart changes nothing."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def plan(self, plan: TransitionPlan) -> None:
        """Apply a plan to the unfinished items it fits (failed ones too), and keep it for uploads to come."""
        with self._database.write() as connection:
            if plan.video_no is None:
                insert_row(connection, tables.transitions, {"plan": plan.model_dump_json()})
            rows = connection.execute(
                select(_VIDEO.video_no, _VIDEO.file_name).where(
                    or_(_VIDEO.status == Status.UNPARSE, _VIDEO.status == Status.FAILED)
                )
            ).all()
            for video_no, file_name in rows:
                if plan.video_no == video_no or (plan.video_no is None and plan.file_name and _fits(plan, file_name)):
                    _apply(connection, plan, video_no)

    def plans(self) -> list[TransitionPlan]:
        """The plans kept for uploads to come, oldest first."""
        with self._database.read() as connection:
            rows = connection.execute(select(_PLAN.plan).order_by(_PLAN.transition_id)).scalars()
            return [TransitionPlan.model_validate_json(row) for row in rows]

    def clear(self) -> None:
        """Forget the plans for uploads to come; items keep what was applied to them."""
        with self._database.write() as connection:
            connection.execute(delete(tables.transitions))

    def apply_to_new(self, connection: Connection, video_no: str, file_name: str) -> None:
        """Apply the oldest fitting plan to an item, in the transaction that accepts it."""
        for row in connection.execute(select(tables.transitions).order_by(_PLAN.transition_id)).mappings().all():
            plan = TransitionPlan.model_validate_json(row["plan"])
            if not _fits(plan, file_name) or (plan.uses is not None and row["used"] >= plan.uses):
                continue
            _apply(connection, plan, video_no)
            connection.execute(
                update(tables.transitions)
                .where(_PLAN.transition_id == row["transition_id"])
                .values(used=row["used"] + 1)
            )
            return


def _fits(plan: TransitionPlan, file_name: str) -> bool:
    return plan.file_name is None or fnmatchcase(file_name, plan.file_name)


def _apply(connection: Connection, plan: TransitionPlan, video_no: str) -> None:
    changes: dict[str, object] = {"stuck": plan.stuck, "planned_cause": plan.fail_with}
    if plan.ready_after_seconds is not None:
        changes["ready_at_ms"] = _VIDEO.created_ms + round(plan.ready_after_seconds * 1000)
        changes["ready_is_planned"] = True
    if plan.ready_after_reads is not None:
        changes |= {"reads_left": plan.ready_after_reads, "ready_at_ms": _VIDEO.created_ms, "ready_is_planned": True}
    if plan.recover_after_seconds is not None:
        changes["recover_at_ms"] = _VIDEO.created_ms + round(plan.recover_after_seconds * 1000)
    connection.execute(update(tables.videos).where(_VIDEO.video_no == video_no).values(**changes))
