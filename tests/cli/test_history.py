"""Events, rejections, stats and doctor on the command line."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
import stripe
from django.db import connection
from django.test import Client
from django.utils import timezone

from hookline.core.ids import uuid7
from hookline.engine.job import State
from hookline.models import Delivery, Endpoint, Event, Rejection, RejectionCount, Source
from hookline.operations import doctor
from tests.cli.conftest import Cli
from tests.engine.rows import make_source

pytestmark = pytest.mark.django_db

BODY = '{"id":"evt_1","object":"event","type":"invoice.paid","data":{"object":{"id":"in_1"}}}'


def post_as_stripe(path: str, secret: str, body: str = BODY) -> int:
    """POST what the official SDK signs."""
    now = int(datetime.now(UTC).timestamp())
    signature = stripe.WebhookSignature._compute_signature(f"{now}.{body}", secret)
    headers = {"stripe-signature": f"t={now},v1={signature}"}
    return Client().post(path, body, content_type="application/json", headers=headers).status_code


@pytest.fixture
def source(cli: Cli) -> Source:
    return Source.find(cli.json("source", "create", "--provider", "stripe", "--secret", "whsec_right")["id"])


def test_events_are_listed_and_shown(cli: Cli, source: Source) -> None:
    assert post_as_stripe(source.path, "whsec_right") == 200
    [listed] = cli.json("events", "list", "--status", "pending", "--since", "24h")
    assert set(listed) == {
        "id", "source", "provider", "tenant", "type", "provider_id", "status", "attempts", "note", "created_at",
        "due_at", "finished_at", "repeat_of", "conflict_of", "unhandled", "order_key", "parked",
    }  # fmt: skip
    assert (listed["source"], listed["type"], listed["provider_id"]) == (source.public_id, "invoice.paid", "evt_1")
    shown = cli.json("events", "show", listed["id"])
    assert shown["body"] == BODY
    assert shown["headers"]["content-type"] == "application/json"
    text = cli.text("events", "show", listed["id"])
    assert listed["id"] in text
    assert " UTC" in text
    assert cli.json("events", "list", "--status", "dead") == []
    assert listed["id"] in cli.text("events", "list")


def test_an_event_says_whose_repeat_or_conflict_it_is(cli: Cli, source: Source) -> None:
    first = Event.objects.create(source=source, type="t", dedup_key="k", body=b"{}")
    for field in ("repeat_of", "conflict_of"):
        second = Event.objects.create(source=source, type="t", dedup_key=field, body=b"{}", **{field: first.pk})
        assert cli.json("events", "show", second.public_id)[field] == first.public_id
        assert first.public_id in cli.text("events", "show", second.public_id)


def test_a_list_begins_at_since_and_ends_at_limit(cli: Cli, source: Source) -> None:
    for number in range(3):
        post_as_stripe(source.path, "whsec_right", BODY.replace("evt_1", f"evt_{number}"))
    newest = [event["provider_id"] for event in cli.json("events", "list", "--limit", "2")]
    assert newest == ["evt_2", "evt_1"]
    tomorrow = (timezone.now() + timedelta(days=1)).isoformat()
    assert cli.json("events", "list", "--since", tomorrow) == []
    assert len(cli.json("events", "list", "--since", "2026-01-01")) == 3
    assert cli.run("events", "list", "--since", "yesterday").exit_code == 2


def test_a_dead_event_is_retried_and_a_pending_one_is_not(
    cli: Cli, source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("getpass.getuser", lambda: "grace")
    for number in range(2):
        post_as_stripe(source.path, "whsec_right", BODY.replace("evt_1", f"evt_{number}"))
    dead, pending = Event.objects.order_by("id")
    Event.objects.filter(pk=dead.pk).update(state=State.DEAD, attempts=9)
    assert "nothing was changed" in cli.fails("events", "retry", pending.public_id)
    retried = cli.json("events", "retry", pending.public_id, dead.public_id)
    assert retried == {"retried": [dead.public_id], "skipped": [pending.public_id]}
    dead.refresh_from_db()
    assert (dead.state, dead.attempts, dead.note) == (State.PENDING, 0, "retried by grace on the command line")


def test_a_rejection_is_listed_shown_and_accepted_once_the_secret_is_right(cli: Cli, source: Source) -> None:
    assert post_as_stripe(source.path, "whsec_other") == 401
    [listed] = cli.json("rejections", "list", "--status", "401", "--since", "1h")
    assert set(listed) == {
        "id", "source", "provider", "status", "reason", "detail", "method", "path", "remote_addr", "body_size",
        "complete", "admitted_at", "event", "created_at",
    }  # fmt: skip
    assert (listed["source"], listed["reason"]) == (source.public_id, "signature_mismatch")
    assert cli.json("rejections", "list", "--status", "404") == []
    shown = cli.json("rejections", "show", listed["id"])
    assert (shown["body"], shown["admitted_at"], shown["event"]) == (BODY, None, None)
    assert shown["diagnosis"]["cause"] == "signature_mismatch"
    assert BODY[:40] in cli.text("rejections", "show", listed["id"])

    assert "is still refused: signature_mismatch" in cli.fails("rejections", "reverify", listed["id"])
    cli.json("source", "rotate", source.public_id, "--secret", "whsec_other")
    accepted = cli.json("rejections", "reverify", listed["id"])
    event = Event.objects.get()
    assert accepted == {"id": listed["id"], "events": [{"id": event.public_id, "status": "accepted"}]}
    assert bytes(event.body) == BODY.encode()
    assert cli.json("rejections", "reverify", listed["id"])["events"][0]["status"] == "duplicate"
    admitted = cli.json("rejections", "show", listed["id"])
    assert admitted["event"] == event.public_id
    assert admitted["admitted_at"]


def test_the_secret_of_another_source_is_named_wherever_one_looks(cli: Cli, source: Source) -> None:
    other = make_source("stripe", "whsec_other", name="Shop, test mode")
    post_as_stripe(source.path, "whsec_other")
    [listed] = cli.json("rejections", "list")
    diagnosis = cli.json("rejections", "show", listed["id"])["diagnosis"]
    assert (diagnosis["cause"], diagnosis["proven"]) == ("secret_of_other_source", True)
    said = f"signed with the secret of source {other.public_id} (Shop, test mode)"
    assert said in cli.text("rejections", "show", listed["id"])
    [finding] = [one for one in doctor.examine() if one.check == f"refused by {source.public_id}"]
    assert finding.result == "warning"
    assert said in finding.detail


def test_all_that_a_source_still_refuses_is_verified_again_once_its_secret_is_right(cli: Cli, source: Source) -> None:
    for number in range(3):
        post_as_stripe(source.path, "whsec_other", BODY.replace("evt_1", f"evt_{number}"))
    post_as_stripe(source.path, "whsec_of_a_stranger", BODY)
    cli.json("source", "rotate", source.public_id, "--secret", "whsec_other")
    result = cli.run("rejections", "reverify", "--source", source.public_id, "--since", "1h", "--json")
    assert result.exit_code == 1
    rows = json.loads(result.stdout)
    assert [bool(row.get("events")) for row in rows] == [True, True, True, False]  # in the order in which they came
    assert Event.objects.count() == 3
    assert Rejection.objects.filter(admitted_at=None).count() == 1
    again = cli.run("rejections", "reverify", "--source", source.public_id, "--json")
    assert len(json.loads(again.stdout)) == 1


def test_a_request_is_verified_again_as_of_the_time_at_which_it_came(cli: Cli, source: Source) -> None:
    post_as_stripe(source.path, "whsec_other")
    rejection = Rejection.objects.get()
    cli.json("source", "rotate", source.public_id, "--secret", "whsec_other")
    Rejection.objects.update(created_at=timezone.now() - timedelta(hours=1))
    # An hour before, the timestamp in the signature was far in the future.
    assert "is still refused" in cli.fails("rejections", "reverify", rejection.public_id)


def test_a_request_that_was_not_kept_whole_is_not_verified_again(cli: Cli, source: Source) -> None:
    post_as_stripe(source.path, "whsec_other", BODY + " " * 20_000)
    rejection = Rejection.objects.get()
    assert "was not read or not kept whole" in cli.fails("rejections", "reverify", rejection.public_id)


def test_a_request_to_a_source_that_was_disabled_passes_once_it_is_enabled(cli: Cli, source: Source) -> None:
    cli.json("source", "disable", source.public_id)
    assert post_as_stripe(source.path, "whsec_right") == 404
    rejection = Rejection.objects.get()
    assert "no enabled source has the URL" in cli.fails("rejections", "reverify", rejection.public_id)
    cli.json("source", "enable", source.public_id)
    assert len(cli.json("rejections", "reverify", rejection.public_id)["events"]) == 1


def test_stats_count_states_rejections_and_troubled_endpoints(cli: Cli, source: Source) -> None:
    post_as_stripe(source.path, "whsec_right")
    post_as_stripe(source.path, "whsec_other")
    suspended = cli.json("endpoint", "create", "--url", "https://a.example.com/")["id"]
    broken = cli.json("endpoint", "create", "--url", "https://b.example.com/")["id"]
    cli.json("endpoint", "create", "--url", "https://c.example.com/")
    cli.json("endpoint", "disable", suspended)
    Endpoint.objects.filter(url="https://b.example.com/").update(breaker_state={"state": "open", "open_until": 1.0})
    cli.json("dispatch", "invoice.paid", "{}")
    Delivery.objects.update(state=State.SUCCEEDED)
    stats = cli.json("stats")
    assert set(stats) == {
        "events", "follow-ups", "deliveries", "replays", "rejections_24h", "rejections_only_counted_24h",
        "unhandled_24h", "endpoints",
    }  # fmt: skip
    assert [stats["events"][state] for state in ("pending", "running", "succeeded", "dead", "cancelled")] == [
        1,
        0,
        0,
        0,
        0,
    ]
    assert set(stats["events"]) == {
        "pending", "running", "succeeded", "dead", "cancelled", "more", "oldest_pending_seconds", "lag_seconds",
        "arriving_per_second", "succeeding_per_second",
    }  # fmt: skip
    assert stats["events"]["oldest_pending_seconds"] >= 0
    assert stats["events"]["arriving_per_second"] == round(1 / 3600, 3)
    assert (stats["deliveries"]["succeeded"], stats["deliveries"]["oldest_pending_seconds"]) == (2, None)
    assert stats["rejections_24h"] == {"signature_mismatch": 1}
    troubled = stats["endpoints"].pop("troubled")
    assert stats["endpoints"] == {"suspended": [suspended], "broken": [broken]}
    assert [(one["id"], one["url"]) for one in troubled] == [
        (suspended, "https://a.example.com/"), (broken, "https://b.example.com/"),
    ]  # fmt: skip
    text = cli.text("stats")
    assert f"https://a.example.com/ ({suspended}): disabled by " in text
    assert f"https://b.example.com/ ({broken}): its breaker is open; the next try is at 1970-01-01 00:00:01 UTC" in text
    assert "1 signature_mismatch" in text
    assert "1 per hour arrive, 0 per hour succeed" in text


def test_what_was_refused_and_only_counted_is_said_wherever_one_looks(cli: Cli, source: Source) -> None:
    [before] = [finding for finding in doctor.examine() if finding.check == "rejections"]
    assert before.result == "ok"
    hour = timezone.now().replace(minute=0, second=0, microsecond=0)
    RejectionCount.objects.create(source=source, reason="signature_mismatch", hour=hour, key="1", only_counted=1234)
    RejectionCount.objects.create(source=None, reason="unknown_source", hour=hour, key="2", only_counted=99)
    [finding] = [finding for finding in doctor.examine() if finding.check == "rejections"]
    assert finding.result == "warning"
    assert f"1234 for {source.public_id} with signature_mismatch, 99 for unknown URLs" in finding.detail
    assert cli.json("stats")["rejections_only_counted_24h"] == {"signature_mismatch": 1234, "unknown_source": 99}
    listed = cli.run("rejections", "list", "--json")
    assert json.loads(listed.stdout) == []
    assert f"1234 more for {source.public_id} were refused with signature_mismatch" in listed.stderr


def test_prune_deletes_what_is_older_than_the_retention_and_says_how_much(cli: Cli, source: Source) -> None:
    long_ago = timezone.now() - timedelta(days=91)
    for number, key in enumerate(("old", "new")):
        made = uuid7(int(long_ago.timestamp() * 1e9) + number * 1_000_000, bytes(8))
        finished = long_ago if key == "old" else timezone.now()
        Event.objects.create(
            id=made, source=source, type="a", dedup_key=key, body=b"{}", state=State.SUCCEEDED, finished_at=finished
        )
    others = dict.fromkeys(("rejections", "deliveries", "attempts", "messages", "replays"), 0)
    assert cli.json("prune") == {"events": 1, **others}
    assert [event.dedup_key for event in Event.objects.all()] == ["new"]
    assert cli.json("prune")["events"] == 0


def test_doctor_names_migrations_that_are_missing(cli: Cli) -> None:
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM django_migrations WHERE app = 'hookline'")
    result = cli.run("doctor", "--json")
    assert result.exit_code == 1
    [migrations] = [finding for finding in json.loads(result.stdout) if finding["check"] == "migrations"]
    assert migrations["result"] == "failed"
    assert "hookline.0001_initial" in migrations["detail"]
    assert "the database lacks hookline.0001_initial" in cli.fails("worker")
