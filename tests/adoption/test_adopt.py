"""`hookline adopt`: what a table becomes, for the shapes of table that there are."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
import stripe
from click.testing import Result
from django.db import connection
from django.test import Client

from hookline.audit import actor
from hookline.audit.models import AuditEntry
from hookline.engine.job import State
from hookline.exceptions import ConfigurationError
from hookline.incoming.models import Event, Source
from hookline.operations import adoptions
from hookline.operations.adoptions import Mapping
from tests.cli.conftest import Cli
from tests.engine.rows import make_source

pytestmark = pytest.mark.django_db(transaction=True)

SECRET = "whsec_made_up"
OPS = actor.command_line("ops")


class Table:
    """A table of another app."""

    def __init__(self, name: str, columns: str) -> None:
        self.name = name
        self.run(f"CREATE TABLE {name} ({columns})")

    def run(self, sql: str, *params: Any) -> None:
        with connection.cursor() as cursor:
            cursor.execute(sql, params)

    def add(self, *values: Any) -> None:
        self.run(f"INSERT INTO {self.name} VALUES ({', '.join(['%s'] * len(values))})", *values)


@pytest.fixture
def delivery() -> Iterator[Table]:
    """The table of the usual receiver: no unique constraint."""
    table = Table(
        "shop_webhookdelivery",
        "id integer PRIMARY KEY, endpoint varchar(50), event_id varchar(255), status varchar(20), payload text, "
        f"headers text, received_at {'timestamptz' if connection.vendor == 'postgresql' else 'datetime'}",
    )
    yield table
    table.run("DROP TABLE shop_webhookdelivery")


@pytest.fixture
def cli() -> Cli:
    return Cli()


@pytest.fixture
def source() -> Source:
    return make_source("stripe", SECRET)


def body(event_id: str, kind: str = "invoice.paid") -> str:
    return json.dumps({"id": event_id, "object": "event", "type": kind})


def at(minute: int) -> str:
    return (
        f"2026-01-01 00:{minute:02}:00+00:00" if connection.vendor == "postgresql" else f"2026-01-01 00:{minute:02}:00"
    )


def mapping(to: Source, **more: Any) -> Mapping:
    fields = {
        "table": "shop_webhookdelivery",
        "sources": {"": to.public_id},
        "event_id": "event_id",
        "status": "status",
        "payload": "payload",
        "headers": "headers",
        "received_at": "received_at",
    }
    return Mapping(**{**fields, **more})


def notes() -> dict[str, tuple[str, str]]:
    """Deduplication key -> state and note."""
    return {event.dedup_key: (event.state, event.note) for event in Event.objects.all()}


def test_of_duplicates_the_processed_one_is_kept_else_the_newest_and_the_others_name_it(
    delivery: Table, source: Source
) -> None:
    headers = json.dumps({"Stripe-Signature": "t=1,v1=x", "HTTP_X_REQUEST_ID": "r1", "Cookie": "secret"})
    delivery.add(1, "stripe", "evt_1", "processed", body("evt_1"), headers, at(1))
    delivery.add(2, "stripe", "evt_1", "failed", body("evt_1"), headers, at(9))
    delivery.add(3, "stripe", "evt_2", "failed", body("evt_2"), headers, at(3))
    delivery.add(4, "stripe", "evt_2", "received", body("evt_2"), headers, at(2))
    delivery.add(5, "stripe", "", "processed", body("evt_5"), headers, at(5))
    delivery.add(6, "stripe", None, "processed", "not JSON", headers, at(6))
    adoption = adoptions.adopt(OPS, mapping(source), batch=2)
    kept = "; a duplicate of shop_webhookdelivery {}, which was kept"
    assert notes() == {
        "id:evt_1": ("succeeded", "adopted from shop_webhookdelivery 1, where its status was processed"),
        "adopted:shop_webhookdelivery:2": (
            "cancelled",
            "adopted from shop_webhookdelivery 2, where its status was failed" + kept.format(1),
        ),
        "id:evt_2": ("dead", "adopted from shop_webhookdelivery 3, where its status was failed"),
        "adopted:shop_webhookdelivery:4": (
            "cancelled",
            "adopted from shop_webhookdelivery 4, where its status was received" + kept.format(3),
        ),
        "id:evt_5": ("succeeded", "adopted from shop_webhookdelivery 5, where its status was processed"),
        # printf 'not JSON' | sha256sum
        "sha256:62b8125a6f6d924ec53345b5fcd58ca3ed3f5e7d51e2e146e5f1346508acce69": (
            "succeeded",
            "adopted from shop_webhookdelivery 6, where its status was processed",
        ),
    }
    first = Event.objects.get(dedup_key="id:evt_1")
    assert (first.type, first.provider_id, first.created_at) == (
        "invoice.paid",
        "evt_1",
        datetime(2026, 1, 1, 0, 1, tzinfo=UTC),
    )
    assert first.headers == {"stripe-signature": "t=1,v1=x", "x-request-id": "r1"}
    assert first.pk < Event.objects.get(dedup_key="id:evt_2").pk  # ids sort by the time at which they came
    assert (adoption.done, adoption.counts) == (6, {"succeeded": 3, "cancelled": 2, "dead": 1})
    assert adoption.finished_at is not None
    assert not adoption.duplicates.exists()
    [entry] = AuditEntry.objects.filter(action="event.adopt")
    assert (entry.actor_name, entry.details["rows"]) == ("ops", 6)


def test_a_retry_of_the_sender_is_a_duplicate_of_what_was_adopted(delivery: Table, source: Source) -> None:
    delivery.add(1, "stripe", "evt_1", "processed", body("evt_1"), None, at(1))
    adoptions.adopt(OPS, mapping(source))
    now = int(datetime.now(UTC).timestamp())
    signature = stripe.WebhookSignature._compute_signature(f"{now}.{body('evt_1')}", SECRET)
    headers = {"stripe-signature": f"t={now},v1={signature}"}
    answer = Client().post(source.path, body("evt_1"), content_type="application/json", headers=headers)
    assert answer.json() == {"status": "duplicate", "id": Event.objects.get().public_id}


def test_what_came_to_hookline_or_to_the_table_meanwhile_is_a_duplicate_too_and_nothing_is_processed_again(
    delivery: Table, source: Source
) -> None:
    delivery.add(1, "stripe", "evt_1", "failed", body("evt_1"), None, at(1))
    adoptions.adopt(OPS, mapping(source))
    delivery.add(2, "stripe", "evt_1", "processed", body("evt_1"), None, at(2))
    delivery.add(3, "stripe", "evt_3", "waiting", body("evt_3"), None, at(3))
    again = adoptions.adopt(OPS, mapping(source))
    assert again.counts == {"dead": 2, "cancelled": 1}
    first = Event.objects.get(dedup_key="id:evt_1")
    assert first.state == State.DEAD
    late = Event.objects.get(dedup_key="adopted:shop_webhookdelivery:2")
    assert late.note.endswith(f"a duplicate of {first.public_id}, which was kept")
    assert adoptions.adopt(OPS, mapping(source)).done == Event.objects.count() == 3


def test_each_value_of_a_column_belongs_to_a_source_and_an_unknown_one_is_refused(
    delivery: Table, source: Source
) -> None:
    other = make_source("github")
    delivery.add(1, "shop", "evt_1", "processed", body("evt_1"), None, at(1))
    delivery.add(2, "repo", "d-1", "processed", '{"ref":"main"}', '{"X-GitHub-Event":"push"}', at(2))
    delivery.add(3, "repo", "d-2", "processed", '{"ref":"main"}', '{"X-GitHub-Event":"push"}', at(3))
    sources = {"shop": source.public_id}
    with pytest.raises(ConfigurationError, match=r"no source is named for these values of endpoint: 'repo' \(2 rows\)"):
        adoptions.adopt(OPS, mapping(source, source="endpoint", sources=sources))
    assert not Event.objects.exists()
    adoptions.adopt(OPS, mapping(source, source="endpoint", sources={**sources, "repo": other.public_id}))
    assert Event.objects.get(source=source).type == "invoice.paid"
    assert set(Event.objects.filter(source=other).values_list("state", flat=True)) == {"succeeded"}
    assert Event.objects.filter(source=other).count() == 2  # two deliveries are two events, though they look alike


def test_pending_rows_are_processed_only_where_that_is_asked_for(delivery: Table, source: Source) -> None:
    delivery.add(1, "stripe", "evt_1", "received", body("evt_1"), None, at(1))
    adoptions.adopt(OPS, mapping(source, pending=("received",)))
    event = Event.objects.get()
    assert (event.state, event.finished_at) == (State.PENDING, None)


def test_the_triggers_of_dj_stripe_are_adopted_with_the_id_in_their_body(source: Source) -> None:
    flag = "boolean" if connection.vendor == "postgresql" else "bool"
    table = Table(
        "djstripe_webhookeventtrigger",
        f"id integer PRIMARY KEY, body text, headers text, valid {flag}, processed {flag}, created varchar(40)",
    )
    try:
        table.add(1, body("evt_1"), "{}", True, False, at(1))
        table.add(2, body("evt_1"), "{}", True, True, at(2))
        table.add(3, "from a stranger", "{}", False, False, at(3))
        found = adoptions.adopt(
            OPS,
            Mapping(
                table="djstripe_webhookeventtrigger",
                sources={"": source.public_id},
                event_id="json:id",
                type="json:type",
                payload="body",
                headers="headers",
                received_at="created",
                status="processed",
                processed=("true",),
                where={"valid": "true"},
            ),
        )
        assert found.counts == {"succeeded": 1, "cancelled": 1}
        assert Event.objects.get(dedup_key="id:evt_1").note.startswith("adopted from djstripe_webhookeventtrigger 2")
    finally:
        table.run("DROP TABLE djstripe_webhookeventtrigger")


# ---- on the command line --------------------------------------------------------------------------------


def test_a_dry_run_says_what_would_be_done_and_does_nothing(cli: Cli, delivery: Table, source: Source) -> None:
    delivery.add(1, "stripe", "evt_1", "processed", body("evt_1"), None, at(1))
    delivery.add(2, "stripe", "evt_1", "failed", body("evt_1"), None, at(2))
    delivery.add(3, "stripe", "evt_2", "failed", body("evt_2"), None, at(3))
    command = (
        "adopt", "--table", delivery.name, "--source", source.public_id, "--event-id", "event_id", "--payload",
        "payload", "--status", "status", "--received-at", "received_at",
    )  # fmt: skip
    plan = cli.json(*command, "--dry-run")
    assert (plan["rows"], plan["duplicates"]) == (3, 1)
    assert plan["statuses"] == [
        {"status": "failed", "rows": 2, "becomes": "dead"},
        {"status": "processed", "rows": 1, "becomes": "succeeded"},
    ]
    assert plan["samples"][0] == {"type": "invoice.paid", "provider_id": "evt_1", "dedup_key": "id:evt_1"}
    assert "becomes" in cli.text(*command, "--dry-run").lower()
    assert not Event.objects.exists()
    assert cli.json(*command, "--yes")["counts"] == {"succeeded": 1, "cancelled": 1, "dead": 1}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--table", "nowhere", "--payload", "payload"], "cannot read the table nowhere"),
        (["--table", "x; DROP TABLE y", "--payload", "payload"], "cannot be the name of a table"),
        (["--table", "shop_webhookdelivery", "--payload", "body"], "has no column body; its columns are: id, endpoint"),
        (["--table", "shop_webhookdelivery", "--payload", 'payload"'], "cannot be the name of a column"),
        (["--payload", "payload"], "give --table or --model"),
        (["--model", "shop.Nothing", "--payload", "payload"], "model 'shop.Nothing' not found"),
    ],
)
def test_a_mistake_is_named(cli: Cli, delivery: Table, source: Source, arguments: list[str], said: str) -> None:
    result: Result = cli.run("adopt", *arguments, "--source", source.public_id)
    assert result.exit_code != 0
    assert said in result.stderr
