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
from tests.ear import listening
from tests.operations.cases import CASES, ENDPOINT_SECRET, NEW_ENDPOINT_SECRET, SECRETS, Case, World

pytestmark = pytest.mark.django_db

#: Whoever acts is known under this name, whatever the face.
NAME = "ada"
KEY = key("key_0123456789abcdefghijkl")


class Recorder(Client):
    """A browser that keeps every answer."""

    def __init__(self) -> None:
        super().__init__()
        self.answers: list[str] = []

    def request(self, **request: Any) -> Any:
        answer = super().request(**request)
        self.answers.append(f"{answer.status_code} {dict(answer.items())} {answer.content.decode()}")
        return answer


def in_python(case: Case, world: World) -> str:
    case.python(KEY, world)
    return ""


def on_the_command_line(case: Case, world: World) -> str:
    result = CliRunner().invoke(root, [*shlex.split(case.command(world)), "--json"], prog_name="hookline")
    assert result.exit_code == case.fails, result.output
    if case.document is not None:
        assert json.loads(result.stdout) == case.document(world)
    return f"{result.stdout}\n{result.stderr}"


def in_the_admin(case: Case, world: World) -> str:
    assert case.admin is not None
    client = Recorder()
    client.force_login(User.objects.create_superuser(NAME))
    outcome = case.admin(client, world)
    if isinstance(outcome, tuple):  # a form
        assert outcome[0] == {}
    return "\n".join(client.answers)


Face = Callable[[Case, World], str]
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
    of_no_tenant = (
        case.action == "history.prune"
        or case.action.startswith("event_type.")
        or "organisation" in case.changes
        or case.functions in (["replays.count_usage"], ["replays.count_types"])
    )
    assert (entry.tenant_id is None) == of_no_tenant


#: What the answer to an operation shows by design, once: the secret that it made, and where an endpoint is.
SHOWN = {
    "endpoint.create": (ENDPOINT_SECRET, "made-up-token"),
    "endpoint.rotate": (NEW_ENDPOINT_SECRET,),
    "endpoint.update": ("made-up-token",),
}


@pytest.mark.parametrize(("case", "face"), OFFERED)
def test_neither_audit_entry_log_trace_metric_nor_answer_holds_a_secret(case: Case, face: Face, world: World) -> None:
    with listening() as ear:
        ear.keep_secret(*SECRETS)
        with case.around(world):
            answer = face(case, world)
        for shown in SHOWN.get(case.action, ()):
            answer = answer.replace(shown, "")
        ear.hear(face.__name__, answer)
        ear.hear("case", case.id)
        assert ear.told() == []
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
