"""POST message, from the token to the answer. The ASGI edge and the Django view drive it.

The steps that take time are methods, so that an edge which must not wait in its thread can take them elsewhere.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import parse_qsl
from uuid import UUID

from hookline.access.authenticate import authenticate
from hookline.access.principal import Principal
from hookline.api.answers import CORS, JSON, reply_of
from hookline.api.auth import Needs
from hookline.api.errors import ApiError, Missing, Taken, Unparsable
from hookline.api.gate import MAX_BODY
from hookline.api.message_text import WITHOUT, compact, message_text, shown
from hookline.api.names import application_for
from hookline.api.new_message import NewMessage, read_message, read_messages
from hookline.exceptions import TooLarge
from hookline.operations import posts
from hookline.operations.posts import Draft, Outcome, Post, Posted
from hookline.providers.base import Reply

logger = logging.getLogger("hookline.api")

#: Reads a body of at most so many bytes, or raises TooLarge.
ReadBody = Callable[[int], Awaitable[bytes]]

WRITE = Needs("messages:write")
NO_APPLICATION = "Application not found"
#: In one request.
MOST_MESSAGES = 1000


@dataclass(slots=True)  # not frozen, which takes three times as long to make
class Asked:
    """All of a request but its body."""

    application: str
    query: str
    authorization: str
    idempotency_key: str | None
    #: `{"messages": [...]}` is posted.
    many: bool = False


class Publisher:
    """In one thread, which waits for the database."""

    async def answer(self, asked: Asked, read_body: ReadBody) -> Reply:
        """Publish what is posted. The answer is true only because it is committed."""
        try:
            with_content = wants_content(asked.query)
            principal = self.known_principal(asked.authorization) or await self.find_principal(asked.authorization)
            WRITE.check(principal)
            if principal.rate is not None:
                await self.admit(principal)
            body = await read_body(MAX_BODY)
            new = read_messages(body, MOST_MESSAGES) if asked.many else [read_message(body)]
            posted = await self._publish(asked, principal, new)
        except TooLarge:
            error = ApiError(f"the body is longer than {MAX_BODY} bytes", code="payload_too_large", status=413)
            return reply_of(error)
        except Exception as error:  # noqa: BLE001  # nothing but the shapes of the API leaves
            return reply_of(error)
        texts = [
            text_of(one, with_content=with_content, status=asked.many, was_read=message.raw is None)
            for one, message in zip(posted, new, strict=True)
        ]
        return Reply(b'{"data":[%b]}' % b",".join(texts) if asked.many else texts[0], JSON, 202, CORS)

    async def _publish(self, asked: Asked, principal: Principal, new: Sequence[NewMessage]) -> list[Posted]:
        """Raises ApiError, DispatchError or DatabaseError."""
        tenant_id = await self.find_tenant(asked.application, principal, new[0])
        drafts = await self.draft(new, [key_of(asked, principal, number) for number in range(len(new))])
        posted = await self.commit([Post(draft, tenant_id) for draft in drafts])
        if posted[0].outcome is Outcome.NO_TENANT:  # it was deleted a moment ago, and perhaps made again
            self.forget_tenant(asked.application)
            tenant_id = await self.find_tenant(asked.application, principal, new[0])
            posted = await self.commit([Post(draft, tenant_id) for draft in drafts])
        if posted[0].outcome is Outcome.NO_TENANT:
            raise Missing(NO_APPLICATION)
        if posted[0].outcome is Outcome.TAKEN and not asked.many:
            raise Taken(f"a message with the eventId {posted[0].draft.uid!r} exists already")
        return posted

    # ---- the steps that take time ------------------------------------------------------------------
    def known_principal(self, authorization: str) -> Principal | None:
        """Whose key it is where finding that takes no time, as nearly always on an event loop.

        Raises NotAuthenticated.
        """
        return None

    async def find_principal(self, authorization: str) -> Principal:
        """Raises NotAuthenticated."""
        return authenticate(authorization)

    async def admit(self, principal: Principal) -> None:
        """Raises RateLimited for a request beyond the limit that the key has. Here whoever calls the view has asked."""

    async def find_tenant(self, name: str, principal: Principal, new: NewMessage) -> UUID:
        """Raises Missing, or Refused."""
        return tenant_of(name, principal, new)

    def forget_tenant(self, name: str) -> None:
        """What was known of it is out of date."""

    async def draft(self, new: Sequence[NewMessage], keys: Sequence[UUID | None]) -> list[Draft]:
        """Raises DispatchError."""
        return drafts_of(new, keys)

    async def commit(self, wanted: Sequence[Post]) -> list[Posted]:
        """Raises DatabaseError."""
        return posts.commit(wanted)


@lru_cache(maxsize=128)  # nearly all requests of a client have the same
def wants_content(query: str) -> bool:
    """Raises Unparsable for a `with_content` that is neither true nor false."""
    if "with_content" not in query:
        return True
    values = [value for name, value in parse_qsl(query, keep_blank_values=True) if name == "with_content"]
    if len(values) > 1:
        raise Unparsable("query parameter with_content: duplicate field")
    if values and values[0] not in ("true", "false"):
        raise Unparsable("query parameter with_content: use true or false")
    return not values or values[0] == "true"


def key_of(asked: Asked, principal: Principal, number: int) -> UUID | None:
    """What tells this request apart, or one message of it: its Idempotency-Key, and whose it is. An empty key is none:
    a client that has lost its own would get the answers of others."""
    if not asked.idempotency_key:
        return None
    return posts.request_key(
        f"{principal.actor}/{number}" if asked.many else str(principal.actor), asked.idempotency_key
    )


def tenant_of(name: str, principal: Principal, new: NewMessage) -> UUID:
    """The application, which is created where the message brings it along. Raises Missing, or Refused."""
    return application_for(name, principal, new.application).pk


def drafts_of(new: Sequence[NewMessage], keys: Sequence[UUID | None]) -> list[Draft]:
    """Raises DispatchError."""
    return [
        posts.drafted(
            one.event_type,
            one.payload,
            body=one.raw,
            uid=one.uid,
            channels=one.channels,
            deliver_at=one.deliver_at,
            key=key,
            tags=one.tags,
            keep_content=one.keep_content,
            expires_at=one.expires_at,
        )
        for one, key in zip(new, keys, strict=True)
    ]


def text_of(posted: Posted, *, with_content: bool, status: bool = False, was_read: bool = False) -> bytes:
    """A message; with `status` it also says what became of it, which those of a batch do each for itself.

    `was_read`: the body that was posted is known to be a JSON object.
    """
    draft, created_at = posted.draft, posted.created_at
    if created_at is None:
        raise Missing(NO_APPLICATION)
    payload = WITHOUT
    if with_content:
        payload = compact(draft.body) if was_read and posted.outcome is Outcome.NEW else shown(draft.body)
    text = message_text(
        draft.id,
        draft.type,
        payload,
        channels=draft.channels,
        uid=draft.uid,
        created_at=created_at,
        tags=draft.tags,
        expires_at=draft.expires_at,
    )
    return b'{"status":"%b",%b' % (_STATUS[posted.outcome], text[1:]) if status else text


#: What became of a message of a batch. The one that is shown with `conflict` is the other with its eventId.
_STATUS = {Outcome.NEW: b"accepted", Outcome.REPEATED: b"accepted", Outcome.TAKEN: b"conflict"}
