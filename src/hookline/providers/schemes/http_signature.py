"""HTTP Message Signatures (RFC 9421) with Content-Digest (RFC 9530): the base for senders that use them.

What the request may not decide: the algorithm, which the source binds to its key; which components must be covered;
and how old the signature may be. A signature that covers less than it must proves nothing and is passed over, whatever
its label says. The body counts as covered only where `content-digest` is, and is the digest of these bytes.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Literal
from urllib.parse import urlsplit

from hookline.core.request import WebhookRequest
from hookline.core.signing import decode, encode, equal, mac
from hookline.exceptions import CannotVerify, ConfigurationError, NotVerified, OutOfTime, Unreadable, VerificationError
from hookline.providers.base import Option, Provider, SourceConfig
from hookline.providers.schemes.keys import Algorithm, make_signature, private_key, public_key, verifies
from hookline.providers.schemes.signatures import MAX_ITEMS, required_header
from hookline.providers.schemes.signed import as_sent, check_age, configured_tolerance, tolerance_option

#: The names of RFC 9421 section 3.3.
HttpAlgorithm = Literal["hmac-sha256", "ed25519", "ecdsa-p256-sha256", "rsa-pss-sha512", "rsa-v1_5-sha256"]

_PUBLIC: dict[HttpAlgorithm, Algorithm] = {
    "ed25519": "ed25519",
    "ecdsa-p256-sha256": "ecdsa-p256-sha256-raw",
    "rsa-pss-sha512": "rsa-pss-sha512",
    "rsa-v1_5-sha256": "rsa-sha256",
}
_DIGESTS: dict[str, Literal["sha256", "sha512"]] = {"sha-256": "sha256", "sha-512": "sha512"}

MAX_HEADER = 16 * 1024

# The parts of structured fields (RFC 8941 section 3) that the two headers need.
_KEY = re.compile(r"[a-z*][a-z0-9_.*-]*", re.ASCII)
_STRING = re.compile(r'"((?:[ !#-\[\]-~]|\\["\\])*)"', re.ASCII)
_INTEGER = re.compile(r"-?[0-9]{1,15}(?![0-9.])", re.ASCII)
_TOKEN = re.compile(r"[A-Za-z*][!#$%&'*+.^_`|~0-9A-Za-z:/-]*", re.ASCII)
_BYTES = re.compile(r":([A-Za-z0-9+/=]*):", re.ASCII)
_BOOLEAN = re.compile(r"\?[01]", re.ASCII)
_COMMA = re.compile(r"[ \t]*,[ \t]*")
_NAME = re.compile(r"(?:@[a-z-]+|[!#$%&'*+.^_`|~0-9a-z-]+)", re.ASCII)


@dataclass(frozen=True, slots=True)
class SignatureInput:
    """What one signature says that it covers. `text` is the value exactly as it was sent: the last line of the base."""

    components: tuple[str, ...]
    parameters: Mapping[str, str | int]
    text: str

    def text_parameter(self, name: str) -> str | None:
        """A parameter that must be a string. Raises NotVerified."""
        value = self.parameters.get(name)
        if value is not None and not isinstance(value, str):
            raise NotVerified("malformed_signature", f"the signature's {name} is not a string")
        return value

    def time_parameter(self, name: str) -> int | None:
        """A parameter that must be a whole number. Raises NotVerified."""
        value = self.parameters.get(name)
        if value is not None and not isinstance(value, int):
            raise NotVerified("malformed_timestamp", f"the signature's {name} is not a number of seconds")
        return value


@dataclass(slots=True)
class _Scanner:
    """Reads a structured field from left to right. Every method raises NotVerified for what is not one."""

    header: str
    text: str
    at: int = field(default=0)

    def take(self, pattern: re.Pattern[str]) -> re.Match[str]:
        found = pattern.match(self.text, self.at)
        if found is None:
            raise self.malformed()
        self.at = found.end()
        return found

    def skip(self, literal: str) -> bool:
        if self.text.startswith(literal, self.at):
            self.at += len(literal)
            return True
        return False

    def expect(self, literal: str) -> None:
        if not self.skip(literal):
            raise self.malformed()

    def members(self) -> Iterator[str]:
        """The key of each member of a dictionary, with the position behind its `=`."""
        seen: set[str] = set()
        while True:
            key = self.take(_KEY).group()
            self.expect("=")
            if key in seen or len(seen) == MAX_ITEMS:
                raise self.malformed()
            seen.add(key)
            yield key
            if self.at == len(self.text):
                return
            self.take(_COMMA)

    def raw_bytes(self) -> bytes:
        raw = decode(self.take(_BYTES).group(1), "base64")
        if raw is None:
            raise self.malformed()
        return raw

    def string(self) -> str:
        return re.sub(r"\\(.)", r"\1", self.take(_STRING).group(1))

    def parameters(self) -> dict[str, str | int]:
        found: dict[str, str | int] = {}
        while self.skip(";"):
            key = self.take(_KEY).group()
            if key in found:
                raise self.malformed()
            found[key] = self.item() if self.skip("=") else 1
        return found

    def item(self) -> str | int:
        first = self.text[self.at : self.at + 1]
        if first == '"':
            return self.string()
        if first == ":":
            return self.take(_BYTES).group()
        if first == "?":
            return self.take(_BOOLEAN).group()
        return int(self.take(_INTEGER).group()) if first == "-" or first.isdecimal() else self.take(_TOKEN).group()

    def malformed(self) -> NotVerified:
        return NotVerified("malformed_signature", f"{self.header} cannot be read at character {self.at}")


def read_inputs(text: str) -> dict[str, SignatureInput]:
    """The header Signature-Input: what each signature covers, by label. Raises NotVerified."""
    scanner = _Scanner("Signature-Input", text)
    found: dict[str, SignatureInput] = {}
    for label in scanner.members():
        start = scanner.at
        scanner.expect("(")
        components: list[str] = []
        while not scanner.skip(")"):
            if components:
                scanner.expect(" ")
            name = scanner.string()
            # Parameters of components (`;sf`, `;bs`, `;key`, `;req`, `;tr`) ask for other ways to read a header.
            if not _NAME.fullmatch(name) or name in components or scanner.skip(";") or len(components) == 64:
                raise scanner.malformed()
            components.append(name)
        parameters = scanner.parameters()
        found[label] = SignatureInput(tuple(components), parameters, text[start : scanner.at])
    return found


def read_byte_sequences(header: str, text: str) -> dict[str, bytes]:
    """A header that is a dictionary of byte sequences: Signature, Content-Digest. Raises NotVerified."""
    scanner = _Scanner(header, text)
    return {label: scanner.raw_bytes() for label in scanner.members()}


def signature_base(request: WebhookRequest, signature: SignatureInput) -> bytes:
    """The text that is signed (RFC 9421 section 2.5). Raises NotVerified for a component that is not there."""
    lines = [as_sent(f'"{name}": ', "ascii") + _component(request, name) for name in signature.components]
    return b"\n".join([*lines, as_sent(f'"@signature-params": {signature.text}', "ascii")])


def _component(request: WebhookRequest, name: str) -> bytes:
    """The value of one component: of a header as it was sent, of the URL as it is configured."""
    if name.startswith("@"):
        return as_sent(_derived(request, name), "utf-8")
    values = request.headers.get(name)
    if not values:
        raise NotVerified("missing_header", f"the signature covers the header {name}, which is missing")
    text = as_sent(", ".join(value.strip(" \t") for value in values), "latin-1")
    if b"\n" in text or b"\r" in text:
        raise NotVerified("malformed_signature", f"the header {name} has a line break")
    return text


def _derived(request: WebhookRequest, name: str) -> str:
    """A derived component (RFC 9421 section 2.2)."""
    if name == "@method":
        return request.method
    if name == "@target-uri":
        return request.url
    try:
        parts = urlsplit(request.url)
        authority = parts.hostname or ""
        if ":" in authority:
            authority = f"[{authority}]"
        if parts.port not in (None, {"http": 80, "https": 443}.get(parts.scheme)):
            authority = f"{authority}:{parts.port}"
    except ValueError:
        raise Unreadable("unreadable_url", "the URL of this request cannot be read") from None
    path = parts.path or "/"
    derived = {
        "@scheme": parts.scheme,
        "@authority": authority,
        "@path": path,
        "@query": f"?{parts.query}",
        "@request-target": f"{path}?{parts.query}" if parts.query else path,
    }
    if name not in derived:
        raise NotVerified("unknown_component", f"the signature covers {name}, which is not supported")
    return derived[name]


def check_digest(request: WebhookRequest) -> None:
    """Raises NotVerified unless Content-Digest holds a sha-256 or sha-512 of the body, and no wrong one."""
    sent = read_byte_sequences("Content-Digest", required_header(request, "content-digest"))
    known = [(_DIGESTS[name], raw) for name, raw in sent.items() if name in _DIGESTS]
    if not known:
        raise NotVerified("unknown_digest", "Content-Digest has neither sha-256 nor sha-512")
    for name, raw in known:
        if not equal(hashlib.new(name, request.body).digest(), raw):
            raise NotVerified("body_mismatch", "Content-Digest is not the digest of the body")


def check_components(components: str) -> tuple[str, ...]:
    """Read the option `components`. Raises ValueError."""
    names = tuple(components.split())
    if bad := [name for name in names if not _NAME.fullmatch(name)]:
        raise ValueError(f"{bad[0][:80]!r} is no component; write names such as @method or content-digest")
    if "content-digest" not in names:
        raise ValueError("it must have content-digest, or anybody could change the event")
    return names


class HttpSignatureProvider(Provider):
    """A sender that signs with HTTP Message Signatures."""

    # ---- what a subclass states -------------------------------------------------------------------
    algorithm: ClassVar[HttpAlgorithm]
    #: What a signature must cover at least.
    components: ClassVar[tuple[str, ...]] = ("@method", "@target-uri", "content-digest")
    #: Seconds that `created` may lie in the past or future.
    tolerance: ClassVar[int] = 300

    # ---- steps ------------------------------------------------------------------------------------
    def verify(self, request: WebhookRequest, config: SourceConfig, now: float) -> float | None:
        inputs = read_inputs(_bounded(request, "signature-input"))
        signatures = read_byte_sequences("Signature", _bounded(request, "signature"))
        check_digest(request)
        refusal = NotVerified("missing_signature", "no signature has a label that is also in Signature-Input")
        for label, raw in signatures.items():
            if label in inputs:
                try:
                    return self.check_signature(request, inputs[label], raw, config, now)
                except NotVerified as error:
                    refusal = error
        raise refusal

    def check_signature(
        self, request: WebhookRequest, signature: SignatureInput, raw: bytes, config: SourceConfig, now: float
    ) -> float:
        """How much of the tolerance is used up. Raises NotVerified unless this signature proves the request."""
        self.check_parameters(signature, config)
        created, expires = signature.time_parameter("created"), signature.time_parameter("expires")
        if created is None:
            raise NotVerified("missing_timestamp", "the signature does not say when it was created")
        tolerance = configured_tolerance(config, self.tolerance) or self.tolerance
        used = check_age(now - created, tolerance)
        if expires is not None and now > expires:
            raise OutOfTime("timestamp_too_old", f"the signature expired {now - expires:.0f} s ago", now - expires)
        self.check_match(request, signature, raw, config)
        return used

    def created(self, request: WebhookRequest, config: SourceConfig) -> str:
        """When a verified request was signed, as the first of its signatures says that was made with a secret."""
        inputs = read_inputs(_bounded(request, "signature-input"))
        for label, raw in read_byte_sequences("Signature", _bounded(request, "signature")).items():
            if label in inputs:
                try:
                    self.check_parameters(inputs[label], config)
                    self.check_match(request, inputs[label], raw, config)
                    return str(inputs[label].time_parameter("created") or "")
                except VerificationError:  # anybody could have added it
                    continue
        return ""

    def check_parameters(self, signature: SignatureInput, config: SourceConfig) -> None:
        """Raises NotVerified where the signature covers less than it must, or is of another algorithm or key."""
        if missing := [name for name in self.components_of(config) if name not in signature.components]:
            raise NotVerified("uncovered_component", f"the signature does not cover {', '.join(missing)}")
        algorithm = self.algorithm_of(config)
        if signature.text_parameter("alg") not in (None, algorithm):
            raise NotVerified("wrong_algorithm", f"the signature's alg is not {algorithm}")
        if (key_id := self.key_id_of(config)) and signature.text_parameter("keyid") != key_id:
            raise NotVerified("unknown_key", "the signature's keyid is not the source's")

    def check_match(self, request: WebhookRequest, signature: SignatureInput, raw: bytes, config: SourceConfig) -> None:
        """Raises NotVerified unless one of the secrets made the signature."""
        base = signature_base(request, signature)
        problem = ""
        for secret in config.secrets:
            try:
                if self.matches(secret, base, raw, config):
                    return
            except ValueError as error:
                problem = str(error)
        if problem:
            raise CannotVerify("bad_secret", f"a secret of this source cannot be a {self.title} secret: {problem}")
        raise NotVerified("signature_mismatch", f"none of {len(config.secrets)} active secrets made this signature")

    def matches(self, secret: str, base: bytes, raw: bytes, config: SourceConfig) -> bool:
        """Whether the signature was made with this secret. Raises ValueError for a secret that is no key."""
        algorithm = self.algorithm_of(config)
        if algorithm == "hmac-sha256":
            return equal(mac("sha256", self.key(secret, config), base), raw)
        return verifies(public_key(secret, _PUBLIC[algorithm]), _PUBLIC[algorithm], raw, base)

    def sign(self, request: WebhookRequest, config: SourceConfig, now: float) -> WebhookRequest:
        if not config.secrets:
            raise ConfigurationError(f"{self.title} cannot sign without a secret")
        digest = encode(hashlib.sha256(request.body).digest(), "base64")
        request = request.with_headers({"content-digest": f"sha-256=:{digest}:"})
        covered = " ".join(f'"{name}"' for name in self.components_of(config))
        algorithm, key_id = self.algorithm_of(config), self.key_id_of(config)
        text = f"({covered});created={int(now)}" + (f';keyid="{key_id}"' if key_id else "") + f';alg="{algorithm}"'
        base = signature_base(request, read_inputs(f"sig={text}")["sig"])
        try:
            if algorithm == "hmac-sha256":
                raw = mac("sha256", self.key(config.secrets[0], config), base)
            else:
                raw = make_signature(private_key(config.secrets[0], _PUBLIC[algorithm]), _PUBLIC[algorithm], base)
        except ValueError as error:
            raise ConfigurationError(f"the secret cannot sign: {error}") from None
        return request.with_headers({"signature-input": f"sig={text}", "signature": f"sig=:{encode(raw, 'base64')}:"})

    # ---- particulars that a subclass may change ---------------------------------------------------
    def algorithm_of(self, config: SourceConfig) -> HttpAlgorithm:
        """The one algorithm that counts for the keys of this source. Raises CannotVerify."""
        return self.algorithm

    def components_of(self, config: SourceConfig) -> tuple[str, ...]:
        """What a signature must cover at least. Raises CannotVerify."""
        return self.components

    def key_id_of(self, config: SourceConfig) -> str:
        """The `keyid` that a signature must name; empty: any."""
        return ""

    def key(self, secret: str, config: SourceConfig) -> bytes:
        """The HMAC key that a secret stands for. Raises ValueError."""
        return secret.encode()

    @property
    def known_options(self) -> tuple[Option, ...]:
        return (*super().known_options, tolerance_option(self.tolerance))


def _bounded(request: WebhookRequest, name: str) -> str:
    text = required_header(request, name)
    if len(text) > MAX_HEADER:
        raise NotVerified("malformed_signature", f"the header {name} is longer than {MAX_HEADER} characters")
    return text
