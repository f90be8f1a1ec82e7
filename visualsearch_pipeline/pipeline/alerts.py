"""Telling people of new hits: each set of new hits once, after it was published.

The order of writing keeps alerts from being lost, and marks those that may come twice. Who wants to be told is noted
before the publication; an alert is decided on, with all that is sent, before it is sent; an attempt is counted before
it is made, its outcome after it. Killed anywhere, the next run goes on: an alert whose answer was never recorded is
sent again under the same delivery id, by which its receiver knows it.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from visualsearch_pipeline.ledger import DeliveryState
from visualsearch_pipeline.ledger.alerts import UNDELIVERED, AlertDelivery, QueryName
from visualsearch_pipeline.pipeline.alert_channels import (
    Channel,
    CommandChannel,
    NotDelivered,
    Parcel,
    WebhookChannel,
)
from visualsearch_pipeline.pipeline.alert_news import read_news
from visualsearch_pipeline.pipeline.errors import PipelineError
from visualsearch_pipeline.pipeline.pipeline import Pipeline
from visualsearch_pipeline.queries import QueryCatalog
from visualsearch_pipeline.queries.alerts import Alert
from visualsearch_pipeline.warehouse import read_publication


class NoSuchDelivery(PipelineError):  # noqa: N818  says what happened, as in `pipeline.errors`
    """No alert has the id that was given."""


_ALL_TIME = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class AlertsReport:
    """What became of the alerts.

    Attributes:
        delivered: Taken by their receivers now.
        failed: Not taken; the next run tries again.
        given_up: Not taken for `alerts.give_up_days`; no run tries again by itself.
    """

    delivered: int = 0
    failed: int = 0
    given_up: int = 0


def subscribe_alerts(pipeline: Pipeline) -> None:
    """Note who wants to be told of what from now on, before the next publication.

    A query that gets its alert now is told of what this publication brings and of nothing that stands published.
    """
    standing = read_publication(pipeline.settings.database_path)
    pipeline.ledger.alerts.subscribe(
        _wanted(pipeline.catalog),
        unreadable_sets={broken.name for broken in pipeline.catalog.broken},
        since=standing.published_at if standing is not None else _ALL_TIME,
    )


def send_alerts(pipeline: Pipeline, *, environ: Mapping[str, str] | None = None) -> AlertsReport:
    """Tell of what was published since, and try again what could not be told before.

    What cannot be delivered is a failure of the step `alerts` and stops nothing. One process sends at a time.

    Args:
        pipeline: the run.
        environ: where webhook addresses are found; default `os.environ`.

    Raises:
        ReadError: the published file cannot be opened.
    """
    with pipeline.locked("alerts"):
        alerts = pipeline.ledger.alerts
        alerts.intend(read_news(pipeline, alerts.subscriptions()))
        due = alerts.deliveries(*UNDELIVERED)
        return _send_all(pipeline, due, environ=os.environ if environ is None else environ)


def resend_alerts(
    pipeline: Pipeline, *, delivery_ids: Collection[str] = (), environ: Mapping[str, str] | None = None
) -> AlertsReport:
    """Send again on a person's word: these deliveries whatever their state, or all that were not delivered.

    Raises:
        NoSuchDelivery: no delivery has one of the ids.
    """
    with pipeline.locked("alerts"):
        every = pipeline.ledger.alerts.deliveries()
        unknown = set(delivery_ids) - {delivery.delivery_id for delivery in every}
        if unknown:
            raise NoSuchDelivery(f"there is no delivery {min(unknown)}; `visualsearch alerts` lists them")
        due = [
            delivery
            for delivery in every
            if delivery.delivery_id in delivery_ids
            or (not delivery_ids and delivery.state is not DeliveryState.DELIVERED)
        ]
        return _send_all(pipeline, due, environ=os.environ if environ is None else environ)


def _send_all(pipeline: Pipeline, due: Collection[AlertDelivery], *, environ: Mapping[str, str]) -> AlertsReport:
    box = pipeline.time_box()
    delivered = failed = given_up = 0
    for delivery in due:
        if box.is_over:
            # They stay decided on; the next run goes on with them.
            break
        state = _send(pipeline, delivery, environ=environ)
        delivered += state is DeliveryState.DELIVERED
        failed += state is DeliveryState.FAILED
        given_up += state is DeliveryState.GIVEN_UP
    return AlertsReport(delivered=delivered, failed=failed, given_up=given_up)


def _send(pipeline: Pipeline, delivery: AlertDelivery, *, environ: Mapping[str, str]) -> DeliveryState:
    name = f"{delivery.query_set}.{delivery.query_id}"
    alerts = pipeline.ledger.alerts
    try:
        channel = _channel(pipeline, delivery, environ=environ)
        alerts.record_attempt(delivery.delivery_id, destination=channel.name, at=pipeline.now())
        channel.deliver(Parcel(delivery.delivery_id, delivery.payload, pipeline.now()))
    except NotDelivered as error:
        now = pipeline.now()
        gives_up = now - delivery.created_at >= timedelta(days=pipeline.settings.alerts.give_up_days)
        reason = f"{error} ({delivery.new_hits} new hits of {name})"
        if gives_up:
            reason += "; given up, `visualsearch alerts --retry` tries again"
        alerts.record_not_delivered(delivery, reason=reason, gives_up=gives_up, at=now)
        pipeline.progress.note(f"alert not delivered: {reason}")
        return DeliveryState.GIVEN_UP if gives_up else DeliveryState.FAILED
    alerts.record_delivered(delivery, at=pipeline.now())
    pipeline.progress.note(f"{delivery.new_hits} new hits of {name} told to {channel.name}")
    return DeliveryState.DELIVERED


def _channel(pipeline: Pipeline, delivery: AlertDelivery, *, environ: Mapping[str, str]) -> Channel:
    """Where an alert goes by the query set's file as it stands now, which may have been mended since."""
    settings = pipeline.settings.alerts
    asked = _alert_of(pipeline.catalog, (delivery.query_set, delivery.query_id)) or Alert()
    is_short = asked.webhook is None and not asked.command
    webhook = settings.webhook if is_short else asked.webhook
    command = settings.command if is_short else asked.command
    if webhook is not None:
        return WebhookChannel(webhook, environ, settings.deadline_seconds)
    if command:
        folder = asked.folder or pipeline.settings.queries
        return CommandChannel(command, folder, environ, settings.deadline_seconds)
    raise NotDelivered(
        "there is nowhere to send it: give the query's `alert` a `webhook` or a `command`, or set `alerts.webhook` or "
        "`alerts.command` in the settings"
    )


def _wanted(catalog: QueryCatalog) -> frozenset[QueryName]:
    return frozenset((query_set.name, query_id) for query_set in catalog.sets for query_id in query_set.alerts)


def _alert_of(catalog: QueryCatalog, name: QueryName) -> Alert | None:
    for query_set in catalog.sets:
        if query_set.name == name[0]:
            return query_set.alerts.get(name[1])
    return None
