"""The public API as users write it, checked by `mypy` and never run."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any, assert_type
from uuid import UUID

from django.contrib.auth.models import User
from pydantic import BaseModel

from hookline import Discard, Retry, adispatch, after_commit, dispatch, dispatch_many, handler, publish
from hookline.incoming.models import Event, Source
from hookline.outgoing.models import Delivery, Message
from hookline.tenants.models import Tenant


@handler("stripe", "invoice.*")
def on_invoice(event: Event) -> None:
    assert_type(event.type, str)
    assert_type(event.json, Any)
    assert_type(event.provider_id, str)
    assert_type(event.source, Source)
    assert_type(event.tenant, Tenant)
    assert_type(bytes(event.body), bytes)
    assert_type(event.public_id, str)
    assert_type(event.id, UUID)


@dataclass
class Invoice:
    id: str


class InvoiceModel(BaseModel):
    id: str


@handler("stripe", "invoice.paid")
async def on_paid(event: Event) -> None:
    assert_type(event.parse(Invoice), Invoice)
    assert_type(event.parse(InvoiceModel), InvoiceModel)
    await adispatch("invoice.paid", event.parse(Invoice))


@handler("github")
def on_anything(event: Event) -> str:
    return event.type


# The decorator leaves the function's own type alone.
assert_type(on_anything(Event()), str)


@after_commit
def send_receipt(event: Event, order: int) -> str:
    return f"{event.type} {order}"


@after_commit(retry=(60, 3600))
async def tell_partner(event: Event) -> None: ...


assert_type(send_receipt(Event(), 1), str)


@handler("stripe", "charge.*", source="Shop", tenant="acme", order=5, retry=[10, 60.5])
def on_charge(event: Event) -> None:
    event.after_commit(send_receipt, order=1)
    event.after_commit(tell_partner, key="partner-1")


@handler("*", "order.created")
@handler("generic", "order.*")
def on_order(event: Event) -> None:
    raise Retry(timedelta(minutes=5), reason="the order is not there yet")


def asks_for_retries() -> None:
    raise Retry
    raise Retry(90)
    raise Retry(after=0.5)
    raise Discard
    raise Discard("a test order")


def dispatches(tenant: Tenant) -> None:
    assert_type(dispatch("invoice.paid", {"id": 1}), Message)
    dispatch("invoice.paid", [1, "two", None], tenant="acme")
    dispatch("invoice.paid", None, tenant=tenant, idempotency_key="invoice-1", channels=["eu"])
    dispatch("invoice.paid", {}, channels=("eu", "us"))
    assert_type(dispatch_many([("invoice.paid", {"id": 1}), ("invoice.sent", None)], tenant="acme"), list[Message])
    dispatch_many((("invoice.paid", number) for number in range(3)), channels=["eu"])


def publishes(tenant: Tenant) -> None:
    users = publish(User, created="user.created", updated="user.updated", fields=["username"], tenant="profile.key")
    publish(User, deleted="user.deleted", serialiser=lambda user: {"name": user.username}, on_error="log")
    publish(User, created="user.created", fields=("username",), tenant=lambda _: tenant)
    assert_type(users.created(User.objects.all()), list[Message])
    assert_type(users.updated(User.objects.all(), changed=["username"]), list[Message])


def retries() -> None:
    assert_type(Event.objects.dead().retry(), int)
    assert_type(Event.objects.filter(type="invoice.paid").cancelled().retry(by="ada"), int)
    assert_type(Delivery.objects.dead().get(), Delivery)


async def dispatches_asynchronously(tenant: Tenant) -> None:
    assert_type(await adispatch("invoice.paid", {"id": 1}, tenant=tenant, channels={"eu"}), Message)


def is_refused_by_the_type_checker() -> None:
    dispatch(5, {})  # type: ignore[arg-type]  # a type is text
    dispatch("invoice.paid")  # type: ignore[call-arg]  # data is required, if only None
    dispatch("invoice.paid", {}, "acme")  # type: ignore[call-arg]  # a tenant is named
    handler(5)  # type: ignore[arg-type]  # a provider is text
    handler("stripe")("text")  # type: ignore[type-var]  # a handler is a function
    Retry("soon")  # type: ignore[arg-type]  # a number of seconds or a timedelta
