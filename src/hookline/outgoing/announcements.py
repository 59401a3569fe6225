"""The Django signals about what goes out. See Announcer."""

from __future__ import annotations

from functools import partial

from hookline import signals
from hookline.core.breaker import State as Breaker
from hookline.core.suspension import Notice
from hookline.engine.announcer import Announcer
from hookline.engine.job import State
from hookline.outgoing import notices
from hookline.outgoing.models import Delivery, Endpoint
from hookline.telemetry import records
from hookline.telemetry.courier import courier
from hookline.telemetry.emit import subscribe

_deliveries = Announcer(Delivery, ("endpoint__tenant", "message"))


def connect() -> None:
    """Have receivers told from now on."""
    subscribe(records.DeliveriesAttempted, _attempted)
    subscribe(records.BreakerChanged, _changed)
    subscribe(records.EndpointSuspended, _suspended)
    subscribe(records.EndpointNoticed, _noticed)
    notices.connect()
    _deliveries.connect(signals.delivery_dead)


def _attempted(attempted: records.DeliveriesAttempted) -> None:
    if signals.delivery_succeeded.has_listeners(Delivery):
        done = [result.outbound.id for result in attempted.results if result.settlement.state == State.SUCCEEDED]
        _deliveries.tell(signals.delivery_succeeded, done)


def _changed(changed: records.BreakerChanged) -> None:
    if changed.after == Breaker.OPEN.value and signals.breaker_opened.has_listeners(Endpoint):
        courier.put(partial(signals.breaker_opened.send_robust, Endpoint, endpoint=changed.endpoint))


def _suspended(suspended: records.EndpointSuspended) -> None:
    if signals.endpoint_suspended.has_listeners(Endpoint):
        told = {"endpoint": suspended.endpoint, "reason": suspended.reason}
        courier.put(partial(signals.endpoint_suspended.send_robust, Endpoint, **told))


def _noticed(noticed: records.EndpointNoticed) -> None:
    if noticed.notice == Notice.FAILING and signals.endpoint_failing.has_listeners(Endpoint):
        told = {"endpoint": noticed.endpoint, "reason": noticed.reason}
        courier.put(partial(signals.endpoint_failing.send_robust, Endpoint, **told))
    if noticed.notice == Notice.RECOVERED and signals.endpoint_recovered.has_listeners(Endpoint):
        courier.put(partial(signals.endpoint_recovered.send_robust, Endpoint, endpoint=noticed.endpoint))
