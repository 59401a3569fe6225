"""Forwards: the rules by which events of a source are sent on to endpoints."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from django.db import router, transaction

from hookline.audit.actor import Actor
from hookline.audit.record import record
from hookline.core.event_types import matches
from hookline.core.url import shown_url
from hookline.exceptions import ConfigurationError, Conflict
from hookline.gateway import headers as passed_on
from hookline.gateway.models import Forward
from hookline.gateway.route import message_type, route, wanted
from hookline.incoming.models import Event, Source
from hookline.operations import endpoints, rows, sources
from hookline.operations.changes import changing, deleting
from hookline.outgoing.models import Endpoint, value_of
from hookline.outgoing.publish.filtering import passes

#: The newest events that `preview` looks at.
LOOKED_AT = 20
MAX_PATTERN = 256


def find(public_id: str) -> Forward:
    """Raises NotFound or ValueError."""
    return rows.find(Forward.objects.select_related("source__tenant", "endpoint"), public_id)


def newest(
    *, source: str | None = None, endpoint: str | None = None, tenant: str | None = None, limit: int | None = None
) -> list[Forward]:
    """All forwards, or those of a source or to an endpoint, newest first. Raises NotFound or ValueError."""
    found = Forward.objects.select_related("source__tenant", "endpoint").order_by("-id")
    if source is not None:
        found = found.filter(source=sources.find(source))
    if endpoint is not None:
        found = found.filter(endpoint=endpoints.find(endpoint))
    if tenant is not None:
        found = found.filter(source__tenant__key=tenant)
    return list(found[:limit])


def sources_forwarded() -> int:
    """How many sources have forwards. Raises DatabaseError."""
    return Source.objects.filter(forwarded=True).count()


def create(
    actor: Actor,
    source: Source,
    endpoint: Endpoint,
    *,
    event_types: Sequence[str] = (),
    filter: str | None = None,  # noqa: A002  # what it is called everywhere
    headers: Sequence[str] | None = None,
) -> Forward:
    """Send events of the source on to the endpoint, from the next one that is processed on.

    No `event_types` means all. The `filter` is asked about the JSON that the sender sent (`core/payload_filter.py`).
    `headers` are the names of the sender's headers that go with it; None: all that tell something of the event.

    Raises ConfigurationError, NotFound, or Conflict for another tenant's endpoint, or one that gets the source already.
    """
    forward = draft(source, endpoint, event_types=event_types, filter=filter, headers=headers)
    with _source_locked(source):
        known = Forward.objects.filter(source=source, endpoint=endpoint).first()
        if known is not None:
            raise Conflict(
                f"{source.public_id} is forwarded to {endpoint.public_id} already; change that one: "
                f"`hookline forward update {known.public_id}`"
            )
        forward.save(force_insert=True)
        record(actor, "forward.create", forward.public_id, tenant_id=source.tenant_id, after=audited(forward))
    return forward


def draft(
    source: Source,
    endpoint: Endpoint,
    *,
    event_types: Sequence[str] = (),
    filter: str | None = None,  # noqa: A002  # as above
    headers: Sequence[str] | None = None,
) -> Forward:
    """A forward that is not stored, for `preview`. Raises as `create` does."""
    if source.tenant_id != endpoint.tenant_id:
        raise Conflict(
            f"source {source.public_id} and endpoint {endpoint.public_id} belong to different tenants; "
            "choose an endpoint of the source's tenant"
        )
    fields = checked({"event_types": event_types, "filter": filter, "headers": headers})
    return Forward(source=source, endpoint=endpoint, **fields)


def update(actor: Actor, forward: Forward, **fields: Any) -> None:
    """Change what is given of `event_types`, `filter` and `headers`. Raises ConfigurationError or NotFound."""
    changed = checked(fields)
    with changing(actor, "forward.update", forward, audited) as locked:
        for name, value in changed.items():
            setattr(locked, name, value)
        locked.save(update_fields=list(changed))


def delete(actor: Actor, forward: Forward) -> None:
    """Forward no more. What was forwarded before is delivered all the same. Raises NotFound."""
    with _source_locked(forward.source), deleting(actor, "forward.delete", forward, audited):
        pass


@contextmanager
def _source_locked(source: Source) -> Iterator[None]:
    """A change of a source's forwards, after which the source says whether it has any."""
    database = router.db_for_write(Source)
    with transaction.atomic(using=database):
        locked = Source.objects.using(database).select_for_update(no_key=True).filter(pk=source.pk)
        if not locked.exists():
            raise rows.not_found(Source, source.public_id)
        yield
        has_any = Forward.objects.using(database).filter(source=source).exists()
        Source.objects.using(database).filter(pk=source.pk).update(forwarded=True if has_any else None)
        source.forwarded = True if has_any else None


def checked(fields: dict[str, Any]) -> dict[str, Any]:
    """The values of a forward as they are stored. Raises ConfigurationError or TypeError."""
    found = dict(fields)
    if unknown := set(found) - {"event_types", "filter", "headers"}:
        raise TypeError(f"a forward has no {', '.join(sorted(unknown))} to set")
    if "event_types" in found:
        patterns = found["event_types"] or []
        if isinstance(patterns, str):
            raise ConfigurationError(f"event_types must be a list of patterns, not {patterns!r:.80}")
        found["event_types"] = [_check_pattern(pattern) for pattern in patterns]
    if "filter" in found:
        found["filter"] = _check_filter(found["filter"])
    if "headers" in found:
        found["headers"] = passed_on.check_names(found["headers"])
    return found


def _check_pattern(pattern: str) -> str:
    """Senders name types as they like, with slashes too, so only what no type can be is refused."""
    if not isinstance(pattern, str) or not 1 <= len(pattern) <= MAX_PATTERN or not pattern.isprintable():
        raise ConfigurationError(
            f"{pattern!r:.80} is not an event-type pattern: use a type such as 'invoice.paid', or '*' for any text, "
            "as in 'invoice.*'"
        )
    return pattern


def _check_filter(text: str | None) -> str | None:
    if not text:
        return None
    from hookline.core.payload_filter import payload_filter  # loading it takes a while; only for those who have one

    payload_filter(text)
    return text


# ---- looking ahead ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Routed:
    """Whether a rule sends an event on, and if not, why."""

    event: Event
    forward: Forward
    reason: str = ""


def preview(source: Source, *, draft: Forward | None = None, limit: int = LOOKED_AT) -> list[Routed]:
    """What the forwards of a source, or only a `draft`, would do with its newest events; nothing is sent or changed."""
    found = Event.objects.select_related("source__tenant").filter(source=source).order_by("-created_at", "-id")[:limit]
    rules = newest(source=source.public_id)[::-1] if draft is None else [draft]
    return [Routed(event, rule, _why_not(event, rule)) for event in found for rule in rules]


def _why_not(event: Event, rule: Forward) -> str:
    if reason := wanted(event, rule):
        return reason
    endpoint, kind = rule.endpoint, message_type(event.type)
    if endpoint.disabled:
        return "the endpoint is disabled"
    if endpoint.event_types and not any(matches(pattern, kind) for pattern in endpoint.event_types):
        return f"the endpoint itself does not want {kind}"
    if endpoint.channels:
        return "the endpoint has channels, and a forwarded webhook is on none"
    if endpoint.filter and not passes(endpoint.filter, value_of(bytes(event.body))):
        return "it does not pass the filter of the endpoint itself"
    return ""


def routed_as_json(routed: Routed) -> dict[str, Any]:
    sent = route(routed.event, [routed.forward])
    return {
        "event": routed.event.public_id,
        "type": routed.event.type,
        "endpoint": routed.forward.endpoint.public_id,
        "forwarded": not routed.reason,
        "reason": routed.reason,
        "headers": dict(sent.headers) if sent is not None and not routed.reason else None,
    }


def problems(forward: Forward) -> list[str]:
    """What keeps it from sending anything, or the bytes from going on as they are; each with what to do."""
    endpoint, name = forward.endpoint, forward.endpoint.public_id
    found = []
    if endpoint.disabled:
        found.append(f"endpoint {name} is disabled; enable it with `hookline endpoint enable {name}`")
    if endpoint.channels:
        found.append(
            f"endpoint {name} has channels, and a forwarded webhook is on none, so it gets nothing; use an endpoint "
            "without channels"
        )
    if endpoint.payload is not None:
        found.append(f"endpoint {name} has a payload of its own, so it does not get the sender's bytes")
    return found


def audited(forward: Forward) -> dict[str, Any]:
    return {
        "source": Source.public(forward.source_id),
        "endpoint": Endpoint.public(forward.endpoint_id),
        "event_types": forward.event_types,
        "filter": forward.filter,
        "headers": forward.headers,
    }


def as_json(forward: Forward) -> dict[str, Any]:
    return {
        "id": forward.public_id,
        "source": forward.source.public_id,
        "endpoint": forward.endpoint.public_id,
        "url": shown_url(forward.endpoint.url),
        "event_types": forward.event_types,
        "filter": forward.filter,
        "headers": forward.headers,
        "created_at": forward.created_at,
    }
