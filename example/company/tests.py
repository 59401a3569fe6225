"""Each model publishes what its file says, for the customer that it belongs to."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import partial
from typing import Any

from django.db import transaction
from django.test import TestCase

from company import models
from company.models.newsletter import subscribers
from hookline import testing
from hookline.core.serialisation import serialise
from hookline.models import Tenant

NOON = datetime(2026, 12, 1, 12, tzinfo=UTC)


class CompanyTests(TestCase):
    def setUp(self) -> None:
        Tenant.objects.create(key="acme")
        testing.make_endpoint(tenant="acme")
        self.customer = models.Customer.objects.create(key="acme", name="Acme")

    def published(self, change: Any) -> list[tuple[str, Any]]:
        """The types and data of what a change publishes, as Acme's endpoint gets it."""
        testing.deliver_all()
        with transaction.atomic():
            change()
        consumer = testing.StubTransport()
        testing.deliver_all(consumer)
        return [(sent.json["type"], sent.json["data"]) for sent in consumer.sent]

    def test_every_model_publishes_that_it_was_created_and_only_what_it_names(self) -> None:
        rows: list[tuple[Any, dict[str, Any], str, dict[str, Any]]] = [
            (models.Account, {"email": "a@acme.example", "password": "x"}, "account.created", {"is_active": True}),
            (models.Application, {"position": "Cook"}, "application.created", {"stage": "applied"}),
            (
                models.Leave,
                {"employee": "Ada", "begins_on": date(2026, 12, 1), "ends_on": date(2026, 12, 2)},
                "leave.requested",
                {"approved": False},
            ),
            (models.Service, {"name": "Haircut", "price": Decimal("20.00")}, "service.created", {}),
            (models.Bill, {"number": "1", "total": Decimal("7.00")}, "bill.created", {"paid": False}),
            (models.Appointment, {"subject": "Haircut", "begins_at": NOON}, "appointment.booked", {}),
            (models.Notification, {"title": "Hello"}, "notification.created", {"read": False}),
            (models.Post, {"slug": "a", "title": "A", "body": "..."}, "post.created", {"published": False}),
            (models.Subscriber, {"email": "b@acme.example"}, "subscriber.created", {"confirmed": False}),
        ]
        for model, fields, event_type, data in rows:
            with self.subTest(event_type):
                made = self.published(partial(model.objects.create, customer=self.customer, **fields))
                named = {name: value for name, value in fields.items() if name not in ("password", "body")}
                self.assertEqual(made, [(event_type, {**json.loads(serialise(named)), **data})])
        ((event_type, data),) = self.published(
            lambda: models.ChatMessage.objects.create(customer=self.customer, sender="Ada", text="secret")
        )
        self.assertEqual((event_type, set(data)), ("message.sent", {"sender", "sent_at"}))

    def test_an_update_says_what_changed(self) -> None:
        self.customer.plan = "pro"
        data = {"key": "acme", "name": "Acme", "plan": "pro", "changed": ["plan"]}
        self.assertEqual(self.published(self.customer.save), [("customer.updated", data)])
        self.assertEqual(self.published(self.customer.save), [])

    def test_many_rows_at_once_are_published_by_an_explicit_call(self) -> None:
        emails = ["a@acme.example", "b@acme.example"]

        def subscribe() -> None:
            rows = [models.Subscriber(customer=self.customer, email=email) for email in emails]
            subscribers.created(models.Subscriber.objects.bulk_create(rows))

        self.assertEqual([data["email"] for _, data in self.published(subscribe)], emails)
