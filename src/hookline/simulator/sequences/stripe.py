"""Stripe: a subscription from checkout to a failed renewal. https://docs.stripe.com/billing/subscriptions/webhooks"""

from __future__ import annotations

from collections.abc import Sequence as Seq

from hookline.simulator.retrying import DAY, Retrying, doubling
from hookline.simulator.sequence import BusinessEvent, Ids, Sequence

DOCS = "https://docs.stripe.com/billing/subscriptions/webhooks"


def _subscription(new: Ids) -> Seq[BusinessEvent]:
    customer, subscription, invoice = new.new("cus_"), new.new("sub_"), new.new("in_")
    about = {"customer": customer, "currency": "eur"}
    of_invoice = {**about, "id": invoice, "object": "invoice", "subscription": subscription, "amount_due": 2000}
    of_subscription = {"id": subscription, "object": "subscription", "customer": customer}
    return (
        BusinessEvent("customer.subscription.created", {**of_subscription, "status": "incomplete"}),
        BusinessEvent("invoice.created", {**of_invoice, "status": "draft", "amount_paid": 0}),
        BusinessEvent("invoice.finalized", {**of_invoice, "status": "open", "amount_paid": 0}),
        BusinessEvent("invoice.paid", {**of_invoice, "status": "paid", "amount_paid": 2000}),
        BusinessEvent("customer.subscription.updated", {**of_subscription, "status": "active"}),
        BusinessEvent("customer.subscription.deleted", {**of_subscription, "status": "canceled"}),
    )


def _payment(new: Ids) -> Seq[BusinessEvent]:
    intent = {"id": new.new("pi_"), "object": "payment_intent", "amount": 2000, "currency": "eur"}
    failure = {"last_payment_error": {"code": "card_declined", "type": "card_error"}}
    return (
        BusinessEvent("payment_intent.created", {**intent, "status": "requires_payment_method"}),
        BusinessEvent("payment_intent.payment_failed", {**intent, **failure, "status": "requires_payment_method"}),
        BusinessEvent("payment_intent.succeeded", {**intent, "status": "succeeded"}),
    )


SEQUENCES = (
    Sequence("subscription", "a subscription from its first invoice to its end", _subscription, DOCS),
    Sequence("payment", "a payment that fails once", _payment, "https://docs.stripe.com/payments/payment-intents"),
)

RETRYING = Retrying(None, doubling(16, 3 * DAY), source="https://docs.stripe.com/webhooks#automatic-retries")
