"""Every operation that changes something, as each face offers it, and what it must leave behind."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any
from unittest.mock import ANY

from django.conf import settings as django_settings
from django.test import Client
from django.test.utils import override_settings
from django.urls import reverse
from django.utils import timezone

from hookline import conf
from hookline.access.models import ApiKey
from hookline.audit.actor import Actor
from hookline.core.secrets import SecretRing
from hookline.engine.job import FOREVER, Job, State
from hookline.gateway.models import Forward
from hookline.incoming.adopt.models import Adoption
from hookline.incoming.models import Event, FollowUp, Rejection, Source
from hookline.operations import (
    adoptions,
    app_tokens,
    deliveries,
    endpoint_example,
    endpoint_removal,
    endpoint_rows,
    endpoint_trial,
    endpoints,
    event_types,
    events,
    follow_ups,
    forwards,
    keys,
    limits,
    messages,
    prune,
    rejections,
    replays,
    resending,
    sources,
    tenants,
)
from hookline.operations.selection import Selection
from hookline.outgoing.event_type import EventType
from hookline.outgoing.models import Attempt, Delivery, Endpoint, Message
from hookline.replays.models import Replay
from hookline.tenants.models import Tenant
from hookline.testing import sign_webhook
from tests.admin_pages import act, add_url, page_url, submit
from tests.engine.rows import ago, make_delivery, make_endpoint, make_event, make_source
from tests.outgoing.consumer import Arrival, Reply, running_consumer

SOURCE_SECRET = "whsec_made_up_for_the_source"
NEW_SOURCE_SECRET = "whsec_the_next_one_of_the_source"
ENDPOINT_SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"  # of the Standard Webhooks specification
NEW_ENDPOINT_SECRET = "whsec_c2VjcmV0IG51bWJlciB0d28gb2YgdGVzdHM="  # base64 of some words
URL = "https://consumer.example.com/hooks"
#: Some consumers are found behind a token in the query.
TOKEN_URL = "https://consumer.example.com/next?token=made-up-token"
#: What `prune` tells of.
PRUNED = ("events", "rejections", "deliveries", "attempts", "messages", "replays")
SECRETS = (SOURCE_SECRET, NEW_SOURCE_SECRET, ENDPOINT_SECRET, NEW_ENDPOINT_SECRET, "made-up-token")


YEAR = datetime(2026, 1, 1, tzinfo=UTC)
#: The example of webhooks in the OpenAPI 3.1 initiative's own learning pages.
PAYLOAD = Path(__file__).parent / "payload.json"
DOCUMENT = Path(__file__).parent / "webhooks.json"


class World:
    """What is there before an operation."""

    def __init__(self) -> None:
        self.tenant = Tenant.objects.create(key="acme", name="Acme")
        self.empty = Tenant.objects.create(key="empty")
        self.key = ApiKey.objects.create(
            tenant=self.tenant, name="Shop", scopes=["messages:write"], digests=[["00", None]]
        )
        self.token = ApiKey.objects.create(
            kind="app", tenant=self.tenant, scopes=["subscriber"], expires_at=ago(-3600), digests=[["11", None]]
        )
        self.source = make_source("stripe", SOURCE_SECRET, tenant=self.tenant, name="Shop", awaiting_handshake=False)
        self.closed = make_source("stripe", tenant=self.tenant, disabled=True, awaiting_handshake=False)
        self.endpoint = make_endpoint(URL, ENDPOINT_SECRET, tenant=self.tenant)
        self.unreachable = make_endpoint("https://10.0.0.1/", tenant=self.tenant, event_types=["never.sent"])
        self.suspended = make_endpoint(URL, tenant=self.tenant, disabled=True, disabled_reason="it answered 410")
        self.event = make_event(self.source, state=State.DEAD, attempts=9, note="no tries left")
        self.other = make_event(self.source, state=State.DEAD, attempts=9)
        self.delivery = make_delivery(self.endpoint, state=State.DEAD, attempts=10)
        self.waiting = make_delivery(self.endpoint, due_at=ago(-3600))
        self.rejection = self._rejection()
        self.replay = Replay.objects.create(what="events", lookups={"state": "dead"}, until=timezone.now(), total=2)
        self.replay.tenant = self.tenant
        self.replay.save()
        self.paused = Replay.objects.create(what="events", until=timezone.now(), tenant=self.tenant)
        self.paused.pause()
        self.paused.save()
        self.event_type = EventType.objects.create(name="order.shipped", version="1", schema={"type": "object"})

    @cached_property
    def answered(self) -> Attempt:
        """One that failed; its delivery waits for the next."""
        return Attempt.objects.create(
            delivery=make_delivery(self.endpoint, due_at=ago(-60), attempts=1),
            number=1,
            status=500,
            duration_ms=7,
            response_headers={"x-customer": "Ada"},
            response_body="Ada's order failed",
        )

    @cached_property
    def closing(self) -> Tenant:
        """One with a source and an endpoint."""
        tenant = Tenant.objects.create(key="closing")
        make_source(tenant=tenant)
        make_endpoint(URL, tenant=tenant)
        return tenant

    @cached_property
    def leaving(self) -> Tenant:
        """One that was deleted, and whose history is kept."""
        removal = {"key": "leaving", "by": {"kind": "user", "name": "eve"}, "erase": False}
        return Tenant.objects.create(
            key="deleted.leaving",
            deleted_at=timezone.now(),
            removal={**removal, "cancelled": {}, "removed": {}},
        )

    @cached_property
    def forward(self) -> Forward:
        """Of a source to an endpoint."""
        Source.objects.filter(pk=self.closed.pk).update(forwarded=True)
        return Forward.objects.create(source=self.closed, endpoint=self.endpoint, event_types=["order.*"])

    @cached_property
    def follow_up(self) -> FollowUp:
        """One that is dead."""
        return FollowUp.objects.create(
            source=self.event.source, event=self.event, name="shop.webhooks.mail", state=State.DEAD, attempts=9
        )

    @cached_property
    def parked(self) -> dict[str, Sequence[Job]]:
        """Of each kind one that is dead and parks its order key, and one that waits for it."""
        other = Tenant.objects.create(key="ordered")
        source, endpoint = make_source(tenant=other), make_endpoint(URL, tenant=other)
        waits: dict[str, Any] = {"order_key": "7", "due_at": FOREVER}
        parks: dict[str, Any] = {"order_key": "7", "has_turn": True, "state": State.DEAD}
        return {
            "event": (make_event(source, **parks), make_event(source, **waits)),
            "delivery": (make_delivery(endpoint, **parks), make_delivery(endpoint, **waits)),
        }

    def _rejection(self) -> Rejection:
        """A genuine webhook that came while the source still had another secret."""
        request = sign_webhook(self.source, "invoice.paid", event_id="evt_1")
        self.source.secrets = SecretRing.of("whsec_the_wrong_one")
        self.source.save()
        headers = {"stripe-signature": request.headers["stripe-signature"][0]}
        answer = Client().post(self.source.path, request.body, "application/json", headers=headers)
        assert answer.status_code == 401
        self.source.secrets = SecretRing.of(SOURCE_SECRET)
        self.source.save()
        return Rejection.objects.select_related("source__tenant").get()


@dataclass(frozen=True)
class Case:
    """One operation under each face that offers it."""

    #: What the audit entry calls it; and its functions in Python, as module.function.
    action: str
    functions: Sequence[str]
    python: Callable[[Actor, World], object]
    #: The words after `hookline`, as in a shell.
    command: Callable[[World], str]
    admin: Callable[[Client, World], object] | None
    #: The public id of the object of the entry.
    about: Callable[[World], str]
    changes: dict[str, Any]
    #: What the database holds afterwards.
    after: Callable[[World], object]
    expected: object
    details: Callable[[World], dict[str, Any]] = lambda _: {}
    #: Kinds of job whose workers are woken.
    wakes: tuple[type[Job], ...] = ()
    #: Whether the command exits with 1 after it was done.
    fails: bool = False
    #: What --json prints; None where it holds what is new each time.
    document: Callable[[World], object] | None = None
    #: What has to be there while it is done.
    around: Callable[[World], AbstractContextManager[None]] = lambda _: nullcontext()

    @property
    def id(self) -> str:
        return f"{self.action} {self.functions[0].partition('.')[2]}"


@contextmanager
def answering(world: World) -> Iterator[None]:
    """The endpoint leads to a server on this machine, which answers challenges."""

    def answer(arrival: Arrival) -> Reply:
        return Reply(body=json.dumps(json.loads(arrival.body)["data"]).encode())

    allowed = {**django_settings.HOOKLINE, "ALLOWED_SUBNETS": ["127.0.0.0/8"]}
    with running_consumer(ENDPOINT_SECRET) as consumer, override_settings(HOOKLINE=allowed):
        consumer.script = answer
        world.endpoint.url = consumer.url()
        world.endpoint.await_challenge()
        world.endpoint.save()
        yield


def _fields(row: Any, *names: str) -> tuple[Any, ...]:
    """These fields as they are stored now."""
    row.refresh_from_db()
    return tuple(getattr(row, name) for name in names)


def _secrets(row: Source | Endpoint) -> tuple[str, ...]:
    row.refresh_from_db()
    return row.secrets.active(0)


def _keys(endpoint: Endpoint) -> tuple[str, ...]:
    endpoint.refresh_from_db()
    return endpoint.keys.active(0)


def _now(tenant: Tenant) -> Tenant:
    tenant.refresh_from_db()
    return tenant


def _newest(model: Any) -> Any:
    return model.objects.latest("id")


def _json(found: Any) -> Any:
    """A row as the faces write it, with times as text."""
    return {name: value.isoformat() if hasattr(value, "isoformat") else value for name, value in found.items()}


def _discard(noun: str, module: Any, model: type[Job]) -> Case:
    nouns = module.__name__.rpartition(".")[2]
    return Case(
        f"{noun}.discard",
        [f"{nouns}.discard", f"{nouns}.discard_keys"],
        lambda actor, world: module.discard(actor, [world.parked[noun][0].public_id]),
        lambda world: f"{nouns} discard {world.parked[noun][0].public_id}",
        lambda admin, world: act(admin, "discard", world.parked[noun][0]),
        about=lambda world: world.parked[noun][0].public_id,
        changes={"state": ["dead", "cancelled"]},
        after=lambda world: [_fields(row, "state", "has_turn") for row in world.parked[noun]],
        expected=[("cancelled", None), ("pending", True)],
        wakes=(model,),
        document=lambda world: {"discarded": [world.parked[noun][0].public_id]},
    )


def _release(noun: str, module: Any, model: type[Job]) -> Case:
    nouns = module.__name__.rpartition(".")[2]
    return Case(
        f"{noun}.release",
        [f"{nouns}.release", f"{nouns}.release_keys"],
        lambda actor, world: module.release(actor, [world.parked[noun][0].public_id]),
        lambda world: f"{nouns} release {world.parked[noun][0].public_id}",
        lambda admin, world: act(admin, "release", world.parked[noun][0]),
        about=lambda world: world.parked[noun][0].public_id,
        changes={"parked": [True, False]},
        after=lambda world: [_fields(row, "state", "has_turn") for row in world.parked[noun]],
        expected=[("dead", None), ("pending", True)],
        wakes=(model,),
        document=lambda world: {"released": [world.parked[noun][0].public_id]},
    )


def _mapping(world: World) -> adoptions.Mapping:
    """Any table will do."""
    sources = {"": world.source.public_id}
    return adoptions.Mapping("hookline_tenant", payload="key", sources=sources, where={"key": "acme"})


CASES = [
    # ---- adoptions ---------------------------------------------------------------------------------
    Case(
        "event.adopt",
        ["adoptions.adopt"],
        lambda actor, world: adoptions.adopt(actor, _mapping(world)),
        lambda world: (
            f"adopt --table hookline_tenant --where key=acme --source {world.source.public_id} --payload key --yes"
        ),
        None,
        about=lambda _: _newest(Adoption).public_id,
        changes={},
        details=lambda _: {"table": "hookline_tenant", "rows": 1, "done": 0},
        after=lambda _: _fields(_newest(Adoption), "counts"),
        expected=({"succeeded": 1},),
    ),
    # ---- tenants -----------------------------------------------------------------------------------
    Case(
        "tenant.create",
        ["tenants.create"],
        lambda actor, _: tenants.create(actor, "globex", name="Globex", email="ops@globex.example"),
        lambda _: "tenant create globex --name Globex --email ops@globex.example",
        lambda admin, _: submit(admin, add_url(Tenant), key="globex", name="Globex", email="ops@globex.example"),
        about=lambda _: Tenant.objects.get(key="globex").public_id,
        changes={"key": [None, "globex"], "name": [None, "Globex"], "email": [None, "ops@globex.example"]},
        after=lambda _: _fields(Tenant.objects.get(key="globex"), "name", "email"),
        expected=("Globex", "ops@globex.example"),
        document=lambda _: {
            "id": Tenant.objects.get(key="globex").public_id,
            "key": "globex",
            "name": "Globex",
            "email": "ops@globex.example",
            "rate_limit": None,
            "rate_burst": None,
            "throttle_rate": None,
            "deleted_at": None,
            "removal": None,
        },
    ),
    Case(
        "tenant.update",
        ["tenants.update"],
        lambda actor, world: tenants.update(actor, world.tenant, name="Acme Inc."),
        lambda _: "tenant update acme --name 'Acme Inc.'",
        lambda admin, world: submit(admin, page_url(world.tenant), name="Acme Inc."),
        about=lambda world: world.tenant.public_id,
        changes={"name": ["Acme", "Acme Inc."]},
        after=lambda world: _fields(world.tenant, "key", "name"),
        expected=("acme", "Acme Inc."),
        document=lambda world: {
            "id": world.tenant.public_id,
            "key": "acme",
            "name": "Acme Inc.",
            "email": "",
            "rate_limit": None,
            "rate_burst": None,
            "throttle_rate": None,
            "deleted_at": None,
            "removal": None,
        },
    ),
    Case(
        "tenant.delete",
        ["tenants.delete"],
        lambda actor, world: tenants.delete(actor, world.empty),
        lambda _: "tenant delete empty",
        lambda admin, world: act(admin, "delete_tenant", world.empty),
        about=lambda world: world.empty.public_id,
        changes={"key": ["empty", None], "name": ["", None], "email": ["", None]},
        after=lambda _: Tenant.objects.filter(key="empty").exists(),
        expected=False,
        document=lambda world: {"id": world.empty.public_id, "deleted": True},
    ),
    Case(
        "tenant.delete",
        ["tenants.delete"],
        lambda actor, world: tenants.delete(actor, world.closing),
        lambda world: f"tenant delete {world.closing.key}",
        lambda admin, world: act(admin, "delete_tenant", world.closing),
        about=lambda world: world.closing.public_id,
        changes={"deleted": [None, True], "erase": [None, False]},
        after=lambda world: (world.closing.sources.get().disabled, world.closing.endpoints.get().disabled),
        expected=(True, True),
        document=lambda world: {**_json(tenants.as_json(_now(world.closing))), "deleted": False},
    ),
    Case(
        "tenant.delete",
        ["tenants.delete"],
        lambda actor, world: tenants.delete(actor, world.leaving, erase=True),
        lambda world: f"tenant delete {world.leaving.public_id} --erase",
        lambda admin, world: act(admin, "erase", world.leaving),
        about=lambda world: world.leaving.public_id,
        changes={"erase": [False, True]},
        after=lambda world: (_now(world.leaving).removal or {}).get("erase"),
        expected=True,
        document=lambda world: {**_json(tenants.as_json(_now(world.leaving))), "deleted": False},
    ),
    # ---- keys --------------------------------------------------------------------------------------
    Case(
        "key.create",
        ["keys.create"],
        lambda actor, world: keys.create(
            actor, ["messages:write", "read"], tenant=world.tenant, name="Checkout", rate_limit=5
        ),
        lambda _: "key create --tenant acme --scopes messages:write,read --name Checkout --rate-limit 5",
        lambda admin, world: submit(
            admin,
            add_url(ApiKey),
            tenant=world.tenant.pk,
            name="Checkout",
            scopes=["messages:write", "read"],
            rate_limit="5",
        ),
        about=lambda _: _newest(ApiKey).public_id,
        changes={
            "kind": [None, "live"],
            "name": [None, "Checkout"],
            "scopes": [None, ["messages:write", "read"]],
            "rate_limit": [None, 5],
            "revoked": [None, False],
        },
        after=lambda _: _fields(_newest(ApiKey), "scopes", "name", "rate_limit", "expires_at"),
        expected=(["messages:write", "read"], "Checkout", 5, None),
    ),
    Case(
        "key.create",
        ["keys.create"],
        lambda actor, _: keys.create(actor, ["all"], organisation="beta"),
        lambda _: "key create --organisation beta --scopes all",
        lambda admin, _: submit(admin, add_url(ApiKey), organisation="beta", scopes=["all"]),
        about=lambda _: _newest(ApiKey).public_id,
        changes={
            "kind": [None, "live"],
            "name": [None, ""],
            "scopes": [None, ["all"]],
            "organisation": [None, "beta"],
            "revoked": [None, False],
        },
        after=lambda _: _fields(_newest(ApiKey), "organisation", "tenant", "scopes"),
        expected=("beta", None, ["all"]),
    ),
    Case(
        "key.update",
        ["keys.update"],
        lambda actor, world: keys.update(actor, world.key, given=["events:read"]),
        lambda world: f"key update {world.key.public_id} --scopes events:read",
        lambda admin, world: submit(admin, page_url(world.key), scopes=["events:read"]),
        about=lambda world: world.key.public_id,
        changes={"scopes": [["messages:write"], ["events:read"]]},
        after=lambda world: _fields(world.key, "scopes", "name"),
        expected=(["events:read"], "Shop"),
        document=lambda world: _json(keys.as_json(keys.find(world.key.public_id))),
    ),
    Case(
        "key.rotate",
        ["keys.rotate"],
        lambda actor, world: keys.rotate(actor, world.key, overlap=3600),
        lambda world: f"key rotate {world.key.public_id} --overlap 1h",
        lambda admin, world: submit(admin, page_url(world.key), rotate="on", overlap="1"),
        about=lambda world: world.key.public_id,
        changes={},
        details=lambda _: {"overlap": 3600},
        after=lambda world: [(digest == "00", until is None) for digest, until in _fields(world.key, "digests")[0]],
        expected=[(False, True), (True, False)],
    ),
    Case(
        "key.revoke",
        ["keys.revoke"],
        lambda actor, world: keys.revoke(actor, world.key),
        lambda world: f"key revoke {world.key.public_id}",
        lambda admin, world: submit(admin, page_url(world.key), revoke="on"),
        about=lambda world: world.key.public_id,
        changes={"revoked": [False, True]},
        after=lambda world: keys.state(keys.find(world.key.public_id)),
        expected="revoked",
        document=lambda world: {"id": world.key.public_id, "status": "revoked"},
    ),
    Case(
        "app_token.issue",
        ["app_tokens.issue"],
        lambda actor, world: app_tokens.issue(actor, world.tenant, lifetime=3600),
        lambda _: "tenant token acme --lifetime 1h",
        None,
        about=lambda _: _newest(ApiKey).public_id,
        changes={"kind": [None, "app"], "name": [None, ""], "scopes": [None, ["subscriber"]], "revoked": [None, False]},
        after=lambda _: _fields(_newest(ApiKey), "kind", "scopes", "feature_flags"),
        expected=("app", ["subscriber"], None),
    ),
    Case(
        "app_token.expire",
        ["app_tokens.expire"],
        lambda actor, world: app_tokens.expire(actor, world.tenant),
        lambda _: "tenant expire-tokens acme",
        None,
        about=lambda world: world.tenant.public_id,
        changes={},
        details=lambda _: {"tokens": 1},
        after=lambda world: [keys.state(keys.find(key.public_id)) for key in (world.token, world.key)],
        expected=["expired", "active"],
        document=lambda world: {"id": world.tenant.public_id, "tokens": 1},
    ),
    # ---- event types -------------------------------------------------------------------------------
    Case(
        "event_type.create",
        ["event_types.create"],
        lambda actor, _: event_types.create(actor, "order.paid", description="It is paid", enforcement="enforce"),
        lambda _: "event-types create order.paid --description 'It is paid' --enforcement enforce",
        lambda admin, _: submit(
            admin, add_url(EventType), name="order.paid", description="It is paid", enforcement="enforce"
        ),
        about=lambda _: EventType.objects.get(name="order.paid").public_id,
        changes={
            "name": [None, "order.paid"],
            "description": [None, "It is paid"],
            "version": [None, ""],
            "enforcement": [None, "enforce"],
            "deprecated": [None, False],
        },
        after=lambda _: _fields(EventType.objects.get(name="order.paid"), "description", "enforcement", "schema"),
        expected=("It is paid", "enforce", None),
        document=lambda _: _json(event_types.as_json(event_types.find("order.paid"))),
    ),
    Case(
        "event_type.update",
        ["event_types.update"],
        lambda actor, world: event_types.update(actor, world.event_type, version="2", deprecated=True),
        lambda _: "event-types update order.shipped --schema-version 2 --deprecated",
        lambda admin, world: submit(admin, page_url(world.event_type), version="2", deprecated="on"),
        about=lambda world: world.event_type.public_id,
        changes={"version": ["1", "2"], "deprecated": [False, True]},
        after=lambda world: _fields(world.event_type, "version", "deprecated", "schema"),
        expected=("2", True, {"type": "object"}),
        document=lambda _: _json(event_types.as_json(event_types.find("order.shipped"))),
    ),
    Case(
        "event_type.delete",
        ["event_types.delete"],
        lambda actor, world: event_types.delete(actor, world.event_type),
        lambda _: "event-types delete order.shipped",
        None,
        about=lambda world: world.event_type.public_id,
        changes={
            "name": ["order.shipped", None],
            "description": ["", None],
            "version": ["1", None],
            "schema": [{"type": "object"}, None],
            "enforcement": ["warn", None],
            "deprecated": [False, None],
        },
        after=lambda _: EventType.objects.exists(),
        expected=False,
        document=lambda _: {"name": "order.shipped", "deleted": True},
    ),
    Case(
        "event_type.import",
        ["event_types.import_document"],
        lambda actor, _: event_types.import_document(actor, json.loads(DOCUMENT.read_text())),
        lambda _: f"event-types import {DOCUMENT}",
        lambda admin, _: admin.post(
            reverse("admin:hookline_eventtype_document"), {"document": DOCUMENT.read_text(), "import": "yes"}
        ),
        about=lambda _: "",
        changes={},
        details=lambda _: {"created": ["newPet"], "updated": [], "breaking": []},
        after=lambda _: sorted(EventType.objects.values_list("name", flat=True)),
        expected=["newPet", "order.shipped"],
        document=lambda _: {"created": ["newPet"], "updated": [], "unchanged": [], "breaking": []},
    ),
    # ---- sources -----------------------------------------------------------------------------------
    Case(
        "source.create",
        ["sources.create"],
        lambda actor, _: sources.create(
            actor,
            "generic",
            secrets=[SOURCE_SECRET],
            tenant="acme",
            name="Till",
            options={"header": "x-till"},
            order_by="$.customer",
            object_at="$.id",
            version_at="$.version",
        ),
        lambda _: (
            f"source create --provider generic --secret {SOURCE_SECRET} --tenant acme "
            "--name Till --option header=x-till --order-by '$.customer' --object-at '$.id' --version-at '$.version'"
        ),
        lambda admin, world: submit(
            admin,
            add_url(Source),
            tenant=world.tenant.pk,
            provider="generic",
            name="Till",
            options='{"header": "x-till"}',
            order_by="$.customer",
            object_at="$.id",
            version_at="$.version",
            new_secret=SOURCE_SECRET,
        ),
        about=lambda _: str(_newest(Source).public_id),
        changes={
            "provider": [None, "generic"],
            "tenant": [None, "acme"],
            "name": [None, "Till"],
            "options": [None, {"header": "x-till"}],
            "order_by": [None, "$.customer"],
            "object_at": [None, "$.id"],
            "version_at": [None, "$.version"],
            "secrets": [None, 1],
            "disabled": [None, False],
        },
        after=lambda _: (
            *_fields(_newest(Source), "provider", "name", "options", "order_by", "version_at", "awaiting_handshake"),
            _secrets(_newest(Source)),
        ),
        expected=("generic", "Till", {"header": "x-till"}, "$.customer", "$.version", True, (SOURCE_SECRET,)),
    ),
    Case(
        "source.update",
        ["sources.update"],
        lambda actor, world: sources.update(
            actor, world.source, name="Web shop", options={"tolerance": "600"}, order_by="header:X-Shop-Id"
        ),
        lambda world: (
            f"source update {world.source.public_id} --name 'Web shop' --option tolerance=600 "
            "--order-by header:X-Shop-Id"
        ),
        lambda admin, world: submit(
            admin,
            page_url(world.source),
            name="Web shop",
            options='{"tolerance": "600"}',
            order_by="header:X-Shop-Id",
        ),
        about=lambda world: world.source.public_id,
        changes={
            "name": ["Shop", "Web shop"],
            "options": [{}, {"tolerance": "600"}],
            "order_by": ["", "header:X-Shop-Id"],
        },
        after=lambda world: (*_fields(world.source, "name", "options", "order_by"), _secrets(world.source)),
        expected=("Web shop", {"tolerance": "600"}, "header:X-Shop-Id", (SOURCE_SECRET,)),
        document=lambda world: _json(sources.as_json(sources.find(world.source.public_id))),
    ),
    Case(
        "source.rotate",
        ["sources.rotate"],
        lambda actor, world: sources.rotate(actor, world.source, NEW_SOURCE_SECRET, overlap=7200.0),
        lambda world: f"source rotate {world.source.public_id} --secret {NEW_SOURCE_SECRET} --overlap 2h",
        lambda admin, world: submit(admin, page_url(world.source), new_secret=NEW_SOURCE_SECRET, overlap="2"),
        about=lambda world: world.source.public_id,
        changes={"secrets": [1, 2]},
        details=lambda _: {"overlap_seconds": 7200.0},
        after=lambda world: _secrets(world.source),
        expected=(NEW_SOURCE_SECRET, SOURCE_SECRET),
        document=lambda world: {"id": world.source.public_id, "overlap_seconds": 7200.0},
    ),
    Case(
        "source.limit",
        ["limits.limit"],
        lambda actor, world: limits.limit(actor, world.source, rate=10.0, burst=5, at_once=3),
        lambda world: f"source limit {world.source.public_id} --rate 10/s --burst 5 --at-once 3",
        None,
        about=lambda world: world.source.public_id,
        changes={"rate": [None, 10.0], "burst": [None, 5], "at_once": [None, 3]},
        after=lambda world: _fields(world.source, "lane_rate", "lane_burst", "lane_at_once"),
        expected=(10.0, 5, 3),
        document=lambda world: {"id": world.source.public_id, "rate": 10.0, "burst": 5, "at_once": 3},
    ),
    Case(
        "source.disable",
        ["sources.disable"],
        lambda actor, world: sources.disable(actor, world.source),
        lambda world: f"source disable {world.source.public_id}",
        lambda admin, world: submit(admin, page_url(world.source), disabled="on"),
        about=lambda world: world.source.public_id,
        changes={"disabled": [False, True]},
        after=lambda world: _fields(world.source, "disabled", "awaiting_handshake"),
        expected=(True, False),
        document=lambda world: {"id": world.source.public_id, "disabled": True},
    ),
    Case(
        "source.enable",
        ["sources.enable"],
        lambda actor, world: sources.enable(actor, world.closed),
        lambda world: f"source enable {world.closed.public_id}",
        lambda admin, world: submit(admin, page_url(world.closed), disabled=""),
        about=lambda world: world.closed.public_id,
        changes={"disabled": [True, False]},
        after=lambda world: _fields(world.closed, "disabled", "awaiting_handshake"),
        expected=(False, True),  # it waits for first contact anew
        document=lambda world: {"id": world.closed.public_id, "disabled": False},
    ),
    Case(
        "source.delete",
        ["sources.delete"],
        lambda actor, world: sources.delete(actor, world.closed),
        lambda world: f"source delete {world.closed.public_id}",
        None,
        about=lambda world: world.closed.public_id,
        changes={
            "provider": ["stripe", None],
            "tenant": ["acme", None],
            "name": ["", None],
            "options": [{}, None],
            "order_by": ["", None],
            "object_at": ["", None],
            "version_at": ["", None],
            "secrets": [1, None],
            "disabled": [True, None],
        },
        after=lambda world: Source.objects.filter(pk=world.closed.pk).exists(),
        expected=False,
        document=lambda world: {"id": world.closed.public_id, "deleted": True},
    ),
    # ---- endpoints ---------------------------------------------------------------------------------
    Case(
        "endpoint.create",
        ["endpoints.create"],
        lambda actor, _: endpoints.create(
            actor,
            TOKEN_URL,
            event_types=["order.*"],
            tenant="acme",
            secret=ENDPOINT_SECRET,
            description="orders",
            uid="orders-1",
            channels=["eu"],
            metadata={"region": "eu"},
            order_by="$.data.customer",
        ),
        lambda _: (
            f"endpoint create --url {TOKEN_URL} --events 'order.*' --tenant acme --secret "
            f"{ENDPOINT_SECRET} --description orders --uid orders-1 --channel eu "
            "--metadata region=eu --order-by '$.data.customer'"
        ),
        lambda admin, world: submit(
            admin,
            add_url(Endpoint),
            tenant=world.tenant.pk,
            url=TOKEN_URL,
            event_types="order.*",
            new_secret=ENDPOINT_SECRET,
            description="orders",
            uid="orders-1",
            channels="eu",
            metadata='{"region": "eu"}',
            order_by="$.data.customer",
        ),
        about=lambda _: str(_newest(Endpoint).public_id),
        changes={
            "tenant": [None, "acme"],
            "uid": [None, "orders-1"],
            "url": [None, "https://consumer.example.com/next?..."],
            "description": [None, "orders"],
            "event_types": [None, ["order.*"]],
            "channels": [None, ["eu"]],
            "metadata": [None, {"region": "eu"}],
            "order_by": [None, "$.data.customer"],
            "secrets": [None, 1],
            "breaker": [None, "closed"],
            "disabled": [None, False],
            "disabled_reason": [None, ""],
        },
        after=lambda _: (
            *_fields(_newest(Endpoint), "url", "event_types", "description", "uid", "channels", "metadata"),
            _secrets(_newest(Endpoint)),
        ),
        expected=(TOKEN_URL, ["order.*"], "orders", "orders-1", ["eu"], {"region": "eu"}, (ENDPOINT_SECRET,)),
    ),
    Case(
        "endpoint.update",
        ["endpoints.update"],
        lambda actor, world: endpoints.update(
            actor,
            world.endpoint,
            url=TOKEN_URL,
            event_types=["order.*"],
            uid="orders-1",
            metadata={"region": "eu"},
            order_by="$.data.customer",
        ),
        lambda world: (
            f"endpoint update {world.endpoint.public_id} --url {TOKEN_URL} --events "
            "'order.*' --uid orders-1 --metadata region=eu --order-by '$.data.customer'"
        ),
        lambda admin, world: submit(
            admin,
            page_url(world.endpoint),
            url=TOKEN_URL,
            event_types="order.*",
            uid="orders-1",
            metadata='{"region": "eu"}',
            order_by="$.data.customer",
        ),
        about=lambda world: world.endpoint.public_id,
        changes={
            "uid": [None, "orders-1"],
            "url": [URL, "https://consumer.example.com/next?..."],
            "event_types": [[], ["order.*"]],
            "metadata": [{}, {"region": "eu"}],
            "order_by": ["", "$.data.customer"],
        },
        after=lambda world: _fields(world.endpoint, "url", "event_types", "uid", "metadata", "order_by"),
        expected=(TOKEN_URL, ["order.*"], "orders-1", {"region": "eu"}, "$.data.customer"),
        document=lambda world: _json(endpoint_rows.as_json(endpoints.find(world.endpoint.public_id))),
    ),
    Case(
        "endpoint.update",
        ["endpoints.update"],
        lambda actor, world: endpoints.update(
            actor, world.endpoint, signatures=["x-webhook", "v1a"], headers={"X-Token": "made-up-token"}
        ),
        lambda world: (
            f"endpoint update {world.endpoint.public_id} --signatures v1a,x-webhook --header X-Token=made-up-token"
        ),
        lambda admin, world: submit(
            admin, page_url(world.endpoint), signatures=["v1a", "x-webhook"], headers='{"X-Token": "made-up-token"}'
        ),
        about=lambda world: world.endpoint.public_id,
        changes={"signatures": [None, ["v1a", "x-webhook"]], "key_pairs": [None, 1], "headers": [None, ["X-Token"]]},
        details=lambda _: {"values_of_headers": "set"},
        after=lambda world: (
            *_fields(world.endpoint, "signatures", "own_headers"),
            len(world.endpoint.keys.active(0)),
            _secrets(world.endpoint),
        ),
        expected=(["v1a", "x-webhook"], {"X-Token": "made-up-token"}, 1, (ENDPOINT_SECRET,)),
        document=lambda world: _json(endpoint_rows.as_json(endpoints.find(world.endpoint.public_id))),
    ),
    Case(
        "endpoint.update",
        ["endpoints.update"],
        lambda actor, world: endpoints.update(
            actor, world.endpoint, filter="@.data.total > 100", payload={"fields": ["total"]}
        ),
        lambda world: f"endpoint update {world.endpoint.public_id} --filter '@.data.total > 100' --payload {PAYLOAD}",
        lambda admin, world: submit(
            admin, page_url(world.endpoint), filter="@.data.total > 100", payload='{"fields": ["total"]}'
        ),
        about=lambda world: world.endpoint.public_id,
        changes={"filter": [None, "@.data.total > 100"], "payload": [None, {"fields": ["total"]}]},
        after=lambda world: _fields(world.endpoint, "filter", "payload", "url"),
        expected=("@.data.total > 100", {"fields": ["total"]}, URL),
        document=lambda world: _json(endpoint_rows.as_json(endpoints.find(world.endpoint.public_id))),
    ),
    Case(
        "endpoint.update",
        ["endpoints.update"],
        lambda actor, world: endpoints.update(
            actor, world.endpoint, retry={"delays": [5.0, 300.0, 3600.0], "deadline": 172800.0}
        ),
        lambda world: f"endpoint update {world.endpoint.public_id} --retry-delays 5s,5m,1h --deadline 2d",
        lambda admin, world: submit(
            admin, page_url(world.endpoint), retry='{"delays": [5.0, 300.0, 3600.0], "deadline": 172800.0}'
        ),
        about=lambda world: world.endpoint.public_id,
        changes={"retry": [None, {"delays": [5.0, 300.0, 3600.0], "deadline": 172800.0}]},
        after=lambda world: _fields(world.endpoint, "retry", "url"),
        expected=({"delays": [5.0, 300.0, 3600.0], "deadline": 172800.0}, URL),
        document=lambda world: _json(endpoint_rows.as_json(endpoints.find(world.endpoint.public_id))),
    ),
    Case(
        "endpoint.update",
        ["endpoints.update"],
        lambda actor, world: endpoints.update(
            actor, world.endpoint, access={"proxy": "http://shop:made-up-token@proxy.example.com:3128"}
        ),
        lambda world: (
            f"endpoint update {world.endpoint.public_id} --proxy http://shop:made-up-token@proxy.example.com:3128"
        ),
        lambda admin, world: submit(
            admin,
            page_url(world.endpoint),
            access='{"proxy": "http://shop:made-up-token@proxy.example.com:3128"}',
        ),
        about=lambda world: world.endpoint.public_id,
        changes={
            "access": [None, {"client_certificate": None, "proxy": "http://proxy.example.com:3128", "oauth2": None}]
        },
        details=lambda _: {"access": "set"},
        after=lambda world: (_fields(world.endpoint, "access")[0].proxy, _secrets(world.endpoint)),
        expected=("http://shop:made-up-token@proxy.example.com:3128", (ENDPOINT_SECRET,)),
        document=lambda world: _json(endpoint_rows.as_json(endpoints.find(world.endpoint.public_id))),
    ),
    Case(
        "endpoint.rotate_key",
        ["endpoints.rotate_key"],
        lambda actor, world: endpoints.rotate_key(actor, world.endpoint, overlap=7200.0),
        lambda world: f"endpoint rotate {world.endpoint.public_id} --key --overlap 2h",
        lambda admin, world: submit(admin, page_url(world.endpoint), new_key_pair="on", overlap="2"),
        about=lambda world: world.endpoint.public_id,
        changes={"key_pairs": [None, 1]},
        details=lambda _: {"overlap_seconds": 7200.0},
        after=lambda world: (len(_keys(world.endpoint)), _secrets(world.endpoint)),
        expected=(1, (ENDPOINT_SECRET,)),
    ),
    Case(
        "endpoint.rotate",
        ["endpoints.rotate"],
        lambda actor, world: endpoints.rotate(actor, world.endpoint, NEW_ENDPOINT_SECRET, overlap=7200.0),
        lambda world: f"endpoint rotate {world.endpoint.public_id} --secret {NEW_ENDPOINT_SECRET} --overlap 2h",
        lambda admin, world: submit(admin, page_url(world.endpoint), new_secret=NEW_ENDPOINT_SECRET, overlap="2"),
        about=lambda world: world.endpoint.public_id,
        changes={"secrets": [1, 2]},
        details=lambda _: {"overlap_seconds": 7200.0},
        after=lambda world: _secrets(world.endpoint),
        expected=(NEW_ENDPOINT_SECRET, ENDPOINT_SECRET),
        document=lambda world: {
            "id": world.endpoint.public_id,
            "secret": NEW_ENDPOINT_SECRET,
            "overlap_seconds": 7200.0,
        },
    ),
    Case(
        "endpoint.limit",
        ["limits.limit"],
        lambda actor, world: limits.limit(actor, world.endpoint, rate=10.0, burst=5, at_once=3),
        lambda world: f"endpoint limit {world.endpoint.public_id} --rate 10/s --burst 5 --at-once 3",
        lambda admin, world: submit(
            admin, page_url(world.endpoint), limit_rate="10", limit_burst="5", limit_at_once="3"
        ),
        about=lambda world: world.endpoint.public_id,
        changes={"rate": [None, 10.0], "burst": [None, 5], "at_once": [None, 3]},
        after=lambda world: _fields(world.endpoint, "lane_rate", "lane_burst", "lane_at_once"),
        expected=(10.0, 5, 3),
        document=lambda world: {"id": world.endpoint.public_id, "rate": 10.0, "burst": 5, "at_once": 3},
    ),
    Case(
        "endpoint.challenge",
        ["endpoints.challenge"],
        lambda actor, world: endpoints.challenge(actor, world.endpoint),
        lambda world: f"endpoint challenge {world.endpoint.public_id}",
        lambda admin, world: act(admin, "challenge", world.endpoint),
        about=lambda world: world.endpoint.public_id,
        changes={
            "challenge": ["awaited", "passed"],
            "disabled": [True, False],
            "disabled_reason": ["waits for its ownership challenge", ""],
        },
        after=lambda world: _fields(world.endpoint, "challenge", "disabled", "held_until"),
        expected=("passed", False, None),
        wakes=(Delivery,),
        around=answering,
    ),
    Case(
        "endpoint.disable",
        ["endpoints.disable"],
        lambda actor, world: endpoints.disable(actor, world.endpoint, "they asked"),
        lambda world: f"endpoint disable {world.endpoint.public_id}",
        lambda admin, world: submit(admin, page_url(world.endpoint), disabled="on"),
        about=lambda world: world.endpoint.public_id,
        changes={"disabled": [False, True]},
        after=lambda world: (*_fields(world.endpoint, "disabled"), world.endpoint.held_until is None),
        expected=(True, False),
        document=lambda world: {"id": world.endpoint.public_id, "disabled": True},
    ),
    Case(
        "endpoint.enable",
        ["endpoints.enable"],
        lambda actor, world: endpoints.enable(actor, world.suspended),
        lambda world: f"endpoint enable {world.suspended.public_id}",
        lambda admin, world: submit(admin, page_url(world.suspended), disabled=""),
        about=lambda world: world.suspended.public_id,
        changes={"disabled": [True, False], "disabled_reason": ["it answered 410", ""]},
        after=lambda world: _fields(world.suspended, "disabled", "disabled_reason", "held_until"),
        expected=(False, "", None),
        wakes=(Delivery,),
        document=lambda world: {"id": world.suspended.public_id, "disabled": False},
    ),
    Case(
        "endpoint.example",
        ["endpoint_example.send"],
        lambda actor, world: endpoint_example.send(actor, world.endpoint),
        lambda world: f"endpoint example {world.endpoint.public_id}",
        None,
        about=lambda world: world.endpoint.public_id,
        changes={},
        details=lambda _: {"type": "svix.ping", "message": _newest(Message).public_id},
        after=lambda world: [
            (one.message.type, bytes(one.message.body), one.state)
            for one in Delivery.objects.filter(endpoint=world.endpoint, message__type="svix.ping")
        ],
        expected=[("svix.ping", b'{"success":true}', State.PENDING)],
        wakes=(Delivery,),
        document=lambda world: {
            "id": world.endpoint.public_id,
            "message": _newest(Message).public_id,
            "type": "svix.ping",
        },
    ),
    Case(
        "endpoint.remove",
        ["endpoint_removal.remove"],
        lambda actor, world: endpoint_removal.remove(actor, world.endpoint),
        lambda world: f"endpoint delete {world.endpoint.public_id} --keep-history",
        None,
        about=lambda world: world.endpoint.public_id,
        changes={"disabled": [False, True]},
        details=lambda _: {"history": "kept"},
        after=lambda world: [
            *_fields(world.endpoint, "disabled", "uid"),
            world.endpoint.deleted_at is not None,
            *_fields(world.waiting, "state"),
            *_fields(world.delivery, "state"),
        ],
        expected=[True, None, True, State.CANCELLED, State.DEAD],
        wakes=(Delivery,),
        document=lambda world: {"id": world.endpoint.public_id, "deleted": True},
    ),
    Case(
        "endpoint.delete",
        ["endpoints.delete"],
        lambda actor, world: endpoints.delete(actor, world.suspended),
        lambda world: f"endpoint delete {world.suspended.public_id}",
        None,
        about=lambda world: world.suspended.public_id,
        changes={
            "tenant": ["acme", None],
            "url": [URL, None],
            "description": ["", None],
            "event_types": [[], None],
            "channels": [[], None],
            "metadata": [{}, None],
            "order_by": ["", None],
            "secrets": [1, None],
            "breaker": ["closed", None],
            "disabled": [True, None],
            "disabled_reason": ["it answered 410", None],
        },
        after=lambda world: Endpoint.objects.filter(pk=world.suspended.pk).exists(),
        expected=False,
        document=lambda world: {"id": world.suspended.public_id, "deleted": True},
    ),
    Case(
        "endpoint.test",
        ["endpoint_trial.send"],
        lambda actor, world: endpoint_trial.send(actor, world.unreachable),
        lambda world: f"endpoint test {world.unreachable.public_id}",
        None,
        about=lambda world: world.unreachable.public_id,
        changes={},
        details=lambda _: {"type": "hookline.test", "status": None, "error": "address_refused"},
        after=lambda _: Message.objects.count(),
        expected=2,  # those of the deliveries which were there before
        fails=True,
    ),
    # ---- history -----------------------------------------------------------------------------------
    Case(
        "event.retry",
        ["events.retry", "events.retry_keys"],
        lambda actor, world: events.retry(actor, [world.event.public_id]),
        lambda world: f"events retry {world.event.public_id}",
        lambda admin, world: act(admin, "retry", world.event),
        about=lambda world: world.event.public_id,
        changes={"state": ["dead", "pending"]},
        after=lambda world: _fields(world.event, "state", "attempts"),
        expected=("pending", 0),
        wakes=(Event,),
        document=lambda world: {"retried": [world.event.public_id]},
    ),
    Case(
        "event.retry",
        ["events.retry_selection"],
        lambda actor, world: events.retry_selection(actor, Selection(source=world.source.public_id)),
        lambda world: f"events retry --source {world.source.public_id}",
        lambda admin, world: act(admin, "retry", world.other, world.event),
        about=lambda _: "",
        changes={},
        details=lambda world: {"count": 2, "ids": [world.other.public_id, world.event.public_id]},
        after=lambda world: (*_fields(world.event, "state"), *_fields(world.other, "state")),
        expected=("pending", "pending"),
        wakes=(Event,),
        document=lambda world: {"retried": [world.other.public_id, world.event.public_id]},
    ),
    Case(
        "delivery.retry",
        ["deliveries.retry", "deliveries.retry_keys"],
        lambda actor, world: deliveries.retry(actor, [world.delivery.public_id]),
        lambda world: f"deliveries retry {world.delivery.public_id}",
        lambda admin, world: act(admin, "retry", world.delivery),
        about=lambda world: world.delivery.public_id,
        changes={"state": ["dead", "pending"]},
        after=lambda world: _fields(world.delivery, "state", "attempts"),
        expected=("pending", 0),
        wakes=(Delivery,),
        document=lambda world: {"retried": [world.delivery.public_id]},
    ),
    Case(
        "delivery.retry",
        ["deliveries.retry_selection"],
        lambda actor, _: deliveries.retry_selection(actor, Selection(tenant="acme")),
        lambda _: "deliveries retry --tenant acme",
        lambda admin, world: act(admin, "retry", world.delivery),
        about=lambda world: world.delivery.public_id,
        changes={"state": ["dead", "pending"]},
        after=lambda world: _fields(world.delivery, "state"),
        expected=("pending",),
        wakes=(Delivery,),
        document=lambda world: {"retried": [world.delivery.public_id]},
    ),
    Case(
        "delivery.resend",
        ["resending.resend"],
        lambda actor, world: resending.resend(actor, world.waiting.message, world.unreachable),
        lambda world: f"messages resend {world.waiting.message.public_id} --to {world.unreachable.public_id}",
        None,
        about=lambda world: Delivery.objects.get(endpoint=world.unreachable).public_id,
        changes={},
        details=lambda world: {
            "message": world.waiting.message.public_id,
            "endpoint": world.unreachable.public_id,
        },
        after=lambda world: [delivery.state for delivery in Delivery.objects.filter(endpoint=world.unreachable)],
        expected=["pending"],
        wakes=(Delivery,),
    ),
    # ---- forwards ----------------------------------------------------------------------------------
    Case(
        "forward.create",
        ["forwards.create"],
        lambda actor, world: forwards.create(
            actor, world.source, world.endpoint, event_types=["invoice.*"], headers=["X-Shop"]
        ),
        lambda world: (
            f"source forward {world.source.public_id} --to {world.endpoint.public_id} --type 'invoice.*' "
            "--header X-Shop"
        ),
        lambda admin, world: submit(
            admin,
            add_url(Forward),
            source=world.source.pk,
            endpoint=world.endpoint.pk,
            event_types="invoice.*",
            headers="X-Shop",
        ),
        about=lambda _: str(_newest(Forward).public_id),
        changes={
            "source": [None, ANY],
            "endpoint": [None, ANY],
            "event_types": [None, ["invoice.*"]],
            "headers": [None, ["x-shop"]],
        },
        after=lambda world: (*_fields(world.source, "forwarded"), *_fields(_newest(Forward), "event_types", "headers")),
        expected=(True, ["invoice.*"], ["x-shop"]),
    ),
    Case(
        "forward.update",
        ["forwards.update"],
        lambda actor, world: forwards.update(actor, world.forward, filter="@.id == 7"),
        lambda world: f"forward update {world.forward.public_id} --filter '@.id == 7'",
        lambda admin, world: submit(admin, page_url(world.forward), filter="@.id == 7"),
        about=lambda world: world.forward.public_id,
        changes={"filter": [None, "@.id == 7"]},
        after=lambda world: _fields(world.forward, "filter"),
        expected=("@.id == 7",),
        document=lambda world: _json(forwards.as_json(forwards.find(world.forward.public_id))),
    ),
    Case(
        "forward.delete",
        ["forwards.delete"],
        lambda actor, world: forwards.delete(actor, world.forward),
        lambda world: f"forward delete {world.forward.public_id}",
        lambda admin, world: act(admin, "stop", world.forward),
        about=lambda world: world.forward.public_id,
        changes={"source": [ANY, None], "endpoint": [ANY, None], "event_types": [["order.*"], None]},
        after=lambda world: (
            Forward.objects.filter(source=world.forward.source_id).count(),
            *_fields(world.closed, "forwarded"),
        ),
        expected=(0, None),
        document=lambda world: {"id": world.forward.public_id, "deleted": True},
    ),
    # ---- replays -----------------------------------------------------------------------------------
    Case(
        "replay.start",
        ["replays.start"],
        lambda actor, world: replays.start(
            actor, "missed", Selection(endpoint=world.endpoint.public_id, since=YEAR), rate=50
        ),
        lambda world: f"endpoint recover {world.endpoint.public_id} --since 2026-01-01 --rate 50/s",
        lambda admin, world: submit(
            admin,
            add_url(Replay),
            what="missed",
            endpoint=world.endpoint.public_id,
            since="2026-01-01T00:00",
            rate="50",
            confirmed="yes",
        ),
        about=lambda _: str(_newest(Replay).public_id),
        changes={},
        details=lambda world: {"what": "missed", "endpoint": world.endpoint.public_id, "rate": 50.0, "count": 1},
        after=lambda _: _fields(_newest(Replay), "what", "rate", "total"),
        expected=("missed", 50.0, 1),
        wakes=(Replay,),
    ),
    Case(
        "replay.start",
        ["replays.start"],
        lambda actor, _: replays.start(actor, "contents", Selection(tenant="acme")),
        lambda _: "messages expunge-all --tenant acme --yes",
        lambda admin, _: submit(admin, add_url(Replay), what="contents", tenant="acme", confirmed="yes"),
        about=lambda _: str(_newest(Replay).public_id),
        changes={},
        details=lambda world: {"what": "contents", "tenant": world.tenant.public_id, "rate": None, "count": 2},
        after=lambda _: _fields(_newest(Replay), "what", "total"),
        expected=("contents", 2),
        wakes=(Replay,),
    ),
    Case(
        "replay.start",
        ["replays.count_usage"],
        lambda actor, world: replays.count_usage(actor, since=YEAR, tenants=[world.tenant]),
        lambda _: "tenant usage acme --since 2026-01-01",
        None,
        about=lambda _: str(_newest(Replay).public_id),
        changes={},
        details=lambda world: {"what": "usage", "tenants": [world.tenant.public_id], "rate": None, "count": None},
        after=lambda _: (_newest(Replay).what, list((_newest(Replay).counts or {}).values())),
        expected=("usage", [0]),
        wakes=(Replay,),
    ),
    Case(
        "replay.start",
        ["replays.count_types"],
        lambda actor, _: replays.count_types(actor, since=YEAR),
        lambda _: "event-types usage --since 2026-01-01",
        None,
        about=lambda _: str(_newest(Replay).public_id),
        changes={},
        details=lambda _: {"what": "types", "rate": None, "count": None},
        after=lambda _: (_newest(Replay).what, _newest(Replay).counts),
        expected=("types", {}),
        wakes=(Replay,),
    ),
    Case(
        "replay.pause",
        ["replays.pause"],
        lambda actor, world: replays.pause(actor, world.replay),
        lambda world: f"replay pause {world.replay.public_id}",
        lambda admin, world: act(admin, "pause", world.replay),
        about=lambda world: world.replay.public_id,
        changes={"status": ["running", "paused"]},
        after=lambda world: replays.status_of(replays.find(world.replay.public_id)),
        expected="paused",
        document=lambda world: _json(replays.as_json(replays.find(world.replay.public_id))),
    ),
    Case(
        "replay.resume",
        ["replays.resume"],
        lambda actor, world: replays.resume(actor, world.paused),
        lambda world: f"replay resume {world.paused.public_id}",
        lambda admin, world: act(admin, "resume", world.paused),
        about=lambda world: world.paused.public_id,
        changes={"status": ["paused", "running"]},
        after=lambda world: replays.status_of(replays.find(world.paused.public_id)),
        expected="running",
        wakes=(Replay,),
        document=lambda world: _json(replays.as_json(replays.find(world.paused.public_id))),
    ),
    Case(
        "replay.cancel",
        ["replays.cancel"],
        lambda actor, world: replays.cancel(actor, world.replay),
        lambda world: f"replay cancel {world.replay.public_id}",
        lambda admin, world: act(admin, "cancel", world.replay),
        about=lambda world: world.replay.public_id,
        changes={"status": ["running", "cancelled"]},
        after=lambda world: replays.status_of(replays.find(world.replay.public_id)),
        expected="cancelled",
        document=lambda world: _json(replays.as_json(replays.find(world.replay.public_id))),
    ),
    Case(
        "followup.retry",
        ["follow_ups.retry", "follow_ups.retry_keys"],
        lambda actor, world: follow_ups.retry(actor, [world.follow_up.public_id]),
        lambda world: f"follow-ups retry {world.follow_up.public_id}",
        lambda admin, world: act(admin, "retry", world.follow_up),
        about=lambda world: world.follow_up.public_id,
        changes={"state": ["dead", "pending"]},
        after=lambda world: _fields(world.follow_up, "state", "attempts"),
        expected=("pending", 0),
        wakes=(FollowUp,),
        document=lambda world: {"retried": [world.follow_up.public_id]},
    ),
    Case(
        "followup.retry",
        ["follow_ups.retry_selection"],
        lambda actor, world: follow_ups.retry_selection(actor, Selection(source=world.follow_up.source.public_id)),
        lambda world: f"follow-ups retry --source {world.follow_up.source.public_id}",
        lambda admin, world: act(admin, "retry", world.follow_up),
        about=lambda world: world.follow_up.public_id,
        changes={"state": ["dead", "pending"]},
        after=lambda world: _fields(world.follow_up, "state"),
        expected=("pending",),
        wakes=(FollowUp,),
        document=lambda world: {"retried": [world.follow_up.public_id]},
    ),
    Case(
        "followup.discard",
        ["follow_ups.discard", "follow_ups.discard_keys"],
        lambda actor, world: follow_ups.discard(actor, [world.follow_up.public_id]),
        lambda world: f"follow-ups discard {world.follow_up.public_id}",
        lambda admin, world: act(admin, "discard", world.follow_up),
        about=lambda world: world.follow_up.public_id,
        changes={"state": ["dead", "cancelled"]},
        after=lambda world: _fields(world.follow_up, "state"),
        expected=("cancelled",),
        wakes=(FollowUp,),
        document=lambda world: {"discarded": [world.follow_up.public_id]},
    ),
    _discard("event", events, Event),
    _discard("delivery", deliveries, Delivery),
    _release("event", events, Event),
    _release("delivery", deliveries, Delivery),
    Case(
        "rejection.reverify",
        ["rejections.reverify"],
        lambda actor, world: rejections.reverify(actor, world.rejection),
        lambda world: f"rejections reverify {world.rejection.public_id}",
        lambda admin, world: act(admin, "verify_again", world.rejection),
        about=lambda world: world.rejection.public_id,
        changes={},
        details=lambda _: {"count": 1, "events": [{"id": _newest(Event).public_id, "status": "accepted"}]},
        after=lambda _: _fields(_newest(Event), "provider_id", "state"),
        expected=("evt_1", "pending"),
        wakes=(Event,),
        document=lambda world: {
            "id": world.rejection.public_id,
            "events": [{"id": _newest(Event).public_id, "status": "accepted"}],
        },
    ),
    Case(
        "rejection.reverify",
        ["rejections.reverify_selection", "rejections.reverify_all"],
        lambda actor, world: rejections.reverify_selection(
            actor, Selection(source=world.source.public_id, reason="signature_mismatch")
        ),
        lambda world: f"rejections reverify --source {world.source.public_id} --since 1h",
        lambda admin, world: act(admin, "verify_again", world.rejection),
        about=lambda world: world.rejection.public_id,
        changes={},
        details=lambda _: {"count": 1, "events": [{"id": _newest(Event).public_id, "status": "accepted"}]},
        after=lambda _: _fields(_newest(Event), "provider_id", "state"),
        expected=("evt_1", "pending"),
        wakes=(Event,),
        document=lambda world: [
            {
                "id": world.rejection.public_id,
                "events": [{"id": _newest(Event).public_id, "status": "accepted"}],
            }
        ],
    ),
    Case(
        "message.publish",
        ["messages.publish"],
        lambda actor, _: messages.publish(actor, "order.paid", {}, tenant="acme", idempotency_key="order-1"),
        lambda _: "dispatch order.paid '{}' --tenant acme --idempotency-key order-1",
        None,
        about=lambda _: str(_newest(Message).public_id),
        changes={},
        details=lambda _: {"type": "order.paid", "idempotency_key": "order-1"},
        after=lambda _: (*_fields(_newest(Message), "type", "uid"), _newest(Message).deliveries.count()),
        expected=("order.paid", "order-1", 1),
        wakes=(Delivery,),
        document=lambda _: {"id": _newest(Message).public_id, "deliveries": 1},
    ),
    Case(
        "message.cancel",
        ["messages.cancel"],
        lambda actor, world: messages.cancel(actor, world.waiting.message),
        lambda world: f"messages cancel {world.waiting.message.public_id}",
        lambda admin, world: act(admin, "cancel", world.waiting.message),
        about=lambda world: world.waiting.message.public_id,
        changes={},
        details=lambda _: {"deliveries": 1},
        after=lambda world: (*_fields(world.waiting, "state"), world.waiting.finished_at is None),
        expected=("cancelled", False),
        document=lambda world: {"id": world.waiting.message.public_id, "cancelled": 1},
    ),
    Case(
        "message.expunge",
        ["messages.expunge"],
        lambda actor, world: messages.expunge(actor, world.answered.delivery.message),
        lambda world: f"messages expunge {world.answered.delivery.message.public_id}",
        lambda admin, world: act(admin, "expunge", world.answered.delivery.message, confirmed="yes"),
        about=lambda world: world.answered.delivery.message.public_id,
        changes={},
        details=lambda _: {"deliveries": 1, "answers": 1},
        after=lambda world: (
            *(bytes(body) for body in _fields(world.answered.delivery.message, "body")),
            *_fields(world.answered.delivery, "state"),
            *_fields(world.answered, "status", "response_headers", "response_body"),
        ),
        expected=(b"", "cancelled", 500, {}, "EXPUNGED"),
        wakes=(Delivery,),
        document=lambda world: {
            "id": world.answered.delivery.message.public_id,
            "answers": 1,
            "cancelled": 1,
            "under_way": 0,
        },
    ),
    Case(
        "attempt.expunge",
        ["deliveries.expunge_attempt"],
        lambda actor, world: deliveries.expunge_attempt(actor, world.answered),
        lambda world: f"deliveries expunge-attempt {world.answered.public_id}",
        lambda admin, world: act(admin, "expunge", world.answered, confirmed="yes"),
        about=lambda world: world.answered.public_id,
        changes={},
        details=lambda _: {"answers": 1},
        after=lambda world: _fields(world.answered, "status", "response_headers", "response_body"),
        expected=(500, {}, "EXPUNGED"),
        document=lambda world: {"id": world.answered.public_id, "expunged": True},
    ),
    Case(
        "history.prune",
        ["prune.prune"],
        lambda actor, _: prune.prune(actor, conf.get()),
        lambda _: "prune",
        None,
        about=lambda _: "",
        changes={},
        details=lambda _: dict.fromkeys(PRUNED, 0),
        after=lambda _: Event.objects.count(),
        expected=2,
        document=lambda _: dict.fromkeys(PRUNED, 0),
    ),
]
