"""Outcome: what one Attempt means for its Delivery. Pure.

Only a status of 2xx is a success, as soon as the status line and the headers were read: the consumer then has the
webhook, and repeating it because of a body that nobody needs would have it processed twice. Redirects are not followed,
so 3xx is a failure: the endpoint's URL should be changed. A 4xx is retried like a 5xx, because endpoints get fixed and
a delivery that is not retried is lost. 410 says that the endpoint is gone for good (Standard Webhooks, section
"Consumer replies": https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from functools import cache

from hookline.core.retry_after import parse_retry_after


class Failure(StrEnum):
    """Why there is no complete response. The value is stored with the Attempt."""

    DNS_FAILED = "dns_failed"  # the name has no address, or the resolver did not answer
    CONNECT_FAILED = "connect_failed"  # no connection: refused, unreachable
    TLS_FAILED = "tls_failed"  # the certificate is not valid for this name, or TLS itself broke, then or later
    TIMEOUT = "timeout"  # the deadline passed, at whatever step
    DISCONNECTED = "disconnected"  # the connection broke before the response was complete
    BAD_RESPONSE = "bad_response"  # what came back is not HTTP
    HEADERS_TOO_LARGE = "headers_too_large"  # the response has longer or more headers than Hookline reads
    BODY_TOO_LARGE = "body_too_large"  # only for fetch(): a document that is cut off is of no use
    ADDRESS_REFUSED = "address_refused"  # Hookline does not connect to this URL or address; nothing was sent
    PROXY_FAILED = "proxy_failed"  # the endpoint's forward proxy made no connection to it
    TOKEN_FAILED = "token_failed"  # its authorisation server gave no token; nothing was sent
    INVALID_REQUEST = "invalid_request"  # a header cannot be sent; nothing was sent


class Verdict(StrEnum):
    """What to do with the Delivery."""

    SUCCEEDED = "succeeded"
    RETRY = "retry"  # try again on the schedule
    GONE = "gone"  # suspend the endpoint
    #: Hookline itself declined to send. Tried again on the schedule too, since DNS answers and settings change, but a
    #: person should look at the endpoint, and it says nothing about the consumer's health.
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Outcome:
    """`reason` is a Failure or `status_<code>`. `retry_after`: seconds the consumer asked for, at most 24 hours."""

    verdict: Verdict
    reason: str
    retry_after: float | None = None

    @property
    def succeeded(self) -> bool:
        return self.verdict is Verdict.SUCCEEDED


_NOT_SENT = frozenset((Failure.ADDRESS_REFUSED, Failure.INVALID_REQUEST))
_RETRY_AFTER_STATUSES = frozenset((429, 503))


def classify(status: int | None, error: str | None, retry_after: str | None, now: float) -> Outcome:
    """The outcome of an attempt. `error` is a Failure or empty, `retry_after` the raw header, `now` Unix time.

    A 2xx counts for more than an error, which then came in its body. Any other status counts for less: what broke off
    may be a proxy's word, and 410 suspends the endpoint.
    """
    if status is not None and 200 <= status <= 299:
        return _succeeded(status)
    if error:
        return Outcome(Verdict.REFUSED if error in _NOT_SENT else Verdict.RETRY, error)
    if status is None:
        return Outcome(Verdict.RETRY, Failure.BAD_RESPONSE)
    reason = f"status_{status}"
    if status == 410:
        return Outcome(Verdict.GONE, reason)
    wait = parse_retry_after(retry_after, now) if status in _RETRY_AFTER_STATUSES else None
    return Outcome(Verdict.RETRY, reason, wait)


@cache
def _succeeded(status: int) -> Outcome:
    return Outcome(Verdict.SUCCEEDED, f"status_{status}")
