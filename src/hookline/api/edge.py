"""POST message on an event loop, ahead of Django: messages of many requests share each COMMIT.

    application = MessageEdge(get_asgi_application())

The flow is that of `publisher`, and everything else goes to the wrapped application. Keys and applications that were
seen less than half a second ago are not looked up again.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from uuid import UUID

from hookline.access.authenticate import admit, authenticate, known
from hookline.access.principal import Principal
from hookline.api.new_message import NewMessage
from hookline.api.paths import Paths
from hookline.api.publisher import Asked, Publisher, drafts_of, tenant_of
from hookline.api.seen import Seen, with_connection
from hookline.db.group_commit import GroupCommit, QueueFull
from hookline.exceptions import CannotStore
from hookline.operations import posts
from hookline.operations.posts import Draft, Post, Posted
from hookline.transport.asgi import Application, Body, ClientGone, Receive, Scope, Send, respond

logger = logging.getLogger("hookline.api")

#: Messages in one COMMIT.
BATCH = 500


class MessageEdge:
    """An ASGI application that answers POST message, and passes everything else on."""

    def __init__(self, application: Application) -> None:
        self._application = application
        self._paths = Paths("app")
        self.publisher = LoopPublisher()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "POST" or (asked := self._asked(scope)) is None:
            await self._application(scope, receive, send)
            return
        body = Body(scope, receive)
        try:
            reply = await self.publisher.answer(asked, body.read)
            reusable = body.complete or await body.drain()
        except ClientGone:
            return
        await respond(scope, send, reply, reusable=reusable)

    def _asked(self, scope: Scope) -> Asked | None:
        """What is asked for; None where it is for others to answer."""
        if (behind := self._paths.behind(scope["path"])) is None:
            return None
        name, _, rest = behind.partition("/")
        if rest not in ("msg", "msg/batch"):
            return None
        first = dict(reversed(scope["headers"]))  # of those with the same name
        authorization, key = first.get(b"authorization", b""), first.get(b"idempotency-key")
        return Asked(
            name,
            scope.get("query_string", b"").decode("latin-1"),
            authorization.strip(b" \t").decode("latin-1"),
            None if key is None else key.strip(b" \t").decode("latin-1"),
            many=rest == "msg/batch",
        )


class LoopPublisher(Publisher):
    """The flow on an event loop: every step that takes time is taken in threads of its own."""

    def __init__(self) -> None:
        # One thread, because one COMMIT at a time is what makes a group.
        self._writer = ThreadPoolExecutor(1, "hookline-publish")
        self._looker = ThreadPoolExecutor(1, "hookline-access")
        self._checker = ThreadPoolExecutor(1, "hookline-schemas")
        self._posts: GroupCommit[Sequence[Post], list[Posted]] = GroupCommit(
            self._commit, self._writer, batch=BATCH, halves=True
        )
        self._principals: Seen[str, Principal] = Seen(self._looker)
        self._tenants: Seen[tuple[str, UUID | None, str, bool], UUID] = Seen(self._looker)

    @property
    def executors(self) -> tuple[ThreadPoolExecutor, ...]:
        """Those whose threads have connections to the database."""
        return self._writer, self._looker, self._checker

    def known_principal(self, authorization: str) -> Principal | None:
        return known(authorization)

    async def find_principal(self, authorization: str) -> Principal:
        return await self._principals.get(authorization, partial(authenticate, authorization))

    async def admit(self, principal: Principal) -> None:
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(self._looker, partial(with_connection, partial(admit, principal)))

    async def find_tenant(self, name: str, principal: Principal, new: NewMessage) -> UUID:
        # One that brings an application is not refused.
        key = name, principal.tenant_id, principal.organisation, new.application is None
        return self._tenants.fresh(key) or await self._tenants.get(key, partial(tenant_of, name, principal, new))

    def forget_tenant(self, name: str) -> None:
        self._tenants.forget(lambda key: key[0] == name)

    async def draft(self, new: Sequence[NewMessage], keys: Sequence[UUID | None]) -> list[Draft]:
        if not posts.has_schemas():
            return drafts_of(new, keys)
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._checker, partial(with_connection, partial(drafts_of, new, keys)))

    async def commit(self, wanted: Sequence[Post]) -> list[Posted]:
        try:
            return await self._posts.submit(wanted, sum(len(one.draft.body) for one in wanted))
        except QueueFull as error:
            logger.warning("answering 503: %s", error)
            raise CannotStore(str(error)) from None

    def _commit(self, groups: Sequence[Sequence[Post]]) -> list[list[Posted]]:
        posted = iter(posts.commit([one for group in groups for one in group], later=self._later))
        return [[next(posted) for _ in group] for group in groups]

    def _later(self, notify: Callable[[], None]) -> None:
        """Behind the batch: no answer waits until other processes are told."""
        with suppress(RuntimeError):  # this process ends; the others look now and then
            self._writer.submit(notify)
