"""No secret, token or signature in any log, trace, metric, audit entry or `--json`, however a subscriber fails."""

from __future__ import annotations

from typing import Any

import pytest

from hookline import dispatch
from hookline.audit.actor import SYSTEM
from hookline.operations import endpoints
from hookline.outgoing.models import Attempt, Delivery
from tests.ear import listening
from tests.outgoing.conftest import Sending
from tests.outgoing.consumer import SECRET, Arrival, Consumer, Reply
from tests.waiting import wait_until

pytestmark = pytest.mark.django_db(transaction=True)

TOKEN, QUERY_TOKEN = "made-up-token-of-a-header", "made-up-token-of-a-query"


def failing(arrival: Arrival) -> Reply:
    """What a subscriber answers: 410 to one, and to others what may be quoted."""
    kind = arrival.path.strip("/").partition("?")[0]
    return {"gone": Reply(410), "broken": Reply(500, body=b"no"), "strange": Reply(302)}.get(kind, Reply(200))


def test_deliveries_that_fail_in_every_way_make_nobody_tell_a_secret(
    consumer: Consumer, sending: Sending, settings: Any, free_port: int
) -> None:
    with listening() as ear:
        settings.HOOKLINE = {**settings.HOOKLINE, "ALLOWED_SUBNETS": ["127.0.0.0/8"]}
        consumer.script = failing
        urls = [consumer.url(f"/{kind}?token={QUERY_TOKEN}") for kind in ("fine", "gone", "broken", "strange")]
        urls += [
            f"http://127.0.0.1:{free_port}/?token={QUERY_TOKEN}",
            f"https://127.0.0.1:{free_port}/?token={QUERY_TOKEN}",
        ]
        ear.keep_secret(SECRET, TOKEN, QUERY_TOKEN)
        for url in urls:
            endpoints.create(
                SYSTEM,
                url,
                secret=SECRET,
                signatures=["v1", "v1a", "rfc9421-hmac", "rfc9421-ed25519", "x-webhook", "svix"],
                headers={"Authorization": f"Bearer {TOKEN}", "X-Own": TOKEN},
            )
        message = dispatch("order.paid", {"n": 1})
        with sending(DELIVERY_RETRY_DELAYS=[0]):
            wait_until(lambda: Attempt.objects.count() >= 2 + 2 * 4, 20)
        assert len(consumer.arrivals) >= 4
        for arrival in consumer.arrivals:
            ear.keep_signatures(arrival.headers.items())
        ear.command("deliveries", "list")
        ear.command("messages", "show", message.public_id)
        for delivery in Delivery.objects.all():
            ear.command("deliveries", "show", delivery.public_id)
        ear.command("audit", "list")
        ear.command("doctor")
        assert len(ear.secrets) > 20
        assert ear.told() == []
