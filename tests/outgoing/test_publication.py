"""Changes of Django models, published."""

from __future__ import annotations

import logging
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import ninja
import pydantic
import pytest
from django.contrib.auth.models import Group, User
from django.core import serializers as django_serializers
from django.db import transaction
from django.test import Client
from rest_framework import serializers

from hookline import publish
from hookline.exceptions import ConfigurationError, InvalidEventType, NotSerializable
from hookline.outgoing.models import Message
from hookline.outgoing.publish.publication import Publication
from hookline.tenants.models import Tenant
from tests.engine.rows import make_endpoint, rolled_back

pytestmark = pytest.mark.django_db(transaction=True)

USER = {"created": "user.created", "updated": "user.updated", "deleted": "user.deleted"}


@contextmanager
def publishing(model: Any, **declaration: Any) -> Iterator[Publication]:
    publication = publish(model, **declaration)
    try:
        yield publication
    finally:
        publication.disconnect()


def published() -> list[tuple[str, Any]]:
    return [(message.type, message.json["data"]) for message in Message.objects.order_by("pk")]


def test_a_row_is_published_when_it_is_created_changed_and_deleted_with_the_named_fields_alone() -> None:
    endpoint = make_endpoint(event_types=["user.*"])
    with publishing(User, **USER, fields=("username", "is_active")):
        user = User.objects.create_user("ada", password="made up")
        user.is_active = False
        user.save()
        user.last_name = "Lovelace"  # is not published
        user.save()
        user.save(update_fields=["last_name"])
        user.delete()
    assert published() == [
        ("user.created", {"username": "ada", "is_active": True}),
        ("user.updated", {"username": "ada", "is_active": False, "changed": ["is_active"]}),
        ("user.deleted", {"username": "ada", "is_active": False}),
    ]
    assert endpoint.deliveries.count() == 3
    User.objects.create_user("grace")
    assert Message.objects.count() == 3


def test_it_is_published_if_and_only_if_the_change_is_committed() -> None:
    with publishing(Group, created="group.created", deleted="group.deleted", fields=["name"]):
        with rolled_back():
            Group.objects.create(name="never")
        with transaction.atomic():
            Group.objects.create(name="once").delete()
    assert [event_type for event_type, _ in published()] == ["group.created", "group.deleted"]


def test_the_data_are_what_djangos_own_serializer_writes() -> None:
    names = ["username", "is_active", "date_joined"]
    with publishing(User, created="user.created", fields=names):
        user = User.objects.create_user("ada")
    (row,) = django_serializers.serialize("python", [user], fields=names)
    expected = {**row["fields"], "date_joined": row["fields"]["date_joined"].isoformat()}
    assert published() == [("user.created", expected)]


class UserOfRestFramework(serializers.ModelSerializer):  # type: ignore[misc]  # it ships no types
    class Meta:
        model = User
        fields = ("username", "groups")


class UserOfNinja(ninja.ModelSchema):
    class Meta:
        model = User
        fields = ("username", "is_active")


class UserOfPydantic(pydantic.BaseModel):
    username: str
    name: str = pydantic.Field(validation_alias="first_name")


@pytest.mark.parametrize(
    ("serialiser", "expected"),
    [
        (UserOfRestFramework, {"username": "ada", "groups": []}),
        (UserOfNinja, {"username": "ada", "is_active": True}),
        (UserOfPydantic, {"username": "ada", "name": "Ada"}),
        (lambda user: {"name": user.get_full_name(), "score": Decimal("1.50")}, {"name": "Ada", "score": "1.50"}),
    ],
)
def test_a_serialiser_of_the_project_decides_what_is_published(serialiser: Any, expected: Any) -> None:
    with publishing(User, created="user.created", updated="user.updated", serialiser=serialiser):
        user = User.objects.create_user("ada", first_name="Ada")
        user.email = "ada@example.com"  # in none of them
        user.save()
        user.username, user.first_name = "augusta", "Augusta"
        user.save()
    (first, second) = published()
    assert first == ("user.created", expected)
    assert set(second[1]["changed"]) <= set(expected)


def test_the_tenant_is_an_attribute_a_function_or_a_tenant() -> None:
    acme, globex = Tenant.objects.create(key="acme"), Tenant.objects.create(key="globex")
    with publishing(User, created="a", fields=["username"], tenant="last_name"):
        User.objects.create_user("one", last_name="acme")
    with publishing(User, created="b", fields=["username"], tenant=lambda user: user.last_name or "globex"):
        User.objects.create_user("two")
    with publishing(User, created="c", fields=["username"], tenant=acme):
        User.objects.create_user("three")
    found = Message.objects.order_by("pk").values_list("type", "tenant")
    assert list(found) == [("a", acme.pk), ("b", globex.pk), ("c", acme.pk)]


def test_what_django_sends_no_signals_for_is_published_by_an_explicit_call() -> None:
    Tenant.objects.create(key="acme")
    of_user = {"fields": ["username", "is_active"], "tenant": lambda user: user.last_name or None}
    with publishing(User, **USER, **of_user) as users, transaction.atomic():
        made = User.objects.bulk_create([User(username=name, last_name="acme") for name in ("a", "b")])
        assert Message.objects.count() == 0
        assert len(users.created(made)) == 2
        User.objects.update(is_active=False)
        users.updated(User.objects.order_by("pk"), changed=["is_active"])
        users.deleted(User.objects.filter(username="a"))
    assert [event_type for event_type, _ in published()] == [
        *["user.created"] * 2,
        *["user.updated"] * 2,
        "user.deleted",
    ]
    assert published()[2][1] == {"username": "a", "is_active": False, "changed": ["is_active"]}
    assert set(Message.objects.values_list("tenant__key", flat=True)) == {"acme"}


def test_rows_of_fixtures_are_not_published() -> None:
    text = django_serializers.serialize("json", [Group(pk=7, name="from a fixture")])
    with publishing(Group, created="group.created", fields=["name"]):
        for row in django_serializers.deserialize("json", text):
            row.save()
    assert published() == []


# ---- what goes wrong ----------------------------------------------------------------------------------


def broken(row: Any) -> Any:
    return {"what": object()} if row.name == "broken" else {"name": row.name}


def test_what_cannot_be_published_rolls_the_change_back() -> None:
    with publishing(Group, created="group.created", serialiser=broken):
        with pytest.raises(NotSerializable, match="what"), transaction.atomic():
            Group.objects.create(name="broken")
        with (
            pytest.raises(ConfigurationError, match="nobody"),
            publishing(Group, created="b", fields=["name"], tenant=lambda _: "nobody"),
            transaction.atomic(),
        ):
            Group.objects.create(name="of nobody")
    assert not Group.objects.exists()
    assert published() == []


def test_or_it_is_logged_with_its_type_and_counted(caplog: pytest.LogCaptureFixture) -> None:
    series = 'hookline_publish_failures_total{type="group.created"}'

    def counted() -> float:
        text = Client().get("/metrics").content.decode()
        return sum(float(line.split()[1]) for line in text.splitlines() if line.startswith(series))

    before = counted()
    with publishing(Group, created="group.created", serialiser=broken, on_error="log"), transaction.atomic():
        Group.objects.create(name="broken")
        Group.objects.create(name="good")
    assert Group.objects.count() == 2
    assert published() == [("group.created", {"name": "good"})]
    (record,) = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert record.getMessage() == "cannot publish group.created of auth.Group"
    assert record.exc_info is not None
    assert counted() == before + 1


@pytest.mark.parametrize(
    ("declaration", "error"),
    [
        ({"fields": ["name"]}, ConfigurationError),
        ({"created": "a"}, ConfigurationError),
        ({"created": "a", "fields": "name"}, ConfigurationError),
        ({"created": "a", "fields": ["__all__"]}, ConfigurationError),
        ({"created": "a", "fields": ["nmae"]}, ConfigurationError),
        ({"created": "a", "fields": ["permissions"]}, ConfigurationError),
        ({"created": "a", "fields": ["name"], "serialiser": dict}, ConfigurationError),
        ({"created": "a", "serialiser": 7}, ConfigurationError),
        ({"created": "a", "fields": ["name"], "on_error": "ignore"}, ConfigurationError),
        ({"created": "a b", "fields": ["name"]}, InvalidEventType),
    ],
)
def test_a_declaration_with_a_mistake_is_refused_when_it_is_made(declaration: Any, error: type[Exception]) -> None:
    with pytest.raises(error):
        publish(Group, **declaration)


MIGRATING = """
import logging, django
django.setup()
from django.contrib.auth.models import Group
from django.core.management import call_command
from django.db.models.signals import post_migrate
from hookline import publish
from hookline.outgoing.models import Message
logging.basicConfig(level=logging.DEBUG)
publish(Group, created="group.created", fields=["name"])
names = iter(range(100))
post_migrate.connect(lambda **more: Group.objects.create(name=f"group {next(names)}"), weak=False)
call_command("migrate", "auth", verbosity=0)
early = Group.objects.count()
call_command("migrate", verbosity=0)
print(early > 0, Message.objects.count() == Group.objects.count() - early > 0)
"""


def test_rows_that_other_apps_make_during_migrate_before_our_tables_are_there_are_skipped_at_debug(
    database_url: str,
) -> None:
    """`migrate auth`, after which a project makes groups, and then all the rest."""
    example = Path(__file__).parent.parent.parent / "example"
    environment = {
        "DATABASE_URL": database_url,
        "DJANGO_SETTINGS_MODULE": "project.settings",
        "PYTHONPATH": str(example),
    }
    ended = subprocess.run(
        [sys.executable, "-c", MIGRATING], capture_output=True, text=True, timeout=60, check=False, env=environment
    )
    assert ended.returncode == 0, ended.stderr
    assert "DEBUG:hookline.outgoing:group.created is not published: hookline's tables are not there yet" in ended.stderr
    assert ended.stdout == "True True\n"
