"""Whatever a request, a secret or an option holds: it is accepted, or a VerificationError is raised, nothing else."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cache
from random import Random
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hookline import providers
from hookline.core.forms import MULTIPART, URLENCODED
from hookline.core.request import WebhookRequest
from hookline.exceptions import ConfigurationError, Unreadable, VerificationError
from hookline.providers.base import Provider, Received, SourceConfig
from tests.providers.kits import kit_of
from tests.providers.vectors import Vector, each, load, load_all

EVENTS = [vector for vector in load_all() if vector.is_event]
#: Of each strategy, made once and shared by all tests: making one takes longer than receiving it.
POOL = 400
#: Requests in each test.
TRIES = 25

E = TypeVar("E")


def pool(strategy: st.SearchStrategy[E]) -> list[E]:
    """What Hypothesis makes of the strategy, simple cases first; the same each time."""
    found: list[E] = []

    @settings(max_examples=POOL, derandomize=True, database=None, deadline=None, suppress_health_check=[*HealthCheck])
    @given(strategy)
    def keep(example: E) -> None:
        found.append(example)

    keep()
    return found


#: Every kind of character, lone surrogates and those that no HTTP server would hand on included.
_texts = st.text(st.characters(), max_size=60)
_texts |= st.text(st.sampled_from("v1=,t0123 .:;\"'{}%&+/\r\n\x00é"), max_size=60)
_bodies = st.binary(max_size=200) | _texts.map(lambda text: text.encode("utf-8", "surrogatepass"))
_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=20),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(st.text(max_size=10), children, max_size=3),
    max_leaves=8,
)
_documents = st.dictionaries(
    st.sampled_from(
        ["id", "type", "event", "event_id", "action", "payload", "challenge", "plainToken", "command", "json"]
    ),
    _values
    | st.sampled_from(["url_verification", "event_callback", "endpoint.url_validation"])
    | st.dictionaries(st.sampled_from(["type", "event_type", "event_time", "event_hash", "plainToken"]), _values),
    max_size=6,
)
_options: st.SearchStrategy[Any] = (
    _texts | st.none() | st.integers() | st.just([]) | st.sampled_from(["json:a", "300", "{body}"])
)

CONTENT_TYPES = (
    "application/json",
    URLENCODED,
    f"{MULTIPART}; boundary=x",
    f'{MULTIPART}; boundary="a b"',
    MULTIPART,
    "",
    "text/plain",
)


class Draw(Random):
    """Chooses from the pools; for one test always the same, and for another one others."""

    @staticmethod
    @cache
    def pool(name: str) -> list[Any]:
        pools = {"text": _texts, "body": _bodies, "document": _documents, "option": _options, "time": st.floats(0, 4e9)}
        return pool(pools[name])

    def text(self) -> str:
        return str(self.choice(self.pool("text")))

    def texts(self) -> list[str]:
        return [self.text() for _ in range(self.randint(0, 2))]

    def document(self) -> dict[str, Any]:
        found: dict[str, Any] = self.choice(self.pool("document"))
        return found

    def raw(self) -> bytes:
        found: bytes = self.choice(self.pool("body"))
        return found

    def body(self) -> bytes:
        return self.raw() if self.random() < 0.5 else json.dumps(self.document()).encode()

    def some(self, names: Sequence[str], most: int) -> list[str]:
        return self.sample(names, min(len(names), self.randint(0, most)))


def draws(test: str) -> Iterator[Draw]:
    return (Draw(f"{test} {number}") for number in range(TRIES))


def contained(provider: Provider, request: WebhookRequest, config: SourceConfig, now: float) -> None:
    with contextlib.suppress(VerificationError):
        assert isinstance(provider.receive(request, config, now), Received), (request, config)


@pytest.mark.parametrize("name", providers.names())
def test_an_arbitrary_request_with_arbitrary_secrets(name: str) -> None:
    known = sorted({header for vector in load(name) for header in vector.headers})
    for draw in draws(name):
        headers = {header: tuple(draw.texts()) for header in draw.some(known, len(known))}
        headers["content-type"] = (draw.choice(CONTENT_TYPES),)
        request = WebhookRequest("POST", draw.text(), headers, draw.body())
        config = SourceConfig(tuple(draw.texts()))
        contained(providers.get(name), request, config, draw.choice(draw.pool("time")))


@each(EVENTS)
def test_a_genuine_request_with_one_part_changed(vector: Vector) -> None:
    for draw in draws(vector.why):
        request = vector.request
        name = draw.choice([*vector.headers, "body"])
        if name == "body":
            request = replace(request, body=draw.raw())
        else:
            request = replace(request, headers={**request.headers, name: (draw.text(),)})
        contained(vector.provider, request, vector.config, vector.now)


@each(EVENTS)
def test_an_arbitrary_body_that_is_correctly_signed(vector: Vector) -> None:
    for draw in draws(vector.why):
        request, receiver = replace(vector.request, body=draw.body()), vector
        with contextlib.suppress(VerificationError, ConfigurationError):
            request, receiver = vector.signed(request)
        with contextlib.suppress(VerificationError):
            assert isinstance(receiver.receive(request), Received), request


@pytest.mark.parametrize("name", providers.names())
def test_an_arbitrary_event_that_is_composed_and_signed(name: str) -> None:
    provider, kit = providers.get(name), kit_of(name)
    for draw in draws(name):
        with contextlib.suppress(VerificationError, UnicodeEncodeError):  # a text that no sender could send
            composed = provider.compose(draw.text(), draw.text(), 1_700_000_000, draw.document())
            contained(provider, provider.sign(composed, kit.sender, 1_700_000_000), kit.source, 1_700_000_000)


@each(EVENTS)
def test_arbitrary_options(vector: Vector) -> None:
    """Options are checked when a source is saved, but a row may also be edited by hand."""
    names = [option.name for option in vector.provider.known_options] or ["made_up"]
    for draw in draws(vector.why):
        options = {**vector.options, **{name: draw.choice(draw.pool("option")) for name in draw.some(names, 3)}}
        config = SourceConfig(tuple(vector.secrets), options)
        contained(vector.provider, vector.request, config, vector.now)
        with contextlib.suppress(ConfigurationError):
            vector.provider.check_options(config.options)


@each(EVENTS)
def test_a_genuine_form_is_refused_for_what_it_is_by_a_sender_that_sends_none(vector: Vector) -> None:
    form = replace(vector.request.with_headers({"content-type": URLENCODED}), body=b"type=a&id=1")
    try:
        request, receiver = vector.signed(form)
    except (VerificationError, ConfigurationError):
        return  # what is signed, or the token, stands in the body
    if vector.method == "GET" or vector.provider.media == {"XML"}:
        return  # refused before, since it has a body, or none of XML
    if not request.is_form or receiver.provider.media & {"form", "anything"}:
        return
    with pytest.raises(Unreadable) as refusal:
        receiver.receive(request)
    assert (refusal.value.status, refusal.value.reason) == (400, "wrong_content_type")


@each(EVENTS)
def test_every_vector_is_of_a_medium_that_its_sender_sends(vector: Vector) -> None:
    body, media = vector.request.body, vector.provider.media
    if vector.request.is_form:
        assert media & {"form", "anything"}
    elif body.lstrip(b"\xef\xbb\xbf \t\r\n").startswith((b"{", b"[")):
        assert media & {"JSON", "anything"}
    elif body.startswith(b"<"):
        assert media & {"XML", "anything"}


@each(EVENTS)
def test_a_correctly_signed_body_that_is_not_json_is_unreadable(vector: Vector) -> None:
    for body in (b'{"type":"\xff"}', b"\xff\xfe{\x00}\x00", b"[" * 100_000, b'{"id":' + b"9" * 5000 + b"}"):
        try:
            request, receiver = vector.signed(replace(vector.request, body=body))
        except VerificationError:
            continue  # what is signed stands inside the body, and cannot be found in this one
        except ConfigurationError:
            continue  # no key of ours fits these options
        if vector.any_body:
            assert receiver.receive(request).events[0].body == body
        else:
            with pytest.raises(Unreadable):
                receiver.receive(request)
