"""Replies that a sender prescribes to the byte come out of both edges as they are."""

from __future__ import annotations

from hookline.audit.actor import SYSTEM
from hookline.incoming.models import Event, Rejection
from hookline.incoming.receive import kept_request
from hookline.operations import sources
from hookline.testing import sign_webhook
from tests.edges.senders import Request
from tests.edges.servers import Edge

KEY = "made-up webhooks key"


def test_xeros_intent_to_receive_gets_an_empty_200_or_401_without_cookies(edge: Edge) -> None:
    """https://developer.xero.com/documentation/guides/webhooks/configuring-your-server/"""
    source = sources.create(SYSTEM, "xero", secrets=[KEY])
    good, forged = sign_webhook(source, "INVOICE.UPDATE"), sign_webhook(source, "CONTACT.CREATE")
    headers = {name: values[0] for name, values in good.headers.items()}

    accepted = edge.post(source.path, Request(good.body, headers))
    refused = edge.post(source.path, Request(forged.body, headers))

    assert (accepted.status, accepted.body) == (200, b"")
    assert (refused.status, refused.body) == (401, b"")
    assert "set-cookie" not in {name.lower() for name in (*accepted.headers, *refused.headers)}
    assert (Event.objects.count(), Rejection.objects.get().reason) == (1, "signature_mismatch")


def test_notions_token_is_kept_for_a_person_to_read(edge: Edge) -> None:
    """https://developers.notion.com/reference/webhooks#step-2-verifying-the-subscription"""
    source = sources.create(SYSTEM, "notion", secrets=[KEY])
    told = Request(b'{"verification_token":"secret_made_up"}', {"content-type": "application/json"})

    assert edge.post(source.path, told).status == 200
    assert kept_request.load(Rejection.objects.get()).body == told.body
    assert not Event.objects.exists()
