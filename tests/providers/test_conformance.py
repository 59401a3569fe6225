"""What every provider must do, checked on each of its vectors. A new provider needs a vector file and nothing here."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Mapping
from dataclasses import replace

import pytest

from hookline import providers
from hookline.core.request import without_fields
from hookline.exceptions import (
    CannotVerify,
    ConfigurationError,
    NotVerified,
    Unreadable,
    VerificationError,
    WrongMethod,
)
from hookline.providers.base import ParsedEvent, Provider, Received, Reply
from hookline.providers.schemes.basic import BasicProvider
from hookline.providers.schemes.jwt import JwtProvider
from hookline.providers.schemes.parts import Fixed
from hookline.providers.schemes.signed import SignedProvider
from hookline.providers.schemes.token import TokenProvider
from tests.providers.kits import kit_of
from tests.providers.vectors import DIRECTORY, Vector, each, load, load_all

TEN_DAYS = 864_000

VECTORS = list(load_all())
EVENTS = [vector for vector in VECTORS if vector.is_event]
TIMED = [vector for vector in EVENTS if vector.timestamp is not None]


every_vector = each(VECTORS)
every_event = each(EVENTS)
every_timed_event = each(TIMED)
every_credential = each([v for v in EVENTS if v.credential is not None])
every_provider = pytest.mark.parametrize("name", providers.names())


def enforced(vector: Vector) -> Vector:
    """The vector with a timestamp window, where the sender documents none and so none is enforced by default."""
    provider = vector.provider
    unenforced = isinstance(provider, SignedProvider) and provider.timed and provider.tolerance is None
    return vector.with_options({"tolerance": "600"}) if unenforced else vector


def has_one_type(provider: Provider) -> bool:
    """Whether all events of the sender have one type, since it names none."""
    return isinstance(getattr(provider, "type_at", None), Fixed)


def has_other_types(provider: Provider) -> bool:
    """Whether the sender may send event types that are not among the samples."""
    return provider.open_types and not has_one_type(provider)


def with_timestamp(vector: Vector, text: str) -> Mapping[str, str] | bytes:
    """The headers, or else the body, with another timestamp."""
    assert vector.timestamp
    headers = {name: value.replace(vector.timestamp, text) for name, value in vector.headers.items()}
    return headers if headers != vector.headers else vector.body.replace(vector.timestamp, text).encode()


# ---- there is something to check ----------------------------------------------------------------------


@every_provider
def test_a_provider_has_vectors_with_an_event(name: str) -> None:
    assert any(vector.is_event for vector in load(name)), f"tests/vectors/{name}.json has no event"


def test_every_vector_file_belongs_to_a_provider() -> None:
    assert sorted(path.stem for path in DIRECTORY.glob("*.json")) == list(providers.names())


@every_vector
def test_a_vector_says_why_it_is_there_and_where_its_values_come_from(vector: Vector) -> None:
    assert vector.why
    assert vector.source
    assert vector.source_kind in ("official vector", "official SDK", "captured", "openssl", "nothing computed")


@every_event
def test_an_event_with_a_timestamp_has_it_in_its_vector(vector: Vector) -> None:
    configured = vector.provider.configured(vector.options)
    assert (vector.timestamp is not None) == (isinstance(configured, SignedProvider) and configured.timed)


@every_event
def test_an_event_of_a_sender_that_sends_a_credential_has_it_in_its_vector(vector: Vector) -> None:
    if isinstance(vector.provider, TokenProvider | BasicProvider | JwtProvider):
        assert vector.credential
    if vector.credential is not None:
        assert any(vector.credential in text for text in (vector.url, vector.body, *vector.headers.values()))


# ---- what is genuine is accepted ----------------------------------------------------------------------


@every_vector
def test_the_vector_is_accepted(vector: Vector) -> None:
    received = vector.receive()
    assert isinstance(received, Received)
    if vector.is_event:
        for event, expected in zip(received.events, vector.expected_events, strict=True):
            found = {"type": event.type, "id": event.provider_id, "dedup_key": event.dedup_key}
            assert found == {key: expected[key] for key in ("type", "id", "dedup_key")}
            assert event.body == (expected["body"].encode() if "body" in expected else vector.request.body)
    else:
        assert received.events == ()


@every_vector
def test_the_reply_is_exactly_what_the_sender_requires(vector: Vector) -> None:
    expected = vector.expected.get("reply")
    headers = tuple(expected.get("headers", {}).items()) if expected else ()
    reply = expected and Reply(expected["body"].encode(), expected["content_type"], expected["status"], headers)
    assert vector.receive().reply == reply


@every_vector
def test_the_options_of_the_vector_are_valid(vector: Vector) -> None:
    vector.provider.check_options(vector.options)
    for secret in vector.secrets:
        vector.provider.configured(vector.options).check_secret(secret)


@every_event
def test_either_of_two_active_secrets_is_accepted(vector: Vector) -> None:
    other = vector.other_secret
    for secrets in ([other, *vector.secrets], [*vector.secrets, other]):
        assert replace(vector, secrets=secrets).receive().events == vector.receive().events


@every_event
def test_a_secret_that_is_not_usable_does_not_lock_out_another(vector: Vector) -> None:
    assert replace(vector, secrets=["", *vector.secrets]).receive().events == vector.receive().events


# ---- what is not, is refused --------------------------------------------------------------------------


@every_event
def test_a_changed_byte_that_the_signature_covers_is_refused(vector: Vector) -> None:
    body = vector.request.body
    positions = sorted(vector.covered_bytes())
    for position in positions[:: 1 + len(positions) // 1000]:
        changed = bytearray(body)
        changed[position] ^= 0x01
        with pytest.raises(VerificationError):
            vector.receive(replace(vector.request, body=bytes(changed)))


@each([v for v in EVENTS if v.covered is not None])
def test_bytes_are_only_called_uncovered_where_they_are(vector: Vector) -> None:
    body = vector.request.body
    accepted = 0
    for position in set(range(len(body))) - vector.covered_bytes():
        changed = bytearray(body)
        changed[position] ^= 0x01
        try:
            vector.receive(replace(vector.request, body=bytes(changed)))
            accepted += 1
        except VerificationError:
            pass  # the form or the JSON no longer reads
    assert accepted > 0 or not body


@each([v for v in EVENTS if v.covered is None])
def test_a_longer_body_is_refused(vector: Vector) -> None:
    for change in (b"\n", b" ", b"\x00", b"\xff", b"{}"):
        with pytest.raises(VerificationError):
            vector.receive(replace(vector.request, body=vector.request.body + change))


@each([v for v in EVENTS if not (v.any_body and v.covered == [])])
def test_another_body_is_refused(vector: Vector) -> None:
    for body in {b"", b"\xff\xfe", b"null", b"[]", b"{", b"\x00"} - {vector.request.body}:
        with contextlib.suppress(VerificationError):
            received = vector.receive(replace(vector.request, body=body))
            # Where the body is not signed, one may be genuine; but none of these is an event.
            assert vector.covered == [], body
            assert received.events == (), body


@every_event
def test_a_wrong_secret_is_refused(vector: Vector) -> None:
    # Where the secret is what a key is fetched with, a wrong one means that there is no key to verify with.
    with pytest.raises((NotVerified, CannotVerify) if vector.documents else NotVerified):
        replace(vector, secrets=[vector.other_secret]).receive()


@each([v for v in VECTORS if v.secrets])  # some handshakes bring the secret
def test_without_a_secret_nothing_is_accepted(vector: Vector) -> None:
    for secrets in ([], [""], ["", ""]):
        with pytest.raises(CannotVerify) as refusal:
            replace(vector, secrets=secrets).receive()
        assert refusal.value.status == 503


@every_event
def test_a_missing_header_is_refused(vector: Vector) -> None:
    for name in set(vector.signed_headers) - set(vector.optional_headers):
        headers = {key: value for key, value in vector.request.headers.items() if key != name}
        with pytest.raises(VerificationError):
            vector.receive(replace(vector.request, headers=headers))


GARBAGE = (
    "", " ", "garbage", "=", ",", ",,,,", "v1,", "v1,,", "v1=", "t=,v1=", "t=1,t=2,v1=ab", "sha256=", "v0=zz", "\x00",
    "v1=" * 1000, "é", "\x80\xff", "☃", "\ud800", "٣",
)  # fmt: skip


@every_event
def test_a_garbage_header_is_refused(vector: Vector) -> None:
    for name in vector.signed_headers:
        for value in GARBAGE:
            with pytest.raises(VerificationError):
                vector.receive(vector.request.with_headers({name: value}))


@every_event
def test_a_header_sent_twice_is_refused(vector: Vector) -> None:
    for name in set(vector.signed_headers) - set(vector.repeatable_headers):
        value = vector.headers[name]
        for values in ((value, value), (value, ""), ("", value), ()):
            with pytest.raises(Unreadable):
                vector.receive(replace(vector.request, headers={**vector.request.headers, name: values}))


@every_event
def test_a_cut_or_padded_signature_is_refused(vector: Vector) -> None:
    """Only the end of each header is changed, so that everything before it still reads as genuine."""
    for name in vector.signed_headers:
        value = vector.headers[name]
        for changed in (value[:-1], value[:-2], value + "0", value + "é"):
            with pytest.raises(VerificationError):
                vector.receive(vector.request.with_headers({name: changed}))


@every_vector
def test_a_method_that_the_sender_does_not_use_is_refused(vector: Vector) -> None:
    for method in {"GET", "PUT", "DELETE", "HEAD", "", "post"} - vector.provider.methods:
        with pytest.raises(WrongMethod):
            vector.receive(replace(vector.request, method=method))


# ---- credentials --------------------------------------------------------------------------------------


def with_credential(vector: Vector, text: str) -> Vector:
    """The request with another token, password or JSON Web Token."""
    assert vector.credential
    return replace(
        vector,
        url=vector.url.replace(vector.credential, text),
        headers={name: value.replace(vector.credential, text) for name, value in vector.headers.items()},
        body=vector.body.replace(vector.credential, text),
    )


@every_credential
def test_a_credential_with_any_character_changed_is_refused(vector: Vector) -> None:
    genuine = vector.credential or ""
    for position, character in list(enumerate(genuine))[:: 1 + len(genuine) // 1000]:
        other = "B" if character == "A" else "A"
        with pytest.raises(VerificationError):
            with_credential(vector, genuine[:position] + other + genuine[position + 1 :]).receive()


@every_credential
def test_a_credential_that_is_cut_or_longer_or_missing_is_refused(vector: Vector) -> None:
    genuine = vector.credential or ""
    for text in ("", genuine[:-1], genuine[1:], genuine + "A", "A" + genuine, genuine * 2):
        with pytest.raises(VerificationError):
            with_credential(vector, text).receive()


@every_credential
def test_a_credential_is_not_kept_with_the_event(vector: Vector) -> None:
    genuine = vector.credential or ""
    if isinstance(vector.provider, JwtProvider) and genuine in vector.body:
        return  # the token is the event
    hidden = vector.provider.hidden_headers(vector.options)
    assert not any(genuine in value for name, value in vector.headers.items() if name not in hidden)
    assert not any(genuine.encode() in event.body for event in vector.receive().events)
    assert genuine not in without_fields(vector.url, vector.provider.credential_query)


# ---- timestamps ---------------------------------------------------------------------------------------


@every_timed_event
def test_a_stale_timestamp_is_refused(vector: Vector) -> None:
    with pytest.raises(NotVerified) as refusal:
        enforced(vector).receive(now=vector.now + TEN_DAYS)
    assert refusal.value.reason == "timestamp_too_old"


@every_timed_event
def test_a_future_timestamp_is_refused(vector: Vector) -> None:
    with pytest.raises(NotVerified) as refusal:
        enforced(vector).receive(now=vector.now - TEN_DAYS)
    assert refusal.value.reason == "timestamp_in_future"


NO_TIMESTAMPS = (
    "", "abc", "-1", "+1", " 1", "1 ", "1.5", "1e9", "1_0", "0x10", "NaN", "Infinity", "9" * 15, "9" * 5000, "٣", "١٢٣",
)  # fmt: skip


@every_timed_event
def test_an_empty_or_malformed_timestamp_is_refused_for_what_it_is(vector: Vector) -> None:
    for text in NO_TIMESTAMPS:
        changed = with_timestamp(vector, text)
        if isinstance(changed, bytes):
            request = replace(vector.request, body=changed)
        else:
            request = vector.request.with_headers(changed)
        with pytest.raises(VerificationError) as refusal:
            enforced(vector).receive(request)
        expected = {"missing_header", "missing_part", "missing_timestamp", "malformed_timestamp"}
        if isinstance(changed, bytes):  # a number in JSON: most of these spoil the JSON around it
            expected |= {"unreadable_json", "wrong_field"}
            if text in (" 1", "1 "):  # white space that JSON allows around a number
                expected |= {"timestamp_too_old"}
        assert refusal.value.reason in expected, text


# ---- composing and signing ----------------------------------------------------------------------------


@every_provider
def test_a_provider_has_a_few_samples_and_says_where_it_is_documented(name: str) -> None:
    provider = providers.get(name)
    assert len(provider.samples) >= (1 if has_one_type(provider) else 2)
    assert provider.title
    assert provider.docs_url.startswith("https://")


@every_provider
def test_what_is_composed_and_signed_is_accepted_under_its_own_type(name: str) -> None:
    provider, kit = providers.get(name), kit_of(name)
    for event_type in [*provider.samples, *(["made.up"] if has_other_types(provider) else [])]:
        request = provider.sign(provider.compose(event_type, "", 1_700_000_000), kit.sender, 1_700_000_001)
        (event,) = kit.receive(provider, request, 1_700_000_002).events
        assert event.type == event_type
        with pytest.raises((NotVerified, CannotVerify) if kit.documents else NotVerified):
            kit.receive(provider, request, 1_700_000_002, kit.other_source)


@every_provider
def test_a_sender_without_other_event_types_is_not_made_to_send_one(name: str) -> None:
    provider = providers.get(name)
    if not provider.open_types:
        with pytest.raises(ConfigurationError, match=re.escape(next(iter(provider.samples)))):
            provider.compose("made.up", "", 1_700_000_000)


@every_provider
def test_composing_takes_an_id_and_data(name: str) -> None:
    provider, kit = providers.get(name), kit_of(name)
    event_type = next(iter(provider.samples))
    request = provider.compose(event_type, "0c7b8f3e", 1_700_000_000, {"marker": "only here"})
    request = provider.sign(request, kit.sender, 1_700_000_000)
    assert b"only here" in request.body or "only here" in repr(provider.payload(request))
    (event,) = kit.receive(provider, request, 1_700_000_000).events
    assert event.provider_id in ("0c7b8f3e", "") or provider.id_at is None  # what is told apart by its time


@every_provider
def test_the_same_event_signed_again_is_a_duplicate_and_a_later_one_is_not(name: str) -> None:
    provider, kit = providers.get(name), kit_of(name)
    event_type = next(iter(provider.samples))

    def event(composed_at: float, signed_at: float) -> ParsedEvent:
        request = provider.sign(provider.compose(event_type, "", composed_at), kit.sender, signed_at)
        return kit.receive(provider, request, signed_at).events[0]

    first, again, later = (
        event(1_700_000_000, 1_700_000_000),
        event(1_700_000_000, 1_700_000_060),
        event(*[1_700_000_001] * 2),
    )
    assert again.dedup_key == first.dedup_key
    is_repeat = later.if_known == "repeat" and (not later.provider_id or later.provider_id != first.provider_id)
    assert later.dedup_key != first.dedup_key or is_repeat


@every_provider
def test_an_event_that_is_named_is_the_same_all_day_long(name: str) -> None:
    provider, kit = providers.get(name), kit_of(name)
    event_type = next(iter(provider.samples))

    def received(now: float) -> Received:
        request = provider.signed_request(
            event_type, kit.sender, now, url="https://hooks.example.com/in/abc", event_id="1000", again=True
        )
        return kit.receive(provider, request, now + 1)

    (first,), (second,) = received(1_700_050_000).events, received(1_700_053_600).events
    if provider.id_is_signed and provider.id_at and not provider.time_is_checked:
        assert (first.dedup_key, first.body) == (second.dedup_key, second.body)


def test_a_list_of_providers_that_could_not_be_read_is_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(providers, "__path__", ["/nowhere"])  # as when too many files are open
        providers.names.cache_clear()
        with pytest.raises(ConfigurationError, match="cannot list the modules in /nowhere"):
            providers.names()
    assert "stripe" in providers.names()
