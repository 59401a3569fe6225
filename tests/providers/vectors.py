"""Golden requests: `tests/vectors/<provider>.json`, whose expected values were not computed by Hookline.

An entry has:
  why, source           what it shows, and where the expected values come from
  source_kind           "official vector", "official SDK", "captured" (from a live sender), "openssl" (computed with
                        it from the documented construction), or "nothing computed" (a secret that is compared)
  secrets, options, method, url, headers, body, now
  covered               the parts of the body that the signature covers, where that is not all of it
  unsigned_headers      headers that the provider reads but the sender does not sign
  optional_headers      signed headers without which the request is genuine too
  repeatable_headers    signed headers that the sender may send several times, with one signature in each
  timestamp             the timestamp, as it stands in the request
  any_body              true: with these options the provider does not look into the body
  awaiting_handshake    true: the source still waits for the sender's first contact
  credential            the token, password or JSON Web Token, as it stands in the request, of a sender that sends one
  documents             what is found under each URL, or by POSTing a body to it (`URL BODY`)
  expected              {type, id, dedup_key} of the event, and reply {status, content_type, body, headers} if one is
                        required; a handshake has a reply only. Of a batch, these are of the first event, and `others`
                        lists the same of the rest. `body` is the event's own body where that is not the request's
  retry                 how the sender delivers this very event again: what it changes. One per provider at least
  distinct              another event of the sender, as like this one as it makes them. One per provider at least

`retry` and `distinct` are changes of the request:
  why, source           what changes, or that nothing does; and who says so
  headers               header -> its new value, or null where it does not come. They are not signed again by that alone
  replace               text of the body (or else of the URL) -> what stands there instead
  body                  or the whole body
  after                 seconds later; what is signed is signed again then, with the timestamp of then
  becomes               duplicate, conflict, repeat, or event (of its own). A retry is a duplicate and a distinct event
                        is an event unless it says otherwise
  dedup_key             the key of what becomes an event of its own, not computed by Hookline
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from hookline import providers
from hookline.core.request import WebhookRequest, read_headers
from hookline.exceptions import ConfigurationError
from hookline.providers.base import Provider, Received, SourceConfig
from hookline.providers.schemes.basic import BasicProvider
from hookline.providers.schemes.token import TokenProvider
from tests.providers.kits import Kit, another_key, kit_of, receive

DIRECTORY = Path(__file__).parents[1] / "vectors"


@dataclass(frozen=True)
class Vector:
    provider_name: str
    why: str
    source: str
    source_kind: str
    secrets: list[str]
    options: dict[str, str]
    method: str
    url: str
    headers: dict[str, str]
    body: str
    now: float
    expected: dict[str, Any]
    covered: list[str] | None = None
    unsigned_headers: list[str] = field(default_factory=list)
    optional_headers: list[str] = field(default_factory=list)
    repeatable_headers: list[str] = field(default_factory=list)
    timestamp: str | None = None
    any_body: bool = False
    awaiting_handshake: bool = False
    credential: str | None = None
    documents: dict[str, str] = field(default_factory=dict)
    retry: dict[str, Any] | None = None
    distinct: dict[str, Any] | None = None

    @property
    def provider(self) -> Provider:
        return providers.get(self.provider_name)

    @property
    def request(self) -> WebhookRequest:
        return WebhookRequest(self.method, self.url, read_headers(self.headers.items()), self.body.encode())

    @property
    def config(self) -> SourceConfig:
        return SourceConfig(tuple(self.secrets), self.options, self.awaiting_handshake)

    @property
    def is_event(self) -> bool:
        return "type" in self.expected

    @property
    def expected_events(self) -> list[dict[str, Any]]:
        return [self.expected, *self.expected.get("others", [])]

    @property
    def kit(self) -> Kit:
        return kit_of(self.provider_name)

    @property
    def other_secret(self) -> str:
        """A secret that is usable with these options, and not the right one."""
        return another_key(self.secrets[0]) or self.kit.other

    def signed(self, request: WebhookRequest) -> tuple[WebhookRequest, Vector]:
        """Another request, signed as the sender would, and a vector whose source accepts it.

        Where only the sender can sign, it is a source with a key of ours. Raises ConfigurationError where none fits.
        """
        try:
            return self.provider.sign(request, self.config, self.now), self
        except ConfigurationError:
            kit = self.kit
            ours = replace(
                self,
                secrets=[kit.secret],
                options={**self.options, **kit.options},
                documents={url: content.decode() for url, content in kit.documents.items()},
            )
            sender = replace(ours, secrets=[kit.signing, kit.secret])
            return self.provider.sign(request, sender.config, self.now), ours

    def changed(self, change: Mapping[str, Any]) -> tuple[WebhookRequest, Vector]:
        """The request that `retry` or `distinct` describes, and a vector whose source accepts it."""
        headers = {
            name: value for name, value in {**self.headers, **change.get("headers", {})}.items() if value is not None
        }
        url, body = self.url, change.get("body", self.body)
        for old, new in change.get("replace", {}).items():
            assert old in body or old in url, f"{old!r} is neither in the body nor in the URL"
            body, url = (body.replace(old, new), url) if old in body else (body, url.replace(old, new))
        later = replace(self, url=url, headers=headers, body=body, now=self.now + change.get("after", 0))
        unchanged = (url, body) == (self.url, self.body) and "after" not in change
        if unchanged or isinstance(self.provider, TokenProvider | BasicProvider):  # their token stands there already
            return later.request, later
        return later.signed(later.request)

    @property
    def signed_headers(self) -> list[str]:
        return [name for name in self.headers if name not in {"content-type", *self.unsigned_headers}]

    def with_options(self, options: Mapping[str, str]) -> Vector:
        return replace(self, options={**self.options, **options})

    def covered_bytes(self) -> set[int]:
        """The positions in the body that the signature covers."""
        body = self.request.body
        if self.covered is None:
            return set(range(len(body)))
        return {i for text in self.covered for i in _span(body, text.encode())}

    def receive(self, request: WebhookRequest | None = None, *, now: float | None = None) -> Received:
        """What the provider makes of the request, or of another one instead."""
        documents = {url: text.encode() for url, text in self.documents.items()}
        return receive(self.provider, request or self.request, self.config, self.now if now is None else now, documents)


def _span(body: bytes, part: bytes) -> range:
    assert body.count(part) == 1, f"{part!r} must be in the body exactly once"
    return range(body.index(part), body.index(part) + len(part))


@cache
def load(name: str) -> tuple[Vector, ...]:
    """The vectors of one provider. Raises FileNotFoundError for a provider without a file."""
    entries = json.loads((DIRECTORY / f"{name}.json").read_text())
    return tuple(Vector(provider_name=name, **entry) for entry in entries)


def load_all() -> Iterator[Vector]:
    for path in sorted(DIRECTORY.glob("*.json")):
        yield from load(path.stem)


def each(vectors: Iterable[Vector]) -> Callable[[Callable[[Vector], None]], Callable[[str], None]]:
    """Makes one test for each provider among these, which goes through its vectors and notes the one that failed.

    One for each vector would be thousands more, and pytest takes longer with a test than most of them do.
    """
    by_provider: dict[str, list[Vector]] = {}
    for vector in vectors:
        by_provider.setdefault(vector.provider_name, []).append(vector)

    def decorate(check: Callable[[Vector], None]) -> Callable[[str], None]:
        def run(name: str) -> None:
            for vector in by_provider[name]:
                try:
                    check(vector)
                except Exception as error:
                    error.add_note(f"with the vector of {name}: {vector.why}")
                    raise

        # Not functools.wraps, or pytest would look for a fixture called `vector`.
        run.__name__, run.__doc__, run.__module__ = check.__name__, check.__doc__, check.__module__
        made: Callable[[str], None] = pytest.mark.parametrize("name", by_provider)(run)
        return made

    return decorate
