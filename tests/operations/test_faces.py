"""One suite for every operation under every face: Python, the command line with --json, and the admin.

A face may differ in how it is used, never in what it leaves behind: rows, audit entry, and workers that are woken.
"""

from __future__ import annotations

import importlib
import inspect
import json
import pkgutil
import shlex
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest
from click.testing import CliRunner
from django.contrib.auth.models import User
from django.db import DatabaseError, models
from django.test import Client
from pytest_django import DjangoCaptureOnCommitCallbacks

from hookline import operations
from hookline.audit.actor import Actor, Kind, key
from hookline.audit.models import AuditEntry
from hookline.cli.root import root
from hookline.engine import notifier
from hookline.engine.job import Job
from hookline.exceptions import CannotStore
from hookline.incoming.models import Event, FollowUp
from hookline.outgoing.models import Delivery
from hookline.replays.models import Replay
from tests.operations.cases import CASES, SECRETS, Case, World

pytestmark = pytest.mark.django_db

#: Whoever acts is known under this name, whatever the face.
NAME = "ada"
KEY = key("key_0123456789abcdefghijkl")


def in_python(case: Case, world: World) -> None:
    case.python(KEY, world)


def on_the_command_line(case: Case, world: World) -> None:
    result = CliRunner().invoke(root, [*shlex.split(case.command(world)), "--json"], prog_name="hookline")
    assert result.exit_code == case.fails, result.output
    if case.document is not None:
        assert json.loads(result.stdout) == case.document(world)


def in_the_admin(case: Case, world: World) -> None:
    assert case.admin is not None
    client = Client()
    client.force_login(User.objects.create_superuser(NAME))
    outcome = case.admin(client, world)
    if isinstance(outcome, tuple):  # a form
        assert outcome[0] == {}


Face = Callable[[Case, World], None]
FACES: dict[Face, Actor] = {
    in_python: KEY,
    on_the_command_line: Actor(Kind.COMMAND_LINE, NAME),
    in_the_admin: Actor(Kind.USER, NAME),
}
OFFERED = [
    pytest.param(case, face, id=f"{case.id} {face.__name__}")
    for case in CASES
    for face in FACES
    if face is not in_the_admin or case.admin is not None
]


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setattr("getpass.getuser", lambda: NAME)
    return World()


@contextmanager
def wakes() -> Iterator[set[type[Job]]]:
    """The kinds of job whose workers are woken in the block."""
    woken: set[type[Job]] = set()
    subscribers = [(model, lambda model=model: woken.add(model)) for model in (Event, FollowUp, Delivery, Replay)]
    for model, subscriber in subscribers:
        notifier.of(model).subscribe(subscriber)
    yield woken
    for model, subscriber in subscribers:
        notifier.of(model).unsubscribe(subscriber)


@pytest.mark.parametrize(("case", "face"), OFFERED)
def test_an_operation_leaves_the_same_behind_under_every_face(
    case: Case, face: Face, world: World, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> None:
    with case.around(world), wakes() as woken, django_capture_on_commit_callbacks(execute=True):
        face(case, world)
    assert case.after(world) == case.expected
    assert woken == set(case.wakes)

    entry = AuditEntry.objects.get()
    assert (entry.actor, entry.action, entry.object) == (FACES[face], case.action, case.about(world))
    reason = entry.changes.pop("disabled_reason", [None, None])
    assert reason[1] in (None, "", "they asked", f"disabled by {FACES[face]}")
    entry.changes.pop("expires_at", None)
    expected = {name: change for name, change in case.changes.items() if name != "disabled_reason"}
    assert (entry.changes, entry.details) == (expected, case.details(world))
    of_no_tenant = case.action == "history.prune" or case.action.startswith("event_type.")
    assert (entry.tenant_id is None) == of_no_tenant


@pytest.mark.parametrize(("case", "face"), OFFERED)
def test_no_audit_entry_holds_a_secret(case: Case, face: Face, world: World) -> None:
    with case.around(world):
        face(case, world)
    entry = AuditEntry.objects.get()
    written = json.dumps([entry.changes, entry.details, entry.object, entry.action])
    tokens = [world.source.token, world.closed.token]
    assert [secret for secret in (*SECRETS, *tokens) if secret in written] == []


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_a_change_that_cannot_be_recorded_is_not_made(
    case: Case, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    if case.action == "history.prune":
        pytest.skip("it takes many transactions, so its entry comes after them")

    def fail(self: models.Model, **kwargs: Any) -> None:
        raise DatabaseError("the disk is full")

    with case.around(world):
        before = _state(case, world)
        monkeypatch.setattr(AuditEntry, "save", fail)
        with suppress(DatabaseError, CannotStore):  # the operation for many tells what went wrong in its result
            case.python(KEY, world)
        monkeypatch.undo()
    assert _state(case, world) == before
    assert not AuditEntry.objects.exists()


def _state(case: Case, world: World) -> Any:
    try:
        return case.after(world)
    except models.ObjectDoesNotExist:
        return None


def test_every_operation_that_changes_something_is_in_this_suite() -> None:
    found = {
        f"{module.name}.{name}"
        for module in pkgutil.iter_modules(operations.__path__)
        for name, function in inspect.getmembers(
            importlib.import_module(f"hookline.operations.{module.name}"), inspect.isroutine
        )
        # A bound method is one of JobHistory, which two modules share.
        if (function.__module__ == f"hookline.operations.{module.name}" or inspect.ismethod(function))
        and not name.startswith("_")
        and "actor" in inspect.signature(function).parameters
    }
    # It asks the sender's API: tests/reconcile has one.
    found -= {"reconciliation.admit"}
    # It needs a subscriber that answers: tests/outgoing/test_simulation.py has one.
    found -= {"simulation.party"}
    # What the others are made of.
    found -= {"changes.changing", "changes.deleting", "jobs.retry", "jobs.discard", "jobs.release", "keys.store"}
    assert found == {name for case in CASES for name in case.functions}


def test_an_entry_outside_of_a_transaction_is_refused(transactional_db: None) -> None:
    from hookline.audit.record import record

    with pytest.raises(RuntimeError, match=r"source\.rotate must be recorded in the transaction of the change"):
        record(KEY, "source.rotate")
