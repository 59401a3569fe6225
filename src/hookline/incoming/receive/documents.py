"""Fetching the documents that verifying needs: certificates, key sets, keys. Guarded, bounded, remembered.

Which document is needed may be the caller's choice, so a fetch goes through the guarded transport, to the hosts that
the provider names and no others; each document is fetched by one thread while the others wait for it; only so many are
fetched at the same time; and what failed is not tried again for a while. Whoever cannot get a document refuses the
request with a 503: the sender tries again, and nothing passes unverified.
"""

from __future__ import annotations

import asyncio
import logging
import math
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, replace

from hookline import conf
from hookline.core.addresses import AddressPolicy
from hookline.core.request import WebhookRequest
from hookline.exceptions import CannotVerify, ConfigurationError
from hookline.providers.base import Provider, Received, SourceConfig
from hookline.providers.schemes.documents import Document, DocumentNeeded
from hookline.transport.transport import Response, Transport, TransportSettings

logger = logging.getLogger("hookline.incoming")

#: More than these for one request is not verification any more. The longest way: a key set, and the same set fresh.
MAX_DOCUMENTS = 3
#: Documents that are remembered, each no longer than its `max_bytes`.
MAX_REMEMBERED = 256
#: Fetches under way at the same time in one process. A sender's own thread waits, so they also bound threads.
MAX_FETCHES = 8
#: Seconds. Most senders give up on a webhook after 10 or more; they get the 503 before that, and come back.
FETCH_DEADLINE = 5.0
#: How long a failure is remembered, in seconds.
FAILURE_AGE = 30.0

Fetch = Callable[[Document], bytes]


def receive_with(
    fetch: Fetch, provider: Provider, request: WebhookRequest, config: SourceConfig, now: float
) -> Received:
    """`provider.receive`, called again with each document that it asks for. Raises VerificationError.

    `fetch` returns a document or raises CannotVerify; DocumentNeeded if it would have to wait for it.
    """
    found: dict[Document, bytes | CannotVerify] = {}
    while True:
        try:
            return provider.receive(request, replace(config, documents=found) if found else config, now)
        except DocumentNeeded as needed:
            if len(found) == MAX_DOCUMENTS:
                raise CannotVerify("document_unavailable", f"more than {MAX_DOCUMENTS} documents were needed") from None
            document = needed.document
        try:
            found[document] = fetch(document)
        except DocumentNeeded:
            raise  # it would have to be waited for, which this caller does not do
        except CannotVerify as error:
            found[document] = error  # another secret may lead to another document


@dataclass(frozen=True, slots=True)
class _Kept:
    """A document as it was last had, and why the last try failed if it did. Times are monotonic."""

    content: bytes = b""
    had_at: float = -math.inf
    failure: str = ""
    failed_at: float = -math.inf

    def answer(self, document: Document, now: float) -> bytes | None:
        """The content if it is fresh enough; None if it must be fetched. Raises CannotVerify for a recent failure."""
        if self.content and now - self.had_at < document.max_age:
            return self.content
        if self.failure and now - self.failed_at < FAILURE_AGE:
            raise CannotVerify("document_unavailable", f"{document.url[:200]} could not be fetched: {self.failure}")
        return None


class Documents:
    """Documents by what identifies them, shared by the threads of a process."""

    def __init__(
        self, load: Callable[[Document], Response] | None = None, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        """`load` fetches one document; the default does so over the network."""
        self._load = load or load_document
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._kept: OrderedDict[tuple[object, ...], _Kept] = OrderedDict()
        self._under_way: dict[tuple[object, ...], Future[_Kept]] = {}

    def cached(self, document: Document) -> bytes:
        """The document if it is remembered; never waits. Raises DocumentNeeded, or CannotVerify after a failure."""
        with self._lock:
            content = self._find(document)
        if content is None:
            raise DocumentNeeded(document)
        return content

    def fetch(self, document: Document) -> bytes:
        """The document, fetched if it must be. Not for an event loop's thread: it waits. Raises CannotVerify."""
        key = document.identity
        with self._lock:
            if (content := self._find(document)) is not None:
                return content
            before = self._kept.get(key, _Kept())
            others = self._under_way.get(key)
            if others is None:
                if len(self._under_way) >= MAX_FETCHES:
                    raise CannotVerify("document_unavailable", "too many documents are being fetched")
                mine = self._under_way[key] = Future()
        if others is not None:
            return self._answer(document, others.result())
        result = replace(before, failure="the fetch was interrupted", failed_at=self._monotonic())
        try:
            result = self._try(document, before)
        finally:
            with self._lock:
                del self._under_way[key]
                self._keep(key, result)
            mine.set_result(result)
        return self._answer(document, result)

    def forget(self) -> None:
        """Remember nothing, for tests."""
        with self._lock:
            self._kept.clear()

    def _find(self, document: Document) -> bytes | None:
        kept = self._kept.get(document.identity)
        if kept is None:
            return None
        self._kept.move_to_end(document.identity)
        return kept.answer(document, self._monotonic())

    def _answer(self, document: Document, result: _Kept) -> bytes:
        content = result.answer(document, self._monotonic())
        if content is None:  # only where a document may hardly be remembered at all
            raise CannotVerify("document_unavailable", f"{document.url[:200]} was out of date when it came")
        return content

    def _keep(self, key: tuple[object, ...], result: _Kept) -> None:
        self._kept[key] = result
        self._kept.move_to_end(key)
        while len(self._kept) > MAX_REMEMBERED:
            self._kept.popitem(last=False)

    def _try(self, document: Document, before: _Kept) -> _Kept:
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
            return _Kept(response.body, now)
        logger.error("cannot fetch %s, which verifying a webhook needs: %s", document.url[:200], failure)
        return replace(before, failure=failure, failed_at=now)


def _failure_of(response: Response) -> str:
    if response.error:
        return f"{response.error}: {response.detail}"
    if response.status != 200:
        return f"the answer was {response.status}"
    return "" if response.body else "the answer was empty"


def load_document(document: Document) -> Response:
    """Fetch a document through the guarded transport; the same rules as for endpoints, and the document's own hosts.

    Raises RuntimeError on an event loop's thread, which would stand still meanwhile.
    """
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(_load(document))
    raise RuntimeError("a document must not be fetched on the thread of an event loop")


async def _load(document: Document) -> Response:
    settings = conf.get()
    policy = AddressPolicy.parse(settings.ALLOWED_SUBNETS, allow_http=settings.ALLOW_HTTP)
    body = document.body if document.method == "POST" else None
    async with Transport(policy, TransportSettings(deadline=FETCH_DEADLINE, concurrency=1)) as transport:
        return await transport.fetch(
            document.url, document.max_bytes, document.allowed_hosts, dict(document.headers), body
        )


#: The documents of this process.
documents = Documents()
