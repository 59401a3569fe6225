"""How a request is sent, or tampered with: each act is one function from what the sender has to what is sent.

An act returns None where this sender offers nothing to do it to.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from hookline.core.request import WebhookRequest
from hookline.exceptions import HooklineError
from hookline.providers.base import Provider, SourceConfig
from hookline.providers.schemes.hmac import HmacProvider

HOUR = 3600.0
#: Where the signature stands: the longest run of what signatures are written with.
_TOKEN = re.compile(r"[A-Za-z0-9+/_-]{16,}={0,2}")


@dataclass(frozen=True, slots=True)
class Letter:
    """An event before it is signed, and what it takes to sign it."""

    provider: Provider
    composed: WebhookRequest
    config: SourceConfig
    #: What the sender would use beside it during a rotation; None where it was not given.
    second: SourceConfig | None
    #: Unix time in seconds.
    now: float
    #: The same event under another id of the delivery.
    renamed: WebhookRequest
    #: Seconds that a signature is valid; None where this sender signs no time.
    tolerance: float | None
    #: Another event of nearly the same content; None where nobody can add to it.
    varied: WebhookRequest | None
    #: The event that follows, for those who send several in one request.
    following: WebhookRequest
    #: The event as this attempt has it: on a retry, with what the sender changes then.
    retried: WebhookRequest

    def signed(self, composed: WebhookRequest | None = None, now: float | None = None) -> WebhookRequest:
        """What the sender would send. Raises ConfigurationError where the secret cannot sign."""
        return self.provider.sign(composed or self.composed, self.config, self.now if now is None else now)

    def types_in(self, request: WebhookRequest) -> list[str]:
        """The types of readable events that a receiver finds which verifies as documented; none where it refuses."""
        try:
            received = self.provider.receive(request, self.config, self.now)
        except HooklineError:
            return []
        return [event.type for event in received.events if not event.problem]

    def accepts(self, request: WebhookRequest) -> bool:
        """Whether a receiver that verifies as the sender documents would take it for genuine."""
        try:
            self.provider.receive(request, self.config, self.now)
        except HooklineError:
            return False
        return True


Act = Callable[[Letter], WebhookRequest | None]


# ---- genuine --------------------------------------------------------------------------------------


def plain(letter: Letter) -> WebhookRequest:
    """As the sender sends it."""
    return letter.signed()


def again(letter: Letter) -> WebhookRequest:
    """As the sender retries it: signed at this moment, with what it changes on a retry."""
    return letter.signed(letter.retried)


def late(letter: Letter) -> WebhookRequest | None:
    """Signed some time ago, within the tolerance."""
    if letter.tolerance is None:
        return None
    return _if_genuine(letter, letter.signed(now=letter.now - letter.tolerance / 2))


def spelled(letter: Letter) -> WebhookRequest | None:
    """The same JSON with other white space and escapes, signed as it is."""
    document = _document(letter.composed)
    if document is None:
        return None
    body = json.dumps(document, indent=1, ensure_ascii=True).encode()
    return _if_genuine(letter, letter.signed(replace(letter.composed, body=body)))


def second_secret(letter: Letter) -> WebhookRequest | None:
    """Signed with the other secret of a rotation."""
    if letter.second is None:
        return None
    return letter.provider.sign(letter.composed, letter.second, letter.now)


def varied(letter: Letter) -> WebhookRequest | None:
    """Another event of the same content, with a field that says nothing."""
    return None if letter.varied is None else _if_genuine(letter, letter.signed(letter.varied))


def look_alike(letter: Letter) -> WebhookRequest:
    """Another event of exactly the same content: only its id differs."""
    return letter.signed(letter.renamed)


def batch(letter: Letter) -> WebhookRequest | None:
    """This event and the next one in one request."""
    return _batch(letter, [])


def bad_batch(letter: Letter) -> WebhookRequest | None:
    """The same with an item between them that nobody can read."""
    return _batch(letter, [{}])


def _batch(letter: Letter, between: list[Any]) -> WebhookRequest | None:
    first, second = _document(letter.composed), _document(letter.following)
    alone = [
        one for composed in (letter.composed, letter.following) for one in letter.types_in(letter.signed(composed))
    ]
    for document in _joined(first, second, between):
        body = json.dumps(document, separators=(",", ":")).encode()
        signed = letter.signed(replace(letter.composed, body=body))
        if len(alone) == 2 and letter.types_in(signed) == alone:  # what both share may name their type
            return signed
    return None


def _joined(first: Any, second: Any, between: list[Any]) -> Iterator[Any]:
    """The first document with the items of one of the second's lists behind its own, for each list that both have."""
    if isinstance(first, list) and isinstance(second, list):
        yield [*first, *between, *second]
    if isinstance(first, list) and isinstance(second, list) and len(first) == len(second) == 1:
        yield from ([joined] for joined in _joined(first[0], second[0], between))
    if isinstance(first, dict) and isinstance(second, dict):
        for name in first:
            if name in second:
                yield from ({**first, name: joined} for joined in _joined(first[name], second[name], between))


# ---- not genuine ----------------------------------------------------------------------------------


def forged_body(letter: Letter) -> WebhookRequest | None:
    """One bit of the body changed after it was signed."""
    signed = letter.signed()
    body = _changed_in_value(signed.body)
    return None if body is None else _if_forged(letter, replace(signed, body=body))


def forged_signature(letter: Letter) -> WebhookRequest | None:
    """One character of the signature changed."""
    signed = letter.signed()
    for name in _added_headers(letter.composed, signed):
        values = signed.headers[name]
        found = max(_TOKEN.finditer(values[0]), key=lambda match: len(match[0]), default=None)
        if found is None:
            continue
        middle = (found.start() + found.end()) // 2
        value = values[0][:middle] + _other_character(values[0][middle]) + values[0][middle + 1 :]
        if forged := _if_forged(letter, signed.with_headers({name: value})):
            return forged
    return None


def wrong_secret(letter: Letter) -> WebhookRequest | None:
    """Signed with another secret of the same form."""
    for secret in _other_secrets(letter.config.secrets[0]):
        try:
            signed = letter.provider.sign(letter.composed, replace(letter.config, secrets=(secret,)), letter.now)
        except HooklineError:
            continue
        if forged := _if_forged(letter, signed):
            return forged
    return None


def unsigned(letter: Letter) -> WebhookRequest | None:
    """The signature left out."""
    signed = letter.signed()
    names = _added_headers(letter.composed, signed)
    headers = {name: values for name, values in signed.headers.items() if name not in names}
    return _if_forged(letter, replace(letter.composed, headers=headers))


def wrong_digest(letter: Letter) -> WebhookRequest | None:
    """Signed with the right secret and another digest."""
    if not isinstance(letter.provider, HmacProvider):
        return None
    digest = "sha512" if letter.provider.digest != "sha512" else "sha256"
    other: type[HmacProvider] = type("Other", (type(letter.provider),), {"digest": digest})
    return _if_forged(letter, other().sign(letter.composed, letter.config, letter.now))


def stale(letter: Letter) -> WebhookRequest | None:
    """Signed longer ago than the tolerance."""
    if letter.tolerance is None:
        return None
    return _if_forged(letter, letter.signed(now=letter.now - letter.tolerance - HOUR))


def other_id(letter: Letter) -> WebhookRequest | None:
    """The same signed bytes under another id, which no signature covers."""
    if letter.provider.id_is_signed or letter.provider.repeats_bodies or letter.provider.id_at is None:
        return None
    signed, renamed = letter.signed(), letter.signed(letter.renamed)
    if signed.body != renamed.body or signed.url != renamed.url:
        return None
    return replace(renamed, body=signed.body)


# ---- unreadable -----------------------------------------------------------------------------------


def _of_body(body: bytes) -> Act:
    def unreadable(letter: Letter) -> WebhookRequest | None:
        composed = replace(letter.composed, body=body)
        try:
            return letter.signed(composed)
        except (HooklineError, ValueError, LookupError, TypeError):  # it signs what it reads in the body
            return replace(composed, headers=letter.signed().headers)

    return unreadable


def _unsigned_body(body: bytes) -> Act:
    return lambda letter: replace(letter.composed, body=body)


#: What breaks those who read before they look.
_BODIES = {
    "empty": b"",
    "no-json": b'{"type": "invoice.paid", "data": ',
    "no-object": b'"text"',
    "null": b"null",
    "no-utf8": b'{"type": "\xff\xfe"}',
    "nul": b'{"type": "a\\u0000b", "id": "\\u0000"}',
    "deep": b'{"a":' + b"[" * 20_000 + b"]" * 20_000 + b"}",
    "huge-number": b'{"type": "x", "id": 1' + b"0" * 5_000 + b"}",
    "surrogate": b'{"type": "\\ud800", "id": "\\udfff"}',
    "too-large": b'{"type": "x", "pad": "' + b"x" * 30_000_000 + b'"}',
}

GENUINE: Mapping[str, Act] = {
    "plain": plain,
    "again": again,
    "late": late,
    "slow": plain,
    "cut": plain,
    "restart": plain,
    "spelled": spelled,
    "second-secret": second_secret,
    "varied": varied,
    "look-alike": look_alike,
    "batch": batch,
    "bad-batch": bad_batch,
}
FORGED: Mapping[str, Act] = {
    "forged-body": forged_body,
    "forged-signature": forged_signature,
    "wrong-secret": wrong_secret,
    "unsigned": unsigned,
    "wrong-digest": wrong_digest,
}
HOSTILE: Mapping[str, Act] = {
    **{f"signed-{name}": _of_body(body) for name, body in _BODIES.items() if name != "too-large"},
    **{f"unsigned-{name}": _unsigned_body(body) for name, body in _BODIES.items()},
}
ACTS: Mapping[str, Act] = {
    **GENUINE,
    **FORGED,
    "stale": stale,
    "other-id": other_id,
    **HOSTILE,
}


# ---- shared ---------------------------------------------------------------------------------------


def _if_genuine(letter: Letter, request: WebhookRequest) -> WebhookRequest | None:
    return request if letter.accepts(request) else None


def _if_forged(letter: Letter, request: WebhookRequest) -> WebhookRequest | None:
    """The request, unless this sender's way to sign cannot tell it from a genuine one: a bare token covers no body."""
    return None if letter.accepts(request) else request


def _added_headers(composed: WebhookRequest, signed: WebhookRequest) -> list[str]:
    return [name for name, values in signed.headers.items() if composed.headers.get(name) != values]


def _document(request: WebhookRequest) -> Any:
    """The JSON of a body that is JSON and no form; else None."""
    if request.is_form:
        return None
    try:
        return json.loads(request.body)
    except ValueError:
        return None


def _changed_in_value(body: bytes) -> bytes | None:
    """The body with one bit of a letter or digit changed, near its end, so that JSON stays JSON."""
    for place in range(len(body) - 1, -1, -1):
        changed = body[place] ^ 1
        if chr(body[place]).isalnum() and chr(changed).isalnum() and body[place] < 128:
            return body[:place] + bytes([changed]) + body[place + 1 :]
    return None


def _other_character(character: str) -> str:
    """Another character that the same alphabets have: hexadecimal stays hexadecimal."""
    if character.isdigit():
        return "1" if character == "0" else "0"
    if character.lower() in "abcdef":
        return "b" if character == "a" else "a" if character.islower() else "A" if character != "A" else "B"
    return "q" if character != "q" else "r"


def _other_secrets(secret: str) -> list[str]:
    """Secrets of the same form: some letter or digit of it is another one."""
    places = [place for place, character in enumerate(secret) if character.isalnum()]
    return [
        secret[:place] + _other_character(secret[place]) + secret[place + 1 :]
        for place in (places[len(places) // 2], places[-1], places[0])
        if places
    ]
