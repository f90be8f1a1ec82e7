"""What follows by itself when a day's videos change, and who asks for what.

Each thing is asked for in one place:

| asset | asked for by | when |
|---|---|---|
| `media`, `uploads` | the sensor `new_media` | the ledger has files to look into, contents to send |
| `videos` | the sensor `indexing` | a video changed its state; a day has something left to ask or fetch |
| `hits/…`, `transcripts`, `captions` | conditions, by the sensor `results` | `videos` of that day was materialized |
| `archive` | likewise | the hits of that day were materialized, and no other set is still being asked |
| `warehouse` | likewise | any of these was materialized |
| `report` | likewise | `warehouse` was materialized |
| whatever a day lacks | the sensor `done_days` | nothing is left to do on that day |
| `hits/…` of a set with a `schedule:` | that schedule alone | its file says so, and there is something to ask |

The ledger decides whether there is work (`pipeline/pending.py`), and `indexing` turns that into a materialization of
`videos`; conditions know nothing of the ledger, and only carry it on. A run that materializes a dependency together
with what follows, as from the UI, asks for nothing again. The schedule `daily` is the net: it does whatever is left.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final, TypeAlias

import dagster as dg

from visualsearch_pipeline.orchestration.keys import AssetKeys
from visualsearch_pipeline.orchestration.run_tags import REASON_TAG

Condition: TypeAlias = dg.AutomationCondition[dg.AssetKey | dg.AssetCheckKey]

_UPDATED_BY_ANOTHER_RUN: Final = (
    dg.AutomationCondition.newly_updated() & ~dg.AutomationCondition.executed_with_root_target()
).with_label("updated_by_another_run")

_HAS_FAILED_BLOCKING_CHECK: Final = dg.AutomationCondition.any_checks_match(
    dg.AutomationCondition.check_failed(), blocking_only=True
).with_label("has_failed_blocking_check")


def after_each_update(*, except_of: Collection[dg.AssetKey] = ()) -> Condition:
    """A day is asked for when the same day of something above it was materialized, however long ago the day is.

    `AutomationCondition.eager()` looks at the latest day only, and waits for days that never were; here every day
    counts, and a missing one is no matter. It waits while a dependency, or the asset itself, has a run for the day.
    What is updated before such a run has ended counts as handled by it; where it was not, `indexing` asks again.

    Args:
        except_of: what is above it and does not count.
    """
    updated = dg.AutomationCondition.any_deps_match(_UPDATED_BY_ANOTHER_RUN)
    if except_of:
        updated = updated.ignore(dg.AssetSelection.assets(*except_of))
    return (
        updated.with_label("any_dependency_updated").since_last_handled()
        & ~dg.AutomationCondition.any_deps_in_progress()
        & ~dg.AutomationCondition.in_progress()
    ).with_label("after_each_update")


def once_anything_changed() -> Condition:
    """For what has no days and sums all up: asked for whenever something above it was materialized.

    It does not wait for runs above it to end, since with a backlog there is always one, nor for a set that was never
    asked, since its schedule may be days away. It does wait while a blocking check fails: what would spread corruption
    is not published.

    What is updated while it is being made is not in it, so that it is asked for once more: only being asked for counts
    as handled, not being updated, as `since_last_handled()` has it. Dagster looks at a request one tick later; what
    came in between counts, too.
    """
    updated = dg.AutomationCondition.any_deps_match(_UPDATED_BY_ANOTHER_RUN).with_label("any_dependency_updated")
    requested = dg.AutomationCondition.newly_requested() | dg.AutomationCondition.initial_evaluation()
    return (
        updated.since((requested & ~updated).with_label("requested_and_nothing_came_after"))
        & ~dg.AutomationCondition.any_deps_match(_HAS_FAILED_BLOCKING_CHECK)
        & ~dg.AutomationCondition.in_progress()
    ).with_label("once_anything_changed")


def results_sensor(keys: AssetKeys, *, assets: Collection[dg.AssetKey], every_seconds: int) -> dg.SensorDefinition:
    """The sensor `results`: evaluates the conditions of what follows from indexed videos."""
    return dg.AutomationConditionSensorDefinition(
        name=keys.name("results"),
        target=dg.AssetSelection.assets(*assets),
        minimum_interval_seconds=every_seconds,
        run_tags={REASON_TAG: "upstream changed"},
        description="Asks for hits, transcripts, captions, archive and tables of the days whose videos changed.",
    )
