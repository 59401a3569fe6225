"""Forwarding as a handler: the message of an event is written in the transaction in which the event is processed.

So there is one exactly if the event counts as processed: a worker that is killed leaves neither, and the event runs
again.
"""

from __future__ import annotations

from collections.abc import Collection

from django.db import router

from hookline.gateway.models import Forward
from hookline.incoming.models import Event, Source
from hookline.incoming.process.handlers import Handler, Handlers

#: Where a source keeps its rules while its events run.
_KEPT = "_hookline_forwards"


def forward(event: Event) -> None:
    """Have an event sent on to the endpoints that the rules of its source choose."""
    from hookline.gateway.route import route  # only who processes needs these, and a start is to be short
    from hookline.outgoing.publish.dispatch import traceparent
    from hookline.outgoing.publish.forwarded import publish

    item = route(event, rules_of(event.source), traceparent())
    if item is not None:
        publish(item)


#: One object for all sources, since it is remembered by handlers which of them met a conflict.
_FORWARDING: Handlers = (Handler("*", "*", forward),)


class Gateway:
    """What `incoming/process/handlers.py` asks. The rules are read once for a batch, only where a source has any."""

    def read(self, sources: Collection[Source]) -> None:
        those = {source.pk: source for source in sources if source.forwarded}
        if not those:
            return
        found: dict[object, list[Forward]] = {pk: [] for pk in those}
        for rule in Forward.objects.using(router.db_for_write(Forward)).filter(source__in=list(those)).order_by("id"):
            found[rule.source_id].append(rule)
        for pk, source in those.items():
            source.__dict__[_KEPT] = tuple(found[pk])

    def wanting(self, source: Source, event_type: str) -> Handlers:
        if not source.forwarded:
            return ()
        from hookline.gateway.route import names_of  # as above

        names = names_of(source, event_type)
        return _FORWARDING if any(rule.selects(name) for rule in rules_of(source) for name in names) else ()


gateway = Gateway()


def rules_of(source: Source) -> tuple[Forward, ...]:
    """The rules of a source, the oldest first."""
    if _KEPT not in source.__dict__:
        gateway.read([source])
    rules: tuple[Forward, ...] = source.__dict__.get(_KEPT, ())
    return rules
