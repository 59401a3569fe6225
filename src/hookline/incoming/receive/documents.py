"""Fetching the documents that verifying needs: certificates, key sets, keys. Guarded, bounded, remembered.

The caller may choose which document is needed. So a fetch goes through the guarded transport, only to the hosts that
the provider names. Each document is fetched once while other requests wait for it. The number of fetches is limited,
also per source (`fetch_queue`). A failed fetch is not retried for a while, and does not replace a document that
has verified something (`remembered`). If a document cannot be fetched, the request is refused with a 503: the sender
retries, and nothing is accepted unverified.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING
from uuid import UUID

from hookline import conf
from hookline.core.text import printable
from hookline.exceptions import CannotVerify, ConfigurationError
from hookline.incoming.receive.fetch_queue import FetchQueue
from hookline.incoming.receive.remembered import Identity, Kept, Remembered
from hookline.providers.schemes.documents import Document, DocumentNeeded

if TYPE_CHECKING:
    from hookline.transport.transport import Response

logger = logging.getLogger("hookline.incoming")

#: Seconds. Most senders give up on a webhook after 10 or more; they get the 503 before that, and come back.
FETCH_DEADLINE = 5.0
#: How long a failure is remembered, in seconds.
FAILURE_AGE = 30.0


@dataclass(frozen=True, slots=True)
class Fetch:
    """A way to get documents. `get` returns one for a source or raises CannotVerify; DocumentNeeded if it would have
    to wait for it. `verified` is told which document verified a request to which source.
    """

    get: Callable[[Document, UUID | None], bytes]
    verified: Callable[[Document, UUID | None], None]

    def __call__(self, document: Document, source: UUID | None = None) -> bytes:
        return self.get(document, source)


class Documents:
    """Documents by what identifies them, shared by the threads of a process."""

    def __init__(
        self, load: Callable[[Document], Response] | None = None, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        """`load` fetches one document; the default does so over the network."""
        self._load = load or load_document
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._remembered = Remembered()
        self._queue: FetchQueue[Kept] = FetchQueue(monotonic)
        self._under_way: dict[Identity, _UnderWay] = {}
        #: The document if it is remembered; never waits. Raises DocumentNeeded, or CannotVerify after a failure.
        self.cached = Fetch(self._cached, self._verified)
        #: The document, fetched if it must be. Not for an event loop's thread: it waits. Raises CannotVerify.
        self.fetch = Fetch(self._fetch, self._verified)

    def obtain(self, document: Document, source: UUID | None) -> Future[Kept]:
        """Have a document fetched; then `cached` has it, or says why it could not be had. Waits for nothing.

        Raises CannotVerify when too many are asked for; the future may, too.
        """
        key = document.identity
        with self._lock:
            if (others := self._under_way.get(key)) is not None:
                others.sources.add(source)
                return others.future
            before = self._remembered.find(key, source) or Kept()
            under_way = self._under_way[key] = _UnderWay({source})
            under_way.future.set_running_or_notify_cancel()  # so that nobody who waits can cancel it for the others
            proven = self._remembered.has_verified(key)
        try:
            running = self._queue.submit(source, lambda: self._try(document, before), proven=proven)
        except CannotVerify as error:
            with self._lock:
                del self._under_way[key]
            under_way.future.set_exception(error)
            raise
        running.add_done_callback(lambda done: self._finish(key, before, under_way, done))
        return under_way.future

    def forget(self) -> None:
        """Remember nothing, for tests."""
        with self._lock:
            self._remembered.clear()
            self._queue = FetchQueue(self._monotonic)

    def _cached(self, document: Document, source: UUID | None) -> bytes:
        with self._lock:
            kept = self._remembered.find(document.identity, source)
        if kept is None or (content := self._content(document, kept)) is None:
            raise DocumentNeeded(document)
        return content

    def _fetch(self, document: Document, source: UUID | None) -> bytes:
        _check_no_loop()
        try:
            return self._cached(document, source)
        except DocumentNeeded:
            kept = self.obtain(document, source).result()
        content = self._content(document, kept)
        if content is None:  # only where a document may hardly be remembered at all
            raise CannotVerify("document_unavailable", f"{document.url[:200]} was out of date when it came")
        return content

    def _verified(self, document: Document, source: UUID | None) -> None:
        with self._lock:
            self._remembered.verified(document.identity, source)

    def _content(self, document: Document, kept: Kept) -> bytes | None:
        """The content if it is fresh enough; None if it must be fetched. Raises CannotVerify for a recent failure."""
        now = self._monotonic()
        if kept.content and now - kept.had_at < document.max_age:
            return kept.content
        if kept.failure and now - kept.failed_at < FAILURE_AGE:
            raise CannotVerify("document_unavailable", f"{document.url[:200]} could not be fetched: {kept.failure}")
        return None

    def _finish(self, key: Identity, before: Kept, under_way: _UnderWay, done: Future[Kept]) -> None:
        error = done.exception()
        if isinstance(error, CannotVerify):  # it waited too long for a place, which says nothing about the document
            with self._lock:
                del self._under_way[key]
            under_way.future.set_exception(error)
            return
        if error is not None:
            logger.error("a fetch was interrupted", exc_info=error)
            kept = replace(before, failure="the fetch was interrupted", failed_at=self._monotonic())
        else:
            kept = done.result()
        with self._lock:
            del self._under_way[key]
            for source in under_way.sources:
                self._remembered.keep(key, source, kept)
        under_way.future.set_result(kept)

    def _try(self, document: Document, before: Kept) -> Kept:
        """A failure keeps what was had before: a key set that is fresh enough for one token may not be for another."""
        failure = ""
        try:
            response = self._load(document)
        except ConfigurationError as error:  # ALLOWED_SUBNETS
            failure = str(error)
        else:
            failure = _failure_of(response)
        now = self._monotonic()
        if not failure:
            return Kept(response.body, now)
        logger.error(
            "cannot fetch %s, which verifying a webhook needs: %s",
            printable(document.url, 200),
            printable(failure, 500),
        )
        return replace(before, failure=failure, failed_at=now)


@dataclass(frozen=True, slots=True)
class _UnderWay:
    """A fetch, and the sources whose requests wait for it."""

    sources: set[UUID | None]
    future: Future[Kept] = field(default_factory=Future)


def _failure_of(response: Response) -> str:
    if response.error:
        return f"{response.error}: {response.detail}"
    if response.status != 200:
        return f"the answer was {response.status}"
    return "" if response.body else "the answer was empty"


def _check_no_loop() -> None:
    """Raises RuntimeError on an event loop's thread, which would stand still meanwhile."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return
    raise RuntimeError("a document must not be fetched on the thread of an event loop")


def load_document(document: Document) -> Response:
    """Fetch a document through the guarded transport; the same rules as for endpoints, and the document's own hosts.

    Raises RuntimeError on an event loop's thread.
    """
    _check_no_loop()
    return asyncio.run(_load(document))


async def _load(document: Document) -> Response:
    from hookline.transport.transport import Transport, TransportSettings  # few senders have documents

    settings = conf.get()
    policy = settings.address_policy
    body = document.body if document.method == "POST" else None
    async with Transport(policy, TransportSettings(deadline=FETCH_DEADLINE, concurrency=1)) as transport:
        return await transport.fetch(
            document.url, document.max_bytes, document.allowed_hosts, dict(document.headers), body
        )


#: The documents of this process.
documents = Documents()
