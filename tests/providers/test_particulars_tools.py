"""What is particular to one developer tool or content service and no vector can show."""

from __future__ import annotations

import hmac
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hookline import providers
from hookline.core.request import WebhookRequest, read_headers
from hookline.exceptions import CannotVerify, ConfigurationError, NotVerified, Unreadable, VerificationError
from hookline.providers.base import SourceConfig, json_request
from tests.providers.vectors import Vector, load


def resigned(vector: Vector, body: bytes) -> WebhookRequest:
    return vector.provider.sign(replace(vector.request, body=body), vector.config, vector.now)


# ---- published examples whose body is no event --------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "header", "secret", "body", "signature"),
    [
        # Atlassian's documentation of secure webhooks, alike for Bitbucket and Jira.
        ("jira", "x-hub-signature", "It's a Secret to Everybody", b"Hello World!",
         "sha256=a4771c39fbe90f317c7824e83ddef3caae9cb3d976c214ace1f2937e133263c9"),
        # circleci.com/docs/guides/integration/outbound-webhooks
        ("circleci", "circleci-signature", "secret", b"hello world",
         "v1=734cc62f32841568f45715aeb9f4d7891324e6d948e4c6c60c0621cdac48623a"),
        ("circleci", "circleci-signature", "another-secret", b"lalala",
         "v1=daa220016c8f29a8b214fbfc3671aeec2145cfb1e6790184ffb38b6d0425fa00"),
    ],
)  # fmt: skip
def test_a_published_example_verifies(name: str, header: str, secret: str, body: bytes, signature: str) -> None:
    request = replace(json_request({}, {header: signature}), body=body)
    provider, config = providers.get(name), SourceConfig((secret,))
    provider.verify(request, config, 0)
    with pytest.raises(NotVerified):
        provider.verify(replace(request, body=body + b"!"), config, 0)


# ---- headers that are not signed ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "headers"),
    [
        ("bitbucket", {"x-event-key": "repo:deleted", "x-request-uuid": "another"}),
        ("contentful", {"x-contentful-idempotency-key": "another"}),
        ("gitea", {"x-gitea-event": "repository", "x-gitea-delivery": "another"}),
        ("sentry", {"sentry-hook-resource": "comment", "request-id": "another"}),
        ("netlify", {"x-netlify-event": "deploy_failed"}),
        ("sanity", {"sanity-operation": "delete", "idempotency-key": "another"}),
        ("shopify", {"x-shopify-topic": "orders/paid", "x-shopify-webhook-id": "another"}),
        ("snyk", {"x-snyk-event": "ping/v0", "x-snyk-transport-id": "another"}),
    ],
)
def test_a_body_replayed_under_other_headers_is_a_duplicate_where_the_source_says_so(
    name: str, headers: dict[str, str]
) -> None:
    vector = load(name)[0].with_options({"repeated_bodies": "refuse"})
    (first,) = vector.receive().events
    (replayed,) = vector.receive(vector.request.with_headers(headers)).events
    assert (replayed.dedup_key, replayed.if_known) == (first.dedup_key, "duplicate")


@pytest.mark.parametrize(
    ("name", "header"), [("jira", "x-atlassian-webhook-identifier"), ("linear", "linear-delivery")]
)
def test_a_body_replayed_under_another_id_is_a_duplicate_where_the_body_tells_events_apart(
    name: str, header: str
) -> None:
    vector = load(name)[0]
    (event,) = vector.receive(vector.request.with_headers({header: "another"})).events
    assert (event.dedup_key, event.if_known) == (vector.expected["dedup_key"], "duplicate")


@pytest.mark.parametrize(("name", "header"), [("gitea", "x-gitea-event"), ("sentry", "sentry-hook-resource")])
def test_an_action_without_an_event_is_no_type(name: str, header: str) -> None:
    vector = load(name)[1 if name == "gitea" else 0]
    with pytest.raises(Unreadable, match="missing_type"):
        vector.receive(vector.request.with_headers({header: ""}))


# ---- gitea --------------------------------------------------------------------------------------------


def test_the_form_that_gitea_posts_can_be_written_in_another_way_and_is_then_a_duplicate() -> None:
    vector = load("gitea")[2]
    respelt = replace(vector.request, body=vector.request.body.replace(b"ref", b"%72ef") + b"&extra=1")
    assert vector.receive(respelt).events[0].dedup_key == vector.expected["dedup_key"]


def test_a_form_of_gitea_without_its_payload_is_refused() -> None:
    vector = load("gitea")[2]
    with pytest.raises(Unreadable, match="no field payload"):
        vector.receive(replace(vector.request, body=b"other=1"))


# ---- linear -------------------------------------------------------------------------------------------


def test_linear_stamps_a_try_again_anew_and_it_is_a_duplicate() -> None:
    vector = load("linear")[0]
    later = vector.provider.sign(vector.request, vector.config, vector.now + 3600)
    assert later.json()["webhookTimestamp"] == 1676060545000  # a number: Linear's SDK refuses text
    (event,) = vector.receive(later, now=vector.now + 3600).events
    assert event.dedup_key == vector.expected["dedup_key"]


# ---- zendesk ------------------------------------------------------------------------------------------


def test_equal_bodies_of_zendesk_triggers_are_told_apart_by_the_timestamp_where_no_invocation_is_named() -> None:
    vector = load("zendesk")[1]
    headers = {name: values for name, values in vector.request.headers.items() if "invocation" not in name}
    request = replace(vector.request, headers=headers)
    later = vector.provider.sign(request, vector.config, vector.now + 1)
    first, second = (vector.receive(one).events[0] for one in (request, later))
    assert first.dedup_key == second.dedup_key == vector.expected["dedup_key"]
    assert (first.provider_id, second.if_known) == ("2021-03-25T05:09:27Z", "repeat")
    assert second.provider_id != first.provider_id


# ---- box ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "headers", [{"box-signature-version": "2"}, {"box-signature-algorithm": "HmacSHA1"}, {"box-signature-version": ""}]
)
def test_box_refuses_another_version_or_algorithm(headers: dict[str, str]) -> None:
    vector = load("box")[0]
    with pytest.raises(NotVerified):
        vector.receive(vector.request.with_headers(headers))


def test_box_accepts_one_good_signature_beside_a_wrong_one() -> None:
    primary, secondary = load("box")[:2]
    both = primary.request.with_headers({"box-signature-secondary": "AAAA"})
    assert primary.receive(both).events
    assert secondary.receive(secondary.request.with_headers({"box-signature-primary": "AAAA"})).events


# ---- contentful ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "names", ["x-contentful-timestamp", "x-contentful-signed-headers", "x-contentful-topic", ",", "x-made-up"]
)
def test_contentful_refuses_a_list_that_leaves_the_timestamp_or_itself_unprotected(names: str) -> None:
    vector = load("contentful")[0]
    with pytest.raises(NotVerified):
        vector.receive(vector.request.with_headers({"x-contentful-signed-headers": names}))


def test_contentful_refuses_another_path_method_or_signed_topic() -> None:
    vector = load("contentful")[0]
    for request in (
        replace(vector.request, url="https://hooks.example.com/in/abd"),
        replace(vector.request, url=f"{vector.url}?a=1"),
        vector.request.with_headers({"x-contentful-topic": "ContentManagement.Entry.delete"}),
    ):
        with pytest.raises(NotVerified):
            vector.receive(request)


def test_a_contentful_body_under_another_topic_is_another_event_whether_the_topic_is_signed_or_not() -> None:
    vector = load("contentful")[2]
    other = vector.request.with_headers({"x-contentful-topic": "ContentManagement.Entry.delete"})
    assert vector.receive(other).events[0].dedup_key != vector.expected["dedup_key"]


# ---- segment ------------------------------------------------------------------------------------------


def test_segment_refuses_a_batch_of_which_a_part_is_not_signed() -> None:
    vector = replace(load("segment")[1], options={})
    with pytest.raises(NotVerified, match="turn batching off"):
        vector.receive()


def test_segment_accepts_a_batch_of_one() -> None:
    single = load("segment")[0]
    for body in (f"[{single.body}]", f" [ {single.body} ] "):
        (event,) = single.receive(replace(single.request, body=body.encode())).events
        assert event.body == single.request.body
        assert event.dedup_key == single.expected["dedup_key"]


def test_the_unsigned_items_of_a_segment_batch_can_be_forged_where_the_source_takes_them() -> None:
    vector = load("segment")[1]
    forged = replace(vector.request, body=vector.request.body.replace(b"premium", b"mallory"))
    assert b"mallory" in vector.receive(forged).events[1].body


@pytest.mark.parametrize("items", [b",null", b",[]", b",{}", b',{"type":{}}', b',"x"'])
def test_a_bad_item_of_a_segment_batch_is_kept_beside_the_good_ones(items: bytes) -> None:
    vector = load("segment")[1]
    single = load("segment")[0].request.body
    good, kept = vector.receive(replace(vector.request, body=b"[" + single + items + b"]")).events
    assert (good.body, kept.type, kept.body) == (single, "unreadable", items[1:])
    assert "item 2 of 2: " in kept.problem


def test_an_empty_segment_batch_is_refused() -> None:
    vector = load("segment")[1]
    with pytest.raises(Unreadable, match="empty"):
        vector.receive(replace(vector.request, body=b"[]"))


# ---- asana --------------------------------------------------------------------------------------------

HANDSHAKE = load("asana")[2]


def test_asana_gets_its_secret_back_only_while_the_source_waits() -> None:
    with pytest.raises(NotVerified, match="no longer waits"):
        replace(HANDSHAKE, awaiting_handshake=False).receive()


@pytest.mark.parametrize("secret", ["", "a b", "a\r\nset-cookie: x", "é", "x" * 256])
def test_asana_gets_nothing_back_that_is_no_secret(secret: str) -> None:
    with pytest.raises(NotVerified):
        HANDSHAKE.receive(HANDSHAKE.request.with_headers({"x-hook-secret": secret}))


def test_asana_events_with_a_handshake_header_are_no_events() -> None:
    vector = load("asana")[0]
    waiting = replace(vector, awaiting_handshake=True)
    assert waiting.receive(vector.request.with_headers({"x-hook-secret": "mine"})).events == ()


def test_asana_events_before_the_secret_is_known_can_be_tried_again() -> None:
    with pytest.raises(CannotVerify):
        replace(load("asana")[0], secrets=[], awaiting_handshake=True).receive()


@pytest.mark.parametrize("item", [b"null", b"{}", b'{"action":"added"}', b'{"resource":{"resource_type":"task"}}'])
def test_a_bad_item_of_an_asana_request_is_kept_beside_the_good_ones(item: bytes) -> None:
    vector = load("asana")[0]
    body = vector.request.body.replace(b"]}", b"," + item + b"]}")
    *good, kept = vector.receive(resigned(vector, body)).events
    assert (len(good), kept.type, kept.body) == (2, "unreadable", item)
    assert "item 3 of 3: " in kept.problem


# ---- notion -------------------------------------------------------------------------------------------

TOKEN = b'{"verification_token":"secret_tMrlL1qK5vuQAh1b6cZGhFChZTSYJlce98V0pYn7yBl"}'


@pytest.mark.parametrize("secrets", [[], ["secret_older"]])
def test_notions_verification_token_is_answered_with_200_and_kept_for_the_operator(secrets: list[str]) -> None:
    vector = replace(load("notion")[0], secrets=secrets, awaiting_handshake=True)
    request = replace(json_request({}), body=TOKEN)
    with pytest.raises(VerificationError, match="verification_token") as refusal:
        vector.receive(request)
    assert refusal.value.status == 200
    assert "secret_" not in str(refusal.value)  # it is logged
    with pytest.raises(VerificationError) as refusal:
        replace(vector, awaiting_handshake=False).receive(request)
    assert refusal.value.status in (401, 503)


def test_an_unsigned_notion_event_is_refused_also_while_the_source_waits() -> None:
    vector = replace(load("notion")[0], awaiting_handshake=True)
    unsigned = replace(vector.request, headers=read_headers([("content-type", "application/json")]))
    with pytest.raises(NotVerified):
        vector.receive(unsigned)


# ---- dropbox, trello, okta, monday --------------------------------------------------------------------


def test_dropbox_gets_its_challenge_back_only_while_the_source_waits() -> None:
    vector = load("dropbox")[1]
    with pytest.raises(NotVerified):
        replace(vector, awaiting_handshake=False).receive()
    for query in ("", "?challenge=", "?challenge=a%00b", "?challenge=" + "a" * 256, "?challenge=%FF"):
        with pytest.raises(Unreadable):
            vector.receive(replace(vector.request, url=f"https://hooks.example.com/in/abc{query}"))


def test_two_equal_bodies_of_dropbox_are_two_events() -> None:
    (event,) = load("dropbox")[0].receive().events
    assert (event.if_known, event.provider_id) == ("repeat", "")


def test_trello_refuses_the_signature_of_another_url() -> None:
    vector = load("trello")[0]
    for url in ("https://hooks.example.com/in/abc", vector.url + "&a=1", ""):
        with pytest.raises(NotVerified):
            vector.receive(replace(vector.request, url=url))


@pytest.mark.parametrize("headers", [{}, {"authorization": "wrong"}, {"authorization": ""}])
def test_okta_gets_its_challenge_back_only_with_the_token(headers: dict[str, str]) -> None:
    vector = load("okta")[1]
    pairs = {"x-okta-verification-challenge": "abc", **headers}
    with pytest.raises(NotVerified):
        replace(vector, awaiting_handshake=True).receive(replace(vector.request, headers=read_headers(pairs.items())))


def test_okta_refuses_a_get_without_a_challenge() -> None:
    vector = load("okta")[1]
    with pytest.raises(Unreadable, match="missing_challenge"):
        vector.receive(vector.request.with_headers({"x-okta-verification-challenge": ""}))


def test_monday_gets_an_unsigned_challenge_back_only_while_the_source_waits() -> None:
    vector = load("monday")[2]
    with pytest.raises(NotVerified):
        replace(vector, awaiting_handshake=False).receive()


@pytest.mark.parametrize(
    "body", [b'{"challenge":"x","event":{"type":"create_pulse"}}', b'{"event":{"type":"a"}}', b"[]"]
)
def test_monday_events_are_never_accepted_without_a_token(body: bytes) -> None:
    vector = load("monday")[2]
    with pytest.raises(NotVerified):
        vector.receive(replace(vector.request, body=body))


@pytest.mark.parametrize("challenge", [b'""', b"7", b"null", b'"a\\u0000"', b'"' + b"a" * 256 + b'"'])
def test_monday_gets_nothing_back_that_is_no_challenge(challenge: bytes) -> None:
    vector = load("monday")[2]
    with pytest.raises(Unreadable):
        vector.receive(replace(vector.request, body=b'{"challenge":' + challenge + b"}"))


def test_monday_answers_a_challenge_with_a_token_at_any_time() -> None:
    handshake, event = load("monday")[2], load("monday")[0]
    request = replace(event.request, body=handshake.request.body)
    assert event.receive(request).reply == handshake.receive().reply


def test_monday_refuses_the_token_of_another_url_and_an_old_one() -> None:
    vector = load("monday")[0]
    with pytest.raises(NotVerified, match="aud"):
        vector.receive(replace(vector.request, url="https://hooks.example.com/in/other"))
    with pytest.raises(NotVerified, match="expired"):
        vector.receive(now=1_700_000_400)
    assert vector.receive(replace(vector.request, url=f"{vector.url}?board=1")).events


# ---- figma, auth0, freshdesk, airtable ----------------------------------------------------------------


@pytest.mark.parametrize("passcode", ["", "wrong"])
def test_figma_gets_a_400_for_a_wrong_passcode(passcode: str) -> None:
    vector = load("figma")[0]
    with pytest.raises(NotVerified) as refusal:
        vector.receive(replace(vector.request, body=vector.body.replace(vector.secrets[0], passcode).encode()))
    assert refusal.value.status == 400


def test_figma_counts_its_tries_in_the_body_and_they_are_duplicates() -> None:
    vector = load("figma")[0]
    again = replace(vector.request, body=vector.request.body.replace(b'"retries":0', b'"retries":2'))
    assert vector.receive(again).events[0].dedup_key == vector.expected["dedup_key"]


@pytest.mark.parametrize("line", [b"{", b"null", b"{}", b'{"log_id":"1"}', b'{"data":{"type":{}}}'])
def test_a_bad_line_of_an_auth0_request_is_kept_beside_the_good_ones(line: bytes) -> None:
    vector = load("auth0")[0]
    *good, kept = vector.receive(replace(vector.request, body=vector.request.body + line + b"\n")).events
    assert (len(good), kept.type, kept.body) == (2, "unreadable", line)
    assert "item 3 of 3: " in kept.problem


def test_the_payload_of_an_auth0_event_is_its_entry() -> None:
    auth0 = providers.get("auth0")
    assert auth0.payload(auth0.compose("s", "", 1_700_000_000))["data"]["type"] == "s"


def test_two_equal_bodies_of_freshdesk_without_an_id_are_two_events() -> None:
    (event,) = load("freshdesk")[1].receive().events
    assert (event.if_known, event.provider_id) == ("repeat", "")


def test_a_fixed_freshdesk_id_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="every event a duplicate"):
        providers.get("freshdesk").check_options({"id": "fixed:1"})


def test_a_secret_of_airtable_that_is_not_base64_is_refused_without_being_quoted() -> None:
    with pytest.raises(ConfigurationError, match="macSecretBase64") as refusal:
        providers.get("airtable").check_secret("not base64!")
    assert "not base64!" not in str(refusal.value)


# ---- what was done to a thing is part of the type ------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "body", "event_type"),
    [
        # https://docs.gitlab.com/user/project/integrations/webhook_events/
        (
            "gitlab",
            {"object_kind": "merge_request", "object_attributes": {"action": "approved"}},
            "merge_request.approved",
        ),
        ("gitlab", {"object_kind": "note", "object_attributes": {"action": "update"}}, "note.update"),
        ("gitlab", {"object_kind": "release", "action": "create", "tag": "v1.1"}, "release.create"),
        ("gitlab", {"object_kind": "emoji", "event_type": "award", "object_attributes": {"id": 1}}, "emoji.award"),
        ("gitlab", {"object_kind": "pipeline", "object_attributes": {"status": "success"}}, "pipeline"),
        ("gitlab", {"object_kind": "issue", "object_attributes": {"action": ["open"]}}, "issue"),
        ("gitlab", {"event_name": "user_add_to_group", "action": "x"}, "user_add_to_group"),
        # https://docs.slack.dev/reference/events/message
        ("slack", {"type": "event_callback", "event": {"type": "message"}}, "message"),
        (
            "slack",
            {"type": "event_callback", "event": {"type": "message", "subtype": "message_changed"}},
            "message.message_changed",
        ),
        ("slack", {"type": "event_callback", "event": {"type": "app_mention", "subtype": "x"}}, "app_mention"),
        # https://learn.microsoft.com/linkedin/marketing/lead-sync/leadsync
        ("linkedin", {"type": "LEAD_ACTION", "leadAction": "DELETED"}, "LEAD_ACTION.DELETED"),
    ],
)
def test_what_was_done_is_part_of_the_type(name: str, body: dict[str, Any], event_type: str) -> None:
    assert providers.get(name).event_type(json_request(body), SourceConfig(("secret",))) == event_type


@pytest.mark.parametrize(
    ("kind", "update", "event_type"),
    [
        # https://developers.facebook.com/docs/graph-api/webhooks/reference/page/
        ("page", {"changes": [{"field": "feed", "value": {"item": "post", "verb": "edited"}}]}, "page.feed.edited"),
        ("page", {"changes": [{"field": "feed", "value": {"item": "post"}}]}, "page.feed"),
        (
            "whatsapp_business_account",
            {"changes": [{"field": "messages", "value": {"statuses": [{"status": "read"}]}}]},
            "whatsapp_business_account.messages.statuses",
        ),
        # https://developers.facebook.com/docs/messenger-platform/reference/webhook-events/
        (
            "page",
            {"messaging": [{"sender": {}, "timestamp": 1, "postback": {}}]},
            "page.messaging.postback",
        ),
        ("instagram", {"standby": [{"read": {"mid": "1"}, "sender": {}}]}, "instagram.standby.read"),
        ("page", {"messaging": [{"sender": {"id": "1"}}]}, "page.messaging"),
    ],
)
def test_what_an_update_of_meta_holds_is_part_of_its_type(kind: str, update: dict[str, Any], event_type: str) -> None:
    meta, config = providers.get("meta"), SourceConfig(("secret",))
    request = meta.sign(json_request({"object": kind, "entry": [{"id": "1", **update}]}), config, 0)
    assert [event.type for event in meta.receive(request, config, 0).events] == [event_type]


# ---- how sure we are ----------------------------------------------------------------------------------


def test_senders_that_nothing_executable_confirms_are_marked() -> None:
    unconfirmed = {name for name in providers.names() if not providers.get(name).confirmed}
    assert unconfirmed == {"alchemy", "greenhouse", "gusto", "lever", "mollie", "snyk", "workable"}
    for name in unconfirmed:  # whoever finds something takes the mark away
        assert {vector.source_kind for vector in load(name)} == {"openssl"}
        assert "no code or captured request confirms it yet" in Path(f"docs/providers/{name}.md").read_text()


def test_rootly_signs_without_a_full_stop_between_timestamp_and_body() -> None:
    vector = load("rootly")[0]
    timestamp, secret = vector.timestamp or "", vector.secrets[0]
    dotted = hmac.new(secret.encode(), f"{timestamp}.{vector.body}".encode(), "sha256").hexdigest()
    with pytest.raises(NotVerified, match="signature_mismatch"):
        vector.receive(vector.request.with_headers({"x-rootly-signature": f"t={timestamp},v1={dotted}"}))
