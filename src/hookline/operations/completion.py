"""What a shell completes: the newest ids, and the names that are in use. Each is a value and a word about it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import TypeVar

from django.db.models import QuerySet

from hookline.core.url import shown_url
from hookline.db.row import Row
from hookline.gateway.models import Forward
from hookline.incoming.models import Event, Rejection, Source
from hookline.outgoing.models import Delivery, Endpoint, Message
from hookline.tenants.models import Tenant

#: Rows of a kind that are offered, and rows in which names are looked for.
OFFERED, READ = 200, 2000

Pairs = list[tuple[str, str]]
R = TypeVar("R", bound=Row)


def tenants(beginning: str) -> Pairs:
    """Keys, by what they begin with."""
    found = Tenant.objects.filter(deleted_at=None, key__startswith=beginning).order_by("key")[:OFFERED]
    return [(tenant.key, tenant.name) for tenant in found]


def sources(beginning: str) -> Pairs:
    return _newest(Source.objects.all(), beginning, lambda source: source.name or source.provider)


def endpoints(beginning: str) -> Pairs:
    return _newest(Endpoint.objects.filter(deleted_at=None), beginning, lambda endpoint: shown_url(endpoint.url))


def forwards(beginning: str) -> Pairs:
    found = Forward.objects.select_related("source", "endpoint")
    return _newest(found, beginning, lambda forward: f"{forward.source} to {forward.endpoint}")


def events(beginning: str) -> Pairs:
    return _newest(Event.objects.only("type", "state"), beginning, lambda event: f"{event.type} {event.state}")


def rejections(beginning: str) -> Pairs:
    return _newest(Rejection.objects.only("reason"), beginning, lambda rejection: rejection.reason)


def messages(beginning: str) -> Pairs:
    return _newest(Message.objects.only("type"), beginning, lambda message: message.type)


def deliveries(beginning: str) -> Pairs:
    return _newest(Delivery.objects.only("state"), beginning, lambda delivery: delivery.state)


def types(beginning: str) -> Pairs:
    """Those of the newest events and messages, the most frequent first."""
    counts: Counter[str] = Counter()
    for model in (Event, Message):
        counts.update(model._default_manager.order_by("-id").values_list("type", flat=True)[:READ])
    return [(name, "") for name, _ in counts.most_common(OFFERED)]


def reasons(beginning: str) -> Pairs:
    """Those of the newest rejections, the most frequent first."""
    found = Counter(Rejection.objects.order_by("-id").values_list("reason", flat=True)[:READ])
    return [(name, "") for name, _ in found.most_common(OFFERED)]


def _newest(found: QuerySet[R], beginning: str, about: Callable[[R], str]) -> Pairs:
    return [(row.public_id, about(row)) for row in found.order_by("-id")[:OFFERED]]
