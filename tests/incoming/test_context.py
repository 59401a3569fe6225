"""HANDLER_CONTEXT: the context manager in which handlers and follow-ups run."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from django.conf import settings as django_settings
from django.contrib.auth.models import Group
from django.db import connection
from django.test.utils import override_settings

import hookline
from hookline.engine.claim import claim
from hookline.engine.job import State
from hookline.exceptions import ConfigurationError
from hookline.incoming.follow_ups import functions
from hookline.incoming.follow_ups import run as follow_ups
from hookline.incoming.models import Event, FollowUp
from hookline.incoming.process import context
from hookline.incoming.process import run as process
from tests.edges.conftest import Register
from tests.engine.rows import make_event, make_source

pytestmark = pytest.mark.django_db(transaction=True)

#: What happened, in order.
LOG: list[str] = []


@contextmanager
def of_tenant(event: Event) -> Iterator[None]:
    LOG.append(f"enter {event.tenant.key} {'in' if connection.in_atomic_block else 'outside of'} a transaction")
    try:
        yield
    finally:
        LOG.append("leave")


def mail(event: Event) -> None:
    LOG.append("mail")


@pytest.fixture(autouse=True)
def named() -> Iterator[None]:
    path = f"{__name__}.of_tenant"
    hookline.after_commit(mail)
    with override_settings(HOOKLINE={**django_settings.HOOKLINE, "HANDLER_CONTEXT": path}):
        yield
    functions.forget(mail)
    LOG.clear()


def test_handlers_run_in_it_one_event_after_the_other_in_their_transaction(handler: Register) -> None:
    @handler("stripe")
    def paid(event: Event) -> None:
        LOG.append("paid")
        event.after_commit(mail)

    source = make_source("stripe")
    make_event(source)
    make_event(source)
    process.run_all(claim(Event, 2, lease=60))
    assert LOG == ["enter default in a transaction", "paid", "leave"] * 2
    LOG.clear()
    due = claim(FollowUp, 1, lease=60)
    follow_ups.fetch_events(due)
    follow_ups.run(due[0])
    assert LOG == ["enter default outside of a transaction", "mail", "leave"]


def test_it_is_left_when_a_handler_fails_and_nothing_remains(handler: Register) -> None:
    @handler("stripe")
    def broken(event: Event) -> None:
        Group.objects.create(name="left over")
        raise ValueError("broken")

    make_event(make_source("stripe"))
    (event,) = claim(Event, 1, lease=60)
    assert process.run(event).state == State.PENDING
    assert LOG == ["enter default in a transaction", "leave"]
    assert not Group.objects.exists()


def test_one_that_does_not_exist_is_named() -> None:
    with (
        override_settings(HOOKLINE={**django_settings.HOOKLINE, "HANDLER_CONTEXT": "tests.nowhere.at_all"}),
        pytest.raises(ConfigurationError, match="HANDLER_CONTEXT"),
    ):
        context.factory()


def test_a_schema_of_postgresql_is_that_of_the_tenant_while_its_handlers_run(handler: Register) -> None:
    if connection.vendor != "postgresql":
        pytest.skip("SQLite has no schemas")
    with connection.cursor() as cursor:
        cursor.execute("CREATE SCHEMA acme; CREATE TABLE acme.orders (number text)")
    try:

        @handler("stripe")
        def paid(event: Event) -> None:
            with connection.cursor() as cursor:
                cursor.execute("INSERT INTO orders VALUES (%s)", [event.provider_id])
            hookline.dispatch("order.paid", {"id": event.provider_id})

        with override_settings(
            HOOKLINE={**django_settings.HOOKLINE, "HANDLER_CONTEXT": f"{__name__}.in_schema_of_acme"}
        ):
            make_event(make_source("stripe"), provider_id="evt_1")
            process.run_all(claim(Event, 1, lease=60))
        with connection.cursor() as cursor:
            cursor.execute("SELECT number FROM acme.orders")
            assert cursor.fetchall() == [("evt_1",)]
        assert Event.objects.get().state == State.SUCCEEDED
    finally:
        with connection.cursor() as cursor:
            cursor.execute("DROP SCHEMA acme CASCADE")


@contextmanager
def in_schema_of_acme(event: Event) -> Iterator[None]:
    """What django-tenants does, without its cache."""
    with connection.cursor() as cursor:
        cursor.execute("SET search_path = acme, public")
    yield
    with connection.cursor() as cursor:
        cursor.execute("SET search_path = public")
