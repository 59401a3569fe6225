"""The base for senders that sign parts of the request: what the HMAC, public key and keyed digest bases share.

A subclass states where the signature is (`signature`), which bytes it covers (`signed`) and how the timestamp
is checked. `verify` then reads: find the signatures and the timestamp, check its window, join the signed parts,
compare against every secret.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, ClassVar, Literal

from hookline.core.request import WebhookRequest
from hookline.core.signing import Encoding, decode, encode, parse_timestamp
from hookline.exceptions import CannotVerify, ConfigurationError, NotVerified, OutOfTime
from hookline.providers.base import Option, Provider, SourceConfig
from hookline.providers.schemes.parts import BODY, METHOD, TIMESTAMP, URL, Part
from hookline.providers.schemes.signatures import Signature

MAX_TOLERANCE = 7 * 86400

#: Stands for the timestamp; nobody signs a NUL.
_MARK = "\0"


def seconds(text: str) -> int:
    """A tolerance as an option writes it. Raises ValueError."""
    number = parse_timestamp(text)
    if not number or number > MAX_TOLERANCE:
        raise ValueError(f"write a whole number of seconds from 1 to {MAX_TOLERANCE}")
    return number


class SignedProvider(Provider):
    """A sender that signs parts of the request."""

    # ---- what a subclass states -------------------------------------------------------------------
    signature: ClassVar[Signature]
    #: The parts that are signed, in order. A string stands for itself.
    signed: ClassVar[tuple[Part | str, ...]] = (BODY,)
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
    _is_url_and_body: ClassVar[bool] = False
    #: What stands before the body, with a mark for the timestamp, where nothing else is signed.
    _head: ClassVar[str | None] = ""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        signature = getattr(cls, "signature", None)  # the bases beside this one state none
        cls.timed = cls.timestamp_at is not None or (signature is not None and signature.has_timestamp)
        cls._is_url_and_body = cls.signed == (URL, BODY)
        cls._signed = tuple(part.encode() if isinstance(part, str) else part for part in cls.signed)
        cls._head = _head_of(cls.signed)

    # ---- steps ------------------------------------------------------------------------------------
    def verify(self, request: WebhookRequest, config: SourceConfig, now: float) -> float | None:
        texts, timestamp = self.signature.read(request)
        used = None
        if self.timed:
            timestamp, used = self.check_timestamp(request, timestamp, config, now)
        self.compare(texts, self.signed_text(request, timestamp), config)
        return used

    def compare(self, texts: list[str], signed: bytes, config: SourceConfig) -> None:
        """Return if one of these signatures, as they were sent, was made for these bytes with a secret; else raise."""
        candidates = [raw for text in texts if (raw := decode(text, self.encoding)) is not None]
        if not candidates:
            raise NotVerified("malformed_signature", f"no well-formed {self.encoding} signature was sent")
        problem = None
        for secret in config.secrets:
            try:
                if self.matches(secret, signed, candidates):
                    return
            except ValueError as error:
                problem = error  # told at the end, so that one bad secret does not lock out what another has signed
        if problem is not None:
            raise CannotVerify("bad_secret", f"a secret of this source cannot be a {self.title} secret: {problem}")
        raise NotVerified("signature_mismatch", f"none of {len(config.secrets)} active secrets made this signature")

    def sign(self, request: WebhookRequest, config: SourceConfig, now: float) -> WebhookRequest:
        timestamp = self.write_timestamp(now)
        if self.timestamp_at is not None:
            request = self.timestamp_at.write(request, timestamp)
        raw = self.make(self.signing_secret(config), self.signed_text(request, timestamp))
        return self.signature.write(request, encode(raw, self.encoding), timestamp)

    # ---- steps for the bases ----------------------------------------------------------------------
    def matches(self, secret: str, signed: bytes, candidates: list[bytes]) -> bool:
        """Whether one of the signatures was made for these bytes with this secret, found in constant time.

        Raises ValueError, not quoting the secret, if it stands for no key.
        """
        raise NotImplementedError

    def make(self, secret: str, signed: bytes) -> bytes:
        """The raw signature. Raises ValueError or ConfigurationError if the secret cannot sign."""
        raise NotImplementedError

    # ---- shared -----------------------------------------------------------------------------------
    def signing_secret(self, config: SourceConfig) -> str:
        """The newest secret, to sign with. Raises ConfigurationError."""
        if not config.secrets:
            raise ConfigurationError(f"{self.title} cannot sign without a secret")
        self.check_secret(config.secrets[0])
        return config.secrets[0]

    def signed_text(self, request: WebhookRequest, timestamp: str) -> bytes:
        """The exact bytes that the signature covers. Raises VerificationError."""
        head = self._head
        if head is not None:  # most senders; `_joined` does the same, more slowly
            if not head:
                return request.body
            text = head.replace(_MARK, timestamp)
            if text.isascii():
                return text.encode() + request.body
            return as_sent(text, "latin-1" if self.timestamp_at is None else self.timestamp_at.charset) + request.body
        if self._is_url_and_body and request.url.isascii():  # as above
            return request.url.encode() + request.body
        return self._joined(request, timestamp)

    def _joined(self, request: WebhookRequest, timestamp: str) -> bytes:
        pieces = []
        for part in self._signed:
            if part is BODY:
                pieces.append(request.body)
            elif part is TIMESTAMP:
                pieces.append(as_sent(timestamp, "latin-1" if self.timestamp_at is None else self.timestamp_at.charset))
            elif part is URL:
                pieces.append(as_sent(request.url, "utf-8"))
            elif part is METHOD:
                pieces.append(as_sent(request.method, "latin-1"))
            elif isinstance(part, bytes):
                pieces.append(part)
            else:
                pieces.append(as_sent(part.read(request), part.charset))
        return b"".join(pieces)

    def check_timestamp(
        self, request: WebhookRequest, beside: str, config: SourceConfig, now: float
    ) -> tuple[str, float | None]:
        """The timestamp as it was sent, and how much of the tolerance is used up; None if there is none.

        Refuses one that is missing, malformed or outside the window.
        """
        if self.timestamp_at is None:
            text = beside
            if not text:
                raise NotVerified("missing_timestamp", "no timestamp was sent")
        else:
            text = self.timestamp_at.read(request)
            if not text:
                raise self.timestamp_at.missing()
        # From the source's option or the provider's own value; None: no window is enforced.
        tolerance = configured_tolerance(config, None) if "tolerance" in config.options else self.tolerance
        if tolerance is None:
            return text, None
        sent_at = self.read_timestamp(text)
        if sent_at is None:
            raise NotVerified("malformed_timestamp", f"the timestamp {text[:40]!r} cannot be read")
        return text, check_age(now - sent_at, tolerance)

    def read_timestamp(self, text: str) -> float | None:
        """Unix time in seconds, or None for a text that is not a timestamp."""
        unit = self.timestamp_unit
        if unit == "iso8601":
            return parse_iso8601(text)
        number = parse_timestamp(text)
        return number / 1000 if unit == "ms" and number is not None else number

    def write_timestamp(self, now: float) -> str:
        """`now` the way this sender writes it."""
        if self.timestamp_unit == "iso8601":
            return write_iso8601(now)
        return str(int(now * 1000 if self.timestamp_unit == "ms" else now))

    # ---- configuration ----------------------------------------------------------------------------
    @property
    def known_options(self) -> tuple[Option, ...]:
        options = super().known_options
        return (*options, tolerance_option(self.tolerance)) if self.timed else options


def _head_of(signed: tuple[Part | str, ...]) -> str | None:
    """What stands before the body, with a mark for the timestamp; None where something else is signed."""
    *before, last = signed
    texts = [_MARK if part is TIMESTAMP else part for part in before]
    return "".join(map(str, texts)) if last is BODY and all(isinstance(text, str) for text in texts) else None


def tolerance_option(default: int | None) -> Option:
    """The option `tolerance`, for a provider whose requests are timed."""
    text = "Seconds that the signed timestamp may lie in the past or future."
    return Option("tolerance", text, default="" if default is None else str(default), check=seconds)


def configured_tolerance(config: SourceConfig, default: int | None) -> int | None:
    """The source's option `tolerance`, or the provider's own value. Raises CannotVerify for one that was spoilt."""
    configured = config.options.get("tolerance")
    if configured is None:
        return default
    try:
        return seconds(configured)
    except (ValueError, TypeError, AttributeError) as error:
        raise CannotVerify("bad_option", f"the option 'tolerance' of this source is wrong: {error}") from None


def check_age(age: float, tolerance: float) -> float:
    """How much of the tolerance is used up. Raises NotVerified for a request outside the window. All in seconds."""
    if -tolerance <= age <= tolerance:
        return abs(age) / tolerance
    if age > 0:
        raise OutOfTime("timestamp_too_old", f"signed {age:.0f} s ago; at most {tolerance} s allowed", age)
    raise OutOfTime("timestamp_in_future", f"signed {-age:.0f} s ahead; at most {tolerance} s allowed", age)


def parse_iso8601(text: str) -> float | None:
    """Unix time in seconds of a moment with an offset, as RFC 3339 writes it; else None."""
    try:
        moment = datetime.fromisoformat(text)
        return moment.timestamp() if moment.tzinfo else None
    except (ValueError, OverflowError):
        return None


def write_iso8601(now: float) -> str:
    """`2024-07-25T08:14:51.000Z`."""
    return datetime.fromtimestamp(now, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def as_sent(text: str, charset: str) -> bytes:
    """Text of a request as the bytes that came over the wire. Raises NotVerified for text that cannot have come."""
    try:
        return text.encode(charset)
    except UnicodeEncodeError:
        raise NotVerified("unencodable_text", f"a signed part is not {charset} text") from None
