"""Edge 2: ASGI. Wraps the project's application and answers the ingest paths itself.

    application = IngestEdge(get_asgi_application())

The flow is that of `flow`. Here it runs on an event loop, so each slow step has threads of its own: work that a
stranger causes never delays other work. Sources come from a SourceCache, and the requests that
arrived while the previous COMMIT was running share the next one.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from functools import lru_cache, partial
from typing import Any
from urllib.parse import quote
from uuid import UUID

from django.db import close_old_connections, connections, router

from hookline import conf
from hookline.core.client_address import client_address
from hookline.core.header_section import check_header_section, first_headers
from hookline.core.request import WebhookRequest, read_raw_headers
from hookline.db.group_commit import GroupCommit, QueueFull
from hookline.db.permits import TRIES, Limit, permits
from hookline.engine.postgres_notify import notifying_later
from hookline.exceptions import CannotStore, CannotVerify, HeadersTooLarge, RateLimited
from hookline.incoming.models import Source
from hookline.incoming.receive import rejections
from hookline.incoming.receive.bounded_threads import Bound, BoundedThreads
from hookline.incoming.receive.documents import Documents, Fetch, documents
from hookline.incoming.receive.duplicates import insert_nothing
from hookline.incoming.receive.flow import Receiver
from hookline.incoming.receive.limits import limits_of
from hookline.incoming.receive.new_event import NewEvent
from hookline.incoming.receive.source_cache import Found, SourceCache, source_or_raise
from hookline.incoming.receive.store import Stored, store_at_once, store_by_turns
from hookline.incoming.receive.verification import MAX_DOCUMENTS, Verified
from hookline.incoming.url import path_prefix
from hookline.providers.base import Reply
from hookline.providers.schemes.documents import Document, DocumentNeeded
from hookline.transport.asgi import CONNECTION, Application, Body, ClientGone, Receive, Scope, Send, respond

logger = logging.getLogger("hookline.incoming")

#: How old the snapshot of the sources may become, in seconds.
REFRESH = 0.5
#: How long the first request waits at most until the sources were read, in seconds; then it looks up its own.
FIRST = 0.1
#: Verifying a longer body takes long enough to be worth a thread.
LARGE_BODY = 64 * 1024
#: Requests that wait for a certificate or key at once; those beyond are answered 503 and come again.
MAX_WAITING = 200
#: Bytes of refused requests that wait to be stored; those beyond are only counted.
MAX_REFUSED = 8 * 1024 * 1024
#: How long the answer to a refused request waits until it is kept, in seconds.
KEEPING = 1.0
#: What may wait to be verified, in bytes of bodies.
MAX_WAITING_BYTES = 64 * 1024 * 1024


class IngestEdge:
    """An ASGI application that answers what the URLs give to the Django view, and passes everything else on."""

    def __init__(self, application: Application) -> None:
        self._application = application
        #: Paths that begin with it are sources'.
        self.prefix = path_prefix()
        self.receiver = LoopReceiver(conf.get, SourceCache(), documents, time.time)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not scope["path"].startswith(self.prefix):
            await self._application(scope, receive, send)
            return
        token = scope["path"][len(self.prefix) :].removesuffix("/")
        body = Body(scope, receive)
        try:
            reply = await self._reply(scope, token, body)
            reusable = body.complete or await body.drain()
        except ClientGone:
            return
        await respond(scope, send, reply, reusable=reusable)

    def _reply(self, scope: Scope, token: str, body: Body) -> Coroutine[Any, Any, Reply]:
        if CONNECTION not in scope:  # our own server has refused what is too large before it kept it
            try:
                check_header_section(scope["headers"], len(scope["path"]) + len(scope.get("query_string", b"")))
            except HeadersTooLarge as error:  # before the token is looked at, and before they are sorted by name
                return self.receiver.refuse(read_head(scope, first=True), token, error)
        return self.receiver.receive(read_head(scope), token, body.read)


class LoopReceiver(Receiver):
    """The flow on an event loop: every step that takes time is taken in threads of its own, within bounds."""

    def __init__(
        self,
        settings: Callable[[], conf.Settings],
        sources: SourceCache,
        documents: Documents,
        clock: Callable[[], float],
    ) -> None:
        super().__init__(settings, sources, documents, clock)
        self._cache = sources
        self._refreshing: asyncio.Task[None] | None = None
        #: Reading the sources before there were requests.
        self._first: Future[None] | None = None
        self._refresher = ThreadPoolExecutor(1, "hookline-sources")
        # One thread, because one COMMIT at a time is what makes a group.
        self._writer = ThreadPoolExecutor(1, "hookline-store")
        self._looker = ThreadPoolExecutor(1, "hookline-lookup")
        self._keeper = ThreadPoolExecutor(1, "hookline-rejections")
        self._events: GroupCommit[Sequence[NewEvent], list[Stored]] = GroupCommit(
            self._store_groups, self._writer, look=True, halves=True
        )
        self._look_ups: GroupCommit[str, Found] = GroupCommit(
            partial(with_connection, sources.look_up), self._looker, batch=100, max_items=1000
        )
        self._refills: GroupCommit[Limit, None] = GroupCommit(
            partial(with_connection, permits.refill), self._looker, batch=1000, max_items=10_000
        )
        self._rejections: GroupCommit[rejections.Refused, None] = GroupCommit(
            partial(with_connection, rejections.record_all),
            self._keeper,
            batch=100,
            max_items=1000,
            max_bytes=MAX_REFUSED,
        )
        self._large = BoundedThreads("hookline-verify", 1, max_items=1000, max_bytes=MAX_WAITING_BYTES)
        self._waiting = Bound(max_items=MAX_WAITING, max_bytes=MAX_WAITING_BYTES)

    @property
    def executors(self) -> tuple[ThreadPoolExecutor, ...]:
        """Those whose threads have connections to the database."""
        return self._refresher, self._writer, self._looker, self._keeper

    def prepare(self) -> None:
        """Begin to connect to the database and to read the sources, for a server that is about to listen.

        Returns at once, and raises nothing: the first request is told what is wrong. `begin` must follow.
        """
        self._writer.submit(with_connection, connect)
        self._first = self._refresher.submit(with_connection, self._cache.refresh)

    def begin(self) -> None:
        """Keep the sources fresh, on the event loop that the requests come to."""
        if self._refreshing is None:
            self._refreshing = asyncio.create_task(self._keep_fresh())

    def known_source(self, token: str) -> Source | None:
        return self._cache.get(token)

    async def find_source(self, token: str) -> Source:
        self.begin()
        if self._first is not None:  # sooner there than a connection to look up this source alone
            await asyncio.wait([asyncio.wrap_future(self._first)], timeout=FIRST)
            self._first = None
        if source := self._cache.get(token):
            return source
        try:
            return source_or_raise(await self._look_ups.submit(token, len(token)))
        except QueueFull as error:
            logger.warning("answering 503: too many unknown tokens (%s)", error)
            raise CannotStore(str(error)) from None

    async def admit(self, source: Source) -> None:
        used: list[Limit] = []
        try:
            for limit in limits_of(source):
                for _ in range(TRIES):
                    if permits.use(limit):
                        break
                    await self._refills.submit(limit)
                else:
                    raise RateLimited(limit.key.partition(":")[0], limit.rate.per_second, 1.0)
                used.append(limit)
        except RateLimited:
            for limit in used:
                permits.give_back(limit)
            raise
        except QueueFull as error:
            logger.warning("answering 503: %s", error)
            raise CannotStore(str(error)) from None

    async def verify(self, request: WebhookRequest, source: Source) -> Verified:
        size, fetch = len(request.body), self._documents.cached
        try:
            for _ in range(MAX_DOCUMENTS + 1):
                try:
                    if size > LARGE_BODY:
                        return await self._large.run(size, partial(self.verified, request, source, fetch))
                    return self.verified(request, source, fetch)
                except DocumentNeeded as needed:
                    document = needed.document
                try:
                    with self._waiting.hold(size):
                        await asyncio.wrap_future(self._documents.obtain(document, source.pk))
                except CannotVerify as error:
                    fetch = without(document, error, fetch)  # another secret may lead to another document
        except QueueFull as error:
            logger.warning("answering 503: %s", error)
            raise CannotStore(str(error)) from None
        raise CannotVerify("document_unavailable", f"more than {MAX_DOCUMENTS} documents were needed")

    async def store(self, events: Sequence[NewEvent]) -> Sequence[Stored]:
        try:
            return await store_by_turns(events, self._events.submit)
        except QueueFull as error:
            logger.warning("answering 503: %s", error)
            raise CannotStore(str(error)) from None

    def _store_groups(self, groups: Sequence[Sequence[NewEvent]]) -> list[list[Stored]]:
        with notifying_later(self._notify_later):
            return store_groups(groups)

    def _notify_later(self, notify: Callable[[], None]) -> None:
        """Behind the batch: no acknowledgement waits until other processes are told."""
        with suppress(RuntimeError):  # this process ends; the others look now and then
            self._writer.submit(notify)

    async def keep(self, refused: rejections.Refused) -> None:
        if rejections.recorder.only_counts(refused):
            return
        try:
            async with asyncio.timeout(KEEPING):
                await self._rejections.submit(refused, refused.size)
        except TimeoutError:
            pass  # it is kept all the same, some time
        except QueueFull:
            rejections.recorder.count(refused)

    async def _keep_fresh(self) -> None:
        loop = asyncio.get_running_loop()
        if self._first is not None:
            await asyncio.sleep(REFRESH)
        while True:
            try:
                await loop.run_in_executor(self._refresher, with_connection, self._cache.refresh)
            except Exception:
                # Whatever it is: without this task a source that is disabled would be served for ever.
                logger.exception("cannot refresh the sources; retrying")
            await asyncio.sleep(REFRESH)


def without(refused: Document, error: CannotVerify, fetch: Fetch) -> Fetch:
    """A way to get documents as before, where this one raises this error."""

    def get(document: Document, source_id: UUID | None) -> bytes:
        if document == refused:
            raise error
        return fetch(document, source_id)

    return Fetch(get, fetch.verified)


def store_groups(groups: Sequence[Sequence[NewEvent]]) -> list[list[Stored]]:
    """Commit the events of several requests at once. Returns for each request what became of its events."""
    stored = iter(store_at_once([event for group in groups for event in group]))
    return [[next(stored) for _ in group] for group in groups]


def connect() -> None:
    """Get this thread's connection ready for the first event."""
    connections[router.db_for_write(Source)].ensure_connection()
    insert_nothing()


def with_connection(work: Callable[..., Any], *arguments: Any) -> Any:
    """Call something that needs the database in a thread that may have kept a broken connection."""
    close_old_connections()
    return work(*arguments)


#: Nearly all requests come to a few paths. Longer ones are not remembered, so that a stranger's take no memory.
_quoted = lru_cache(maxsize=1000)(quote)
_SHORT_PATH = 512


def read_head(scope: Scope, *, first: bool = False) -> WebhookRequest:
    """All of a request but its body; with `first`, only the first of its headers."""
    query = scope.get("query_string", b"").decode("latin-1")
    client, told = scope.get("client"), scope.get("hookline.client")
    settings, path = conf.get(), scope["path"]
    quoted = _quoted(path) if len(path) <= _SHORT_PATH else quote(path)
    headers = read_raw_headers(first_headers(scope["headers"]) if first else scope["headers"])
    return WebhookRequest(
        scope["method"],
        f"{settings.PUBLIC_URL.rstrip('/')}{quoted}{'?' + query if query else ''}",
        headers,
        b"",
        client_address(client[0] if client else "", headers, settings.TRUSTED_PROXIES)
        if told is None  # else our own server has looked already
        else told,
    )
