"""What a change may depend on, and whom it may hold up."""

from __future__ import annotations

import base64
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connection, connections, transaction

from hookline import dispatch
from hookline.audit.actor import SYSTEM, command_line, key, user
from hookline.models import AuditEntry, Source
from hookline.operations import endpoints, messages, sources
from tests.cli.conftest import Cli
from tests.engine.rows import make_endpoint, make_event, make_source

ADA = user("ada")


@pytest.mark.django_db(transaction=True)
def test_a_change_waits_for_no_transaction_that_stores_or_dispatches() -> None:
    if connection.vendor != "postgresql":
        pytest.skip("SQLite has one writer")
    source, endpoint = make_source(), make_endpoint()
    written, changed = threading.Event(), threading.Event()

    def business() -> None:
        with transaction.atomic():
            dispatch("invoice.paid", {})
            make_event(source)
            written.set()
            assert changed.wait(30)
        connections.close_all()

    with ThreadPoolExecutor(1) as threads:
        running = threads.submit(business)
        assert written.wait(30)
        try:
            with transaction.atomic():
                with connection.cursor() as cursor:
                    cursor.execute("SET LOCAL lock_timeout = '5s'")
                sources.update(ADA, source, name="Shop")
                endpoints.disable(ADA, endpoint)
        finally:
            changed.set()
        running.result(30)
    assert Source.objects.get().name == "Shop"
    assert endpoints.find(endpoint.public_id).disabled


@pytest.mark.django_db
def test_a_source_whose_key_is_lost_is_listed_and_can_be_disabled(settings: Any) -> None:
    source = make_source()
    another = "another:" + base64.b64encode(bytes(32)).decode()
    settings.HOOKLINE = {**settings.HOOKLINE, "ENCRYPTION_KEYS": [another]}
    (listed,) = Cli().json("source", "list")
    assert listed["secrets"] is None
    sources.disable(ADA, sources.find(source.public_id))
    assert Source.objects.get().disabled
    assert AuditEntry.objects.get().changes == {"disabled": [False, True]}


@pytest.mark.django_db
def test_what_a_stale_object_holds_is_not_written_back() -> None:
    stale = make_source(name="Shop")
    sources.update(ADA, sources.find(stale.public_id), name="Web shop")
    sources.disable(ADA, stale)
    assert (stale.name, stale.disabled) == ("Web shop", True)
    assert Source.objects.get().name == "Web shop"


@pytest.mark.django_db
def test_what_changes_nothing_leaves_no_entry() -> None:
    source, closed = make_source(name="Shop"), make_source(disabled=True)
    sources.update(ADA, source, name="Shop")
    sources.disable(ADA, closed)
    assert not AuditEntry.objects.exists()
    for _ in range(2):
        messages.publish(ADA, "order.paid", {}, idempotency_key="order 1")
    assert [entry.action for entry in AuditEntry.objects.all()] == ["message.publish"]


@pytest.mark.django_db
def test_that_the_query_of_a_url_changed_is_told_without_telling_it() -> None:
    endpoint = make_endpoint("https://consumer.example.com/?token=one")
    endpoints.update(ADA, endpoint, url="https://consumer.example.com/?token=two")
    entry = AuditEntry.objects.get()
    assert (entry.changes, entry.details) == ({}, {"query_of_url": "changed"})


@pytest.mark.django_db
@pytest.mark.parametrize("noun", ["tenant", "source", "endpoint"])
def test_an_update_without_anything_to_change_is_a_usage_error(noun: str) -> None:
    result = Cli().run(noun, "update", "any")
    assert (result.exit_code, "nothing to change" in result.stderr) == (2, True)


@pytest.mark.parametrize(
    ("actor", "text"),
    [
        (user("ada"), "ada"),
        (key("key_1"), "key key_1"),
        (command_line("root"), "root on the command line"),
        (SYSTEM, "Hookline itself"),
    ],
)
def test_an_actor_is_told_in_words(actor: Any, text: str) -> None:
    assert str(actor) == text


@pytest.mark.django_db
def test_a_command_of_a_system_user_without_a_name_tells_its_number(monkeypatch: pytest.MonkeyPatch) -> None:
    def nameless() -> str:
        raise KeyError("getpwuid(): uid not found: 4711")

    monkeypatch.setattr("getpass.getuser", nameless)
    monkeypatch.setattr("os.getuid", lambda: 4711)
    Cli().json("tenant", "create", "acme")
    assert AuditEntry.objects.get().actor == command_line("uid 4711")
