"""What is particular to one sender of messages, media or logistics and no vector can show."""

from __future__ import annotations

import json
from dataclasses import replace
from urllib.parse import urlencode

import pytest

from hookline import providers
from hookline.core.forms import URLENCODED
from hookline.core.request import WebhookRequest, read_headers
from hookline.core.signing import encode
from hookline.exceptions import CannotVerify, ConfigurationError, NotVerified, Unreadable, WrongMethod
from hookline.providers.base import Received, Reply, SourceConfig, json_request
from hookline.providers.schemes.jws import make_jws
from tests.providers.vectors import Vector, load

# ---- twitch -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("claimed", ["webhook_callback_verification", "revocation", "notification", ""])
@pytest.mark.parametrize("position", [0, 1])
def test_what_a_twitch_message_is_stands_in_its_signed_body(position: int, claimed: str) -> None:
    vector = load("twitch")[position]
    headers = {"twitch-eventsub-message-type": claimed, "twitch-eventsub-subscription-type": "made.up"}
    assert vector.receive(vector.request.with_headers(headers)).events[0].type == vector.expected["type"]


def test_a_twitch_challenge_makes_no_event_under_another_header() -> None:
    vector = load("twitch")[2]
    received = vector.receive(vector.request.with_headers({"twitch-eventsub-message-type": "notification"}))
    assert received.events == ()


@pytest.mark.parametrize("secret", ["short", "x" * 101, "ten-chars-é"])
def test_twitch_refuses_a_secret_that_twitch_would_not_take(secret: str) -> None:
    with pytest.raises(ConfigurationError, match="10 to 100"):
        providers.get("twitch").check_secret(secret)


# ---- x ------------------------------------------------------------------------------------------------


def crc(token: str) -> WebhookRequest:
    return WebhookRequest("GET", f"https://hooks.example.com/in/abc?{urlencode({'crc_token': token})}", {}, b"")


@pytest.mark.parametrize(
    "token",
    ['{"for_user_id":"1","follow_events":[{}]}', "{}", "[1]", '"text"', "a.b", "a b", "", "a\n", "é", "٣", "a" * 129],
    ids=lambda token: ascii(token)[:30],
)
def test_x_signs_no_token_that_could_be_an_event(token: str) -> None:
    with pytest.raises(NotVerified, match="crc_token"):
        load("x_twitter")[2].receive(crc(token))


@pytest.mark.parametrize("token", ["1", "true", "null", "MzY1ZDA5NzgtM2ZkMS00ZmQ2"])
def test_what_x_signs_as_a_token_is_refused_as_an_event(token: str) -> None:
    vector = load("x_twitter")[0]
    reply = vector.receive(crc(token)).reply
    assert reply is not None
    stolen = json.loads(reply.body)["response_token"]
    request = replace(vector.request, body=token.encode()).with_headers({"x-twitter-webhooks-signature": stolen})
    with pytest.raises(Unreadable):
        vector.receive(request)


def test_a_get_without_a_token_and_a_post_with_one_are_no_handshake() -> None:
    vector = load("x_twitter")[0]
    with pytest.raises(NotVerified):
        vector.receive(WebhookRequest("GET", "https://hooks.example.com/in/abc", {}, b""))
    with pytest.raises(NotVerified):
        vector.receive(replace(crc("MzY1ZDA5"), method="POST"))


# ---- batches ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "path", "bad"),
    [("line", "events", {"webhookEventId": "2"}), ("line", "events", 7), ("line", "events", {"type": "a\x00"}),
     ("klaviyo", "data", {"external_id": "2"}), ("klaviyo", "data", None), ("pusher", "events", {"channel": "x"}),
     ("pusher", "events", [])],
)  # fmt: skip
def test_one_bad_item_is_kept_beside_the_good_ones_and_named(name: str, path: str, bad: object) -> None:
    vector = load(name)[1]
    document = json.loads(vector.body)
    document[path].append(bad)
    request = replace(vector.request, body=json.dumps(document).encode())
    *good, kept = vector.receive(vector.provider.sign(request, vector.config, vector.now)).events
    assert [event.problem for event in good] == ["", ""]
    assert (kept.type, kept.body) == ("unreadable", json.dumps(bad).encode())
    assert "item 3 of 3: " in kept.problem


@pytest.mark.parametrize("bad", [{"ts": 1}, {"type": "blacklist"}, {"event": True}, "send"])
def test_one_bad_item_of_a_mandrill_batch_is_kept_beside_the_good_ones(bad: object) -> None:
    vector = load("mandrill")[1]
    body = urlencode({"mandrill_events": json.dumps([{"event": "send", "_id": "1"}, bad])}).encode()
    request = vector.provider.sign(replace(vector.request, body=body), vector.config, vector.now)
    good, kept = vector.receive(request).events
    assert (good.type, kept.type, kept.body) == ("send", "unreadable", json.dumps(bad).encode())
    assert "item 2 of 2: " in kept.problem


@pytest.mark.parametrize(("name", "body"), [("line", {}), ("klaviyo", {"data": []}), ("pusher", {"events": {}})])
def test_a_signed_body_without_a_list_of_events_is_unreadable(name: str, body: dict[str, object]) -> None:
    vector = load(name)[0]
    document = {**body, "time_ms": int(vector.now * 1000)}
    request = replace(vector.request, body=json.dumps(document).encode())
    with pytest.raises(Unreadable):
        vector.receive(vector.provider.sign(request, vector.config, vector.now))


# ---- mandrill -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("body", [b"mandrill_events=%5B%5D", b"mandrill_events=%5B%7B%22event%22%3A%22send%22%7D%5D"])
@pytest.mark.parametrize("awaiting", [True, False])
def test_mandrill_answers_unverified_only_the_empty_list(body: bytes, awaiting: bool) -> None:
    vector = replace(load("mandrill")[3], awaiting_handshake=awaiting)
    request = replace(vector.request, body=body)
    if body.endswith(b"%5B%5D"):
        assert vector.receive(request).reply == Reply()
    else:
        with pytest.raises(NotVerified):
            vector.receive(request)


def test_a_mandrill_request_for_another_url_is_refused() -> None:
    vector = load("mandrill")[0]
    for url in (vector.url.replace("https:", "http:"), vector.url + "&a=1", "https://other.example.com/in/abc"):
        with pytest.raises(NotVerified):
            vector.receive(replace(vector.request, url=url))


# ---- slack --------------------------------------------------------------------------------------------


def test_slack_looks_at_the_certificate_with_a_form_that_need_not_be_signed() -> None:
    """https://docs.slack.dev/interactivity/implementing-slash-commands"""
    vector = load("slack")[0]
    check = b"token=gIkuvaNzQIHg97ATvDxqgjtO&ssl_check=1"
    unsigned = replace(vector.request, headers={"content-type": (URLENCODED,)}, body=check)
    assert vector.receive(unsigned) == Received(reply=Reply())
    signed = vector.provider.sign(replace(vector.request, body=check), vector.config, vector.now)
    assert vector.receive(signed) == Received(reply=Reply())
    with pytest.raises(NotVerified, match="signature_mismatch"):
        vector.receive(replace(signed, body=b"ssl_check=1"))


@pytest.mark.parametrize(
    "body",
    [b"ssl_check=1&command=%2Fdeploy", b"ssl_check=0", b"text=ssl_check%3D1", b"ssl_check=1&payload=%7B%7D",
     b'{"ssl_check":1}', b"ssl_check=1&a=" + b"x" * 1000],
)  # fmt: skip
def test_an_unsigned_command_of_slack_is_no_look_at_the_certificate(body: bytes) -> None:
    vector = load("slack")[0]
    with pytest.raises(NotVerified, match="missing_header"):
        vector.receive(replace(vector.request, headers={"content-type": (URLENCODED,)}, body=body))


# ---- mailersend ---------------------------------------------------------------------------------------


def test_mailersend_answers_its_test_at_any_time_and_never_makes_an_event_of_it() -> None:
    vector = load("mailersend")[1]
    for test in (vector, replace(vector, awaiting_handshake=False), replace(vector, headers={})):
        assert test.receive() == Received(reply=Reply())
    signed = vector.provider.sign(vector.request, vector.config, vector.now)
    assert vector.receive(signed) == Received(reply=Reply())
    forged = vector.body.replace('"type":"webhook.test"', '"type":"activity.sent","note":"webhook.test"')
    with pytest.raises(NotVerified):
        vector.receive(replace(vector.request, body=forged.encode()))


# ---- persona ------------------------------------------------------------------------------------------


def test_persona_groups_with_different_timestamps_are_refused() -> None:
    vector = load("persona")[1]
    value = vector.headers["persona-signature"].replace("t=1599844927", "t=1599844926", 1)
    with pytest.raises(NotVerified, match="several timestamps"):
        vector.receive(vector.request.with_headers({"persona-signature": value}))


# ---- plivo --------------------------------------------------------------------------------------------

PLIVO = load("plivo")[1]


def test_a_plivo_get_is_verified_by_its_query() -> None:
    # The value is from openssl over the text that plivo 4.63.0 makes of this URL.
    url = "https://hooks.example.com/in/abc?Event=Hangup&CallUUID=97ceeb52"
    headers = {
        "x-plivo-signature-v3": "jRsxXMosbDCIc+JLq+Znb0oWOVJ/JxOgEgfCAqgVhZY=",
        "x-plivo-signature-v3-nonce": "05429567804466091622",
    }
    request = WebhookRequest("GET", url, read_headers(headers.items()), b"")
    assert PLIVO.receive(request).events[0].type == "Hangup"
    with pytest.raises(NotVerified):
        PLIVO.receive(replace(request, url=url.replace("Hangup", "StartApp")))


def test_plivos_older_signature_is_refused_unless_the_source_allows_it() -> None:
    vector = load("plivo")[3]
    with pytest.raises(NotVerified):
        replace(vector, options={}).receive()
    headers = {"x-plivo-signature-v2": "AAAA"}
    with pytest.raises(NotVerified):
        vector.receive(vector.request.with_headers(headers))


@pytest.mark.parametrize("content_type", ["application/json", "multipart/form-data; boundary=x", "text/plain"])
def test_a_plivo_body_that_the_signature_would_not_cover_is_refused(content_type: str) -> None:
    with pytest.raises(Unreadable, match="would not cover"):
        PLIVO.receive(PLIVO.request.with_headers({"content-type": content_type}))


# ---- messagebird --------------------------------------------------------------------------------------


def test_the_published_older_signature_of_messagebird_verifies() -> None:
    # messagebird/python-rest-api tests/test_signed_request.py; only the query is signed, not what stands before it.
    query = {
        "recipient": "31612345678",
        "reference": "FOO",
        "statusDatetime": "2019-01-11T09:17:11+00:00",
        "id": "eef0ab57a9e049be946f3821568c2b2e",
        "status": "delivered",
        "mccmnc": "20408",
        "ported": "1",
    }
    headers = {
        "messagebird-signature": "KVBdcVdz2lYMwcBLZCRITgxUfA/WkwSi+T3Wxl2HL6w=",
        "messagebird-request-timestamp": "1547198231",
    }
    url = f"https://hooks.example.com/in/abc?{urlencode(query)}"
    request = WebhookRequest("GET", url, read_headers(headers.items()), b"")
    config = SourceConfig(("PlLrKaqvZNRR5zAjm42ZT6q1SQxgbbGd",))
    provider = providers.get("messagebird")
    assert provider.receive(request, config, 0).events[0].type == "delivered"
    for changed in (replace(request, url=url.replace("delivered", "failed")), replace(request, body=b"{}")):
        with pytest.raises(NotVerified):
            provider.receive(changed, config, 0)


def test_a_messagebird_token_counts_only_for_its_url_and_with_its_body() -> None:
    vector = load("messagebird")[0]
    for changed in (replace(vector.request, url=vector.url + "0"), replace(vector.request, body=b"")):
        with pytest.raises(NotVerified):
            vector.receive(changed)


@pytest.mark.parametrize("age", [-3, 63])
def test_a_messagebird_token_is_valid_for_a_minute(age: float) -> None:
    with pytest.raises(NotVerified, match="timestamp_"):
        load("messagebird")[0].receive(now=1547198231 + age)


# ---- vonage and livekit -------------------------------------------------------------------------------


def test_a_genuine_vonage_token_without_a_hash_of_the_body_proves_nothing() -> None:
    # Vonage/vonage-python-sdk jwt/tests/test_verify_jwt.py
    token = (
        "eyJ0eXAiOiJKV1QiLCJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJPbmxpbmUgSldUIEJ1aWxkZXIiLCJpYXQiOjE2OTc2MzQ2ODAsImV4cCI6MzMy"
        "NTQ1NDA4MjgsImF1ZCI6IiIsInN1YiI6IiJ9.88vJc3I2HhuqEDixHXVhc9R30tA6U_HQHZTC29y6CGM"
    )
    request = json_request({"status": "delivered"}, {"authorization": f"Bearer {token}"})
    with pytest.raises(NotVerified, match="payload_hash"):
        providers.get("vonage").receive(request, SourceConfig(("qwertyuiopasdfghjklzxcvbnm123456",)), 1697634681)


def test_an_unsigned_vonage_request_is_answered_so_that_vonage_sends_it_again() -> None:
    vector = load("vonage")[0]
    with pytest.raises(CannotVerify) as refusal:
        vector.receive(replace(vector.request, headers={}))
    assert refusal.value.status == 503


def test_a_livekit_access_token_is_no_webhook() -> None:
    vector = load("livekit")[0]
    claims = {"iss": "APIwLeah7g4fuLYDYAJeaKsSE", "exp": int(vector.now) + 300, "video": {"roomJoin": True}}
    token = make_jws({"alg": "HS256", "typ": "JWT"}, json.dumps(claims).encode(), vector.secrets[0].encode())
    with pytest.raises(NotVerified, match="sha256"):
        vector.receive(vector.request.with_headers({"authorization": token}))


# ---- others -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("position", [0, 1])
def test_cloudinary_accepts_only_the_digest_that_the_account_is_set_to(position: int) -> None:
    vector = load("cloudinary")[position]
    other = "sha1" if vector.options else "sha256"
    with pytest.raises(NotVerified):
        replace(vector, options={"digest": other}).receive()
    with pytest.raises(CannotVerify, match="bad_option"):
        replace(vector, options={"digest": "md5"}).receive()


@pytest.mark.parametrize("age", [-301, 301])
def test_a_pusher_request_outside_the_five_minutes_is_refused(age: float) -> None:
    vector = load("pusher")[0]
    with pytest.raises(NotVerified, match="timestamp_"):
        vector.receive(now=1327078148.132 + age)
    assert vector.with_options({"tolerance": "400"}).receive(now=1327078148.132 + age).events


def test_the_same_pusher_event_at_another_time_is_another_event() -> None:
    vector = load("pusher")[0]
    later = replace(vector.request, body=vector.request.body.replace(b"1327078148132", b"1327078148133"))
    signed = vector.provider.sign(later, vector.config, vector.now)
    assert vector.receive(signed).events[0].dedup_key != vector.receive().events[0].dedup_key


def test_a_finch_id_with_a_full_stop_is_refused_since_the_signed_text_could_be_cut_in_two_ways() -> None:
    vector = load("finch")[0]
    with pytest.raises(Unreadable, match="full stop"):
        vector.receive(vector.request.with_headers({"finch-event-id": "msg_1.2"}))


def test_telegram_is_answered_with_nothing_that_it_could_take_for_a_method() -> None:
    reply = load("telegram")[0].receive().reply
    assert reply is not None
    assert reply.body == b""


@pytest.mark.parametrize("vector", [*load("mandrill")[:2], *load("line")[:2]], ids=lambda vector: vector.why)
def test_a_batch_verifies_as_it_is_and_not_with_a_get(vector: Vector) -> None:
    with pytest.raises(WrongMethod):
        vector.receive(replace(vector.request, method="GET"))


def test_brevo_reads_bearer_in_any_case_and_no_other_scheme() -> None:
    vector = load("brevo")[0]
    token = vector.secrets[0]
    assert vector.receive(vector.request.with_headers({"authorization": f"bearer {token}"})).events
    for value in (token, f"Basic {token}", f"Bearer{token}", encode(token.encode(), "base64")):
        with pytest.raises(NotVerified):
            vector.receive(vector.request.with_headers({"authorization": value}))


def test_a_mandrill_form_of_another_kind_is_unreadable() -> None:
    vector = load("mandrill")[0]
    with pytest.raises(Unreadable):
        vector.receive(vector.request.with_headers({"content-type": "application/json"}))
    assert vector.request.header("content-type") == URLENCODED
