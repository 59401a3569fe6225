"""A message is stored if and only if the caller's transaction commits."""

from __future__ import annotations

import fnmatch
import json
import threading
import tracemalloc
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import RFC_4122, UUID

import pytest
from asgiref.sync import async_to_sync
from django.contrib.auth.models import Group
from django.db import connection, connections, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from hookline import adispatch, dispatch, dispatch_many
from hookline.exceptions import ConfigurationError, InvalidEventType, MessageTooLarge, NotSerializable
from hookline.outgoing.models import Delivery, Endpoint, Message
from hookline.tenants.models import Tenant
from tests.engine.rows import make_endpoint, rolled_back

pytestmark = pytest.mark.django_db(transaction=True)


def counts() -> tuple[int, int]:
    return Message.objects.count(), Delivery.objects.count()


def receivers(message: Message) -> set[Endpoint]:
    return {delivery.endpoint for delivery in message.deliveries.select_related("endpoint")}


def test_a_rollback_leaves_neither_the_business_data_nor_the_message() -> None:
    make_endpoint()
    with rolled_back():
        Group.objects.create(name="invoice")
        dispatch("invoice.paid", {"id": 1})
        assert counts() == (1, 1)
    assert (Group.objects.count(), *counts()) == (0, 0, 0)


def test_rolling_back_a_savepoint_takes_back_what_was_dispatched_within_it_and_nothing_else() -> None:
    make_endpoint()
    with transaction.atomic():
        kept = dispatch("invoice.paid", {"id": 1})
        with rolled_back():
            dispatch("invoice.paid", {"id": 2})
        assert counts() == (1, 1)
    assert Message.objects.get() == kept


def test_the_body_is_serialised_once_into_the_form_that_standard_webhooks_recommends(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(timezone, "now", lambda: datetime(2026, 2, 3, 4, 5, 6, 789000, tzinfo=UTC))
    data = {
        "id": UUID("01890a5d-ac96-774b-bcce-b302099a8057"),
        "total": Decimal("12.30"),
        "name": "Zo\u00eb \u2603",
        "at": datetime(2026, 1, 1, tzinfo=UTC),
    }
    message = dispatch("invoice.paid", data)
    data["name"] = "changed afterwards"
    expected = (
        '{"type":"invoice.paid","timestamp":"2026-02-03T04:05:06.789000+00:00",'
        '"data":{"id":"01890a5d-ac96-774b-bcce-b302099a8057","total":"12.30","name":"Zo\u00eb \u2603",'
        '"at":"2026-01-01T00:00:00+00:00"}}'
    ).encode()
    assert bytes(Message.objects.get(pk=message.pk).body) == expected
    assert message.public_id.startswith("msg_")


@pytest.mark.parametrize(
    ("patterns", "wanted"),
    [
        ([], True),
        (["*"], True),
        (["invoice.paid"], True),
        (["invoice.*"], True),
        (["*.paid"], True),
        (["customer.*", "invoice.paid"], True),
        (["invoice"], False),
        (["invoice.paid.*"], False),
        (["Invoice.Paid"], False),
        (["customer.*"], False),
        (["invoice_paid"], False),
    ],
)
def test_an_endpoint_gets_the_event_types_that_it_wants(patterns: list[str], wanted: bool) -> None:
    make_endpoint(event_types=patterns)
    dispatch("invoice.paid", {})
    assert counts() == (1, int(wanted))


@pytest.mark.parametrize(
    ("sent", "wanted"),
    [([], {"all"}), (["eu"], {"all", "eu"}), (["us", "eu"], {"all", "eu", "us"}), (["asia"], {"all"})],
)
def test_an_endpoint_with_channels_gets_only_messages_on_one_of_them(sent: list[str], wanted: set[str]) -> None:
    make_endpoint(description="all")
    make_endpoint(description="eu", channels=["eu", "uk"])
    make_endpoint(description="us", channels=["us"])
    message = dispatch("invoice.paid", {}, channels=sent)
    assert {endpoint.description for endpoint in receivers(message)} == wanted
    assert Message.objects.get().channels == sent


@pytest.mark.parametrize(
    "channels",
    ["eu", ["a", "b", "c", "d", "e", "f"], iter(["eu"]), None, [""], [5], ["a\x00"], ["\ud800"], ["x" * 129]],
)
def test_channels_that_are_none_or_too_many_are_refused(channels: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"at most 5 channels|a channel must be"):
        dispatch("invoice.paid", {}, channels=channels)
    assert counts() == (0, 0)


def test_disabled_endpoints_and_those_of_other_tenants_get_nothing() -> None:
    other = Tenant.objects.create(key="other")
    mine = make_endpoint()
    make_endpoint(disabled=True)
    theirs = make_endpoint(tenant=other)
    assert receivers(dispatch("invoice.paid", {})) == {mine}
    assert receivers(dispatch("invoice.paid", {}, tenant="other")) == {theirs}
    assert receivers(dispatch("invoice.paid", {}, tenant=other)) == {theirs}


def test_an_unknown_tenant_is_an_error_and_the_default_one_is_made_when_first_needed() -> None:
    with pytest.raises(ConfigurationError, match="hookline tenant create acme"):
        dispatch("invoice.paid", {}, tenant="acme")
    assert Tenant.objects.count() == 0
    assert dispatch("invoice.paid", {}).tenant == dispatch("invoice.paid", {}).tenant == Tenant.objects.get()


def test_an_unsaved_tenant_is_an_error_at_the_call_and_not_at_the_commit() -> None:
    stranger = Tenant(key="stranger")
    with transaction.atomic():
        with pytest.raises(ConfigurationError, match="was it saved"):
            dispatch("invoice.paid", {}, tenant=stranger)
        with pytest.raises(ConfigurationError, match="was it saved"):
            dispatch_many([("invoice.paid", {})], tenant=stranger)
    assert counts() == (0, 0)


def test_what_dispatch_refuses_leaves_the_callers_transaction_as_it_was() -> None:
    make_endpoint()
    with transaction.atomic():
        Group.objects.create(name="before")
        dispatch("invoice.paid", {}, idempotency_key="k")
        for tenant, key, channels in (("unknown", None, []), (None, "", []), (None, None, ["\x00"])):
            with pytest.raises(ConfigurationError):
                dispatch("invoice.paid", {}, tenant=tenant, idempotency_key=key, channels=channels)
        dispatch("invoice.paid", {}, idempotency_key="k")  # a copy, which no error tells
        Group.objects.create(name="after")
    assert (Group.objects.count(), *counts()) == (2, 1, 1)


@pytest.mark.parametrize("key", [None, "key"])
@pytest.mark.parametrize("many", [False, True])
def test_the_message_that_is_returned_holds_what_was_written(key: str | None, many: bool) -> None:
    tenant = Tenant.objects.create(key="acme")
    if many:
        messages = dispatch_many([("invoice.paid", {"n": 1}), ("b", {})], tenant="acme", channels=["eu"])
        message, key = messages[0], None
    else:
        message = dispatch("invoice.paid", {"n": 1}, tenant="acme", channels=["eu"], idempotency_key=key)
    stored = Message.objects.get(pk=message.pk)
    assert isinstance(message.created_at, datetime)
    assert message.created_at == stored.created_at
    assert (message._state.adding, message._state.db) == (False, "default")
    assert (message.type, message.uid, message.channels) == ("invoice.paid", key, ["eu"])
    assert (message.tenant, message.json["data"]) == (tenant, {"n": 1})
    message.channels.append("us")
    message.save()
    assert Message.objects.get(pk=message.pk).channels == ["eu", "us"]


def test_asynchronous_code_can_dispatch() -> None:
    endpoint = make_endpoint()
    message = async_to_sync(adispatch)("invoice.paid", {"id": 1}, idempotency_key="k")
    assert receivers(message) == {endpoint}
    assert async_to_sync(adispatch)("invoice.paid", {"id": 1}, idempotency_key="k") == message


def test_deliveries_have_ids_of_the_moment_of_their_message() -> None:
    """Their ids are in the order in which they were made, as those of all rows; RFC 9562 has the form."""
    for _ in range(3):
        make_endpoint()
    messages = [dispatch("a", {}), *dispatch_many([("a", {}), ("b", {})])]
    for message in messages:
        for delivery in message.deliveries.all():
            assert (delivery.id.version, delivery.id.variant) == (7, RFC_4122)
            assert delivery.id.int >> 64 == message.id.int >> 64
    assert Delivery.objects.count() == 9


# ---- idempotency ------------------------------------------------------------------------------------


def test_a_second_call_with_the_same_key_returns_the_first_message_and_sends_nothing() -> None:
    make_endpoint()
    first = dispatch("invoice.paid", {"n": 1}, idempotency_key="invoice-1")
    second = dispatch("invoice.paid", {"n": 1}, idempotency_key="invoice-1")
    assert second == first
    assert second.json["data"] == {"n": 1}
    assert counts() == (1, 1)
    dispatch("invoice.paid", {}, idempotency_key="invoice-2")
    dispatch("invoice.paid", {})
    dispatch("invoice.paid", {})
    assert counts() == (4, 4)


def test_keys_of_different_tenants_have_nothing_to_do_with_each_other() -> None:
    Tenant.objects.create(key="other")
    assert dispatch("a", {}, idempotency_key="k") != dispatch("a", {}, idempotency_key="k", tenant="other")


def test_a_key_that_was_rolled_back_is_free_again() -> None:
    with rolled_back():
        dispatch("a", {}, idempotency_key="k")
    dispatch("a", {"second": True}, idempotency_key="k")
    assert Message.objects.get().json["data"] == {"second": True}


def test_of_threads_that_use_one_key_at_once_all_get_the_one_message() -> None:
    make_endpoint()
    dispatch("warm.up", {})
    barrier = threading.Barrier(10)
    found: list[UUID] = []

    def work() -> None:
        try:
            barrier.wait(10)
            with transaction.atomic():
                found.append(dispatch("invoice.paid", {}, idempotency_key="invoice-1").pk)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=work) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(found) == 10
    assert set(found) == {Message.objects.get(uid="invoice-1").pk}
    assert Delivery.objects.filter(message__uid="invoice-1").count() == 1


@pytest.mark.parametrize("key", ["", "x" * 257, "a\x00b", "\ud800"])
def test_a_key_that_would_not_tell_messages_apart_or_cannot_be_stored_is_refused(key: str) -> None:
    """An empty one above all: it is what a missing header gives, and every later message would be taken for a copy."""
    with transaction.atomic():
        with pytest.raises(ConfigurationError, match="idempotency key"):
            dispatch("invoice.paid", {}, idempotency_key=key)
        assert counts() == (0, 0)


# ---- errors -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("event_type", ["", "a b", "a/b", "\u00e9", "a\n", "x" * 257, "invoice.*", None, 5])
def test_what_is_no_event_type_is_refused(event_type: Any) -> None:
    with pytest.raises(InvalidEventType):
        dispatch(event_type, {})
    assert counts() == (0, 0)


def test_data_without_an_agreed_json_form_is_refused_naming_the_path_and_the_callers_transaction_goes_on() -> None:
    group = Group.objects.create(name="a model instance")
    with transaction.atomic():
        Group.objects.create(name="business data")
        with pytest.raises(NotSerializable, match=r"data\.lines\[1\]\.group is a django\.contrib\.auth\.models\.Group"):
            dispatch("invoice.paid", {"lines": [{}, {"group": group}]})
    assert Group.objects.count() == 2
    assert counts() == (0, 0)


def test_a_message_that_is_too_long_is_refused_with_advice() -> None:
    with pytest.raises(MessageTooLarge, match="MAX_MESSAGE_BYTES") as caught:
        dispatch("invoice.paid", "x" * 1024 * 1024)
    assert isinstance(caught.value, ValueError)
    assert counts() == (0, 0)


def test_a_number_that_would_take_hundreds_of_megabytes_is_refused_before_it_is_written() -> None:
    tracemalloc.start()
    try:
        with pytest.raises(NotSerializable, match="thousands of digits"):
            dispatch("invoice.paid", {"total": Decimal("1E+100000000")})
        with pytest.raises(MessageTooLarge, match="MAX_MESSAGE_BYTES"):
            dispatch("invoice.paid", [["x" * 1000] * 10_000] * 10_000)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 5_000_000
    assert counts() == (0, 0)


def test_dispatching_to_a_hundred_endpoints_takes_hardly_more_queries_than_to_one() -> None:
    tenant = make_endpoint().tenant
    with transaction.atomic(), CaptureQueriesContext(connection) as to_one:
        dispatch("invoice.paid", {}, tenant=tenant)
    for _ in range(100):
        make_endpoint()
    with transaction.atomic(), CaptureQueriesContext(connection) as to_many:
        dispatch("invoice.paid", {}, tenant=tenant)
    assert counts() == (2, 102)
    assert len(to_many) <= len(to_one) + 1  # SQLite takes fewer rows in one statement


def test_any_json_value_can_be_the_data() -> None:
    values: list[Any] = [None, True, 0, 1.5, "text", [], {}, [{"a": [None]}]]
    for data in values:
        message = dispatch("a", data)
        assert json.loads(bytes(message.body))["data"] == data


PATTERNS: tuple[list[str], ...] = (
    [], ["*"], ["invoice.paid"], ["invoice.*"], ["*.paid"], ["in*paid"], ["invoice.paid", "user.created"],
    ["invoice_paid"], ["invoice.pai"], ["invoice.paid.twice"], ["INVOICE.PAID"], ["user.*", "invoice"], ["i*v*d"],
)  # fmt: skip


@pytest.mark.parametrize("others", [0, 20], ids=["few types", "many types"])
def test_among_many_endpoints_exactly_those_that_want_a_type_get_it(others: int) -> None:
    endpoints = [(make_endpoint(event_types=patterns), patterns) for patterns in PATTERNS]
    types = ["invoice.paid", "invoice_paid", "invoice.pai", "invoice", "user.created", "INVOICE.PAID", "_", "x-y"]
    unwanted = [f"other-{number}" for number in range(others)]
    messages = dispatch_many([(event_type, {}) for event_type in types + unwanted])
    for event_type, message in zip(types, messages, strict=False):
        wanted = {
            endpoint
            for endpoint, patterns in endpoints
            if not patterns or any(fnmatch.fnmatchcase(event_type, pattern) for pattern in patterns)
        }
        assert receivers(message) == wanted, event_type
