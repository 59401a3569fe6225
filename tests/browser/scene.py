"""What an operator finds in the morning: some things went well, and each kind of failure happened."""

from __future__ import annotations

import json

from django.contrib.auth.models import User
from django.test import Client

from hookline import after_commit, dispatch, handler
from hookline.audit.actor import user
from hookline.db.row import Row
from hookline.engine.job import State
from hookline.incoming.follow_ups import functions
from hookline.incoming.process import handlers
from hookline.models import AuditEntry, Delivery, Endpoint, Event, Message, Rejection
from hookline.operations import (
    endpoints,
    event_types,
    events,
    forwards,
    keys,
    rejections,
    replays,
    sources,
    tenants,
)
from hookline.operations.selection import Selection
from hookline.testing import StubTransport, deliver_all, post_webhook, run_events, sign_webhook

SECRET = "whsec_made_up_for_the_browser"
#: Of a dead event: what a handler raised, and where.
EVENT_REASON = "KeyError: 'amount_paid' (shop/webhooks.py:8)"


def tell_accounting(event: Event, **arguments: str) -> None:
    """What follows each paid invoice, once it is committed."""


def play() -> None:
    """Fill the database, by the real flows."""
    after_commit(tell_accounting)
    handler("stripe", "invoice.paid")(follow)
    try:
        _play()
    finally:
        handlers.forget(follow)
        functions.forget(tell_accounting)


def follow(event: Event) -> None:
    event.after_commit(tell_accounting, ledger="2026")


def _play() -> None:
    ada = user("ada")
    User.objects.create_superuser("ada")
    acme = tenants.create(ada, "acme", name="Acme", email="ops@acme.example")
    stripe = sources.create(ada, "stripe", secrets=[SECRET], tenant=acme, name="Stripe, our account in the EU")
    sources.create(ada, "github", name="GitHub without a secret")
    closed = sources.create(ada, "shopify", secrets=["made up"], name="the closed shop")
    sources.disable(ada, closed)
    good = endpoints.create(ada, "https://globex.example/hooks/orders", event_types=["order.*"], tenant=acme)
    endpoints.update(ada, good, description="Globex, orders")
    gone = endpoints.create(ada, "https://initech.example/a/rather/long/path/to/their/webhooks", tenant=acme)

    client = Client()
    for number in range(6):
        post_webhook(client, stripe, "invoice.paid", {"id": f"in_{number}"}, event_id=f"evt_{number}")
    run_events()
    for event in Event.objects.order_by("id")[:3]:
        event.unhandled = None
        event.state, event.attempts, event.note = State.DEAD, 9, EVENT_REASON
        event.save()
    dispatch("order.paid", {"order": 1, "amount": "20.00"}, tenant=acme)
    deliver_all(StubTransport(200, 500))
    dispatch("customer.updated", {"customer": 7}, tenant=acme)
    deliver_all(StubTransport(410))
    endpoints.disable(ada, gone)

    body = json.dumps({"id": "evt_x", "type": "invoice.paid"})
    client.post(stripe.path, body, "application/json", headers={"stripe-signature": "t=1,v1=00"})
    client.post("/in/nobody", body, "application/json")
    signed = sign_webhook(stripe, "invoice.paid", event_id="evt_7")
    client.post(stripe.path, signed.body + b" ", "application/json", headers={
        "stripe-signature": signed.headers["stripe-signature"][0]
    })  # fmt: skip
    events.retry(ada, [Event.objects.filter(state=State.DEAD).first().public_id])  # type: ignore[union-attr]
    rejections.reverify_all(ada, Rejection.objects.order_by("id"))
    schema = {"type": "object", "properties": {"order": {"type": "integer"}}, "required": ["order"]}
    event_types.create(ada, "order.paid", description="An order was paid in full", schema=schema)
    replays.start(ada, "events", Selection(status="dead"), rate=0.5)
    keys.create(ada, ["messages:write", "endpoints:read"], tenant=acme, name="The shop's server", rate_limit=50)
    forwards.create(ada, stripe, Endpoint.objects.filter(tenant=acme)[0], event_types=["invoice.*"], headers=["X-Shop"])


def one_of_each() -> dict[str, Row]:
    """Rows whose pages are looked at, by the name of their model. The ones that failed, where some did."""
    chosen: dict[str, Row] = {}
    for model in (Event, Delivery):
        chosen[str(model._meta.model_name)] = model._default_manager.exclude(state=State.SUCCEEDED).order_by("-id")[0]
    for other in (Message, Rejection, AuditEntry):
        chosen[str(other._meta.model_name)] = other._default_manager.order_by("-id")[0]
    return chosen
