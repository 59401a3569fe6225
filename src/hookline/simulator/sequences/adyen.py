"""Adyen: a payment from authorisation to refund. https://docs.adyen.com/development-resources/webhooks/webhook-types/"""

from __future__ import annotations

from collections.abc import Sequence as Seq

from hookline.simulator.retrying import HOUR, MINUTE, Retrying
from hookline.simulator.sequence import BusinessEvent, Ids, Sequence


def _payment(new: Ids) -> Seq[BusinessEvent]:
    payment, order = new.new("QFQTPCQ8"), new.new("order-")
    about = {"merchantReference": order, "merchantAccountCode": "TestMerchant", "paymentMethod": "visa"}

    def of(code: str, reference: str, **more: str) -> BusinessEvent:
        return BusinessEvent(code, {**about, "pspReference": reference, "success": "true", **more})

    return (
        of("AUTHORISATION", payment, reason="033899:1111:03/2030"),
        of("CAPTURE", new.new("KLWMQ3B2"), originalReference=payment),
        of("REFUND", new.new("ZT2N9FGC"), originalReference=payment),
    )


SEQUENCES = (
    Sequence(
        "payment",
        "a payment that is authorised, captured and refunded",
        _payment,
        "https://docs.adyen.com/development-resources/webhooks/webhook-types/",
    ),
)

RETRYING = Retrying(
    10.0,
    (*(9.0, 9.0, 9.0), *(count * MINUTE for count in (2, 5, 10, 15, 30)), *(count * HOUR for count in (1, 2, 4, 8))),
    source="https://docs.adyen.com/development-resources/webhooks/troubleshoot",
)
