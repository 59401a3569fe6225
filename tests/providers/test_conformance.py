"""What every provider must do, checked on each of its vectors. A new provider needs a vector file and nothing here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest

from hookline import providers
from hookline.exceptions import CannotVerify, NotVerified, Unreadable, VerificationError, WrongMethod
from hookline.providers.base import Received, Reply, SourceConfig
from hookline.providers.schemes.hmac import HmacProvider
from tests.providers.vectors import DIRECTORY, Vector, load, load_all

#: Well-formed as text, as hex and as base64, so that it is a usable secret for every provider; and never the right one.
WRONG_SECRET = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

TEN_DAYS = 864_000

VECTORS = list(load_all())
EVENTS = [vector for vector in VECTORS if vector.is_event]
TIMED = [vector for vector in EVENTS if vector.timestamp is not None]


def name_of(vector: Vector) -> str:
    return f"{vector.provider_name}: {vector.why[:50]}"


every_vector = pytest.mark.parametrize("vector", VECTORS, ids=name_of)
every_event = pytest.mark.parametrize("vector", EVENTS, ids=name_of)
every_timed_event = pytest.mark.parametrize("vector", TIMED, ids=name_of)
every_provider = pytest.mark.parametrize("name", providers.names())


def enforced(vector: Vector) -> Vector:
    """The vector with a timestamp window, where the sender documents none and so none is enforced by default."""
    provider = vector.provider
    unenforced = isinstance(provider, HmacProvider) and provider.timed and provider.tolerance is None
    return vector.with_options({"tolerance": "600"}) if unenforced else vector


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
    assert vector.source_kind in ("official vector", "official SDK", "captured", "openssl")


@every_event
def test_an_event_with_a_timestamp_has_it_in_its_vector(vector: Vector) -> None:
    configured = vector.provider.configured(vector.options)
    assert (vector.timestamp is not None) == (isinstance(configured, HmacProvider) and configured.timed)


# ---- what is genuine is accepted ----------------------------------------------------------------------


@every_vector
def test_the_vector_is_accepted(vector: Vector) -> None:
    received = vector.receive()
    assert isinstance(received, Received)
    if vector.is_event:
        (event,) = received.events
        found = {"type": event.type, "id": event.provider_id, "dedup_key": event.dedup_key}
        assert found == {key: vector.expected[key] for key in ("type", "id", "dedup_key")}
        assert event.body == vector.request.body
    else:
        assert received.events == ()


@every_vector
def test_the_reply_is_exactly_what_the_sender_requires(vector: Vector) -> None:
    expected = vector.expected.get("reply")
    reply = expected and Reply(expected["body"].encode(), expected["content_type"], expected["status"])
    assert vector.receive().reply == reply


@every_vector
def test_the_options_of_the_vector_are_valid(vector: Vector) -> None:
    vector.provider.check_options(vector.options)
    for secret in vector.secrets:
        vector.provider.configured(vector.options).check_secret(secret)


@every_event
def test_either_of_two_active_secrets_is_accepted(vector: Vector) -> None:
    for secrets in ([WRONG_SECRET, *vector.secrets], [*vector.secrets, WRONG_SECRET]):
        assert replace(vector, secrets=secrets).receive().events[0].type == vector.expected["type"]


@every_event
def test_a_secret_that_is_not_usable_does_not_lock_out_another(vector: Vector) -> None:
    assert replace(vector, secrets=["", *vector.secrets]).receive().events[0].type == vector.expected["type"]


# ---- what is not, is refused --------------------------------------------------------------------------


@every_event
def test_a_changed_byte_that_the_signature_covers_is_refused(vector: Vector) -> None:
    body = vector.request.body
    for position in vector.covered_bytes():
        changed = bytearray(body)
        changed[position] ^= 0x01
        with pytest.raises(VerificationError):
            vector.receive(replace(vector.request, body=bytes(changed)))


@pytest.mark.parametrize("vector", [v for v in EVENTS if v.covered is not None], ids=name_of)
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
    assert accepted > 0


@pytest.mark.parametrize("vector", [v for v in EVENTS if v.covered is None], ids=name_of)
@pytest.mark.parametrize("change", [b"\n", b" ", b"\x00", b"\xff", b"{}"], ids=repr)
def test_a_longer_body_is_refused(vector: Vector, change: bytes) -> None:
    with pytest.raises(VerificationError):
        vector.receive(replace(vector.request, body=vector.request.body + change))


@every_event
@pytest.mark.parametrize("body", [b"", b"\xff\xfe", b"null", b"[]", b"{", b"\x00"], ids=repr)
def test_another_body_is_refused(vector: Vector, body: bytes) -> None:
    with pytest.raises(VerificationError):
        vector.receive(replace(vector.request, body=body))


@every_event
def test_a_wrong_secret_is_refused(vector: Vector) -> None:
    with pytest.raises(NotVerified):
        replace(vector, secrets=[WRONG_SECRET]).receive()


@every_vector
@pytest.mark.parametrize("secrets", [[], [""], ["", ""]], ids=repr)
def test_without_a_secret_nothing_is_accepted(vector: Vector, secrets: list[str]) -> None:
    with pytest.raises(CannotVerify) as refusal:
        replace(vector, secrets=secrets).receive()
    assert refusal.value.status == 503


@every_event
def test_a_missing_header_is_refused(vector: Vector) -> None:
    for name in set(vector.signed_headers) - set(vector.optional_headers):
        headers = {key: value for key, value in vector.request.headers.items() if key != name}
        with pytest.raises(VerificationError):
            vector.receive(replace(vector.request, headers=headers))


@every_event
@pytest.mark.parametrize(
    "value",
    ["", " ", "garbage", "=", ",", ",,,,", "v1,", "v1,,", "v1=", "t=,v1=", "t=1,t=2,v1=ab", "sha256=", "v0=zz", "\x00",
     "v1=" * 1000, "é", "\x80\xff", "☃", "\ud800", "٣"],
    ids=lambda value: ascii(value)[:20],
)  # fmt: skip
def test_a_garbage_header_is_refused(vector: Vector, value: str) -> None:
    for name in vector.signed_headers:
        with pytest.raises(VerificationError):
            vector.receive(vector.request.with_headers({name: value}))


@every_event
def test_a_header_sent_twice_is_refused(vector: Vector) -> None:
    for name in vector.signed_headers:
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
@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "HEAD", "", "post"])
def test_a_method_that_the_sender_does_not_use_is_refused(vector: Vector, method: str) -> None:
    if method not in vector.provider.methods:
        with pytest.raises(WrongMethod):
            vector.receive(replace(vector.request, method=method))


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


@every_timed_event
@pytest.mark.parametrize(
    "text",
    [
        "",
        "abc",
        "-1",
        "+1",
        " 1",
        "1 ",
        "1.5",
        "1e9",
        "1_0",
        "0x10",
        "NaN",
        "Infinity",
        "9" * 15,
        "9" * 5000,
        "٣",
        "١٢٣",
    ],
    ids=lambda text: ascii(text)[:20],
)
def test_an_empty_or_malformed_timestamp_is_refused_for_what_it_is(vector: Vector, text: str) -> None:
    changed = with_timestamp(vector, text)
    if isinstance(changed, bytes):
        request = replace(vector.request, body=changed)
    else:
        request = vector.request.with_headers(changed)
    with pytest.raises(VerificationError) as refusal:
        enforced(vector).receive(request)
    assert refusal.value.reason in {"missing_header", "missing_part", "missing_timestamp", "malformed_timestamp"}


# ---- composing and signing ----------------------------------------------------------------------------


@every_provider
def test_a_provider_has_a_few_samples_and_says_where_it_is_documented(name: str) -> None:
    provider = providers.get(name)
    assert len(provider.samples) >= 3
    assert provider.title
    assert provider.docs_url.startswith("https://")


@every_provider
def test_what_is_composed_and_signed_is_accepted_under_its_own_type(name: str) -> None:
    provider = providers.get(name)
    config = SourceConfig((WRONG_SECRET,))
    for event_type in [*provider.samples, "made.up"]:
        request = provider.sign(provider.compose(event_type, "", 1_700_000_000), config, 1_700_000_001)
        (event,) = provider.receive(request, config, 1_700_000_002).events
        assert event.type == event_type
        with pytest.raises(NotVerified):
            provider.receive(request, SourceConfig((WRONG_SECRET[::-1],)), 1_700_000_002)


@every_provider
def test_composing_takes_an_id_and_data(name: str) -> None:
    provider = providers.get(name)
    config = SourceConfig((WRONG_SECRET,))
    event_type = next(iter(provider.samples))
    request = provider.compose(event_type, "0c7b8f3e", 1_700_000_000, {"marker": "only here"})
    assert b"only here" in request.body
    (event,) = provider.receive(provider.sign(request, config, 1_700_000_000), config, 1_700_000_000).events
    assert event.provider_id in ("0c7b8f3e", "")


@every_provider
def test_the_same_event_signed_again_is_a_duplicate_and_a_later_one_is_not(name: str) -> None:
    provider = providers.get(name)
    config = SourceConfig((WRONG_SECRET,))
    event_type = next(iter(provider.samples))

    def key(composed_at: float, signed_at: float) -> str:
        request = provider.sign(provider.compose(event_type, "", composed_at), config, signed_at)
        return provider.receive(request, config, signed_at).events[0].dedup_key

    assert key(1_700_000_000, 1_700_000_000) == key(1_700_000_000, 1_700_000_060)
    assert key(1_700_000_000, 1_700_000_000) != key(1_700_000_001, 1_700_000_001)
