"""The flow of a webhook in, written once: `Receiver.receive`. The edges read and write HTTP.

It is a coroutine, so that an edge on an event loop can continue with other requests while one waits. As it is here, it
waits only for the database and the thread that it runs in, so `run` drives it without an event loop.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any, Protocol, TypeVar

from hookline import providers
from hookline.conf import Settings
from hookline.core.request import WebhookRequest
from hookline.core.text import printable
from hookline.db.permits import permits
from hookline.exceptions import (
    AddressNotAllowed,
    CannotStore,
    CannotVerify,
    ConfigurationError,
    NotVerified,
    RateLimited,
    TooLarge,
    UnknownSource,
    UnsupportedEncoding,
    VerificationError,
    WrongMethod,
)
from hookline.incoming.log_fields import of_source
from hookline.incoming.models import Event, Source
from hookline.incoming.receive import rejections
from hookline.incoming.receive.documents import Documents, Fetch
from hookline.incoming.receive.limits import limits_of
from hookline.incoming.receive.new_event import NewEvent
from hookline.incoming.receive.store import Stored, store
from hookline.incoming.receive.verification import Verified, verified
from hookline.providers.base import ParsedEvent, Received, Reply
from hookline.telemetry import tracing
from hookline.telemetry.emit import emit, wanted
from hookline.telemetry.records import RequestRefused

logger = logging.getLogger("hookline.incoming")
T = TypeVar("T")

#: Sources that are remembered to have been warned about. When there are more, some are warned about again.
MAX_WARNED = 10_000

#: Reads the body of the request, up to a number of bytes. Raises VerificationError or CannotStore.
ReadBody = Callable[[int], Awaitable[bytes]]


class Sources(Protocol):
    """Where sources are found."""

    def find(self, token: str) -> Source:
        """The enabled source of this token. Raises UnknownSource or CannotStore."""


class Receiver:
    """Receives requests: finds the source, verifies, deduplicates, stores, and says what to answer.

    The steps are methods, so that an edge which must not wait in its thread can take them elsewhere.
    """

    def __init__(
        self, settings: Callable[[], Settings], sources: Sources, documents: Documents, clock: Callable[[], float]
    ) -> None:
        """`clock` is Unix time in seconds."""
        self._settings = settings
        self._sources = sources
        self._documents = documents
        self._clock = clock
        #: Sources whose events were found to have no id.
        self._warned: set[int] = set()

    def receive(self, head: WebhookRequest, token: str, read_body: ReadBody) -> Coroutine[Any, Any, Reply]:
        """Answer a request, of which `head` is all but the body. The answer is true only because it is committed."""
        if tracing.tracer() is None:
            return self._receive(head, token, read_body)
        return self._receive_traced(head, token, read_body)

    async def _receive_traced(self, head: WebhookRequest, token: str, read_body: ReadBody) -> Reply:
        sent = {name: values[0] for name, values in head.headers.items() if name in ("traceparent", "tracestate")}
        with tracing.span("receive webhook", "SERVER", sent) as span:
            reply = await self._receive(head, token, read_body)
            if span is not None:
                span.set_attribute("http.response.status_code", reply.status)
            return reply

    async def _receive(self, head: WebhookRequest, token: str, read_body: ReadBody) -> Reply:
        request, source, body_read = head, None, False
        try:
            try:
                source = self.known_source(token) or await self.find_source(token)
                if source.networks is not None:
                    check_address(head.remote_addr, source)
                if source.rate_limit is not None or source.tenant.rate_limit is not None:
                    await self.admit(source)
            except (UnknownSource, AddressNotAllowed):
                # It may be disabled, or its networks wrong, by mistake: what is kept whole can be verified again.
                request, body_read = await self.with_short_body(head, read_body)
                raise
            if is_probe(head, source):
                return Reply()
            check_encoding(head)
            request = with_body(head, await read_body(self.longest_body(source)))
            body_read = True
            verified = await self.verify(request, source)
            keep_trace(verified.events)
            stored = await self.store(verified.events) if verified.events else ()
            return answer(verified.received, stored)
        except VerificationError as error:
            return await self.refuse(request, token, error, source, body_read=body_read)
        except CannotStore as error:
            return refusal(error)

    async def refuse(
        self,
        request: WebhookRequest,
        token: str,
        error: VerificationError,
        source: Source | None = None,
        *,
        body_read: bool = False,
    ) -> Reply:
        """Keep a request that is refused, for a person to see why. Returns what to answer."""
        await self.keep(rejections.Refused(request, source, token, error, body_read=body_read))
        if wanted(RequestRefused):
            emit(RequestRefused(source, error.reason, error.status, error.detail))
        return refusal(error, source)

    # ---- the steps that take time ------------------------------------------------------------------
    def known_source(self, token: str) -> Source | None:
        """The source where finding it takes no time, as nearly always on an event loop."""
        return None

    async def find_source(self, token: str) -> Source:
        return self._sources.find(token)

    async def admit(self, source: Source) -> None:
        """Raises RateLimited for a request beyond the limit of the source or tenant, or CannotStore."""
        permits.admit(limits_of(source))

    async def verify(self, request: WebhookRequest, source: Source) -> Verified:
        return self.verified(request, source, self._documents.fetch)

    async def store(self, events: Sequence[NewEvent]) -> Sequence[Stored]:
        """Commit the events. Raises CannotStore."""
        return store(events)

    async def keep(self, refused: rejections.Refused) -> None:
        rejections.record_all([refused])

    async def with_short_body(self, head: WebhookRequest, read_body: ReadBody) -> tuple[WebhookRequest, bool]:
        """The request with its body if that is short enough to be kept whole, and whether it is."""
        settings = self._settings()
        try:
            return with_body(head, await read_body(min(settings.REJECTION_BODY_BYTES, settings.MAX_BODY_BYTES))), True
        except VerificationError:
            return head, False

    # ---- and those that do not ---------------------------------------------------------------------
    def longest_body(self, source: Source) -> int:
        """How many bytes a request to this source may have: MAX_BODY_BYTES, or more where the sender documents more."""
        try:
            documented = providers.get(source.provider).max_body_bytes
        except ConfigurationError:  # no such provider any more; verifying will say so
            documented = 0
        return max(self._settings().MAX_BODY_BYTES, documented)

    def verified(self, request: WebhookRequest, source: Source, fetch: Fetch) -> Verified:
        """`verified` at this moment. Raises VerificationError."""
        found = verified(request, source, self._clock(), fetch)
        for event in found.received.events:
            if not (event.provider_id or event.problem):
                self._warn_of_missing_ids(source, event)
                break
        return found

    def _warn_of_missing_ids(self, source: Source, event: ParsedEvent) -> None:
        """Once for each source."""
        if source.pk.int in self._warned:
            return
        if len(self._warned) >= MAX_WARNED:
            self._warned.clear()
        self._warned.add(source.pk.int)
        consequence = "duplicates are found by a hash of the signed bytes"
        if event.if_known == "repeat":
            consequence = "each is processed, a retry or replay too, unless the source says repeated_bodies=refuse"
        logger.warning(
            "%s events of source %s have no event id; %s",
            source.provider,
            source.public_id,
            consequence,
            extra=of_source(source),
        )


def keep_trace(events: Sequence[NewEvent]) -> None:
    """Keep with the events of one request the span in which it is received, for the run of their handlers."""
    if events and (carrier := tracing.carrier()):
        headers = {**events[0].headers, **carrier}
        for event in events:
            event.headers = headers


def run(flow: Coroutine[Any, Any, T]) -> T:
    """What a flow that never waits returns."""
    try:
        flow.send(None)
    except StopIteration as done:
        result: T = done.value
        return result
    flow.close()
    raise RuntimeError("the flow waits for something, and there is no event loop")


def receive(receiver: Receiver, request: WebhookRequest, token: str) -> Reply:
    """Answer a request that is here as a whole, in this thread."""

    async def read_body(most: int) -> bytes:
        if len(request.body) > most:
            raise TooLarge("too_large", f"the body is longer than {most} bytes")
        return request.body

    return run(receiver.receive(request, token, read_body))


def with_body(head: WebhookRequest, body: bytes) -> WebhookRequest:
    return WebhookRequest(head.method, head.url, head.headers, body, head.remote_addr)


def is_probe(head: WebhookRequest, source: Source) -> bool:
    """Whether it only asks if the URL is there, as Intercom and others do when it is entered."""
    return head.method == "HEAD" and "HEAD" not in methods_of(source)


def check_address(address: str, source: Source) -> None:
    """Raises AddressNotAllowed unless the source accepts requests from this address, or CannotVerify."""
    try:
        allowed = source.allows(address)
    except ConfigurationError as error:  # somebody wrote into the table
        raise CannotVerify("bad_networks", str(error)) from None
    if not allowed:
        raise AddressNotAllowed("address_not_allowed", f"{printable(address, 64) or 'an unknown address'} is in none")


def check_encoding(head: WebhookRequest) -> None:
    """Raises UnsupportedEncoding for a compressed body, which would only be a signature that does not match."""
    for value in head.headers.get("content-encoding", ()):
        if value.lower() not in ("", "identity"):
            raise UnsupportedEncoding("content_encoding", f"the body is encoded as {value[:80]!r}; send it plain")


def methods_of(source: Source) -> frozenset[str]:
    try:
        return providers.get(source.provider).methods
    except ConfigurationError:
        return frozenset()


def answer(received: Received, stored: Sequence[Stored]) -> Reply:
    """The provider's own reply where it prescribes one; else the JSON of the contract."""
    if received.reply is not None:
        return received.reply
    if len(stored) == 1:
        # Written out, because every acknowledgement is one: no character of an id needs to be escaped.
        (one,) = stored
        text = f'{{"status":"{"duplicate" if one.duplicate else "accepted"}","id":"{Event.public(one.id)}"}}'
        return Reply(text.encode(), "application/json")
    all_known = bool(stored) and all(item.duplicate for item in stored)
    ids = [Event.public(item.id) for item in stored]
    return Reply.json({"status": "duplicate" if all_known else "accepted", "ids": ids})


def refusal(error: VerificationError | CannotStore, source: Source | None = None) -> Reply:
    """The reply to a request that was not accepted: a code, and never why a signature failed."""
    if isinstance(error, NotVerified) and source is not None:
        prescribed = providers.get(source.provider).refusal
        if prescribed is not None:
            return prescribed
    return Reply.json({"error": {"code": error.code}}, status=error.status, headers=_headers_of(error, source))


def _headers_of(error: VerificationError | CannotStore, source: Source | None) -> tuple[tuple[str, str], ...]:
    if isinstance(error, RateLimited):
        return (("retry-after", str(max(1, math.ceil(error.wait)))),)
    if error.status in (429, 503):
        return (("retry-after", "30"),)
    if isinstance(error, WrongMethod) and source is not None:  # RFC 9110 section 15.5.6
        return (("allow", ", ".join(sorted({"HEAD", *methods_of(source)}))),)
    if isinstance(error, UnsupportedEncoding):  # RFC 9110 section 15.5.16
        return (("accept-encoding", "identity"),)
    return ()
