"""The base for senders that sign with an HMAC: most of them.

A subclass states where the signature is (`signature`), which bytes it covers (`signed`) and how the timestamp
is checked. `verify` then reads: find the signatures and the timestamp, check its window, join the signed parts,
compare against every secret.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, ClassVar, Literal

from hookline.core.request import WebhookRequest
from hookline.core.signing import Digest, Encoding, decode, encode, equal, mac, parse_timestamp
from hookline.exceptions import CannotVerify, ConfigurationError, NotVerified
from hookline.providers.base import Option, Provider, SourceConfig
from hookline.providers.schemes.parts import BODY, TIMESTAMP, URL, Part
from hookline.providers.schemes.signatures import Signature

MAX_TOLERANCE = 7 * 86400


def seconds(text: str) -> int:
    """A tolerance as an option writes it. Raises ValueError."""
    number = parse_timestamp(text)
    if not number or number > MAX_TOLERANCE:
        raise ValueError(f"write a whole number of seconds from 1 to {MAX_TOLERANCE}")
    return number


class HmacProvider(Provider):
    """A sender whose signature is an HMAC over parts of the request."""

    # ---- what a subclass states -------------------------------------------------------------------
    signature: ClassVar[Signature]
    #: The parts that are signed, in order. A string stands for itself.
    signed: ClassVar[tuple[Part | str, ...]] = (BODY,)
    digest: ClassVar[Digest] = "sha256"
    encoding: ClassVar[Encoding] = "hex"

    #: Where the timestamp is, when it is not beside the signature. None and no timestamp there: not timed.
    timestamp_at: ClassVar[Part | None] = None
    timestamp_unit: ClassVar[Literal["s", "ms", "iso8601"]] = "s"
    #: Seconds that the timestamp may lie in the past or future. None where the sender documents no window: then
    #: only the option `tolerance` of a source sets one.
    tolerance: ClassVar[int | None] = None

    #: Whether there is a timestamp. Worked out from the above.
    timed: ClassVar[bool] = False
    _signed: ClassVar[tuple[Part | bytes, ...]] = (BODY,)

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls.timed = cls.timestamp_at is not None or cls.signature.has_timestamp
        cls._signed = tuple(part.encode() if isinstance(part, str) else part for part in cls.signed)

    # ---- steps ------------------------------------------------------------------------------------
    def verify(self, request: WebhookRequest, config: SourceConfig, now: float) -> None:
        texts, timestamp = self.signature.read(request)
        if self.timed:
            timestamp = self.check_timestamp(request, timestamp, config, now)
        candidates = [raw for text in texts if (raw := decode(text, self.encoding)) is not None]
        if not candidates:
            raise NotVerified("malformed_signature", f"no well-formed {self.encoding} signature was sent")
        signed = self.signed_text(request, timestamp)
        for key in self.keys(config):
            expected = mac(self.digest, key, signed)
            for candidate in candidates:
                if equal(expected, candidate):
                    return
        raise NotVerified("signature_mismatch", f"none of {len(config.secrets)} active secrets made this signature")

    def sign(self, request: WebhookRequest, config: SourceConfig, now: float) -> WebhookRequest:
        timestamp = self.write_timestamp(now)
        if self.timestamp_at is not None:
            request = self.timestamp_at.write(request, timestamp)
        raw = mac(self.digest, self.signing_key(config), self.signed_text(request, timestamp))
        return self.signature.write(request, encode(raw, self.encoding), timestamp)

    # ---- particulars that a subclass may change ---------------------------------------------------
    def key(self, secret: str) -> bytes:
        """The HMAC key that a secret stands for. Raises ValueError, not quoting the secret, if it stands for none."""
        return secret.encode()

    # ---- shared -----------------------------------------------------------------------------------
    def keys(self, config: SourceConfig) -> Iterator[bytes]:
        """The key of every active secret. Raises CannotVerify at the end if a secret was not usable as one.

        At the end, so that one bad secret does not lock out what another has signed.
        """
        problem = None
        for secret in config.secrets:
            try:
                key = self.key(secret)
            except ValueError as error:
                problem = str(error)
                continue
            if key:
                yield key
            else:
                problem = "it is empty"
        if problem is not None:
            raise CannotVerify("bad_secret", f"a secret of this source cannot be a {self.title} secret: {problem}")

    def signing_key(self, config: SourceConfig) -> bytes:
        """The key of the newest secret, to sign with. Raises ConfigurationError."""
        if not config.secrets:
            raise ConfigurationError(f"{self.title} cannot sign without a secret")
        self.check_secret(config.secrets[0])
        return self.key(config.secrets[0])

    def signed_text(self, request: WebhookRequest, timestamp: str) -> bytes:
        """The exact bytes that the signature covers. Raises VerificationError."""
        pieces = []
        for part in self._signed:
            if part is BODY:
                pieces.append(request.body)
            elif isinstance(part, bytes):
                pieces.append(part)
            elif part is TIMESTAMP:
                charset = "latin-1" if self.timestamp_at is None else self.timestamp_at.charset
                pieces.append(as_sent(timestamp, charset))
            elif part is URL:
                pieces.append(as_sent(request.url, "utf-8"))
            else:
                pieces.append(as_sent(part.read(request), part.charset))
        return b"".join(pieces)

    def check_timestamp(self, request: WebhookRequest, beside: str, config: SourceConfig, now: float) -> str:
        """The timestamp as it was sent, after refusing one that is missing, malformed or outside the window."""
        if self.timestamp_at is None:
            text = beside
            if not text:
                raise NotVerified("missing_timestamp", "no timestamp was sent")
        else:
            text = self.timestamp_at.read(request)
            if not text:
                raise self.timestamp_at.missing()
        tolerance = self.tolerance_of(config)
        if tolerance is not None:
            sent_at = self.read_timestamp(text)
            if sent_at is None:
                raise NotVerified("malformed_timestamp", f"the timestamp {text[:40]!r} cannot be read")
            age = now - sent_at
            if age > tolerance:
                raise NotVerified("timestamp_too_old", f"signed {age:.0f} s ago; at most {tolerance} s allowed")
            if age < -tolerance:
                raise NotVerified("timestamp_in_future", f"signed {-age:.0f} s ahead; at most {tolerance} s allowed")
        return text

    def tolerance_of(self, config: SourceConfig) -> int | None:
        """Seconds, from the source's option `tolerance` or the provider's own value; None: no window is enforced."""
        configured = config.options.get("tolerance")
        if configured is None:
            return self.tolerance
        try:
            return seconds(configured)
        except (ValueError, TypeError) as error:
            raise CannotVerify("bad_option", f"the option 'tolerance' of this source is wrong: {error}") from None

    def read_timestamp(self, text: str) -> float | None:
        """Unix time in seconds, or None for a text that is not a timestamp."""
        if self.timestamp_unit == "iso8601":
            try:
                moment = datetime.fromisoformat(text)
            except ValueError:
                return None
            return moment.timestamp() if moment.tzinfo else None
        number = parse_timestamp(text)
        return number / 1000 if number is not None and self.timestamp_unit == "ms" else number

    def write_timestamp(self, now: float) -> str:
        """`now` the way this sender writes it."""
        if self.timestamp_unit == "iso8601":
            return datetime.fromtimestamp(now, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        return str(int(now * 1000 if self.timestamp_unit == "ms" else now))

    # ---- configuration ----------------------------------------------------------------------------
    @property
    def known_options(self) -> tuple[Option, ...]:
        options = super().known_options
        if not self.timed:
            return options
        default = "" if self.tolerance is None else str(self.tolerance)
        text = "Seconds that the signed timestamp may lie in the past or future."
        return (*options, Option("tolerance", text, default=default, check=seconds))

    def check_secret(self, secret: str) -> None:
        super().check_secret(secret)
        try:
            self.key(secret)
        except ValueError as error:
            raise ConfigurationError(f"a secret of {self.title} cannot be used: {error}") from None


def as_sent(text: str, charset: str) -> bytes:
    """Text of a request as the bytes that came over the wire. Raises NotVerified for text that cannot have come."""
    try:
        return text.encode(charset)
    except UnicodeEncodeError:
        raise NotVerified("unencodable_text", f"a signed part is not {charset} text") from None
