"""Where the signature stands in a request and how it is written."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from hookline.core.request import WebhookRequest
from hookline.exceptions import NotVerified
from hookline.providers.schemes.parts import Header, Part

#: More items than this in one header is an attempt to make us compute.
MAX_ITEMS = 16


class Signature(Protocol):
    """How to find the signatures of a request."""

    @property
    def has_timestamp(self) -> bool:
        """Whether the timestamp stands beside the signature."""
        ...

    def read(self, request: WebhookRequest) -> tuple[list[str], str]:
        """The encoded signatures, and the timestamp if it stands here, else "". Raises VerificationError."""
        ...

    def write(self, request: WebhookRequest, signature: str, timestamp: str) -> WebhookRequest:
        """A copy of the request with this signature, as the sender would write it."""
        ...


@dataclass(frozen=True, slots=True)
class Plain:
    """One signature on its own, behind a fixed prefix: `sha256=abc`. `where` is a header's name or another part."""

    where: str | Part
    prefix: str = ""
    #: What may also stand before the signature, and is left out.
    optional_prefix: str = ""

    has_timestamp = False

    def read(self, request: WebhookRequest) -> tuple[list[str], str]:
        where = self.where
        if isinstance(where, str):
            value = required_header(request, where)
        elif not (value := where.read(request)):
            raise where.missing()
        if not value.startswith(self.prefix):
            raise NotVerified("malformed_signature", f"{where} does not begin with {self.prefix!r}")
        value = value[len(self.prefix) :]
        return [value.removeprefix(self.optional_prefix) if self.optional_prefix else value], ""

    def write(self, request: WebhookRequest, signature: str, timestamp: str) -> WebhookRequest:
        where = Header(self.where) if isinstance(self.where, str) else self.where
        return where.write(request, self.prefix + signature)


@dataclass(frozen=True, slots=True)
class Numbered:
    """One signature per header, for each of the sender's keys: `x-signature-1`, `x-signature-2` and so on."""

    prefix: str
    #: The maximum number of keys that a sender has.
    limit: int

    has_timestamp = False

    def read(self, request: WebhookRequest) -> tuple[list[str], str]:
        names = [name for name in request.headers if name.startswith(self.prefix)]
        if len(names) > self.limit:
            raise NotVerified("malformed_signature", f"more than {self.limit} headers {self.prefix}N were sent")
        signatures = [value for name in names if (value := request.header(name))]
        if not signatures:
            raise NotVerified("missing_header", f"the header {self.prefix}1 is missing")
        return signatures, ""

    def write(self, request: WebhookRequest, signature: str, timestamp: str) -> WebhookRequest:
        return request.with_headers({f"{self.prefix}1": signature})


@dataclass(frozen=True, slots=True)
class KeyValues:
    """`t=1,v1=abc,v1=def`: pairs in one header, with the timestamp among them if `timestamp` names its key."""

    header: str
    signature: str
    timestamp: str = ""
    separator: str = ","

    @property
    def has_timestamp(self) -> bool:
        return bool(self.timestamp)

    def read(self, request: WebhookRequest) -> tuple[list[str], str]:
        signatures: list[str] = []
        timestamp = None
        for pair in required_header(request, self.header).split(self.separator.strip() or self.separator, MAX_ITEMS):
            key, _, value = pair.lstrip().partition("=")
            if key == self.signature:
                signatures.append(value)
            elif key and key == self.timestamp:
                if timestamp is not None:
                    raise NotVerified("malformed_timestamp", f"{self.header} has two timestamps")
                timestamp = value
        return signatures, timestamp or ""

    def write(self, request: WebhookRequest, signature: str, timestamp: str) -> WebhookRequest:
        pairs = [f"{self.timestamp}={timestamp}"] if self.timestamp else []
        return request.with_headers({self.header: self.separator.join([*pairs, f"{self.signature}={signature}"])})


@dataclass(frozen=True, slots=True)
class Tagged:
    """`v1,abc v1,def v1a,ghi`: a list in one header, each signature behind its version."""

    header: str
    tag: str
    between: str = " "
    after_tag: str = ","
    #: What may stand behind each signature, and is left out.
    trailing: str = ""

    has_timestamp = False

    def read(self, request: WebhookRequest) -> tuple[list[str], str]:
        signatures = []
        for item in required_header(request, self.header).split(self.between, MAX_ITEMS):
            tag, _, value = item.partition(self.after_tag)
            if tag == self.tag:
                signatures.append(value.removesuffix(self.trailing) if self.trailing else value)
        return signatures, ""

    def write(self, request: WebhookRequest, signature: str, timestamp: str) -> WebhookRequest:
        return request.with_headers({self.header: f"{self.tag}{self.after_tag}{signature}"})


@dataclass(frozen=True, slots=True)
class Repeated:
    """The signature stands in a header that may be sent several times: once for each of the sender's secrets."""

    header: str
    prefix: str = ""

    has_timestamp = False

    def read(self, request: WebhookRequest) -> tuple[list[str], str]:
        values = [value for value in request.headers.get(self.header, ()) if value][:MAX_ITEMS]
        if not values:
            raise NotVerified("missing_header", f"the header {self.header} is missing")
        # A proxy may have joined them into one (RFC 9110 section 5.3).
        items = [item.strip(" \t") for value in values for item in value.split(",", MAX_ITEMS)]
        return [item[len(self.prefix) :] for item in items if item.startswith(self.prefix)], ""

    def write(self, request: WebhookRequest, signature: str, timestamp: str) -> WebhookRequest:
        return request.with_headers({self.header: self.prefix + signature})


@dataclass(frozen=True, slots=True)
class TimestampFirst:
    """`1700000000000,abc,def`: the timestamp and then the signatures, in one header and told apart by position."""

    header: str
    separator: str = ","

    has_timestamp = True

    def read(self, request: WebhookRequest) -> tuple[list[str], str]:
        timestamp, *signatures = required_header(request, self.header).split(self.separator, MAX_ITEMS)
        return signatures, timestamp

    def write(self, request: WebhookRequest, signature: str, timestamp: str) -> WebhookRequest:
        return request.with_headers({self.header: f"{timestamp}{self.separator}{signature}"})


def required_header(request: WebhookRequest, name: str) -> str:
    """A header that must be there and not empty. Raises NotVerified, or Unreadable when it was sent twice."""
    values = request.headers.get(name)
    if values is not None and len(values) == 1 and values[0]:  # as nearly always; the slow way tells what is wrong
        return values[0]
    value = request.header(name)
    if not value:
        raise NotVerified("missing_header", f"the header {name} is missing")
    return value
