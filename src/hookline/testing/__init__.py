"""For your tests: make webhooks arrive, run what is due in this thread, and look at what would be sent.

    from hookline import testing

    class InvoiceTests(TestCase):
        def test_a_paid_invoice_is_announced(self):
            testing.make_endpoint()
            testing.post_webhook(self.client, testing.make_source("stripe"), "invoice.paid", {"id": "in_1"})
            with testing.captured_messages() as messages:
                testing.run_events()
            self.assertEqual([message.type for message in messages], ["order.paid"])

            consumer = testing.StubTransport(200)
            testing.deliver_all(consumer)
            self.assertEqual(consumer.sent[0].json["data"], {"order": 1})

All of it works inside Django's TestCase and pytest-django's `db`, where a transaction is open: the engine's own
transactions become savepoints, and the code that runs is the code of the workers. Receivers of Django's signals have
run when these functions return. It does not work inside an `atomic()` block of your own, because an event must commit
by itself. With pytest, `hookline.pytest_plugin` makes fixtures of it.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from uuid import UUID

from hookline import conf, providers
from hookline.audit.actor import SYSTEM
from hookline.core.addresses import AddressPolicy
from hookline.core.request import WebhookRequest
from hookline.core.retry import RetrySchedule
from hookline.engine.claim import claim
from hookline.engine.job import State
from hookline.engine.settle import settle
from hookline.exceptions import ConfigurationError
from hookline.incoming.models import Event, Source
from hookline.incoming.process import run as process
from hookline.operations import endpoints, sources
from hookline.outgoing.deliver.attempt import Result, deliver
from hookline.outgoing.deliver.load import prepare
from hookline.outgoing.deliver.outbound import Outbound
from hookline.outgoing.deliver.record import record
from hookline.outgoing.deliver.signers import Signers
from hookline.outgoing.models import Delivery, Endpoint, Message
from hookline.providers.base import Provider
from hookline.telemetry.courier import courier
from hookline.tenants.models import Tenant
from hookline.transport.route import Route
from hookline.transport.transport import Response, Transport

if TYPE_CHECKING:
    from django.http import HttpResponse
    from django.test import Client

__all__ = [
    "Sent",
    "StubTransport",
    "captured_messages",
    "deliver_all",
    "make_endpoint",
    "make_source",
    "post_webhook",
    "run_events",
    "sign_webhook",
]

_BATCH = 100


# ---- sources and endpoints ------------------------------------------------------------------------

#: Made up, in the forms that providers ask for: any text, bytes as base64 and as hex, a user with a password, and
#: a key with its secret in base64.
_SECRETS = (
    "whsec_bWFkZSB1cCBmb3IgdGhlIHRlc3RzIG9mIGEgcHJvamVjdA==",
    "bWFkZSB1cCBmb3IgdGhlIHRlc3RzIG9mIGEgcHJvamVjdA==",
    "6d61646520757020666f7220746865207465737473206f6620612070726f6a65",
    "made-up:for-tests",
    "made-up:bWFkZSB1cCBmb3IgdGhlIHRlc3RzIG9mIGEgcHJvamVjdA==",
    "made_up_for_tests",
)


def make_source(
    provider: str = "generic",
    *,
    secret: str | None = None,
    options: Mapping[str, Any] | None = None,
    tenant: Tenant | str | None = None,
    name: str = "",
) -> Source:
    """A source that can receive what `post_webhook` sends; without a `secret`, with one that is made up.

    Raises ConfigurationError where none can be: a provider that signs with a private key.
    """
    secret = _secret_for(providers.get(provider)) if secret is None else secret
    return sources.create(SYSTEM, provider, secrets=[secret], options=options, tenant=tenant, name=name)


def _secret_for(provider: Provider) -> str:
    for secret in _SECRETS:
        try:
            provider.check_secret(secret)
        except ConfigurationError as error:
            refused = error
        else:
            return secret
    raise ConfigurationError(f"make_source({provider.name!r}) needs a secret: {refused}")


def make_endpoint(
    url: str = "https://consumer.example.com/hooks",
    *,
    event_types: Sequence[str] = (),
    secret: str | None = None,
    tenant: Tenant | str | None = None,
    channels: Sequence[str] = (),
    metadata: Mapping[str, str] | None = None,
) -> Endpoint:
    """An endpoint that gets what is dispatched to its tenant; without a `secret`, with one that is made up."""
    return endpoints.create(
        SYSTEM,
        url,
        event_types=event_types,
        secret=secret,
        tenant=tenant,
        channels=channels,
        metadata=metadata,
        challenge=False,
    )


# ---- webhooks in ----------------------------------------------------------------------------------


def sign_webhook(source: Source, event_type: str, data: Any = None, *, event_id: str = "") -> WebhookRequest:
    """The request that the source's real sender would make now: its body, its headers, its signature.

    `data` replaces the payload that the provider would make up. Give an `event_id` to send one event twice.
    Raises ConfigurationError when the source has no secret to sign with.
    """
    now = time.time()
    provider = providers.get(source.provider)
    return provider.signed_request(
        event_type, source.config(now), now, url=source.url, event_id=event_id, data=data, again=bool(event_id)
    )


def post_webhook(
    client: Client, source: Source, event_type: str, data: Any = None, *, event_id: str = ""
) -> HttpResponse:
    """Post a signed webhook with Django's test client, and return the answer. The event is stored, not yet run."""
    return post_request(client, source, sign_webhook(source, event_type, data, event_id=event_id))


def post_request(client: Client, source: Source, request: WebhookRequest) -> HttpResponse:
    """Post a request to a source as it is, with Django's test client, and return the answer."""
    headers = {name: ", ".join(values) for name, values in request.headers.items()}
    content_type = headers.pop("content-type", "application/octet-stream")
    query = request.url.partition("?")[2]
    path = f"{source.path}?{query}" if query else source.path
    with courier.here():
        return client.generic(  # type: ignore[return-value]  # the stubs give it a class of their own
            request.method, path, request.body, content_type, headers=headers
        )


def run_events(*, raise_errors: bool = True) -> list[Event]:
    """Run the handlers of every event that is due, in order of arrival, and return the events as they are now.

    Raises AssertionError when a handler failed or asked for a retry, after all have run; the log has the traceback.
    `raise_errors=False` returns them instead, with their `state` and `note`.
    """
    lease = conf.get().LEASE
    ran: dict[UUID, str] = {}
    while events := claim(Event, _BATCH, lease):
        process.fetch_sources(events)
        for event in sorted(events, key=_age):
            with courier.here():
                settlement = process.run(event)
            ran[event.pk] = settlement.note if settlement.state in (State.PENDING, State.DEAD) else ""
    found = list(Event.objects.filter(pk__in=ran).select_related("source__tenant").order_by("pk"))
    failed = [f"{event.public_id} ({event.type}): {ran[event.pk]}" for event in found if ran[event.pk]]
    if failed and raise_errors:
        raise AssertionError("handlers failed:\n" + "\n".join(failed))
    return found


# ---- messages out ---------------------------------------------------------------------------------


@contextmanager
def captured_messages() -> Iterator[list[Message]]:
    """A list that holds, after the block, the messages that it dispatched and that were not rolled back."""
    before = set(Message.objects.values_list("pk", flat=True))
    messages: list[Message] = []
    yield messages
    messages += [message for message in Message.objects.order_by("pk") if message.pk not in before]


@dataclass(frozen=True, slots=True)
class Sent:
    """One request that a StubTransport was asked to send. Header names are lower case."""

    url: str
    headers: dict[str, str]
    body: bytes = field(repr=False)

    @property
    def json(self) -> Any:
        """The body as a value: `{"type": ..., "timestamp": ..., "data": ...}`."""
        return json.loads(self.body)


class StubTransport(Transport):
    """Connects to nothing: keeps what it should send in `sent`, and answers from a list."""

    def __init__(self, *answers: int | Response) -> None:
        """`answers`: a status or Response for each request in turn; the last one repeats. None at all: 200."""
        super().__init__(AddressPolicy.parse(()))
        self.sent: list[Sent] = []
        self._answers = [Response(answer) if isinstance(answer, int) else answer for answer in answers or (200,)]

    async def send(self, url: str, headers: Any, body: bytes, route: Route | None = None) -> Response:
        self.sent.append(Sent(url, {name.lower(): value for name, value in headers.items()}, body))
        return self._answers[min(len(self.sent), len(self._answers)) - 1]


def deliver_all(transport: Transport | None = None) -> list[Delivery]:
    """Send every delivery that is due, oldest first, and return them as they are now. A retry is not due yet.

    Without a transport nothing leaves, and every endpoint is taken to answer 200. To connect for real, give
    `hookline.outgoing.deliver.worker.make_transport(hookline.conf.get())`.
    """
    transport, signers, settings = transport or StubTransport(), Signers(), conf.get()
    schedule = settings.delivery_retry
    tried: set[UUID] = set()
    while deliveries := claim(Delivery, _BATCH, settings.LEASE):
        to_send, put_off = prepare(sorted(deliveries, key=_age), signers, time.time())
        settle(put_off)
        with courier.here():
            record(asyncio.run(_send(to_send, transport, schedule)))
        tried.update(delivery.pk for delivery in deliveries)
    return list(Delivery.objects.filter(pk__in=tried).select_related("message", "endpoint").order_by("pk"))


async def _send(to_send: Sequence[Outbound], transport: Transport, schedule: RetrySchedule) -> list[Result]:
    async with transport:  # its connections belong to this event loop
        return await asyncio.gather(*(deliver(outbound, transport, schedule, time.time) for outbound in to_send))


def _age(job: Event | Delivery) -> UUID:
    return job.pk
