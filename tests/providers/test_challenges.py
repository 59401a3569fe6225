"""Handshakes that must not be answered, and what else is particular to senders of HR, recruiting and office work."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from hookline import providers
from hookline.core.request import WebhookRequest, read_headers
from hookline.exceptions import CannotVerify, ConfigurationError, NotVerified, Unreadable, WrongMethod
from hookline.providers.base import Received, SourceConfig, json_request
from hookline.providers.schemes.graph_content import decrypt
from tests.providers.vectors import Vector, load

URL = "https://hooks.example.com/in/abc"


def get(provider: str, query: str, config: SourceConfig, headers: dict[str, str] | None = None) -> Received:
    request = WebhookRequest("GET", f"{URL}?{query}", read_headers((headers or {}).items()), b"")
    return providers.get(provider).receive(request, config, 0)


def vector_of(provider: str, why: str) -> Vector:
    (found,) = (vector for vector in load(provider) if vector.why.startswith(why))
    return found


def changed(vector: Vector, old: str, new: str) -> WebhookRequest:
    assert old in vector.body
    return replace(vector.request, body=vector.body.replace(old, new).encode())


# ---- linkedin -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "query",
    [
        "",
        "challengeCode=",
        'challengeCode=hmacsha256={"type":"forged"}',
        "challengeCode=hmacsha256%3D%7B%7D",
        "challengeCode=890e4665-4dfe-4ab1-b689-ed553bceeed0%0A",
        "challengeCode=890e4665-4dfe-1ab1-b689-ed553bceeed0",
        "challengeCode=890e46654dfe4ab1b689ed553bceeed0",
        "challengeCode=890e4665-4dfe-4ab1-b689-ed553bceeed0x",
    ],
)
def test_linkedin_signs_nothing_but_a_version_4_uuid(query: str) -> None:
    with pytest.raises(NotVerified, match="refused_challenge"):
        get("linkedin", query, SourceConfig(("secret",)))


def test_an_event_of_linkedin_does_not_come_by_get() -> None:
    request = load("linkedin")[0].request
    with pytest.raises(NotVerified):
        load("linkedin")[0].receive(replace(request, method="GET"))


# ---- meta ---------------------------------------------------------------------------------------------

META = SourceConfig(("secret",), {"verify_token": "meaty-hamster"})


@pytest.mark.parametrize(
    "query",
    [
        "",
        "hub.mode=subscribe&hub.challenge=1",
        "hub.mode=subscribe&hub.challenge=1&hub.verify_token=",
        "hub.mode=subscribe&hub.challenge=1&hub.verify_token=wrong",
        "hub.mode=unsubscribe&hub.challenge=1&hub.verify_token=meaty-hamster",
    ],
)
def test_meta_gets_no_challenge_back_without_the_token(query: str) -> None:
    with pytest.raises(NotVerified, match="refused_challenge"):
        get("meta", query, META)


@pytest.mark.parametrize("challenge", ["", "a%0Ab", "x" * 256])
def test_meta_gets_no_challenge_back_that_is_none(challenge: str) -> None:
    with pytest.raises(Unreadable):
        get("meta", f"hub.mode=subscribe&hub.challenge={challenge}&hub.verify_token=meaty-hamster", META)


@pytest.mark.parametrize("options", [{}, {"verify_token": ""}])
def test_meta_gets_no_challenge_back_without_the_option(options: dict[str, str]) -> None:
    with pytest.raises(NotVerified, match="verify_token"):
        get("meta", "hub.mode=subscribe&hub.challenge=1&hub.verify_token=", SourceConfig(("secret",), options))


def test_one_bad_update_of_meta_is_kept_beside_the_good_ones() -> None:
    meta = providers.get("meta")
    body = {"object": "page", "entry": [{"id": "1", "changes": [{"field": "feed"}, {"value": 1}]}]}
    request = meta.sign(json_request(body), META, 0)
    good, kept = meta.receive(request, META, 0).events
    assert (good.type, kept.type) == ("page.feed", "unreadable")
    assert kept.body == b'{"object":"page","entry":[{"id":"1","changes":[{"value":1}]}]}'
    assert "item 2 of 2: " in kept.problem


# ---- adobe sign ---------------------------------------------------------------------------------------


def test_adobe_sign_is_not_told_a_client_id_that_is_not_ours() -> None:
    config = SourceConfig(("CBJCHBCAABAAours",))
    with pytest.raises(NotVerified):
        get("adobe_sign", "", config, {"x-adobesign-clientid": "CBJCHBCAABAAtheirs"})
    with pytest.raises(NotVerified):
        get("adobe_sign", "", config)


# ---- gusto --------------------------------------------------------------------------------------------

GUSTO_TOKEN = json_request({"verification_token": "5f4dcc3b-1f2e-4d3c-9b8a-7f6e5d4c3b2a"})


@pytest.mark.parametrize("secrets", [(), ("an older token",)])
def test_gustos_token_is_kept_for_a_person_and_answered_with_200(secrets: tuple[str, ...]) -> None:
    with pytest.raises(Unreadable, match="5f4dcc3b-1f2e-4d3c-9b8a-7f6e5d4c3b2a") as kept:
        providers.get("gusto").receive(GUSTO_TOKEN, SourceConfig(secrets, {}, awaiting_handshake=True), 0)
    assert (kept.value.status, kept.value.code) == (200, "verification_token_received")


def test_gustos_token_is_refused_by_a_source_that_does_not_wait_for_it() -> None:
    with pytest.raises(NotVerified):
        providers.get("gusto").receive(GUSTO_TOKEN, SourceConfig(("token",)), 0)
    with pytest.raises(CannotVerify):
        providers.get("gusto").receive(GUSTO_TOKEN, SourceConfig(()), 0)
    request = replace(GUSTO_TOKEN, method="PUT")
    with pytest.raises(WrongMethod):
        providers.get("gusto").receive(request, SourceConfig((), {}, awaiting_handshake=True), 0)


def test_an_unsigned_event_of_gusto_is_no_handshake() -> None:
    request = json_request({"verification_token": "x", "event_type": "payroll.paid", "uuid": "1"})
    with pytest.raises(NotVerified):
        providers.get("gusto").receive(request, SourceConfig(("token",), {}, awaiting_handshake=True), 0)


# ---- microsoft graph ----------------------------------------------------------------------------------

GRAPH = vector_of("microsoft_graph", "A change and a lifecycle")
RICH = vector_of("microsoft_graph", "A rich notification")
GRAPH_CHECK = vector_of("microsoft_graph", "The check of the URL")


def test_graph_gets_its_validation_token_back_while_the_source_waits_or_always() -> None:
    with pytest.raises(NotVerified, match="refused_handshake"):
        replace(GRAPH_CHECK, awaiting_handshake=False).receive()
    always = replace(GRAPH_CHECK, awaiting_handshake=False).with_options({"validation": "always"})
    assert always.receive() == GRAPH_CHECK.receive()


@pytest.mark.parametrize("token", ["", "a%0Ab", "%00", "x" * 2049])
def test_graph_gets_no_token_back_that_is_none(token: str) -> None:
    with pytest.raises(NotVerified, match="refused_handshake"):
        replace(GRAPH_CHECK, url=f"{URL}?validationToken={token}").receive()


def test_every_item_of_graph_needs_the_client_state() -> None:
    state = GRAPH.secrets[0]
    body = GRAPH.body.replace(state, "another", 2).replace("another", state, 1)
    assert body.count(state) == 1
    with pytest.raises(NotVerified):
        GRAPH.receive(replace(GRAPH.request, body=body.encode()))
    document = json.loads(GRAPH.body)
    del document["value"][1]["clientState"]
    with pytest.raises(NotVerified, match="item 2 of 2"):
        GRAPH.receive(replace(GRAPH.request, body=json.dumps(document).encode()))


def test_a_private_key_is_no_client_state() -> None:
    with pytest.raises(CannotVerify, match="no clientState"):
        replace(RICH, secrets=RICH.secrets[1:]).receive()


def test_rich_notifications_need_the_app_id_and_the_private_key() -> None:
    with pytest.raises(CannotVerify, match="app_id"):
        replace(RICH, options={}).receive()
    with pytest.raises(CannotVerify, match="no_private_key"):
        replace(RICH, secrets=RICH.secrets[:1]).receive()


@pytest.mark.parametrize(
    ("options", "reason"),
    [({"app_id": "8e460676-ae3f-4b1e-8790-ee0fb5d6148e"}, "wrong_audience"),
     ({"tenant_id": "bddfc9c9-fda8-45c9-a9f6-b0bbf8eb99d3"}, "wrong_tenant")],
)  # fmt: skip
def test_rich_notifications_for_another_application_or_tenant_are_refused(options: dict[str, str], reason: str) -> None:
    with pytest.raises(NotVerified, match=reason):
        RICH.with_options(options).receive()


def test_rich_notifications_of_a_tenant_without_a_token_are_refused() -> None:
    with pytest.raises(NotVerified, match="wrong_tenant"):
        RICH.receive(changed(RICH, '"tenantId":"bddf', '"tenantId":"cddf'))
    with pytest.raises(NotVerified, match="validationTokens"):
        RICH.receive(changed(RICH, '"validationTokens":["', '"other":["'))


def test_rich_notifications_with_an_expired_token_are_refused() -> None:
    with pytest.raises(NotVerified, match="timestamp_too_old"):
        RICH.receive(now=RICH.now + 86_400)


def test_content_that_was_changed_is_refused_before_it_is_decrypted() -> None:
    content = json.loads(RICH.body)["value"][0]["encryptedContent"]
    assert decrypt(content, RICH.secrets)["subject"] == "Grüße"
    data = content["data"]
    for other in ("A" + data[1:], data[4:], ""):
        assert other != data
        with pytest.raises((NotVerified, Unreadable)):
            decrypt({**content, "data": other}, RICH.secrets)


@pytest.mark.parametrize("secret", ["-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----", "-----BEGIN "])
def test_a_private_key_that_is_none_is_refused_without_being_quoted(secret: str) -> None:
    with pytest.raises(ConfigurationError, match="RSA private key") as refusal:
        providers.get("microsoft_graph").check_secret(secret)
    assert "AAAA" not in str(refusal.value)


# ---- salesforce ---------------------------------------------------------------------------------------

SALESFORCE = load("salesforce")[0]


def test_the_payload_of_a_salesforce_event_is_readable_and_has_no_session() -> None:
    (event,) = SALESFORCE.receive().events
    assert b"SessionId" not in event.body
    assert providers.get("salesforce").payload(replace(SALESFORCE.request, body=event.body)) == {
        "OrganizationId": "00D000000000062EAA",
        "ActionId": "04k000000000001AAA",
        "EnterpriseUrl": "https://example.my.salesforce.com/services/Soap/c/60.0",
        "PartnerUrl": "https://example.my.salesforce.com/services/Soap/u/60.0",
        "Id": "04l000000000001AAA",
        "sObject": {"type": "Account", "Id": "0010000000hFwzOAAS", "Name": "Zoë & Co"},
    }


def test_salesforce_of_another_organisation_is_refused() -> None:
    with pytest.raises(NotVerified, match="wrong_organization"):
        SALESFORCE.with_options({"organization_id": "00D000000000063EAA"}).receive()


def test_one_bad_notification_of_salesforce_is_kept_beside_the_good_ones() -> None:
    vector = load("salesforce")[1]
    good, kept = vector.receive(changed(vector, "<Id>04l000000000002AAA</Id>", "")).events
    assert (good.problem, kept.type) == ("", "unreadable")
    assert "item 2 of 2: the Notification has no Id" in kept.problem
    assert b"<SessionId>" not in kept.body


def test_salesforce_with_a_document_type_is_refused() -> None:
    with pytest.raises(Unreadable, match="document type"):
        SALESFORCE.receive(changed(SALESFORCE, "<soapenv:Envelope", '<!DOCTYPE x [<!ENTITY y "z">]><soapenv:Envelope'))


# ---- what tells events apart --------------------------------------------------------------------------


def test_a_docusign_message_that_comes_again_is_a_duplicate_though_its_retry_count_has_changed() -> None:
    vector = load("docusign")[0]
    request = vector.provider.sign(changed(vector, '"retryCount":2', '"retryCount":3'), vector.config, 0)
    assert vector.receive(request).events[0].dedup_key == vector.expected["dedup_key"]


def test_a_hubspot_event_that_comes_again_is_a_duplicate_though_its_attempt_has_changed() -> None:
    vector = load("hubspot")[0]
    request = changed(vector, '"attemptNumber":1', '"attemptNumber":2')
    events = vector.receive(vector.provider.sign(request, vector.config, vector.now)).events
    assert [event.dedup_key for event in events] == [event.dedup_key for event in vector.receive().events]


def test_the_same_change_at_another_time_is_another_event_of_bamboohr() -> None:
    vector = load("bamboohr")[0]
    later = vector.provider.sign(vector.request, vector.config, vector.now + 3600)
    assert vector.receive(later, now=vector.now + 3600).events[0].dedup_key != vector.expected["dedup_key"]


def test_too_many_signatures_of_docusign_are_refused() -> None:
    vector = load("docusign")[0]
    many = {f"x-docusign-signature-{n}": vector.headers["x-docusign-signature-1"] for n in range(1, 102)}
    with pytest.raises(NotVerified, match="more than 100"):
        vector.receive(vector.request.with_headers(many))


@pytest.mark.parametrize("name", ["sterling", "hireright", "workday"])
def test_the_options_say_where_a_sender_without_a_format_has_type_and_id(name: str) -> None:
    provider = providers.get(name).configured({"type": "json:event.type", "id": "header:x-id"})
    request = provider.compose("made.up", "7", 0)
    assert request.json()["event"]["type"] == "made.up"
    assert request.header("x-id") == "7"
    with pytest.raises(ConfigurationError, match="'id'"):
        providers.get(name).check_options({"id": "fixed:1"})


@pytest.mark.parametrize("name", ["google_calendar", "google_drive"])
def test_the_payload_of_a_google_channel_is_its_headers_without_the_token(name: str) -> None:
    vector = load(name)[0]
    payload = vector.provider.payload(vector.request)
    assert payload["resource_state"] == vector.expected["type"]
    assert "channel_token" not in payload
