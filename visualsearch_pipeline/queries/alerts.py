"""`alert:` in a query set: who is told of new hits, and how it is written. No part of the question that is asked.

Written `alert: new_hits`, to where `alerts` in visualsearch.yaml says, or with a `webhook` (the name of an environment
variable that holds the address, or an address without secrets) or a `command`, which gets the alert as JSON on its
standard input: see docs/alerts.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final, Literal, TypeAlias

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    StringConstraints,
    Tag,
    WithJsonSchema,
)

from visualsearch_pipeline.alert_addresses import VARIABLE_PATTERN, check_webhook
from visualsearch_pipeline.located_yaml import nearest_word

NEW_HITS: Final = "new_hits"
"""The one thing there is to be told of."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """Where the news of one query goes. Neither webhook nor command: to where the settings say.

    Attributes:
        webhook: A web address without secrets, or the name of the environment variable that holds the address.
        command: A program and its arguments; no shell sees them.
        folder: The folder of the query set's file: commands run there.
    """

    webhook: str | None = None
    command: tuple[str, ...] = ()
    folder: Path | None = None


def _check_shape(value: object) -> object:
    if not isinstance(value, dict):
        if value == NEW_HITS or isinstance(value, AlertEntry):
            return value
        hint = nearest_word(value, (NEW_HITS,)) if isinstance(value, str) else None
        message = f"must be `{NEW_HITS}`, or a mapping with a `webhook` or a `command`"
        raise ValueError(f"{message}; {hint}" if hint else message)
    # YAML reads a bare `on` as true.
    entry = {"on" if key is True else key: part for key, part in value.items()}
    if "webhook" in entry and "command" in entry:
        raise ValueError("has a `webhook` and a `command`; give one of them")
    if entry.get("command") == []:
        raise ValueError("has a `command` without a program; write such as `command: [./notify, --team, street]`")
    return entry


def _form(value: object) -> str:
    return "AlertEntry" if isinstance(value, dict | AlertEntry) else "short"


Webhook: TypeAlias = Annotated[
    str,
    AfterValidator(check_webhook),
    WithJsonSchema({"type": "string", "pattern": f"^({VARIABLE_PATTERN}|https?://[^?#@]+)$"}),
]
CommandPart: TypeAlias = Annotated[str, StringConstraints(min_length=1)]

WEBHOOK_MEANING: Final = (
    "An https address without secrets, or the name of an environment variable that holds the address."
)
COMMAND_MEANING: Final = "A program and its arguments, run without a shell; the alert is JSON on its standard input."


class AlertEntry(BaseModel):
    """Who is told of new hits: one webhook or command; neither means where the settings say."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    on: Literal["new_hits"] = Field("new_hits", description="What is told: hits that an earlier answer did not have.")
    webhook: Webhook | None = Field(None, description=WEBHOOK_MEANING)
    command: tuple[CommandPart, ...] | None = Field(None, min_length=1, description=COMMAND_MEANING)


AlertSetting: TypeAlias = Annotated[
    # Told apart by their shape, so that a mistake in one is not reported as a mistake in the other too.
    Annotated[Literal["new_hits"], Tag("short")] | Annotated[AlertEntry, Tag("AlertEntry")],
    Discriminator(_form),
    BeforeValidator(_check_shape),
]

ALERT_MEANING: Final = (
    "Tell of new hits, once per run that found some: new_hits, or where to. A query's first run tells nothing."
)


def to_alert(setting: str | AlertEntry, *, folder: Path) -> Alert:
    """The alert that a file asks for."""
    if isinstance(setting, str):
        return Alert(folder=folder)
    return Alert(webhook=setting.webhook, command=setting.command or (), folder=folder)
