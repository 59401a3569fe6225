"""Bent requests over real sockets to both edges, none of which may be answered with a 500: `make fuzz`.

Hypothesis chooses a sender, and what is bent: a value in a body that is signed all the same, the whole body, a header,
the method or the query, the framing, or any bytes of the request. Now and then a genuine event must be accepted, so
that a server which answers nothing any more is noticed. Of a request that goes wrong, the smallest is printed.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import socket
import sys
import tempfile
import time
import uuid
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import django
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

from bench.stand import database
from hookline import providers

if TYPE_CHECKING:
    from hookline.core.request import WebhookRequest
    from hookline.incoming.models import Source

#: Requests that one run of Hypothesis makes: it remembers all of them.
SLICE = 1000
#: A genuine event is sent after so many.
GENUINE_EVERY = 250
#: Seconds in which each must be answered.
PATIENCE = 20.0
#: "Not implemented" and "HTTP version not supported": what HTTP has for such requests, and no failure of ours.
FOR_THE_CLIENT = (501, 505)
#: Its provider answers 503 to what comes without a token: Vonage sends it once more then, with one.
ANSWERED_503 = "vonage"
#: Values that programs have stumbled over.
HOSTILE: tuple[Any, ...] = (
    None, True, 0, -1, 1e308, 10**400, "", " ", "\x00", "\ud800", "\u202e", "x" * 5000, "evt\n", "..", "%00", "{{7*7}}",
    [], {}, [[]], {"": {}}, {"id": {}}, [None] * 50, float("nan"), float("-inf"), {"a": "\x00"}, "2024-13-45T99:99:99Z",
)  # fmt: skip
_DEEP = b"[" * 3000 + b"]" * 3000
_STATUS = re.compile(rb"\AHTTP/1\.[01] (\d{3})")


@dataclass(frozen=True)
class Bend:
    """What Hypothesis chose."""

    source: int
    kind: str
    where: int
    value: int
    noise: bytes


BENDS = st.builds(
    Bend,
    source=st.integers(0, 10_000),
    kind=st.sampled_from(["value", "value", "body", "header", "headers", "url", "framing", "bytes"]),
    where=st.integers(0, 2**16),
    value=st.integers(0, 10_000),
    noise=st.binary(max_size=200),
)


class Senders:
    """A source for each provider that can be played, and the requests of its sender."""

    def __init__(self) -> None:
        from hookline.exceptions import ConfigurationError
        from hookline.testing import make_source

        self.sources: list[Source] = []
        for name in providers.names():
            try:
                source = make_source(name)
                self._composed(source, "")
            except ConfigurationError:  # it signs with a private key, or needs options
                continue
            self.sources.append(source)

    def _composed(self, source: Source, event_id: str) -> WebhookRequest:
        provider, now = providers.get(source.provider), time.time()
        composed = provider.compose(next(iter(provider.samples), "invoice.paid"), event_id, now)
        return provider.sign(replace(composed, url=source.url), source.config(now), now)

    def genuine(self, source: Source) -> bytes:
        return self.written(source, self._composed(source, f"evt_{uuid.uuid4().hex}"))

    def source_of(self, bend: Bend) -> Source:
        return self.sources[bend.source % len(self.sources)]

    def bent(self, bend: Bend) -> bytes:
        """The bytes of a bent request."""
        source = self.source_of(bend)
        request = self._composed(source, f"evt_{bend.where}")
        match bend.kind:
            case "value" | "body":
                body = with_hostile_value(request.body, bend) if bend.kind == "value" else bend.noise
                return self.written(source, self._signed_anew(source, request, body))
            case "header":
                names = sorted(request.headers)
                name = names[bend.where % len(names)] if names else "x"
                value = bend.noise.decode("latin-1").replace("\r", "").replace("\n", "")
                kept = "".join(request.headers.get(name, ("",)))[: bend.value % 40]
                headers = {**request.headers, name: (kept + value,)}
                return self.written(source, replace(request, headers=headers))
            case "headers":
                left = [name for place, name in enumerate(sorted(request.headers)) if bend.where >> place & 1]
                twice = {name: request.headers[name] * (1 + bend.value % 3) for name in left}
                return self.written(source, replace(request, headers=twice))
            case "url":
                method = ("GET", "POST", "PUT", "HEAD", "OPTIONS", "BREW", "DELETE")[bend.value % 7]
                query = "".join(f"%{byte:02x}" if bend.where & 1 else quoted(byte) for byte in bend.noise)
                return self.written(source, replace(request, method=method), query=f"?{query}")
            case "framing":
                return framed(self.written(source, request), bend)
        whole = self.written(source, request)
        place = bend.where % (len(whole) + 1)
        return whole[:place] + bend.noise + whole[place + bend.value % 200 :]

    def _signed_anew(self, source: Source, request: WebhookRequest, body: bytes) -> WebhookRequest:
        provider, now = providers.get(source.provider), time.time()
        try:
            return provider.sign(replace(request, body=body), source.config(now), now)
        except Exception:  # noqa: BLE001  # the sender cannot sign such a body; a stranger sends it with another's
            return replace(request, body=body)

    @staticmethod
    def written(source: Source, request: WebhookRequest, query: str = "") -> bytes:
        """As it goes over the wire."""
        search = query or ("?" + request.url.partition("?")[2] if "?" in request.url else "")
        head = [f"{request.method} {source.path}{search} HTTP/1.1", "host: hooks.example.com", "connection: close"]
        head += [f"{name}: {value}" for name, values in request.headers.items() for value in values]
        head.append(f"content-length: {len(request.body)}")
        return "\r\n".join(head).encode("latin-1", "replace") + b"\r\n\r\n" + request.body


def quoted(byte: int) -> str:
    """As it stands, where it does not end the line."""
    return f"%{byte:02x}" if byte <= 0x20 or byte == 0x7F else chr(byte)


def with_hostile_value(body: bytes, bend: Bend) -> bytes:
    """JSON with something else in one place; another body with bytes put in."""
    if bend.value % 40 == 0:
        return _DEEP
    try:
        root = json.loads(body)
    except ValueError:
        place = bend.where % (len(body) + 1)
        return body[:place] + bend.noise + body[place:]
    places = list(places_of(root))
    hostile = HOSTILE[bend.value % len(HOSTILE)]
    if not places:
        return json.dumps(hostile).encode()
    holder, key = places[bend.where % len(places)]
    holder[key] = hostile
    return json.dumps(root).encode()


def places_of(value: Any) -> Any:
    keys = list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    for key in keys:
        yield value, key
        yield from places_of(value[key])


def framed(whole: bytes, bend: Bend) -> bytes:
    """The same request with another frame around its body."""
    head, _, body = whole.partition(b"\r\n\r\n")
    length = b"content-length: %d" % len(body)
    chunks = b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)
    frames: tuple[Callable[[], bytes], ...] = (
        lambda: head.replace(length, b"transfer-encoding: chunked") + b"\r\n\r\n" + chunks,
        lambda: head + b"\r\ntransfer-encoding: chunked\r\n\r\n" + chunks,
        lambda: head.replace(length, b"transfer-encoding: chunked") + b"\r\n\r\n" + bend.noise,
        lambda: head.replace(length, b"content-length: " + bend.noise[:20].replace(b"\n", b"")) + b"\r\n\r\n" + body,
        lambda: head.replace(length, b"content-length: %d" % (len(body) + bend.value)) + b"\r\n\r\n" + body,
        lambda: head.replace(length, b"content-length: %d" % (bend.value % (len(body) + 1))) + b"\r\n\r\n" + body,
        lambda: head + b"\r\ncontent-encoding: gzip\r\n\r\n" + body,
        lambda: head + b"\r\nexpect: 100-continue\r\n\r\n" + body,
        lambda: head.replace(b"HTTP/1.1", b"HTTP/%d.%d" % (bend.value % 4, bend.where % 4)) + b"\r\n\r\n" + body,
        lambda: head + b"\r\n" + b"".join(b"x-%d: y\r\n" % n for n in range(bend.where % 200)) + b"\r\n" + body,
        lambda: head + b"\r\nx: " + b"y" * bend.where + b"\r\n\r\n" + body,
        lambda: b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bend.noise,
        lambda: whole + whole,
    )
    return frames[bend.value % len(frames)]()


def ask(port: int, request: bytes) -> int | None:
    """Send the request, and then nothing more. The status of the answer; None where the connection is just closed."""
    answer = b""
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as connection:
        try:
            connection.sendall(request)
            connection.shutdown(socket.SHUT_WR)
            while piece := connection.recv(65536):
                answer += piece
        except ConnectionError:  # refused before all was sent
            pass
    found = _STATUS.match(answer)
    return int(found[1]) if found else None


def try_out(edges: Mapping[str, int], senders: Senders, count: int, first_seed: int) -> Counter[str]:
    """Send `count` bent requests to each edge. Returns how often each answered what. Raises AssertionError."""
    seen: Counter[str] = Counter()
    sent = 0

    def check(bend: Bend) -> None:
        nonlocal sent
        request, source = senders.bent(bend), senders.source_of(bend)
        well = (*FOR_THE_CLIENT, 503) if source.provider == ANSWERED_503 else FOR_THE_CLIENT
        for edge, port in edges.items():
            status = ask(port, request)
            seen[f"{edge} {status}"] += 1
            assert status is None or status < 500 or status in well, f"{edge}: {status} for {request[:3000]!r}"
        sent += 1
        if sent % GENUINE_EVERY == 0:
            for edge, port in edges.items():
                status = ask(port, senders.genuine(senders.sources[sent // GENUINE_EVERY % len(senders.sources)]))
                assert status in range(200, 300), f"{edge}: {status} for a genuine event after {sent}"

    while sent < count:
        chosen = settings(
            max_examples=min(SLICE, count - sent), database=None, deadline=None, suppress_health_check=list(HealthCheck)
        )
        seed(first_seed + sent)(chosen(given(BENDS)(check)))()
    return seen


def main() -> int:
    parser = argparse.ArgumentParser("python -m fuzz.sockets", description=__doc__.partition("\n")[0])
    parser.add_argument("--requests", type=int, default=100_000, help="in all, half of them to each edge")
    parser.add_argument("--seed", type=int, default=int.from_bytes(os.urandom(4)))
    arguments = parser.parse_args()
    os.environ["HOOKLINE_PUBLIC_URL"] = "https://hooks.example.com"
    with tempfile.TemporaryDirectory(prefix="hookline-fuzz-") as directory, database("sqlite", directory):
        django.setup()
        from django.core.management import call_command

        from tests.edges.servers import asgi_server, view_server

        call_command("migrate", verbosity=0)
        senders = Senders()
        with asgi_server() as asgi, view_server() as view:
            began = time.monotonic()
            edges = {edge.name: edge.port for edge in (asgi, view)}
            seen = try_out(edges, senders, arguments.requests // len(edges), arguments.seed)
    took = time.monotonic() - began
    print(f"{seen.total():,} requests of {len(senders.sources)} senders in {took:.0f} s, seed {arguments.seed}:")
    print(", ".join(f"{answer} {number:,}" for answer, number in sorted(seen.items())))
    return 0


if __name__ == "__main__":
    sys.exit(main())
