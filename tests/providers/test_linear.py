"""What any provider makes of a large hostile request costs in proportion to it, whoever sent it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import islice
from typing import Any
from urllib.parse import parse_qsl, urlencode

import pytest

from hookline import providers
from hookline.core.request import WebhookRequest, read_headers
from hookline.exceptions import ConfigurationError, VerificationError
from hookline.providers.base import Provider
from tests.costs import Scanned, assert_linear, cost
from tests.providers.vectors import Vector, load, load_all

EVENTS = {vector.provider_name: vector for vector in load_all() if vector.is_event}
BATCHES = [name for name in providers.names() if type(providers.get(name)).events is not Provider.events]
every_provider = pytest.mark.parametrize("name", providers.names())


def receiving(vector: Vector, request: WebhookRequest) -> Callable[[], object]:
    def run() -> object:
        try:
            return vector.receive(replace(request))  # a copy remembers nothing that was parsed
        except VerificationError as error:
            return error

    return run


# ---- from strangers -----------------------------------------------------------------------------------

BODIES: dict[str, Callable[[int], bytes]] = {
    "objects in a list": lambda n: b"[" + b'{"id":"1"},' * n + b"1]",
    "what has to be escaped": lambda n: b'{"id":"' + "\\\\é☃😀\\/".encode() * n + b'"}',
    "fields of a form": lambda n: b"a=%41+1&" * n + b"a=1",
    "elements of XML": lambda n: b"<r>" + b"<a/>\n" * n + b"</r>",
    "lines": lambda n: b'{"id":"1"}\n' * n,
    "nested lists": lambda n: b"[" * n,
}


@every_provider
def test_a_body_from_a_stranger_costs_twice_as_much_for_twice_as_much(name: str) -> None:
    vector = EVENTS[name]

    def everything(n: int) -> Callable[[], object]:
        requests = [replace(vector.request, body=Scanned(make(n))) for make in BODIES.values()]
        calls = [receiving(vector, request) for request in requests]
        return lambda: [call() for call in calls]

    assert_linear(everything, 140)


HEADERS: dict[str, Callable[[str, int], str]] = {
    "pairs": lambda _, n: "v1=ab,t=1;h1=cd " * n,
    "separators": lambda _, n: ", ;.:=|" * n,
    "the genuine value again and again": lambda value, n: value * (n // 8),
    "blanks": lambda value, n: " " * n + value,
}


@every_provider
def test_headers_and_a_query_from_a_stranger_cost_twice_as_much_for_twice_as_much(name: str) -> None:
    vector = EVENTS[name]

    def everything(n: int) -> Callable[[], object]:
        genuine = vector.request
        longer = [{**vector.headers, key: make(vector.headers[key], n)} for key in vector.signed_headers
                  for make in HEADERS.values()]  # fmt: skip
        requests = [replace(genuine, headers=read_headers(pairs.items())) for pairs in longer]
        others = [(f"x-{i}", "1") for i in range(n)]
        requests.append(replace(genuine, headers=read_headers([*vector.headers.items(), *others])))
        separator = "&" if "?" in genuine.url else "?"
        requests.append(replace(genuine, url=f"{genuine.url}{separator}{'a=%41&' * (n // 2)}"))
        calls = [receiving(vector, request) for request in requests]
        return lambda: [call() for call in calls]

    assert_linear(everything, 140)


@every_provider
def test_what_is_signed_is_not_worked_out_again_for_each_secret(name: str) -> None:
    vector, n = EVENTS[name], 4000
    wrong = vector.other_secret
    body = b'{"id":"' + "\\é☃/".encode() * (n // 8) + b'"}'
    if vector.request.is_form:
        body = urlencode([(key, value + "é" * (n // 6)) for key, value in vector.request.form().items()]).encode()
    request = replace(vector.request, body=Scanned(body))
    one, nine = (replace(vector, secrets=[wrong] * number) for number in (1, 9))
    for source in (one, nine):
        cost(receiving(source, request))
    for_each = (cost(receiving(nine, request)) - cost(receiving(one, request))) / 8
    # The digest itself is of C and not counted; a hash with a secret before what is signed makes one copy, or two.
    assert for_each < 4 * len(body) + 30_000


# ---- from the sender, or from who captured one of its requests ------------------------------------------


#: Of one sender. Each takes a while, since all that is done is looked at.
MOST_BODIES = 6


def longer(document: Any, n: int) -> Iterator[Any]:
    """The document with each of its lists of objects n times as long, one after the other."""
    if isinstance(document, list) and document and isinstance(document[0], dict):
        yield [document[0]] * n
        for item in longer(document[0], n):
            yield [item]
    if isinstance(document, dict):
        for key, value in document.items():
            for other in longer(value, n):
                yield {**document, key: other}


def grown(document: Any, n: int) -> Iterator[Any]:
    """The same, with nothing else and with more around the lists than is taken."""
    for one in longer(document, n):
        yield one
        if isinstance(one, dict):
            yield {**one, "junk": "x" * 600 * n}


def grown_bodies(vector: Vector, n: int) -> Iterator[bytes]:
    """The genuine body with n events in it, in each way in which it could have them."""
    body = vector.request.body
    if body.lstrip().startswith(b"<"):
        start, end = body.index(b"<Notification>"), body.index(b"</Notification>") + len(b"</Notification>")
        yield body[:start] + body[start:end] * n + body[end:]
        yield body[:start] + body[start:end] * n + b"<!--" + b"x" * n + b"-->" + body[end:]
    elif vector.request.is_form:
        fields = dict(parse_qsl(body.decode()))
        for key, value in fields.items():
            if value.startswith(("[", "{")):
                yield from (urlencode({**fields, key: json.dumps(one)}).encode() for one in grown(json.loads(value), n))
    elif body.startswith((b"{", b"[")):
        document = json.loads(body.splitlines()[0] if vector.provider_name == "auth0" else body)
        yield from (json.dumps(one).encode() for one in grown(document, n))
        if vector.provider_name == "auth0":
            yield b"\n".join([json.dumps(document).encode()] * n)


@pytest.mark.parametrize("name", BATCHES)
def test_a_batch_costs_twice_as_much_for_twice_as_many_events(name: str) -> None:
    found = 0

    def everything(n: int) -> Callable[[], object]:
        nonlocal found
        calls: list[Callable[[], object]] = []
        for vector in load(name):
            for body in islice(grown_bodies(vector, n) if vector.is_event else (), MOST_BODIES - len(calls)):
                try:
                    request, source = vector.signed(replace(vector.request, body=body))
                except (ConfigurationError, VerificationError):
                    continue
                calls.append(receiving(source, replace(request, body=Scanned(request.body))))
        found = len(calls)
        return lambda: [call() for call in calls]

    assert_linear(everything, 12, most=2.5)  # from 128 brackets on, the depth of JSON is looked at, too
    assert found > 0
