"""The catalogue at `dispatch()`, and in CI."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from hookline import dispatch, dispatch_many
from hookline.audit.actor import SYSTEM
from hookline.cli.root import root
from hookline.exceptions import ConfigurationError, Conflict, InvalidEventType, SchemaViolation
from hookline.operations import event_types
from hookline.outgoing.models import Message
from hookline.outgoing.publish.schemas import catalogue

pytestmark = pytest.mark.django_db

SCHEMA = {"type": "object", "properties": {"total": {"type": "string"}}, "required": ["total"]}


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    catalogue.forget()
    yield
    catalogue.forget()


@pytest.fixture
def checked(settings: Any) -> None:
    settings.HOOKLINE = {**settings.HOOKLINE, "EVENT_TYPES": "check"}


@pytest.mark.usefixtures("checked")
def test_an_enforced_type_refuses_other_data_before_anything_is_written(caplog: pytest.LogCaptureFixture) -> None:
    event_types.create(SYSTEM, "order.paid", schema=SCHEMA, enforcement="enforce")
    event_types.create(SYSTEM, "order.seen", schema=SCHEMA)
    event_types.create(SYSTEM, "order.left", schema=SCHEMA, enforcement="off", deprecated=True)
    with transaction.atomic():
        with pytest.raises(SchemaViolation, match=r"order\.paid.*'total'"):
            dispatch("order.paid", {})
        with pytest.raises(SchemaViolation, match=r"\$\.total"):
            dispatch_many([("order.paid", {"total": "7"}), ("order.paid", {"total": 7})])
        assert not Message.objects.exists()
        dispatch("order.seen", {})
        dispatch("order.left", {})
        dispatch("order.paid", {"total": "7.00", "more": 1})
        dispatch("no.such", {})
    assert Message.objects.count() == 4
    logged = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert [line.partition(": ")[0] for line in logged] == [
        "the data of order.seen are not what its schema says",
        "the event type order.left is deprecated, and is still dispatched",
    ]


def test_only_known_types_are_dispatched_where_the_setting_says_so(settings: Any) -> None:
    settings.HOOKLINE = {**settings.HOOKLINE, "EVENT_TYPES": "only"}
    event_types.create(SYSTEM, "order.paid")
    dispatch("order.paid", {})
    with pytest.raises(InvalidEventType, match="not in the catalogue"):
        dispatch("order.piad", {})


@pytest.mark.usefixtures("checked")
def test_a_change_of_the_catalogue_counts_at_once_and_asking_it_is_no_query() -> None:
    found = event_types.create(SYSTEM, "order.paid", schema=SCHEMA, enforcement="enforce")
    with pytest.raises(SchemaViolation):
        dispatch("order.paid", {})
    event_types.update(SYSTEM, found, enforcement="off")
    dispatch("order.paid", {})
    with CaptureQueriesContext(connection) as queries:
        dispatch("order.paid", {})
    assert not [query for query in queries if "eventtype" in query["sql"]]


def test_the_catalogue_costs_nothing_where_it_is_not_used() -> None:
    event_types.create(SYSTEM, "order.paid", schema=SCHEMA, enforcement="enforce")
    with CaptureQueriesContext(connection) as queries:
        dispatch("order.paid", {})
    assert not [query for query in queries if "eventtype" in query["sql"]]


def test_a_schema_that_breaks_subscribers_is_refused_unless_it_is_wanted() -> None:
    found = event_types.create(SYSTEM, "order.paid", schema=SCHEMA, example={"total": "7"})
    with pytest.raises(Conflict, match=r"data\.total: is no longer required"):
        event_types.update(SYSTEM, found, schema={**SCHEMA, "required": []})
    with pytest.raises(ConfigurationError, match="example"):
        event_types.update(SYSTEM, found, example={"total": 7})
    event_types.update(SYSTEM, found, schema={**SCHEMA, "required": []}, allow_breaking=True)
    assert event_types.find("order.paid").schema == {**SCHEMA, "required": []}


def test_the_check_fails_in_ci_when_a_document_breaks_the_catalogue(tmp_path: Path) -> None:
    event_types.create(SYSTEM, "order.paid", schema=SCHEMA)
    same, broken, more = event_types.export(), event_types.export(), event_types.export()
    data = broken["webhooks"]["order.paid"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    data["properties"]["data"]["properties"]["total"]["type"] = ["string", "integer"]
    more["webhooks"]["order.gone"] = {"post": {}}
    for name, document in {"same": same, "broken": broken, "more": more}.items():
        (tmp_path / name).write_text(json.dumps(document))

    def run(*words: str) -> tuple[int, str]:
        result = CliRunner().invoke(root, ["event-types", *words], prog_name="hookline")
        return result.exit_code, result.stdout

    assert run("check", str(tmp_path / "same")) == (0, "Compatible.\n")
    assert run("check", str(tmp_path / "more")) == (0, "Compatible.\n")
    assert run("check", str(tmp_path / "broken")) == (1, "order.paid: data.total: may now be integer\n")
    assert run("check", str(tmp_path / "same"), "--against", str(tmp_path / "more"))[0] == 1  # one is gone
    code, printed = run("check", str(tmp_path / "broken"), "--json")
    assert (code, json.loads(printed)) == (1, {"breaking": ["order.paid: data.total: may now be integer"]})
    assert run("import", str(tmp_path / "broken"))[0] == 1
    assert run("import", str(tmp_path / "broken"), "--allow-breaking")[0] == 0
    assert run("check", str(tmp_path / "broken"))[0] == 0
