"""Every error that Hookline raises, in one place. Standard library only.

HooklineError
├── ConfigurationError          a setting, source, endpoint or handler is wrong; a person must change it
├── VerificationError           an incoming request is refused; carries the HTTP status and two codes
│   ├── Unreadable              400: the request is not what this provider sends
│   ├── NotVerified             401: signature, token or timestamp is missing or wrong
│   │   └── OutOfTime           signed too long ago, or ahead of this machine's clock
│   ├── AddressNotAllowed       403: the client's address is not in the source's networks
│   ├── UnknownSource           404: no enabled source has this token
│   ├── WrongMethod             405: this provider does not use this HTTP method
│   ├── TooLarge                413: the body is longer than the limit
│   ├── UnsupportedEncoding     415: the body is compressed
│   ├── RateLimited             429: more requests than the source or tenant may get
│   ├── HeadersTooLarge         431: more headers than any sender needs
│   └── CannotVerify            503: nothing to verify with (no secret, key cannot be fetched); the sender retries
├── CannotStore                 503: the event is genuine but could not be committed; the sender retries
├── DispatchError               `dispatch()` was called with something that cannot be sent
│   ├── InvalidEventType        also a ValueError
│   ├── NotSerializable         also a TypeError
│   ├── MessageTooLarge         also a ValueError
│   ├── SchemaViolation         the data are not what the schema of their type says; also a ValueError
│   └── KeyReused               the idempotency key belongs to a message with other content; also a ValueError
├── DoesNotFit                  `event.parse()`: what was sent is not what the dataclass says; also a ValueError
├── AddressRefused              a URL or address that Hookline will not connect to
├── NotAuthenticated            401: no key, or one that is not genuine, has expired or was revoked
├── NotAllowed                  403: the key may not do this
├── NotFound                    nothing has this id
├── Conflict                    it cannot be done to this object as it is now, such as retrying what still runs
├── LeaseLost                   a job now belongs to another worker; what this one did is rolled back
└── HandlerOutcome              raised by a handler on purpose
    ├── Retry                   try this event again later
    └── Discard                 this event needs no processing
"""

from __future__ import annotations

from datetime import timedelta
from typing import ClassVar


class HooklineError(Exception):
    """Base class of every error that Hookline raises."""


class ConfigurationError(HooklineError):
    """A setting, source, endpoint or handler is wrong, and a person must change it."""


class VerificationError(HooklineError):
    """An incoming request is refused.

    `status` and `code` go to the caller; `reason` and `detail` are for the operator only
    (Rejection and log), because telling a forger what was wrong helps only the forger.
    """

    status: ClassVar[int] = 400
    code: ClassVar[str] = "unreadable"

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason = reason
        self.detail = detail


class Unreadable(VerificationError):
    """The request is not what this provider sends: bad JSON, a missing field, a repeated header."""

    status = 400
    code = "unreadable"


class NotVerified(VerificationError):
    """Signature, token or timestamp is missing or wrong."""

    status = 401
    code = "verification_failed"


class OutOfTime(NotVerified):
    """It was signed outside of the time window. `age` is how long ago, in seconds; negative ahead of the clock."""

    def __init__(self, reason: str, detail: str, age: float) -> None:
        super().__init__(reason, detail)
        self.age = age


class AddressNotAllowed(VerificationError):
    """The client's address is not among those from which the source accepts requests."""

    status = 403
    code = "forbidden"


class UnknownSource(VerificationError):
    """No enabled source has the token of this URL."""

    status = 404
    code = "unknown_source"


class WrongMethod(VerificationError):
    """The provider of this source does not use this HTTP method."""

    status = 405
    code = "method_not_allowed"


class TooLarge(VerificationError):
    """The body is longer than `MAX_BODY_BYTES` and than what the sender documents."""

    status = 413
    code = "too_large"


class UnsupportedEncoding(VerificationError):
    """The body is compressed (`Content-Encoding`); its sender signs, and we read, plain bytes."""

    status = 415
    code = "unsupported_encoding"


class HeadersTooLarge(VerificationError):
    """The header section has more headers, or more bytes, than any sender needs."""

    status = 431
    code = "headers_too_large"


class RateLimited(VerificationError):
    """More requests came than the source or its tenant accepts. `wait`: seconds until there is room again."""

    status = 429
    code = "rate_limited"

    def __init__(self, whose: str, per_second: float, wait: float) -> None:
        super().__init__("rate_limited", f"the {whose} accepts {per_second:g} requests a second")
        self.wait = wait


class CannotVerify(VerificationError):
    """There is nothing to verify with: no secret is configured, or a key could not be fetched.

    Never a pass: the sender gets a 503 and tries again, the operator gets the reason.
    """

    status = 503
    code = "cannot_verify"


class CannotStore(HooklineError):
    """The event is genuine but could not be committed now. The sender gets a 503 and tries again."""

    status: ClassVar[int] = 503
    code: ClassVar[str] = "cannot_store"


class DispatchError(HooklineError):
    """`dispatch()` was called with something that cannot be sent. Nothing was written."""


class InvalidEventType(DispatchError, ValueError):
    """The event type does not match `[A-Za-z0-9._-]{1,256}`."""


class NotSerializable(DispatchError, TypeError):
    """The data holds a value that has no agreed JSON form. The message names the path and the type."""


class MessageTooLarge(DispatchError, ValueError):
    """The serialised message is longer than `MAX_MESSAGE_BYTES`."""


class SchemaViolation(DispatchError, ValueError):
    """The data are not what the schema of their event type says. The message names the path and the rule."""


class KeyReused(DispatchError, ValueError):
    """The idempotency key belongs to a message of another type or with other data."""


class DoesNotFit(HooklineError, ValueError):
    """What a sender sent is not what a dataclass says. The message names the path and what was expected."""


class AddressRefused(HooklineError):
    """A URL or network address that Hookline will not connect to (see `hookline.core.addresses`)."""


class NotAuthenticated(HooklineError):
    """A request has no key, or one that is not genuine, has expired or was revoked. The caller learns only that."""


class NotAllowed(HooklineError):
    """The key is genuine and may not do this. The message names the scope that it lacks."""


class NotFound(HooklineError):
    """Nothing has this id, key or uid."""


class Conflict(HooklineError):
    """The object is not in a state in which this can be done to it. Nothing was changed."""


class LeaseLost(HooklineError):
    """The job now belongs to another worker. Raised inside the transaction, so that it rolls back."""


class HandlerOutcome(HooklineError):
    """Base of what a handler may raise on purpose. Everything that the handlers wrote is rolled back."""


class Retry(HandlerOutcome):
    """Raise in a handler to have the event retried.

    `after` is a number of seconds or a timedelta; without it the retry schedule decides.
    The attempt counts towards the limit, so an event cannot be put off for ever. Raises ValueError for a time that is
    negative or longer than a year.
    """

    #: A year, in seconds.
    LONGEST: ClassVar[int] = 366 * 86_400

    def __init__(self, after: float | timedelta | None = None, reason: str = "") -> None:
        super().__init__(reason or "the handler asked for a retry")
        seconds = after.total_seconds() if isinstance(after, timedelta) else after
        if seconds is not None and not (isinstance(seconds, int | float) and 0 <= seconds <= self.LONGEST):
            raise ValueError(
                f"Retry(after={after!r}): use a number of seconds from 0 to {self.LONGEST}, or a timedelta"
            )
        self.after = seconds


class Discard(HandlerOutcome):
    """Raise in a handler to say that this event needs no processing. It ends as `cancelled`."""

    def __init__(self, reason: str = "") -> None:
        super().__init__(reason or "the handler discarded the event")
        self.reason = reason or "the handler discarded the event"
