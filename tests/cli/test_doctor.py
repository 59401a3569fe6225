"""`hookline doctor`: fails for what a person must see, once where it is over, and says which command comes next."""

from __future__ import annotations

import json
import shlex
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.test import override_settings
from django.utils import timezone

from hookline.core.secrets import SecretRing
from hookline.engine.job import FOREVER, State
from hookline.engine.kind import declared
from hookline.engine.worker_process import GOOD_FOR, Presence
from hookline.models import Endpoint, Event, Rejection, RejectionCount, Source, WorkerProcess
from tests.cli.conftest import Cli
from tests.engine.rows import make_delivery, make_endpoint, make_event, make_source

pytestmark = pytest.mark.django_db


@pytest.fixture
def works() -> None:
    """A worker process that lives."""
    Presence([kind.model.nouns for kind in declared()]).tell()


def examined(cli: Cli, *arguments: str) -> dict[str, list[dict[str, Any]]]:
    """Check -> what was found."""
    result = cli.run("doctor", "--json", *arguments)
    found: dict[str, list[dict[str, Any]]] = {}
    for finding in json.loads(result.stdout):
        found.setdefault(finding["check"], []).append(finding)
    failed = any(one["result"] == "failed" for ones in found.values() for one in ones)
    assert result.exit_code == failed
    return found


def only(cli: Cli, check: str, *arguments: str) -> dict[str, Any]:
    [finding] = examined(cli, *arguments)[check]
    return finding


def test_an_installation_in_order_passes(cli: Cli, works: None) -> None:
    make_source()
    make_endpoint()
    found = examined(cli)
    assert set(found) >= {
        "settings", "database", "migrations", "keys", "events lag", "deliveries lag", "events workers",
        "deliveries workers", "hangs", "source secrets", "refused requests", "rejections", "unhandled", "dead events",
        "endpoints", "dead deliveries",
    }  # fmt: skip
    assert [one for ones in found.values() for one in ones if one["result"] == "failed" or one["next"]] == []
    assert cli.run("doctor").exit_code == 0


def test_each_kind_of_work_needs_a_worker_that_lives(cli: Cli) -> None:
    for kind in ("events", "deliveries"):
        finding = only(cli, f"{kind} workers")
        assert (finding["result"], finding["next"]) == ("failed", ["hookline worker"])
    worker = Presence(["deliveries"])
    worker.tell()
    assert only(cli, "events workers")["result"] == "failed"
    assert only(cli, "deliveries workers")["result"] == "ok"
    WorkerProcess.objects.update(alive_until=timezone.now() - timedelta(seconds=1))
    assert only(cli, "deliveries workers")["result"] == "failed"
    with override_settings(HOOKLINE={**django_settings.HOOKLINE, "ENGINE": "celery"}):
        assert only(cli, "workers")["result"] == "ok"


def test_a_worker_process_says_that_it_lives_and_that_it_ends() -> None:
    now = 100.0
    worker = Presence(["events"], lambda: now)
    for now in (100.0, 101.0, 100.0 + GOOD_FOR):  # noqa: B007  # the clock reads it
        worker.tell()
    row = WorkerProcess.objects.get()
    assert row.kinds == ["events"]
    assert row.alive_until > timezone.now() + timedelta(seconds=GOOD_FOR / 2)
    worker.end()
    assert not WorkerProcess.objects.exists()
    idle = Presence([])
    idle.tell()
    idle.end()
    assert not WorkerProcess.objects.exists()


def test_work_that_waits_and_that_nobody_does_fails(cli: Cli, works: None) -> None:
    make_event(make_source(), due_at=timezone.now() - timedelta(hours=2))
    finding = only(cli, "events lag")
    assert finding["result"] == "failed"
    assert "1 pending, the longest overdue for 2h" in finding["detail"]
    assert finding["detail"].endswith("; start a worker, or more of them")
    assert finding["next"] == ["hookline worker"]


def test_an_enabled_source_without_a_secret_fails_until_it_has_one(cli: Cli, works: None) -> None:
    source = make_source("github", name="Code")
    source.secrets = SecretRing.of()
    source.save()
    for _ in range(2):  # it is not news, and still wrong
        finding = only(cli, "source secrets")
        assert finding["result"] == "failed"
        assert f"source {source.public_id} (Code, github) has no active secret" in finding["detail"]
    assert finding["next"][0] == f"hookline source rotate {source.public_id} --secret-file -"
    Source.objects.update(disabled=True)
    assert only(cli, "source secrets")["result"] == "ok"


def test_what_is_dead_is_news_once_and_told_by_cause(cli: Cli, works: None) -> None:
    source = make_source(name="Shop")
    dead = {"state": State.DEAD, "finished_at": timezone.now()}
    for number in range(3):
        make_event(source, note=f"ValueError: no invoice in_{number} (at shop/webhooks.py:8)", **dead)
    other = make_event(source, type="order.paid", note="KeyError: 'id' (at shop/webhooks.py:21)", **dead)
    first, second = examined(cli)["dead events"]
    assert (first["result"], second["result"]) == ("failed", "failed")
    assert f"3 dead events of {source.public_id} (Shop, stripe), invoice.paid: ValueError" in first["detail"]
    assert "1 dead event of" in second["detail"]
    assert second["next"] == [
        f"hookline events show {other.public_id}",
        f"hookline events retry --source {source.public_id} --type order.paid --status dead",
    ]
    assert [finding["result"] for finding in examined(cli)["dead events"]] == ["warning", "warning"]
    assert {finding["result"] for finding in examined(cli, "--since", "1h")["dead events"]} == {"failed"}
    make_event(source, note="KeyError: 'id' (at shop/webhooks.py:21)", **{**dead, "finished_at": timezone.now()})
    assert [finding["result"] for finding in examined(cli)["dead events"]] == ["failed", "warning"]


def test_an_endpoint_that_hookline_suspended_fails_and_one_that_a_person_disabled_does_not(
    cli: Cli, works: None
) -> None:
    gone = make_endpoint("https://gone.example.com/")
    gone.disable("the endpoint answered 410 Gone")
    gone.save()
    mine = make_endpoint("https://mine.example.com/")
    cli.json("endpoint", "disable", mine.public_id)
    finding = only(cli, "endpoints")
    assert finding["result"] == "failed"
    assert f"https://gone.example.com/ ({gone.public_id}) is suspended: the endpoint answered 410" in finding["detail"]
    assert f"hookline endpoint enable {gone.public_id}" in finding["next"]


def test_an_open_breaker_fails_with_the_last_answer_and_dead_deliveries_are_told_by_endpoint(
    cli: Cli, works: None
) -> None:
    state = {"state": "open", "opened_at": 1_800_000_000.0, "open_until": 1_800_000_600.0}
    endpoint = make_endpoint("https://slow.example.com/", breaker_state=state, held_until=FOREVER)
    note = "timeout: no answer within 20 s"
    delivery = make_delivery(endpoint, state=State.DEAD, attempts=10, note=note, finished_at=timezone.now())
    make_delivery(endpoint)
    finding = only(cli, "endpoints")
    assert "its breaker is open since 2027-01-15 08:00:00 UTC" in finding["detail"]
    assert note in finding["detail"]
    [dead] = examined(cli, "--since", "1h")["dead deliveries"]
    assert f"1 dead delivery to https://slow.example.com/ ({endpoint.public_id})" in dead["detail"]
    assert f"hookline deliveries show {delivery.public_id}" in dead["next"]
    Endpoint.objects.update(breaker_state={})
    assert only(cli, "endpoints")["result"] == "ok"


def refuse(source: Source | None, number: int, hours_ago: float, reason: str = "signature_mismatch") -> None:
    at = timezone.now() - timedelta(hours=hours_ago)
    hour = at.replace(minute=0, second=0, microsecond=0)
    RejectionCount.objects.create(
        source=source, reason=reason, hour=hour, key=f"{source} {hour} {reason}", stored=number
    )
    Rejection.objects.create(
        source=source, reason=reason, detail="no active secret made it", status=401, method="POST", path="/in/x",
        created_at=at, encrypted_request='{"method": "POST", "url": "", "headers": {}, "body": ""}',
    )  # fmt: skip


def test_refusals_fail_where_they_jumped_and_not_where_they_are_usual(cli: Cli, works: None) -> None:
    usual, jumped, few = make_source(name="Usual"), make_source(name="Jumped"), make_source(name="Few")
    for day in range(1, 8):
        refuse(usual, 10, 24 * day + 2)
    refuse(usual, 12, 1)
    refuse(jumped, 12, 1)
    refuse(few, 4, 1)
    finding = only(cli, "refused requests")
    assert finding["result"] == "failed"
    assert (
        f"12 requests for {jumped.public_id} (Jumped, stripe) were refused with signature_mismatch"
        in (finding["detail"])
    )
    assert "no active secret made it" in finding["detail"]
    assert finding["next"] == [
        f"hookline rejections list --source {jumped.public_id} --reason signature_mismatch --since 24h",
        f"hookline source rotate {jumped.public_id} --secret-file -",
        f"hookline rejections reverify --source {jumped.public_id} --reason signature_mismatch --since 24h",
    ]
    assert only(cli, "refused requests")["result"] == "warning"


def test_a_type_that_no_handler_wants_fails_once_and_its_name_cannot_smuggle_a_command(cli: Cli, works: None) -> None:
    source = make_source()
    made = {"state": State.SUCCEEDED, "unhandled": True}
    make_event(source, type="$(reboot)", finished_at=timezone.now(), **made)
    finding = only(cli, "unhandled")
    assert finding["result"] == "failed"
    assert "hookline events list --unhandled --type '$(reboot)'" in finding["next"]
    assert only(cli, "unhandled")["result"] == "warning"
    make_event(source, type="$(reboot)", finished_at=timezone.now(), **made)  # more of the same are no news
    make_event(source, type="order.new", finished_at=timezone.now(), **made)
    by_type = {
        finding["detail"].split(" of the type ")[1].split()[0]: finding for finding in examined(cli)["unhandled"]
    }
    assert by_type["$(reboot)"]["result"] == "warning"
    assert by_type["order.new"]["result"] == "failed"


def test_the_commands_that_are_named_exist(cli: Cli, works: None) -> None:
    source, endpoint = make_source(), make_endpoint(breaker_state={"state": "open"})
    source.secrets = SecretRing.of()
    source.save()
    make_event(source, state=State.DEAD, note="x")
    make_event(source, state=State.SUCCEEDED, unhandled=True)
    make_delivery(endpoint, state=State.DEAD, note="x")
    refuse(source, 12, 1, "no_secret")
    refuse(None, 12, 1, "unknown_source")
    commands = [command for ones in examined(cli).values() for one in ones for command in one["next"]]
    assert len(commands) > 12
    for command in commands:
        words = shlex.split(command)[1:]
        if words[0] != "worker":
            assert cli.run(*words, "--help").exit_code == 0, command
            known = cli.run(*words[:2], "--help").output
            assert [word for word in words if word.startswith("--") and word not in known] == [], command


def test_in_a_terminal_each_command_is_in_one_piece(cli: Cli, works: None) -> None:
    event = make_event(make_source(), state=State.DEAD, note=f"ValueError: {'long ' * 40}")
    assert f"\n         $ hookline events show {event.public_id}\n" in cli.run("doctor").stdout
    assert Event.objects.count() == 1
