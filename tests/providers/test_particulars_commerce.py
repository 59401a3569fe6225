"""What is particular to one payment, commerce or developer platform, and no vector can show."""

from __future__ import annotations

import binascii
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from hookline import providers
from hookline.core.request import WebhookRequest, read_headers
from hookline.exceptions import CannotVerify, ConfigurationError, NotVerified, Unreadable, VerificationError
from hookline.providers.base import ParsedEvent, Reply, SourceConfig, json_request
from tests.providers.vectors import Vector, load


def without(request: WebhookRequest, *names: str) -> WebhookRequest:
    return replace(request, headers={name: values for name, values in request.headers.items() if name not in names})


def with_json(vector: Vector, change: Callable[[Any], None]) -> WebhookRequest:
    """The vector's request with its JSON changed, and not signed again."""
    document = json.loads(vector.body)
    change(document)
    return replace(vector.request, body=json.dumps(document).encode())


# ---- openai -------------------------------------------------------------------------------------------


def test_an_openai_secret_is_base64_only_behind_its_prefix() -> None:
    text = "whsec_RdvaYFYUXuIFuEbvZHwMfYFhUf7aMYjYcmM24+Aj40c="
    vector = load("openai")[0]
    assert vector.secrets == [text]
    with pytest.raises(NotVerified):
        replace(vector, secrets=[text.removeprefix("whsec_")]).receive()


# ---- gitlab -------------------------------------------------------------------------------------------

GITLAB_SIGNED, GITLAB_TOKEN = load("gitlab")[:2]


def test_gitlab_with_both_kinds_of_secret_judges_a_signed_request_by_its_signature() -> None:
    both = replace(GITLAB_SIGNED, secrets=[*GITLAB_SIGNED.secrets, *GITLAB_TOKEN.secrets])
    forged = replace(both.request, body=GITLAB_TOKEN.request.body + b" ")
    with pytest.raises(NotVerified, match="signature"):
        both.receive(forged.with_headers({"x-gitlab-token": GITLAB_TOKEN.secrets[0]}))


def test_gitlab_with_both_kinds_of_secret_accepts_a_request_that_is_not_signed() -> None:
    both = replace(GITLAB_TOKEN, secrets=[*GITLAB_SIGNED.secrets, *GITLAB_TOKEN.secrets])
    assert both.receive().events == GITLAB_TOKEN.receive().events


def test_gitlab_with_a_signing_token_wants_a_signature() -> None:
    unsigned = without(GITLAB_SIGNED.request, "webhook-signature")
    with pytest.raises(NotVerified, match="webhook-signature"):
        GITLAB_SIGNED.receive(unsigned.with_headers({"x-gitlab-token": GITLAB_SIGNED.secrets[0]}))


@pytest.mark.parametrize(("age", "reason"), [(301, "timestamp_too_old"), (-301, "timestamp_in_future")])
def test_a_signed_gitlab_request_has_a_window(age: float, reason: str) -> None:
    with pytest.raises(NotVerified, match=reason):
        GITLAB_SIGNED.receive(now=1_752_000_000 + age)
    assert GITLAB_SIGNED.with_options({"tolerance": "600"}).receive(now=1_752_000_000 + age).events


def test_the_id_of_a_signed_gitlab_request_is_the_signed_one() -> None:
    request = GITLAB_SIGNED.request.with_headers({"idempotency-key": "another"})
    assert GITLAB_SIGNED.receive(request).events == GITLAB_SIGNED.receive().events


def test_a_signing_token_of_gitlab_is_checked_when_it_is_stored() -> None:
    with pytest.raises(ConfigurationError, match="base64"):
        providers.get("gitlab").check_secret("whsec_not base64!")


# ---- shopify ------------------------------------------------------------------------------------------

SHOPIFY = load("shopify")[0]


def test_one_shopify_body_under_two_topics_is_two_events_and_under_another_id_a_duplicate() -> None:
    other_topic = SHOPIFY.request.with_headers({"x-shopify-topic": "orders/updated"})
    other_id = SHOPIFY.request.with_headers({"x-shopify-webhook-id": "another"})
    key = SHOPIFY.receive().events[0].dedup_key
    assert SHOPIFY.receive(other_topic).events[0].dedup_key != key
    assert SHOPIFY.receive(other_id).events[0].dedup_key == key


def test_the_two_families_of_shopify_headers_are_never_mixed() -> None:
    events = load("shopify")[1]
    with pytest.raises(Unreadable, match="no type"):
        events.receive(without(events.request, "shopify-topic"))
    with pytest.raises(NotVerified):
        events.receive(
            events.request.with_headers({"shopify-hmac-sha256": "AAAA", "x-shopify-hmac-sha256": "AAAA"}).with_headers(
                {"x-shopify-hmac-sha256": events.headers["shopify-hmac-sha256"]}
            )
        )


# ---- woocommerce --------------------------------------------------------------------------------------

WOO_PING = load("woocommerce")[2]


def test_a_woocommerce_ping_is_answered_only_while_the_source_waits_for_it() -> None:
    assert WOO_PING.receive().reply == Reply(b"", "text/plain; charset=utf-8", 200)
    with pytest.raises(NotVerified):
        replace(WOO_PING, awaiting_handshake=False).receive()


@pytest.mark.parametrize("body", ["webhook_id=", "webhook_id=1&a=b", "webhook_id=x", '{"id":1}', "", "webhook_id=1\n"])
def test_what_is_not_exactly_a_woocommerce_ping_is_refused(body: str) -> None:
    with pytest.raises(VerificationError):
        replace(WOO_PING, body=body).receive()


# ---- adyen --------------------------------------------------------------------------------------------

ADYEN, ADYEN_BATCH = load("adyen")[0], load("adyen")[4]


def item(document: Any, number: int = 0) -> dict[str, Any]:
    found: dict[str, Any] = document["notificationItems"][number]["NotificationRequestItem"]
    return found


def test_one_bad_item_of_adyen_refuses_the_request_and_is_named() -> None:
    forged = with_json(ADYEN_BATCH, lambda document: item(document, 1).update(success="false"))
    with pytest.raises(NotVerified, match="item 2 of 2: none of 1 active secrets"):
        ADYEN_BATCH.receive(forged)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda d: d.update(notificationItems=[]), "nothing in the request is signed"),
        (lambda d: d.update(notificationItems={}), "nothing in the request is signed"),
        (lambda d: d["notificationItems"].append({}), "item 2 of 2: it has no NotificationRequestItem"),
        (lambda d: item(d).update(success="yes"), "item 1 of 1: success is neither"),
        (lambda d: item(d).update(success=True), "success is not what Adyen sends"),
        (lambda d: item(d).update(pspReference="a:b"), "pspReference has a colon"),
        (lambda d: item(d)["amount"].update(value=True), "amount.value is not what Adyen sends"),
        (lambda d: item(d)["amount"].update(value=11.3), "amount.value is not what Adyen sends"),
    ],
)
def test_an_adyen_request_of_another_shape_is_unreadable(change: Callable[[Any], None], problem: str) -> None:
    with pytest.raises(Unreadable, match=problem):
        ADYEN.receive(with_json(ADYEN, change))


def test_an_adyen_item_whose_signed_text_could_be_cut_otherwise_is_refused() -> None:
    # The text of the published "colon" item, `...:AntoniStroinski::slashes are fun:1000:...`, cut one field earlier.
    def shift(document: Any) -> None:
        item(document).update(merchantAccountCode="AntoniStroinski:", merchantReference="slashes are fun")

    vector = load("adyen")[2]
    with pytest.raises(Unreadable, match="merchantAccountCode has a colon"):
        vector.receive(with_json(vector, shift))


@pytest.mark.parametrize("additional", [{}, {"hmacSignature": ""}, {"hmacSignature": 7}, None, "x"])
def test_an_adyen_item_without_a_signature_is_refused(additional: Any) -> None:
    with pytest.raises(NotVerified, match="hmacSignature is missing"):
        ADYEN.receive(with_json(ADYEN, lambda document: item(document).update(additionalData=additional)))


def test_a_header_does_not_stand_in_for_the_signatures_of_adyens_items() -> None:
    provider, config = providers.get("adyen"), ADYEN.config
    unsigned = with_json(ADYEN, lambda document: item(document).update(additionalData={}))
    in_header = provider.sign(replace(unsigned, body=b'{"type":"x"}'), config, 0)
    with pytest.raises(NotVerified):
        provider.receive(replace(in_header, body=unsigned.body), config, 0)


def test_an_adyen_key_is_hexadecimal() -> None:
    with pytest.raises(ConfigurationError, match="hexadecimal"):
        providers.get("adyen").check_secret("not hex")


# ---- braintree ----------------------------------------------------------------------------------------

BRAINTREE, BRAINTREE_CHALLENGE = load("braintree")[0], load("braintree")[2]


def test_a_braintree_challenge_is_answered_only_while_the_source_waits_for_it() -> None:
    with pytest.raises(NotVerified, match="no longer waits"):
        replace(BRAINTREE_CHALLENGE, awaiting_handshake=False).receive()


@pytest.mark.parametrize(
    "challenge", ["", "abc", "a" * 19, "a" * 33, "A" * 20, "g" * 20, "a" * 20 + "%0A", "a" * 20 + "|"]
)
def test_another_text_is_not_signed_for_a_braintree_challenge(challenge: str) -> None:
    with pytest.raises(NotVerified, match="refused_challenge"):
        replace(BRAINTREE_CHALLENGE, url=f"https://hooks.example.com/in/abc?bt_challenge={challenge}").receive()


def test_an_answered_braintree_challenge_cannot_be_sent_back_as_an_event() -> None:
    reply = BRAINTREE_CHALLENGE.receive().reply
    assert reply is not None
    form = f"bt_signature={reply.body.decode()}&bt_payload=20f9f8ed05f77439fe955c977e4c8a53"
    with pytest.raises(Unreadable, match="unreadable_xml"):
        BRAINTREE.receive(replace(BRAINTREE.request, body=form.encode()))


def test_a_braintree_payload_without_its_last_line_feed_is_a_duplicate() -> None:
    assert BRAINTREE.body.endswith("%0A")
    stripped = replace(BRAINTREE.request, body=BRAINTREE.request.body.removesuffix(b"%0A"))
    assert BRAINTREE.receive(stripped).events[0].dedup_key == BRAINTREE.expected["dedup_key"]


@pytest.mark.parametrize(
    "xml",
    [
        '<!DOCTYPE n [<!ENTITY a "b">]><notification><kind>&a;</kind></notification>',
        "<notification><kind>check</kind>",
        "<other><kind>check</kind></other>",
        "<notification>check</notification>",
        "<notification><kind><deep>check</deep></kind></notification>",
        "<a>" * 200 + "</a>" * 200,
        "",
    ],
)
def test_a_signed_braintree_payload_that_is_no_notification_is_unreadable(xml: str) -> None:
    composed = BRAINTREE.provider.compose("check", "", 0)
    payload = binascii.b2a_base64(xml.encode()).decode()
    body = composed.body.partition(b"&")[0] + b"&bt_payload=" + payload.replace("+", "%2B").strip().encode() + b"%0A"
    signed = BRAINTREE.provider.sign(replace(composed, body=body), BRAINTREE.config, 0)
    with pytest.raises(Unreadable):
        BRAINTREE.receive(signed)


@pytest.mark.parametrize("secret", ["private_key", ":private_key", "public_key:"])
def test_a_braintree_secret_is_two_keys(secret: str) -> None:
    with pytest.raises(ConfigurationError, match="PUBLIC_KEY:PRIVATE_KEY"):
        BRAINTREE.provider.check_secret(secret)
    with pytest.raises(CannotVerify):
        replace(BRAINTREE, secrets=[secret]).receive()


def test_the_json_of_a_braintree_event_has_repeated_names_as_a_list() -> None:
    composed = BRAINTREE.provider.compose("check", "", 0, {"id": ["a", "b", "c"], "text": "<&>"})
    assert BRAINTREE.provider.payload(composed)["subject"] == {"id": ["a", "b", "c"], "text": "<&>"}


# ---- mollie and recurly -------------------------------------------------------------------------------


def test_any_of_several_mollie_headers_may_match() -> None:
    vector = load("mollie")[0]
    good, bad = vector.headers["x-mollie-signature"], "sha256=" + "0" * 64
    for values in ((good, bad), (bad, good), ("garbage", good)):
        request = replace(vector.request, headers={**vector.request.headers, "x-mollie-signature": values})
        assert vector.receive(request).events[0].provider_id == vector.expected["id"]
    request = replace(vector.request, headers={**vector.request.headers, "x-mollie-signature": (bad, bad)})
    with pytest.raises(NotVerified):
        vector.receive(request)


def test_a_classic_mollie_webhook_is_refused_since_nothing_in_it_is_signed() -> None:
    vector = load("mollie")[0]
    form = WebhookRequest(
        "POST", vector.url, read_headers([("content-type", "application/x-www-form-urlencoded")]), b"id=tr_1"
    )
    with pytest.raises(NotVerified, match="x-mollie-signature is missing"):
        vector.receive(form)


def test_a_recurly_timestamp_is_in_milliseconds() -> None:
    vector = load("recurly")[0]
    for now, reason in ((1_752_000_301, "timestamp_too_old"), (1_751_999_699, "timestamp_in_future")):
        with pytest.raises(NotVerified, match=reason):
            vector.receive(now=now)
    seconds = vector.provider.sign(vector.request, vector.config, 1_752_000)  # writes 1752000000
    with pytest.raises(NotVerified, match="timestamp_too_old"):
        vector.receive(seconds)


# ---- coinbase -----------------------------------------------------------------------------------------

CDP_BOTH, CDP_V1, CDP_V0 = load("coinbase_cdp")


def test_each_signature_of_hook0_that_is_there_must_be_right() -> None:
    text = CDP_BOTH.headers["x-hook0-signature"]
    for name in ("v0", "v1"):
        at = text.index(f"{name}=") + 3
        spoilt = text[:at] + ("0" if text[at] != "0" else "1") + text[at + 1 :]
        with pytest.raises(NotVerified, match="signature_mismatch"):
            CDP_BOTH.receive(CDP_BOTH.request.with_headers({"x-hook0-signature": spoilt}))


@pytest.mark.parametrize(
    "change", [lambda t: t + ",t=1", lambda t: t + ",v1=00", lambda t: t.replace("h=", "h=no(name ")]
)
def test_a_hook0_header_that_reads_in_two_ways_is_refused(change: Callable[[str], str]) -> None:
    text = change(CDP_V1.headers["x-hook0-signature"])
    with pytest.raises(NotVerified, match="malformed_signature"):
        CDP_V1.receive(CDP_V1.request.with_headers({"x-hook0-signature": text}))


def test_a_request_of_coinbase_with_its_v1_taken_away_is_a_duplicate() -> None:
    text = CDP_BOTH.headers["x-hook0-signature"].partition(",h=")[0]
    stripped = CDP_BOTH.request.with_headers({"x-hook0-signature": text, "x-event-id": "another"})
    assert CDP_BOTH.receive(stripped).events[0].dedup_key == CDP_BOTH.expected["dedup_key"]


# ---- xero ---------------------------------------------------------------------------------------------

XERO, XERO_INTENT = load("xero")[:2]


def test_an_intent_to_receive_that_is_signed_wrongly_is_a_401() -> None:
    with pytest.raises(NotVerified) as refusal:
        XERO_INTENT.receive(XERO_INTENT.request.with_headers({"x-xero-signature": XERO.headers["x-xero-signature"]}))
    assert refusal.value.status == 401


def test_an_event_of_xero_is_the_same_in_another_batch() -> None:
    document = json.loads(XERO.body)
    document["events"].reverse()
    document["entropy"] = "another"
    request = replace(XERO.request, body=json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode())
    again = XERO.provider.sign(request, XERO.config, 0)
    assert {event.dedup_key for event in XERO.receive(again).events} == {
        event.dedup_key for event in XERO.receive().events
    }


# ---- batches ------------------------------------------------------------------------------------------


def signed_events(name: str, document: Any) -> tuple[ParsedEvent, ...]:
    provider, config = providers.get(name), SourceConfig(("a secret",))
    return provider.receive(provider.sign(json_request(document), config, 0), config, 0).events


@pytest.mark.parametrize(
    ("name", "document", "problem"),
    [
        ("gocardless", {"events": [7]}, "item 1 of 1"),
        ("gocardless", {"events": {}}, "no list of events"),
        ("xero", {"events": [{"eventCategory": "INVOICE"}]}, "item 1 of 1"),
        ("xero", {"events": []}, "no list of events"),
        ("quickbooks", [{"type": "qbo.a.v1", "dataChangeEvent": {"entities": []}}], "item 1 of 1"),
        ("quickbooks", [], "no list of events, or an empty one"),
        ("quickbooks", {"eventNotifications": [{"dataChangeEvent": {"entities": [7]}}]}, "item 1 of 1"),
        ("quickbooks", {"eventNotifications": [{"dataChangeEvent": {"entities": [{"name": "A"}]}}]}, "operation"),
        ("quickbooks", {"eventNotifications": {}}, "neither a list of CloudEvents"),
    ],
)
def test_a_batch_in_which_nothing_can_be_read_is_refused_and_the_first_item_named(
    name: str, document: Any, problem: str
) -> None:
    with pytest.raises(Unreadable, match=problem):
        signed_events(name, document)


@pytest.mark.parametrize(
    ("name", "document", "kept"),
    [
        (
            "gocardless",
            {"events": [{"id": "EV1", "resource_type": "a", "action": "b"}, {"id": "EV2"}]},
            b'{"id":"EV2"}',
        ),
        ("quickbooks", [{"id": "1", "type": "qbo.a.v1"}, {"id": "2"}], b'{"id":"2"}'),
        (
            "quickbooks",
            {
                "eventNotifications": [
                    {"realmId": "1", "dataChangeEvent": {"entities": [{"name": "Bill", "operation": "Void"}, 7]}}
                ]
            },
            b'{"realmId":"1","dataChangeEvent":{"entities":[7]}}',
        ),
    ],
)
def test_a_bad_item_is_kept_beside_the_good_ones_and_named(name: str, document: Any, kept: bytes) -> None:
    good, bad = signed_events(name, document)
    assert (good.problem, bad.type, bad.body) == ("", "unreadable", kept)
    assert "item 2 of 2: " in bad.problem


def test_a_notification_of_quickbooks_with_two_entities_is_two_events_that_keep_their_company() -> None:
    entities = [{"name": "Bill", "operation": "Create", "id": str(number)} for number in (1, 2)]
    notification = {"realmId": "310687", "dataChangeEvent": {"entities": entities}}
    events = signed_events("quickbooks", {"eventNotifications": [notification]})
    assert [event.type for event in events] == ["Bill.Create", "Bill.Create"]
    assert len({event.dedup_key for event in events}) == 2
    assert all(b'"realmId":"310687"' in event.body for event in events)
