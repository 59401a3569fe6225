"""Webhooks that say something in their URL, over real sockets."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from typing import Any

import jwt
import pytest

from hookline.incoming.models import Event, Rejection
from tests.edges.conftest import Register
from tests.edges.senders import SECRET, Request, generic
from tests.edges.servers import Edge
from tests.edges.test_edges import accepted, run_all_events
from tests.engine.rows import make_source

HOST = "https://hooks.example.com"


def plivo(url: str) -> Request:
    """https://www.plivo.com/docs/voice/concepts/signature-validation"""
    address, _, query = url.partition("?")
    fields = "&".join(sorted(query.split("&")))
    signature = hmac.new(SECRET.encode(), f"{address}?{fields}.12345".encode(), hashlib.sha256).digest()
    return Request(
        b"", {"X-Plivo-Signature-V3": base64.b64encode(signature).decode(), "X-Plivo-Signature-V3-Nonce": "12345"}
    )


def messagebird(url: str) -> Request:
    """https://developers.messagebird.com/api/#verifying-http-requests"""
    now = int(time.time())
    claims = {"iss": "MessageBird", "nbf": now, "exp": now + 60, "jti": "1"}
    claims["url_hash"] = hashlib.sha256(url.encode()).hexdigest()
    secret = "made-up-secret-of-more-than-32-bytes"
    return Request(b"", {"MessageBird-Signature-JWT": jwt.encode(claims, secret, algorithm="HS256")})


def hubspot(url: str) -> Request:
    """https://developers.hubspot.com/docs/apps/legacy-apps/authentication/validating-requests, v2"""
    return Request(b"", {"X-HubSpot-Signature": hashlib.sha256(f"{SECRET}GET{url}".encode()).hexdigest()})


def twilio(url: str) -> Request:
    """https://www.twilio.com/docs/usage/webhooks/webhooks-security"""
    signature = hmac.new(SECRET.encode(), url.encode(), hashlib.sha1).digest()
    return Request(b"", {"X-Twilio-Signature": base64.b64encode(signature).decode()})


GETS: dict[str, tuple[Any, dict[str, str], str, str, dict[str, str]]] = {
    "plivo": (
        plivo, {}, "Status=delivered&MessageUUID=abc&Empty=", "delivered",
        {"Status": "delivered", "MessageUUID": "abc", "Empty": ""},
    ),
    "messagebird": (
        messagebird, {}, "id=efa6405d&status=delivered&text=Gr%C3%BC%C3%9Fe+Zo%C3%AB", "delivered",
        {"id": "efa6405d", "status": "delivered", "text": "Grüße Zoë"},
    ),
    "hubspot": (
        hubspot, {"signature_version": "v2"}, "associatedObjectId=53701&associatedObjectType=CONTACT", "crm_card",
        {"associatedObjectId": "53701", "associatedObjectType": "CONTACT"},
    ),
    "twilio": (
        twilio, {}, "CallSid=CA1&CallStatus=ringing&From=%2B441632960001", "call.ringing",
        {"CallSid": "CA1", "CallStatus": "ringing", "From": "+441632960001"},
    ),
}  # fmt: skip


@pytest.mark.parametrize("provider", GETS)
def test_a_handler_of_a_get_sees_what_was_signed(edge: Edge, handler: Register, provider: str) -> None:
    sign, options, query, event_type, said = GETS[provider]
    secret = "made-up-secret-of-more-than-32-bytes" if provider == "messagebird" else SECRET
    source = make_source(provider, secret, options=options)
    seen: list[tuple[Any, ...]] = []
    handler(provider)(lambda e: seen.append((e.type, bytes(e.body), e.json, e.query, e.method, e.url)))
    url = f"{HOST}{source.path}?{query}"
    answer = edge.post(f"{source.path}?{query}", sign(url), "GET")
    assert answer.status == 200, Rejection.objects.values("reason", "detail")
    run_all_events()
    assert seen == [(event_type, b"", said, said, "GET", url)]


def test_a_handler_reads_the_query_of_any_webhook(edge: Edge) -> None:
    source = make_source("generic", SECRET)
    body = b'{"id":"1","type":"order.paid"}'
    event = Event.find(accepted(edge.post(f"{source.path}?shop=north&shop=south&empty&a%3Db=%26", generic(body))))
    assert (bytes(event.body), event.method) == (body, None)
    assert event.url == f"{HOST}{source.path}?shop=north&shop=south&empty&a%3Db=%26"
    assert event.query == {"shop": "south", "empty": "", "a=b": "&"}
    plain = Event.find(accepted(edge.post(source.path, generic(b'{"id":"2","type":"order.paid"}'))))
    assert (plain.url, plain.method, plain.query) == (None, None, {})


@pytest.mark.parametrize("spelling", ["token", "%74oken"])
def test_a_token_in_the_query_is_not_stored(edge: Edge, spelling: str) -> None:
    source = make_source("salesforce", SECRET)
    body = (
        b'<?xml version="1.0"?><soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/">'
        b'<soapenv:Body><notifications xmlns="http://soap.sforce.com/2005/09/outbound"><Notification>'
        b'<Id>04l000000000001AAA</Id><sObject xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" '
        b'xsi:type="sf:Account"/></Notification></notifications></soapenv:Body></soapenv:Envelope>'
    )
    answer = edge.post(f"{source.path}?a=1&{spelling}={SECRET}&b=%20", Request(body, {"Content-Type": "text/xml"}))
    assert answer.status == 200
    event = Event.objects.get()
    assert event.url == f"{HOST}{source.path}?a=1&{spelling}=***&b=%20"
    assert event.query == {"a": "1", "token": "***", "b": " "}
    assert SECRET not in json.dumps([event.headers, event.url, bytes(event.body).decode()])
