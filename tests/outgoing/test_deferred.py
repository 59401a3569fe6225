"""What a batch of handlers dispatches is written together, and nobody sees a difference."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.contrib.auth.models import Group
from django.db import connection, connections, transaction
from django.test.utils import CaptureQueriesContext

from hookline import adispatch, dispatch, dispatch_many
from hookline.db import deferred as deferred_module
from hookline.db.deferred import Deferred, deferring
from hookline.engine import notifier
from hookline.exceptions import ConfigurationError, InvalidEventType, NotSerializable
from hookline.outgoing.models import Delivery, Message
from hookline.outgoing.publish import dispatch as publishing
from hookline.outgoing.publish.store import store_many
from hookline.tenants.models import Tenant
from tests.engine.rows import make_endpoint, rolled_back

pytestmark = pytest.mark.django_db(transaction=True)


@contextmanager
def batch() -> Iterator[Deferred]:
    with transaction.atomic(), deferring("default") as deferred:
        yield deferred


@pytest.fixture
def writes(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many messages each statement wrote that wrote several together."""
    counted: list[int] = []

    def counting(drafts: Any) -> Any:
        counted.append(len(drafts))
        return store_many(drafts)

    monkeypatch.setattr(publishing, "store_many", counting)
    return counted


def types() -> list[str]:
    return list(Message.objects.order_by("pk").values_list("type", flat=True))


def test_all_but_the_first_are_written_by_one_statement_at_the_end(writes: list[int]) -> None:
    endpoint = make_endpoint(event_types=["b.*"])
    other = make_endpoint(tenant=Tenant.objects.create(key="other"))
    with batch():
        for number in range(20):
            dispatch(f"b.{number}", {"n": number})
            dispatch("unwanted", {})
        dispatch("b", {}, tenant="other")
        for _ in range(3):
            dispatch("b", {}, tenant="other", channels=["eu"])
        dispatch_many([("b.x", {}), ("b.y", {})])
        assert writes == [39]  # what was kept when the first message of the other tenant was written
    assert writes == [39, 5]
    assert (Message.objects.count(), endpoint.deliveries.count(), other.deliveries.count()) == (46, 22, 4)
    assert [m.json["data"] for m in Message.objects.filter(type="b.7")] == [{"n": 7}]


def test_a_lone_message_is_written_at_once_and_costs_no_more_than_elsewhere() -> None:
    make_endpoint()
    with transaction.atomic(), CaptureQueriesContext(connection) as usual:
        dispatch("a", {})
    with batch(), CaptureQueriesContext(connection) as deferred:
        dispatch("a", {})
    assert len(deferred) == len(usual)


def test_the_message_is_as_if_it_were_written(writes: list[int]) -> None:
    endpoint = make_endpoint()
    with batch():
        dispatch("first", {})
        message = dispatch("invoice.paid", {"id": 1}, channels=["eu"])
        assert (message.pk, message._state.adding) == (message.id, False)
        assert message.public_id.startswith("msg_")
        assert message.json["data"] == {"id": 1}
        assert message.tenant.key == "default"
        assert writes == []
        # Whoever looks finds it.
        assert Message.objects.get(pk=message.pk) == message
        assert writes == [1]
        assert [delivery.endpoint for delivery in message.deliveries.all()] == [endpoint]
        dispatch("second", {})
        assert types() == ["first", "invoice.paid", "second"]
    assert writes == [1, 1]
    assert Message.objects.get(pk=message.pk).created_at == message.created_at
    assert Delivery.objects.count() == 3


def test_a_rollback_leaves_nothing() -> None:
    make_endpoint()
    with suppress(LookupError), batch():
        dispatch("a", {})
        dispatch("b", {})
        raise LookupError
    assert types() == []
    with batch():
        dispatch("a", {})
        dispatch("b", {})
        transaction.set_rollback(True)
    assert (types(), Delivery.objects.count()) == ([], 0)


def test_an_event_that_is_rolled_back_takes_its_messages_with_it_and_no_others(writes: list[int]) -> None:
    make_endpoint()
    with batch():
        for number in range(6):
            with suppress(LookupError), transaction.atomic():
                dispatch(f"event.{number}", {})
                with rolled_back():
                    dispatch(f"inner.{number}", {})
                dispatch(f"second.{number}", {})
                if number % 2:
                    raise LookupError
    assert types() == ["event.0", "second.0", "event.2", "second.2", "event.4", "second.4"]
    assert Delivery.objects.count() == 6
    assert writes == [5]


def test_what_was_written_within_a_savepoint_is_written_again_when_that_is_rolled_back() -> None:
    make_endpoint()
    with batch():
        dispatch("first", {})
        dispatch("kept", {})
        with rolled_back():
            dispatch("lost", {})
            assert types() == ["first", "kept", "lost"]  # which writes them
        assert types() == ["first", "kept"]
    assert types() == ["first", "kept"]
    assert Delivery.objects.count() == 2


def test_a_tenant_that_was_rolled_back_is_not_remembered() -> None:
    with batch():
        with rolled_back():
            tenant = Tenant.objects.create(key="acme")
            dispatch("a", {}, tenant="acme")
            dispatch("b", {}, tenant=tenant)
            dispatch("c", {}, tenant=tenant)
        for unknown in ("acme", tenant):
            with pytest.raises(ConfigurationError):
                dispatch("d", {}, tenant=unknown)
        again = Tenant.objects.create(key="acme")
        assert dispatch("e", {}, tenant="acme").tenant_id == again.pk
    assert types() == ["e"]


def test_errors_are_raised_at_the_call() -> None:
    with batch():
        dispatch("a", {})
        with pytest.raises(NotSerializable):
            dispatch("b", object())
        with pytest.raises(InvalidEventType):
            dispatch("b c", {})
        with pytest.raises(ConfigurationError, match="nobody"):
            dispatch("b", {}, tenant="nobody")
        with pytest.raises(ConfigurationError):
            dispatch("b", {}, channels=[""])
        with pytest.raises(NotSerializable):
            dispatch_many([("b", {}), ("c", object())])
        dispatch("d", {})
    assert types() == ["a", "d"]


def test_an_idempotency_key_finds_the_first_message_of_the_same_batch() -> None:
    make_endpoint()
    with batch():
        dispatch("before", {})
        first = dispatch("a", {"n": 1}, idempotency_key="k")
        dispatch("between", {})
        second = dispatch("a", {"n": 1}, idempotency_key="k")
        assert (second, second.json["data"]) == (first, {"n": 1})
    assert (types(), Delivery.objects.count()) == (["before", "a", "between"], 3)


def test_an_endpoint_that_the_handler_makes_or_disables_afterwards_changes_nothing() -> None:
    one = make_endpoint()
    with batch():
        dispatch("a", {})
        dispatch("b", {})
        two = make_endpoint()
        dispatch("c", {})
        one.disable()
        one.save()
        dispatch("d", {})
    assert set(one.deliveries.values_list("message__type", flat=True)) == {"a", "b", "c"}
    assert set(two.deliveries.values_list("message__type", flat=True)) == {"c", "d"}


def test_a_key_of_the_users_own_table_may_point_to_the_message(writes: list[int]) -> None:
    kind = connection.data_types["UUIDField"]
    with connection.cursor() as cursor:
        cursor.execute(
            f"CREATE TABLE note (message_id {kind} REFERENCES hookline_message (id) DEFERRABLE INITIALLY DEFERRED)"
        )
        try:
            with batch():
                dispatch("a", {})
                message = dispatch("b", {})
                value = message.pk if connection.vendor == "postgresql" else message.pk.hex
                cursor.execute("INSERT INTO note VALUES (%s)", [value])
                assert writes == []
            cursor.execute("SELECT count(*) FROM note JOIN hookline_message ON id = message_id")
            assert cursor.fetchone() == (1,)
        finally:
            cursor.execute("DROP TABLE note")


def test_what_runs_after_the_commit_or_in_another_thread_is_not_kept() -> None:
    def elsewhere() -> None:
        dispatch("thread", {})
        connections.close_all()

    def after() -> None:
        dispatch("after", {})

    dispatch("a", {})
    with batch():
        transaction.on_commit(after)
        if connection.vendor == "postgresql":  # SQLite has one writer
            dispatch("b", {})
            thread = threading.Thread(target=elsewhere)
            thread.start()
            thread.join(20)
            assert Message.objects.filter(type="thread").exists()
    assert "after" in types()


def test_asynchronous_code_in_a_handler_joins_its_batch(writes: list[int]) -> None:
    async def work() -> None:
        await adispatch("b", {})
        await adispatch("c", {})

    with batch():
        dispatch("a", {})
        async_to_sync(work)()
        assert writes == []
    assert (types(), writes) == (["a", "b", "c"], [2])


def test_no_more_is_kept_than_fits(monkeypatch: pytest.MonkeyPatch, writes: list[int]) -> None:
    monkeypatch.setattr(deferred_module, "MAX_ITEMS", 10)
    with batch() as deferred:
        for _ in range(25):
            dispatch("a", {})
        assert writes == [10, 10]
        assert len(deferred._kept) == 4
    assert writes == [10, 10, 4]
    monkeypatch.setattr(deferred_module, "MAX_BYTES", 1000)
    writes.clear()
    with batch():
        for _ in range(5):
            dispatch("a", "x" * 500)
    assert writes == [2, 2]


def test_a_broken_transaction_is_told_at_the_call_as_by_any_query() -> None:
    with suppress(transaction.TransactionManagementError), batch():
        dispatch("a", {})
        transaction.set_rollback(True)
        with pytest.raises(transaction.TransactionManagementError):
            dispatch("b", {})
        with pytest.raises(transaction.TransactionManagementError):
            Group.objects.count()
    assert types() == []


def test_workers_are_woken_once_the_batch_is_committed() -> None:
    make_endpoint()
    rings: list[int] = []

    def ring() -> None:
        rings.append(Message.objects.count())

    notifier.of(Delivery).subscribe(ring)
    try:
        with batch():
            dispatch("a", {})
            dispatch("b", {})
            assert rings == []
    finally:
        notifier.of(Delivery).unsubscribe(ring)
    assert rings
    assert set(rings) == {2}
