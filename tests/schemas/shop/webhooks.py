"""The handlers of the project, found by hookline since they stand in the webhooks.py of an app."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any

from django_tenants.utils import schema_context

import hookline
from hookline.models import Event
from tests.schemas.shop.models import Payment


def tenant_schema(event: Event) -> AbstractContextManager[Any]:
    """What HANDLER_CONTEXT names: the schema has the name that is the key of the tenant in hookline."""
    return schema_context(event.tenant.key)  # type: ignore[no-any-return]  # django-tenants has no types


@hookline.handler("stripe", "invoice.paid")
def paid(event: Event) -> None:
    payment = Payment.objects.create(number=event.json["id"])
    hookline.dispatch("payment.stored", {"number": payment.number}, tenant=event.tenant.key)
    event.after_commit(mail, number=payment.number)


@hookline.handler("stripe", "invoice.voided")
def broken(event: Event) -> None:
    Payment.objects.create(number="must not stay")
    raise ValueError("this handler fails behind its write")


@hookline.after_commit
def mail(event: Event, number: str) -> None:
    Payment.objects.filter(number=number).update(mailed=True)
