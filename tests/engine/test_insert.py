"""Inserting many rows, past Django's own way; and what must not get past it."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import Error, IntegrityError, transaction

from hookline.db.insert import Insertion, insert_new, json_of_texts
from hookline.db.row import new_ids
from hookline.incoming.models import Event, Rejection
from hookline.incoming.receive.new_event import COLUMNS, NewEvent
from hookline.outgoing.models import Message
from hookline.tenants.models import resolve
from tests.engine.rows import make_source


def test_columns_get_what_is_given_and_the_others_their_defaults(db: None) -> None:
    tenant, ids = resolve(None), new_ids(3)
    columns: dict[str, list[Any]] = {
        "id": ids,
        "tenant": [tenant.pk] * 3,
        "type": ["a", "b", "c"],
        "uid": [None, "key", None],
        "channels": [["eu"], [], ["us", "ü"]],
        "body": [b"\x00", b"{}", memoryview(b"xyz")],
    }
    Insertion(Message, columns).run()
    rows = list(Message.objects.order_by("id"))
    assert [row.pk for row in rows] == ids
    assert [(row.tenant, row.type, row.uid, row.channels) for row in rows] == [
        (tenant, "a", None, ["eu"]), (tenant, "b", "key", []), (tenant, "c", None, ["us", "ü"])
    ]  # fmt: skip
    assert [bytes(row.body) for row in rows] == [b"\x00", b"{}", b"xyz"]
    assert all(row.created_at for row in rows)


def test_an_object_of_texts_that_is_written_out_reads_the_same_whatever_its_texts_hold(db: None) -> None:
    texts = {"quote": 'say "hi"', "back\\slash": "a\\b", "line": "a\nb\t\x01", "é": "ü\u2028😀", "": ""}
    tenant, (key,) = resolve(None), new_ids(1)
    columns: dict[str, list[Any]] = {
        "id": [key],
        "tenant": [tenant.pk],
        "type": ["a"],
        "channels": [[]],
        "body": [b"{}"],
    }
    Insertion(Message, {**columns, "forwarded": [json_of_texts(texts.items())]}).run()
    assert Message.objects.get(pk=key).forwarded == texts


def test_more_rows_than_sqlite_takes_at_once_and_none_at_all(db: None) -> None:
    tenant = resolve(None)
    for count in (0, 2500):
        columns: dict[str, list[Any]] = {
            "id": new_ids(count),
            "tenant_id": [tenant.pk] * count,
            "type": ["a"] * count,
            "channels": [[]] * count,
            "body": [b""] * count,
        }
        Insertion(Message, columns).run()
    assert Message.objects.count() == 2500


def test_what_must_be_encrypted_is_not_stored_in_the_clear(db: None) -> None:
    columns: dict[str, list[Any]] = {
        "id": new_ids(1),
        "reason": ["bad_signature"],
        "status": [401],
        "method": ["POST"],
        "path": ["/"],
        "encrypted_request": ["the sender's credentials"],
    }
    with pytest.raises(TypeError, match="encrypted for its row"):
        Insertion(Rejection, columns).run()


def test_a_missing_value_does_not_become_a_default_and_nothing_is_stored(transactional_db: None) -> None:
    first = NewEvent(make_source(), "a", "id:1", b"{}")
    event = NewEvent(first.source, "a", "id:2", b"{}")
    event.provider_id = None  # type: ignore[assignment]  # on purpose
    with pytest.raises(IntegrityError):
        insert_new(Event, COLUMNS, [first, event], unique=("source_id", "dedup_key"))
    assert Event.objects.count() == 0


def test_a_value_that_does_not_fit_is_refused_and_nothing_is_stored(transactional_db: None) -> None:
    tenant = resolve(None)
    columns: dict[str, list[Any]] = {
        "id": new_ids(2),
        "tenant_id": [tenant.pk] * 2,
        "type": ["a", None],
        "channels": [[]] * 2,
        "body": [b""] * 2,
    }
    with pytest.raises(Error), transaction.atomic():
        Insertion(Message, columns).run()
    assert Message.objects.count() == 0
