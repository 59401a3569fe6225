"""Which providers read a header: a signature header names the scheme of whoever sent it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cache

from hookline import providers
from hookline.core.forms import URLENCODED
from hookline.core.request import WebhookRequest
from hookline.exceptions import VerificationError
from hookline.providers.base import Provider, SourceConfig
from hookline.providers.schemes.documents import DocumentNeeded
from hookline.providers.schemes.signatures import Numbered

#: What says nothing about the scheme: nearly every request has one.
_COMMON = frozenset({"content-type", "content-length", "content-encoding", "user-agent", "host", "accept", "date"})
#: A provider names a missing header one at a time.
_ROUNDS = 6
#: Some look at the body first.
_SHAPES = (("application/json", b'{"id": "x"}'), (URLENCODED, b"id=x"))


class _Asked(dict[str, tuple[str, ...]]):
    """Headers that note which of them are asked for."""

    def __init__(self, headers: Mapping[str, tuple[str, ...]]) -> None:
        super().__init__(headers)
        self.names: list[str] = []

    def get(self, name: str, default: object = None) -> object:  # type: ignore[override]  # headers are asked for text
        self.names.append(name)
        return super().get(name, default)

    def __contains__(self, name: object) -> bool:
        self.names.append(str(name))
        return super().__contains__(name)


@cache
def readers() -> Mapping[str, Sequence[Provider]]:
    """Header name -> the providers that look for it in order to verify. Loads every provider."""
    found: dict[str, list[Provider]] = defaultdict(list)
    for name in providers.names():
        provider = providers.get(name)
        for header in headers_of(provider):
            found[header].append(provider)
    return found


def headers_of(provider: Provider) -> frozenset[str]:
    """The headers that a provider looks for in order to verify, beside those that every request has."""
    known: dict[str, tuple[str, ...]] = {}
    if isinstance(signature := getattr(provider, "signature", None), Numbered):
        known[f"{signature.prefix}1"] = ("x",)
    for number in range(_ROUNDS):
        content_type, body = _SHAPES[number % len(_SHAPES)]
        asked = _Asked({**known, "content-type": (content_type,)})
        request = WebhookRequest(max(provider.methods), "https://example.com/in/x", asked, body)
        with suppress(VerificationError, DocumentNeeded):
            provider.receive(request, SourceConfig(("x",)), 0.0)
        known |= dict.fromkeys([name for name in asked.names if name not in known], ("x",))
    return frozenset(known) - _COMMON
