"""Edge 2: ASGI. Wraps the project's application and answers the ingest paths itself.

    application = IngestEdge(get_asgi_application())

The flow is that of `receive`, with two differences: sources come from a SourceCache, and the COMMIT is shared by
whatever arrived while the previous one was running.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any
from urllib.parse import quote

from django.db import DatabaseError, close_old_connections
from django.urls import NoReverseMatch, reverse

from hookline import conf
from hookline.core.request import WebhookRequest, read_headers
from hookline.db.connections import look_after
from hookline.db.group_commit import GroupCommit, QueueFull
from hookline.exceptions import CannotStore, TooLarge, VerificationError
from hookline.incoming.models import Event, Source
from hookline.incoming.receive import rejections
from hookline.incoming.receive.documents import MAX_FETCHES, Fetch, documents
from hookline.incoming.receive.flow import answer, longest_body, new_events, refusal, verify
from hookline.incoming.receive.source_cache import SourceCache
from hookline.incoming.receive.store import Stored, store_at_once, store_by_turns
from hookline.providers.base import Received, Reply
from hookline.providers.schemes.documents import DocumentNeeded

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
#: Any ASGI application. Frameworks describe the three arguments in types of their own, which do not fit each other.
Application = Callable[[Any, Any, Any], Awaitable[None]]

logger = logging.getLogger("hookline.incoming")

#: How old the snapshot of the sources may become, in seconds.
REFRESH = 0.5
#: How often a busy writer looks whether its connection is still good, in seconds.
LOOK = 0.05
#: Verifying a longer body takes long enough to be worth a thread.
LARGE_BODY = 64 * 1024
#: Requests that wait for a certificate or key at once; those beyond are answered 503 and come again.
MAX_WAITING = 200
#: Bytes of refused requests that wait to be stored; those beyond are only counted.
MAX_REFUSED = 8 * 1024 * 1024


class IngestEdge:
    """An ASGI application that answers what the URLs give to the Django view, and passes everything else on."""

    def __init__(self, application: Application) -> None:
        self._application = application
        self._prefix = ingest_prefix()
        self._sources = SourceCache()
        self._refreshing: asyncio.Task[None] | None = None
        # One thread, because one COMMIT at a time is what makes a group.
        self._writer = ThreadPoolExecutor(1, "hookline-store")
        self._reader = ThreadPoolExecutor(2, "hookline-ingest")
        self._fetcher = ThreadPoolExecutor(MAX_FETCHES, "hookline-documents")
        self._waiting = 0
        self._events: GroupCommit[Sequence[Event], list[Stored]] = GroupCommit(store_groups, self._writer)
        self._rejections: GroupCommit[rejections.Refused, None] = GroupCommit(
            partial(with_connection, rejections.record_all),
            self._reader,
            batch=100,
            max_items=1000,
            max_bytes=8 * 1024 * 1024,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not scope["path"].startswith(self._prefix):
            await self._application(scope, receive, send)
            return
        token = scope["path"][len(self._prefix) :]
        try:
            reply = await self._ingest(scope, receive, token)
        except _ClientGone:
            return
        await respond(send, reply)

    async def _ingest(self, scope: Scope, receive: Receive, token: str) -> Reply:
        request, source, body_read = read_request(scope, b""), None, False
        try:
            source = await self._find_source(token)
            request = read_request(scope, await read_body(scope, receive, longest_body(source)))
            body_read = True
            events, received = await self._verify(request, source)
            stored = await store_by_turns(events, self._events.submit)
            return answer(received, stored)
        except VerificationError as error:
            await self._reject(rejections.Refused(request, source, token, error, body_read=body_read))
            return refusal(error, source)
        except CannotStore as error:
            return refusal(error)
        except QueueFull as error:
            logger.warning("answering 503: %s", error)
            return refusal(CannotStore(str(error)))
        except DatabaseError:
            logger.exception("cannot look up a source")
            return refusal(CannotStore("the database is not available"))

    async def _find_source(self, token: str) -> Source:
        if self._refreshing is None:  # the first request; those that come before the snapshot is read look up theirs
            self._refreshing = asyncio.create_task(self._keep_fresh())
        return self._sources.get(token) or await self._in_thread(self._sources.look_up, token)

    async def _keep_fresh(self) -> None:
        while True:
            try:
                await self._in_thread(self._sources.refresh)
            except Exception:
                # Whatever it is: without this task a source that is disabled would be served for ever.
                logger.exception("cannot refresh the sources; trying again")
            await asyncio.sleep(REFRESH)

    async def _verify(self, request: WebhookRequest, source: Source) -> Any:
        try:
            if len(request.body) > LARGE_BODY:
                return await self._in_thread(verify_and_name, request, source, documents.cached)
            return verify_and_name(request, source, documents.cached)
        except DocumentNeeded as needed:
            return await self._fetch_and_verify(request, source, needed)

    async def _fetch_and_verify(self, request: WebhookRequest, source: Source, needed: DocumentNeeded) -> Any:
        """Wait for a certificate or key on a thread, where not too many requests wait for one already."""
        if self._waiting >= MAX_WAITING:
            raise needed
        self._waiting += 1
        try:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._fetcher, verify_and_name, request, source, documents.fetch)
        finally:
            self._waiting -= 1

    async def _reject(self, refused: rejections.Refused) -> None:
        if rejections.recorder.only_counts(refused):
            return
        try:
            await self._rejections.submit(refused, refused.size)
        except QueueFull:
            rejections.recorder.count(refused)

    async def _in_thread(self, work: Callable[..., Any], *arguments: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._reader, with_connection, work, *arguments)


def verify_and_name(request: WebhookRequest, source: Source, fetch: Fetch) -> tuple[list[Event], Received]:
    """The pure steps of the flow: rows for what the request holds, not yet stored. Raises VerificationError."""
    received = verify(request, source, time.time(), fetch)
    return new_events(request, source, received), received


def store_groups(groups: Sequence[Sequence[Event]]) -> list[list[Stored]]:
    """Commit the events of several requests at once. Returns for each request what became of its events."""
    look_after(every=LOOK)
    stored = iter(store_at_once([event for group in groups for event in group]))
    return [[next(stored) for _ in group] for group in groups]


def with_connection(work: Callable[..., Any], *arguments: Any) -> Any:
    """Call something that needs the database in a thread that may have kept a broken connection."""
    close_old_connections()
    return work(*arguments)


def ingest_prefix() -> str:
    """The path before the token, wherever the project includes `hookline.urls`; `/in/` where it does not."""
    try:
        return reverse("hookline:ingest", args=["token"]).removesuffix("token")
    except NoReverseMatch:
        return "/in/"


class _ClientGone(Exception):
    """The client closed the connection before the request was complete."""


async def read_body(scope: Scope, receive: Receive, most: int) -> bytes:
    """The raw body, never more than `most` bytes. Raises TooLarge, or _ClientGone."""
    for name, value in scope["headers"]:
        if name == b"content-length" and value.isdigit() and int(value) > most:
            raise TooLarge("too_large", f"the body is announced to be longer than {most} bytes")
    pieces: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise _ClientGone
        piece = message.get("body", b"")
        size += len(piece)
        if size > most:
            raise TooLarge("too_large", f"the body is longer than {most} bytes")
        pieces.append(piece)
        if not message.get("more_body", False):
            return b"".join(pieces)


def read_request(scope: Scope, body: bytes) -> WebhookRequest:
    query = scope.get("query_string", b"").decode("latin-1")
    client = scope.get("client")
    return WebhookRequest(
        method=scope["method"],
        url=f"{conf.get().PUBLIC_URL.rstrip('/')}{quote(scope['path'])}{'?' + query if query else ''}",
        headers=read_headers((name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"]),
        body=body,
        remote_addr=client[0] if client else "",
    )


async def respond(send: Send, reply: Reply) -> None:
    headers = [
        (b"content-type", reply.content_type.encode("latin-1")),
        (b"content-length", str(len(reply.body)).encode()),
        *((name.encode("latin-1"), value.encode("latin-1")) for name, value in reply.headers),
    ]
    await send({"type": "http.response.start", "status": reply.status, "headers": headers})
    await send({"type": "http.response.body", "body": reply.body})
