"""Whatever a request, a secret or an option holds: it is accepted, or a VerificationError is raised, nothing else."""

from __future__ import annotations

import contextlib
import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hookline import providers
from hookline.core.forms import MULTIPART, URLENCODED
from hookline.core.request import WebhookRequest
from hookline.exceptions import ConfigurationError, Unreadable, VerificationError
from hookline.providers.base import Provider, Received, SourceConfig
from tests.providers.kits import kit_of
from tests.providers.vectors import Vector, load, load_all

EVENTS = [vector for vector in load_all() if vector.is_event]

fuzzed = settings(
    deadline=None, max_examples=25, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)

#: Every kind of character, lone surrogates and those that no HTTP server would hand on included.
texts = st.text(st.characters(), max_size=60) | st.text(st.sampled_from("v1=,t0123 .:;\"'{}%&+/\r\n\x00é"), max_size=60)
bodies = st.binary(max_size=200) | texts.map(lambda text: text.encode("utf-8", "surrogatepass"))
content_types = st.sampled_from(
    [
        "application/json",
        URLENCODED,
        f"{MULTIPART}; boundary=x",
        f'{MULTIPART}; boundary="a b"',
        MULTIPART,
        "",
        "text/plain",
    ]
)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=20),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(st.text(max_size=10), children, max_size=3),
    max_leaves=8,
)
documents = st.dictionaries(
    st.sampled_from(
        ["id", "type", "event", "event_id", "action", "payload", "challenge", "plainToken", "command", "json"]
    ),
    values
    | st.sampled_from(["url_verification", "event_callback", "endpoint.url_validation"])
    | st.dictionaries(st.sampled_from(["type", "event_type", "event_time", "event_hash", "plainToken"]), values),
    max_size=6,
)


def contained(provider: Provider, request: WebhookRequest, config: SourceConfig, now: float) -> None:
    with contextlib.suppress(VerificationError):
        assert isinstance(provider.receive(request, config, now), Received)


@pytest.mark.parametrize("name", providers.names())
@given(data=st.data())
@fuzzed
def test_an_arbitrary_request_with_arbitrary_secrets(name: str, data: st.DataObject) -> None:
    known = sorted({header for vector in load(name) for header in vector.headers})
    headers = data.draw(
        st.dictionaries(st.sampled_from(known), st.lists(texts, max_size=2).map(tuple)), label="headers"
    )
    headers["content-type"] = (data.draw(content_types),)
    body = data.draw(bodies | documents.map(lambda document: json.dumps(document).encode()), label="body")
    request = WebhookRequest("POST", data.draw(texts), headers, body)
    config = SourceConfig(tuple(data.draw(st.lists(texts, max_size=2), label="secrets")))
    contained(providers.get(name), request, config, data.draw(st.floats(0, 4e9)))


@pytest.mark.parametrize("vector", EVENTS, ids=lambda vector: f"{vector.provider_name}: {vector.why[:40]}")
@given(data=st.data())
@fuzzed
def test_a_genuine_request_with_one_part_changed(vector: Vector, data: st.DataObject) -> None:
    request = vector.request
    name = data.draw(st.sampled_from([*vector.headers, "body"]))
    if name == "body":
        request = replace(request, body=data.draw(bodies))
    else:
        request = replace(request, headers={**request.headers, name: (data.draw(texts),)})
    contained(vector.provider, request, vector.config, vector.now)


@pytest.mark.parametrize("vector", EVENTS, ids=lambda vector: f"{vector.provider_name}: {vector.why[:40]}")
@given(data=st.data())
@fuzzed
def test_an_arbitrary_body_that_is_correctly_signed(vector: Vector, data: st.DataObject) -> None:
    body = data.draw(bodies | documents.map(lambda document: json.dumps(document).encode()))
    request = replace(vector.request, body=body)
    with contextlib.suppress(VerificationError, ConfigurationError):
        request, vector = vector.signed(request)
    with contextlib.suppress(VerificationError):
        assert isinstance(vector.receive(request), Received)


@pytest.mark.parametrize("name", providers.names())
@given(event_type=texts, event_id=texts, document=documents)
@fuzzed
def test_an_arbitrary_event_that_is_composed_and_signed(
    name: str, event_type: str, event_id: str, document: dict[str, Any]
) -> None:
    provider, kit = providers.get(name), kit_of(name)
    with contextlib.suppress(VerificationError, UnicodeEncodeError):  # a text that no sender could put into a request
        composed = provider.compose(event_type, event_id, 1_700_000_000, document)
        contained(provider, provider.sign(composed, kit.sender, 1_700_000_000), kit.source, 1_700_000_000)


@pytest.mark.parametrize("vector", EVENTS, ids=lambda vector: f"{vector.provider_name}: {vector.why[:40]}")
@given(data=st.data())
@fuzzed
def test_arbitrary_options(vector: Vector, data: st.DataObject) -> None:
    """Options are checked when a source is saved, but a row may also be edited by hand."""
    names = [option.name for option in vector.provider.known_options] or ["made_up"]
    values_of_options: st.SearchStrategy[Any] = (
        texts | st.none() | st.integers() | st.just([]) | st.sampled_from(["json:a", "300", "{body}"])
    )
    options: dict[str, Any] = data.draw(st.dictionaries(st.sampled_from(names), values_of_options, max_size=3))
    config = SourceConfig(tuple(vector.secrets), {**vector.options, **options})
    contained(vector.provider, vector.request, config, vector.now)
    with contextlib.suppress(ConfigurationError):
        vector.provider.check_options(config.options)


@pytest.mark.parametrize("vector", EVENTS, ids=lambda vector: f"{vector.provider_name}: {vector.why[:40]}")
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
