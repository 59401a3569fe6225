"""How a project tests its webhooks: `python manage.py test`."""

from __future__ import annotations

from decimal import Decimal
from importlib.util import find_spec
from unittest import mock, skipUnless

from django.test import TestCase

from hookline.core.secrets import SecretRing
from hookline.models import Endpoint, Source, Tenant
from hookline.testing import StubTransport, captured_messages, deliver_all, post_webhook, run_events
from hookline.testing.simulation import simulate
from shop.models import Invoice, LedgerEntry, Order
from shop.services import pay_invoice, place_order

PAID = {"id": "in_1", "amount_paid": 2000}


class ShopTests(TestCase):
    source: Source

    @classmethod
    def setUpTestData(cls) -> None:
        tenant = Tenant.objects.create(key="default")
        cls.source = Source(tenant=tenant, provider="stripe")
        cls.source.secrets = SecretRing.of("whsec_made_up")
        cls.source.save()
        endpoint = Endpoint(tenant=tenant, url="https://merchant.example.com/hooks")
        endpoint.secrets = SecretRing.of("whsec_bWFkZSB1cCBmb3IgdGhlIHRlc3RzIG9mIHRoZSBzaG9w")
        endpoint.save()

    def test_an_order_is_announced(self) -> None:
        with captured_messages() as messages:
            order = place_order(Decimal("20.00"), "in_1")
        self.assertEqual([message.type for message in messages], ["order.created"])
        self.assertEqual(messages[0].json["data"], {"order": order.pk, "total": "20.00"})

    def test_an_order_that_fails_is_not_announced(self) -> None:
        with (
            captured_messages() as messages,
            mock.patch.object(Invoice.objects, "create", side_effect=ValueError),
            self.assertRaises(ValueError),
        ):
            place_order(Decimal("20.00"), "in_1")
        self.assertEqual((messages, Order.objects.count()), ([], 0))

    def test_a_payment_is_booked_once_however_often_stripe_sends_it(self) -> None:
        order = place_order(Decimal("20.00"), "in_1")
        for _ in range(3):
            answer = post_webhook(self.client, self.source, "invoice.paid", PAID, event_id="evt_1")
            self.assertEqual(answer.status_code, 200)
            run_events()
        self.assertEqual([entry.amount for entry in LedgerEntry.objects.all()], [Decimal("20.00")])

        merchant = StubTransport()
        deliver_all(merchant)
        self.assertEqual([sent.json["type"] for sent in merchant.sent], ["order.created", "order.paid"])
        self.assertEqual(merchant.sent[1].json["data"]["order"], order.pk)

    @skipUnless(find_spec("hypothesis"), "pip install 'hookline[simulate]'")
    def test_a_subscription_is_booked_once_whatever_stripe_does(self) -> None:
        def pay(stripe_id: str, amount: Decimal) -> Invoice:
            """The simulator makes up invoices of which the shop has no order yet."""
            if not Invoice.objects.filter(stripe_id=stripe_id).exists():
                place_order(amount, stripe_id)
            return pay_invoice(stripe_id, amount)

        with mock.patch("shop.webhooks.pay_invoice", pay):
            simulate(self.client, self.source, "subscription", check=LedgerEntry.objects.count)

    def test_a_payment_that_comes_before_its_invoice_is_tried_again(self) -> None:
        post_webhook(self.client, self.source, "invoice.paid", PAID)
        (event,) = run_events(raise_errors=False)
        self.assertEqual(event.state, "pending")
        self.assertIn("there is no invoice in_1 yet", event.note)
