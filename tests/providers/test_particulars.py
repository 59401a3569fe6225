"""What is particular to one provider and no vector can show."""

from __future__ import annotations

from dataclasses import replace

import pytest

from hookline import providers
from hookline.core.request import WebhookRequest, read_headers
from hookline.exceptions import ConfigurationError, NotVerified, Unreadable
from hookline.providers.base import Reply, SourceConfig, json_request
from tests.providers.vectors import Vector, load

# ---- standard -----------------------------------------------------------------------------------------

STANDARD = load("standard")[1]


def renamed(vector: Vector, names: dict[str, str]) -> WebhookRequest:
    headers = {names.get(name, name): value for name, value in vector.headers.items()}
    return replace(vector.request, headers=read_headers(headers.items()))


@pytest.mark.parametrize("name", ["id", "timestamp", "signature"])
def test_headers_of_the_two_trios_are_never_mixed(name: str) -> None:
    with pytest.raises(NotVerified, match="missing"):
        STANDARD.receive(renamed(STANDARD, {f"webhook-{name}": f"svix-{name}"}))


def test_webhook_headers_count_where_both_trios_are_sent() -> None:
    garbage = {"svix-id": "msg_other", "svix-timestamp": "1", "svix-signature": "v1,AAAA"}
    assert STANDARD.receive(STANDARD.request.with_headers(garbage)).events[0].provider_id == STANDARD.expected["id"]
    trio = {f"webhook-{name}": f"svix-{name}" for name in ("id", "timestamp", "signature")}
    with pytest.raises(NotVerified):
        STANDARD.receive(renamed(STANDARD, trio).with_headers({"webhook-id": "msg_other"}))


def test_an_id_with_a_full_stop_is_refused_since_the_signed_text_could_be_cut_in_two_ways() -> None:
    # Signed as `a`, 1700000000, `1700000100.{}`; presented as `a.1700000000`, 1700000100, `{}`.
    config = SourceConfig(tuple(STANDARD.secrets), {"type": "fixed:t"})
    provider = providers.get("standard")
    signed = provider.sign(replace(json_request({}, {"webhook-id": "a"}), body=b"1700000100.{}"), config, 1700000000)
    assert provider.receive(signed, config, 1700000000).events[0].provider_id == "a"
    shifted = replace(signed, body=b"{}").with_headers(
        {"webhook-id": "a.1700000000", "webhook-timestamp": "1700000100"}
    )
    with pytest.raises(Unreadable, match="full stop"):
        provider.receive(shifted, config, 1700000100)


def test_only_so_many_signatures_of_one_header_are_looked_at() -> None:
    signature = STANDARD.headers["webhook-signature"]
    many = " ".join(["v1,AAAA"] * 15 + [signature])
    assert STANDARD.receive(STANDARD.request.with_headers({"webhook-signature": many})).events
    too_many = " ".join(["v1,AAAA"] * 40 + [signature])
    with pytest.raises(NotVerified):
        STANDARD.receive(STANDARD.request.with_headers({"webhook-signature": too_many}))


# ---- slack --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("body", [b'{"type":"url_verification"}', b'{"type":"url_verification","challenge":7}',
                                  b'{"type":"url_verification","challenge":"a\\u0000b"}'])  # fmt: skip
def test_slack_refuses_a_signed_url_verification_without_a_proper_challenge(body: bytes) -> None:
    vector = load("slack")[1]
    request = vector.provider.sign(replace(vector.request, body=body), vector.config, vector.now)
    with pytest.raises(Unreadable):
        vector.receive(request)


def test_slack_does_not_answer_an_unsigned_url_verification() -> None:
    handshake = load("slack")[4]
    with pytest.raises(NotVerified):
        handshake.receive(handshake.request.with_headers({"x-slack-signature": "v0=" + "0" * 64}))


@pytest.mark.parametrize(
    ("event_type", "path"), [("/deploy", "text"), ("block_actions", "actions"), ("app_mention", "event")]
)
def test_the_payload_of_a_slack_event_is_readable_however_it_was_sent(event_type: str, path: str) -> None:
    slack = providers.get("slack")
    assert path in slack.payload(slack.compose(event_type, "", 1_700_000_000))


# ---- github -------------------------------------------------------------------------------------------


def test_the_published_github_example_verifies_although_its_body_is_no_event() -> None:
    # docs.github.com/webhooks/using-webhooks/validating-webhook-deliveries#testing-the-webhook-payload-validation
    signature = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
    request = replace(json_request({}, {"x-hub-signature-256": signature}), body=b"Hello, World!")
    config = SourceConfig(("It's a Secret to Everybody",))
    providers.get("github").verify(request, config, 0)
    with pytest.raises(NotVerified):
        providers.get("github").verify(replace(request, body=b"Hello, World?"), config, 0)


def test_a_github_body_replayed_under_another_delivery_id_and_event_may_be_made_a_duplicate() -> None:
    vector = load("github")[0].with_options({"repeated_bodies": "refuse"})
    replayed = vector.request.with_headers({"x-github-delivery": "another", "x-github-event": "release"})
    # The SHA-256 of {"foo":"bar"}.
    expected = "sha256:7a38bf81f383f69433ad6e900d35b3e2385593f76a7b7ab5d4355b8ba41ee24b"
    assert [vector.receive(request).events[0].dedup_key for request in (vector.request, replayed)] == [expected] * 2


def test_a_source_may_choose_to_trust_githubs_delivery_id() -> None:
    vector = load("github")[0].with_options({"trust_unsigned_id": "true"})
    assert vector.receive().events[0].dedup_key == "id:72d3162e-cc78-11e3-81ab-4c9367dc0958"


@pytest.mark.parametrize(
    "headers", [{"x-github-event": ""}, {"x-github-event": "a\x00b"}, {"x-github-event": "x" * 256}]
)
def test_github_refuses_an_event_name_that_is_none(headers: dict[str, str]) -> None:
    vector = load("github")[0]
    with pytest.raises(Unreadable):
        vector.receive(vector.request.with_headers(headers))


def test_github_ignores_the_older_sha1_signature() -> None:
    # openssl dgst -sha1 -hmac mysecret over {"foo":"bar"}
    vector = load("github")[0]
    sha1 = "sha1=d03207e4b030cf234e3447bac4d93add4c6643d8"
    headers = {name: values for name, values in vector.request.headers.items() if name != "x-hub-signature-256"}
    for name in ("x-hub-signature", "x-hub-signature-256"):
        with pytest.raises(NotVerified):
            vector.receive(replace(vector.request, headers={**headers, name: (sha1,)}))


# ---- zoom ---------------------------------------------------------------------------------------------

ZOOM = load("zoom")[0]
FORGED = '{"event":"meeting.ended","payload":{}}'


def zoom_validation(token: object) -> WebhookRequest:
    return json_request({"event": "endpoint.url_validation", "payload": {"plainToken": token}, "event_ts": 1})


@pytest.mark.parametrize(
    "token",
    [f"v0:1626230692:{FORGED}", "v0:1626230692:", ":", "v0:1:x", FORGED, "a" * 129, "", "a b", "a.b", "a\n", "é", "٣",
     None, 7, True, ["a"], {"a": "b"}],
    ids=lambda token: ascii(token)[:30],
)  # fmt: skip
def test_zoom_signs_no_token_that_could_be_an_event(token: object) -> None:
    with pytest.raises(NotVerified, match="plainToken"):
        ZOOM.receive(zoom_validation(token))


@pytest.mark.parametrize("token", ["qgg8vlvZRS6UYooatFL8Aw", "a" * 128, "A-_b+/9=="])
def test_zoom_answers_a_token_of_the_kind_that_zoom_sends(token: str) -> None:
    received = ZOOM.receive(zoom_validation(token))
    assert received.events == ()
    assert received.reply is not None
    assert received.reply.body.startswith(b'{"plainToken":"' + token.encode())


def test_zoom_never_makes_an_event_of_a_validation_even_when_it_is_signed() -> None:
    signed = ZOOM.provider.sign(zoom_validation("qgg8vlvZRS6UYooatFL8Aw"), ZOOM.config, ZOOM.now)
    assert ZOOM.receive(signed).events == ()


def test_zoom_answers_with_the_newest_usable_secret() -> None:
    handshake = load("zoom")[2]
    for secrets in ([*handshake.secrets, "older"], ["", *handshake.secrets]):
        assert replace(handshake, secrets=secrets).receive().reply == handshake.receive().reply
    assert replace(handshake, secrets=["newer", *handshake.secrets]).receive().reply != handshake.receive().reply


def test_a_zoom_event_that_mentions_the_validation_is_still_an_event() -> None:
    event = json_request({"event": "chat_message.sent", "payload": {"object": {"message": "endpoint.url_validation"}}})
    with pytest.raises(NotVerified):
        ZOOM.receive(event)
    signed = ZOOM.provider.sign(event, ZOOM.config, ZOOM.now)
    assert ZOOM.receive(signed).events[0].type == "chat_message.sent"


# ---- dropbox sign -------------------------------------------------------------------------------------


def test_dropbox_sign_can_be_told_to_want_content_sha256() -> None:
    vector = load("dropbox_sign")[0]
    assert vector.receive().reply == Reply(b"Hello API Event Received")
    with pytest.raises(NotVerified, match="content-sha256"):
        vector.with_options({"require_content_sha256": "true"}).receive()


@pytest.mark.parametrize("value", ["", "AAAA", "Zm9v", "é"])
def test_a_wrong_content_sha256_is_refused_also_where_it_is_not_required(value: str) -> None:
    vector = load("dropbox_sign")[0]
    with pytest.raises(NotVerified):
        vector.receive(vector.request.with_headers({"content-sha256": value}))


def test_other_data_under_a_captured_event_hash_is_a_new_event_unless_content_sha256_is_wanted() -> None:
    vector = load("dropbox_sign")[3]
    forged = replace(vector.request, body=vector.request.body.replace("Müller".encode(), b"Mallory"))
    with pytest.raises(NotVerified):
        vector.receive(forged)
    stripped = replace(forged, headers={k: v for k, v in forged.headers.items() if k != "content-sha256"})
    with pytest.raises(NotVerified):
        vector.receive(stripped)
    lenient = replace(vector, options={})
    assert lenient.receive(stripped).events[0].dedup_key != vector.expected["dedup_key"]


# ---- generic ------------------------------------------------------------------------------------------

GENERIC = providers.get("generic")


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"timestamp_header": "x-t", "signed": "{body}"}, "not signed proves nothing"),
        ({"signed": "{timestamp}.{body}"}, "add timestamp_header"),
        ({"tolerance": "60"}, "add timestamp_header"),
        ({"signed": "{timestamp}"}, r"must have \{body\}"),
        ({"signed": "{body"}, "no partner"),
        ({"signed": "{body}{json:id}"}, r"there is no \{json:id\}"),
        ({"signed": "{body}{header:a b}"}, "not a header name"),
        ({"digest": "md5"}, "must be one of sha256, sha1, sha512"),
        ({"header": "x signature"}, "not a header name"),
        ({"type": "body.type"}, "write header:NAME"),
        ({"type": "json:a..b"}, "write header:NAME"),
        ({"id": "fixed:1"}, "every event a duplicate"),
    ],
)
def test_generic_options_that_do_not_fit_are_refused(options: dict[str, str], problem: str) -> None:
    with pytest.raises(ConfigurationError, match=problem):
        GENERIC.check_options(options)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"header": "X-Sig", "prefix": "sha1=", "digest": "sha1"},
        {"encoding": "base64url", "digest": "sha512", "key": "base64"},
        {"timestamp_header": "X-Time", "timestamp_unit": "ms", "signed": "v0:{timestamp}:{url}:{body}"},
        {
            "timestamp_header": "X-Time",
            "timestamp_unit": "iso8601",
            "type": "header:X-Type",
            "id": "json:meta.event.id",
        },
        {"signed": "{header:X-Id}{body}", "id": "header:X-Id", "type": "json:a.b.c"},
    ],
    ids=",".join,
)
def test_generic_accepts_what_it_composes_and_signs_under_any_options(options: dict[str, str]) -> None:
    GENERIC.check_options(options)
    config = SourceConfig(("c2VjcmV0c2VjcmV0",), options)
    request = GENERIC.configured(options).compose("order.paid", "evt-9", 1_700_000_000, {"n": 1})
    signed = GENERIC.sign(request, config, 1_700_000_000)
    (event,) = GENERIC.receive(signed, config, 1_700_000_010).events
    assert (event.type, event.provider_id, event.dedup_key) == ("order.paid", "evt-9", "id:evt-9")
    with pytest.raises(NotVerified):
        GENERIC.receive(replace(signed, body=signed.body + b" "), config, 1_700_000_010)
