"""From dispatch() to a real consumer over real sockets."""

from __future__ import annotations

import json
import logging
import threading
import time
from collections import Counter
from datetime import UTC, datetime
from itertools import count
from typing import Any

import pytest
from django.db import connection, connections, transaction
from django.db.models import F
from standardwebhooks import Webhook

from hookline import dispatch
from hookline.audit.actor import SYSTEM
from hookline.audit.models import AuditEntry
from hookline.core.breaker import Breaker, BreakerSettings
from hookline.core.breaker import State as BreakerState
from hookline.core.retry import RetrySchedule
from hookline.core.secrets import SecretRing
from hookline.engine import leases
from hookline.engine.claim import claim
from hookline.engine.job import State
from hookline.engine.settle import settle
from hookline.engine.settlement import Settlement
from hookline.outgoing.deliver import breakers as health
from hookline.outgoing.deliver import load as claimed
from hookline.outgoing.deliver import sender
from hookline.outgoing.deliver.admission import Loaded
from hookline.outgoing.deliver.attempt import Result
from hookline.outgoing.deliver.load import outbound_of
from hookline.outgoing.deliver.record import record
from hookline.outgoing.deliver.signers import Signers
from hookline.outgoing.models import Attempt, Delivery, Endpoint, Message
from hookline.telemetry.courier import courier
from hookline.transport.transport import Response
from tests.costs import counted
from tests.engine.rows import ago, make_delivery, make_endpoint, rolled_back
from tests.outgoing.conftest import Sending
from tests.outgoing.consumer import SECRET, Arrival, Consumer, Reply, always, in_turn
from tests.waiting import wait_until

pytestmark = pytest.mark.django_db(transaction=True)

OTHER_SECRET = "whsec_" + "QUJD" * 8


def states() -> Counter[str]:
    return Counter(Delivery.objects.values_list("state", flat=True))


def wait_for_states(**wanted: int) -> None:
    wait_until(lambda: states() == wanted, 15, f"deliveries are {wanted}")


def seconds_until(moment: datetime) -> float:
    return (moment - datetime.now(UTC)).total_seconds()


def test_a_commit_delivers_exactly_what_was_committed_and_the_consumer_can_verify_it(
    consumer: Consumer, sending: Sending
) -> None:
    make_endpoint(consumer.url("/hook?tenant=7"), SECRET)
    with transaction.atomic():
        message = dispatch("invoice.paid", {"id": 7, "name": "Zo\u00eb"})
    with rolled_back():
        dispatch("invoice.paid", {"id": 8})
    with sending():
        wait_for_states(succeeded=1)
    (arrival,) = consumer.arrivals
    assert arrival.genuine
    assert arrival.body == bytes(Message.objects.get().body)
    assert (arrival.id, arrival.path) == (message.public_id, "/hook?tenant=7")
    assert arrival.headers["content-type"] == "application/json"
    assert abs(int(arrival.headers["webhook-timestamp"]) - time.time()) < 20
    attempt = Attempt.objects.get()
    assert (attempt.number, attempt.status, attempt.error, attempt.response_body) == (1, 200, "", "ok")
    assert attempt.response_headers["content-length"] == "2"


def test_a_message_is_sent_within_moments_of_its_commit_although_the_sender_polls_seldom(
    consumer: Consumer, sending: Sending
) -> None:
    make_endpoint(consumer.url())
    with sending(POLL=30):
        wait_until(lambda: threading.active_count() > 4)
        for number in range(1, 4):
            dispatch("invoice.paid", {"n": number})
            wait_until(lambda number=number: len(consumer.arrivals) == number, 10)  # type: ignore[misc]  # bound at once


def test_messages_of_one_customer_follow_each_other_at_once_without_a_claim_for_each(
    consumer: Consumer, sending: Sending, monkeypatch: pytest.MonkeyPatch
) -> None:
    claims = counted(monkeypatch, leases, "claim")
    make_endpoint(consumer.url(), order_by="$.data.customer")
    for number in range(12):
        dispatch("invoice.paid", {"customer": "cus_1", "n": number})
    with sending(POLL=3600):
        wait_until(lambda: len(consumer.arrivals) == 12, 20)
        wait_for_states(succeeded=12)
    assert [json.loads(arrival.body)["data"]["n"] for arrival in consumer.arrivals] == list(range(12))
    assert len(claims) < 6


def test_a_failed_delivery_is_repeated_with_the_same_id_and_bytes_until_it_is_taken(
    consumer: Consumer, sending: Sending
) -> None:
    consumer.script = in_turn(500, 404, 302, 200)
    make_endpoint(consumer.url())
    message = dispatch("invoice.paid", {"id": 1})
    with sending(DELIVERY_RETRY_DELAYS=[0] * 5):
        wait_for_states(succeeded=1)
    assert [arrival.id for arrival in consumer.arrivals] == [message.public_id] * 4
    assert {arrival.body for arrival in consumer.arrivals} == {bytes(message.body)}
    assert all(arrival.genuine for arrival in consumer.arrivals)
    attempts = list(Attempt.objects.order_by("number").values_list("number", "status"))
    assert attempts == [(1, 500), (2, 404), (3, 302), (4, 200)]


def test_without_tries_left_a_delivery_is_dead_and_the_signal_is_sent_once(
    consumer: Consumer, sending: Sending, heard: list[tuple[str, Any]]
) -> None:
    consumer.script = always(500)
    make_endpoint(consumer.url())
    dispatch("invoice.paid", {})
    with sending(DELIVERY_RETRY_DELAYS=[0, 0]):
        wait_for_states(dead=1)
        wait_until(lambda: heard)
    delivery = Delivery.objects.get()
    assert (len(consumer.arrivals), delivery.attempts) == (3, 3)
    assert delivery.note == "the endpoint answered 500; no tries left"
    assert [(name, about.pk) for name, about in heard] == [("delivery_dead", delivery.pk)]


def test_the_standard_schedule_is_followed_with_jitter(consumer: Consumer, sending: Sending) -> None:
    consumer.script = always(500)
    make_endpoint(consumer.url())
    dispatch("invoice.paid", {})
    with sending():
        wait_until(lambda: Attempt.objects.count() == 1)
        wait_for_states(pending=1)
        assert 2 < seconds_until(Delivery.objects.get().due_at) <= 6
        Delivery.objects.update(due_at=ago(1))
        wait_until(lambda: Attempt.objects.count() == 2)
        wait_for_states(pending=1)
        assert 297 < seconds_until(Delivery.objects.get().due_at) <= 360


@pytest.mark.parametrize("status", [429, 503])
def test_a_consumer_that_asks_for_time_gets_it(consumer: Consumer, sending: Sending, status: int) -> None:
    consumer.script = always(Reply(status, {"Retry-After": "1000"}))
    make_endpoint(consumer.url())
    dispatch("invoice.paid", {})
    with sending(DELIVERY_RETRY_DELAYS=[0, 0], RETRY_JITTER=0):
        wait_until(lambda: Attempt.objects.count() == 1)
        wait_for_states(pending=1)
    assert 990 < seconds_until(Delivery.objects.get().due_at) <= 1000


def test_410_suspends_the_endpoint_once_and_what_waits_for_it_keeps_waiting_until_a_person_enables_it(
    consumer: Consumer, sending: Sending, heard: list[tuple[str, Any]]
) -> None:
    together, first = threading.Barrier(3), count()

    def gone(arrival: Arrival) -> int:
        if next(first) < 3:
            together.wait(10)  # three answers come back at once; those that begin before they are recorded come alone
        return 410

    consumer.script = gone
    endpoint = make_endpoint(consumer.url())
    for number in range(20):
        dispatch("invoice.paid", {"n": number})
    with sending(DELIVERY_CONCURRENCY=3) as running:
        wait_until(lambda: states()["dead"] >= 3)
        # What a sender had claimed by then is still sent, three at a time: no more than twice what may be under way.
        wait_until(lambda: len(running._leases) == 0)
        endpoint.refresh_from_db()
        assert endpoint.disabled
        assert "410" in endpoint.disabled_reason
        consumer.script = always(200)
        # Disabled endpoints get no new deliveries either.
        dispatch("invoice.paid", {})
        dead = states()["dead"]
        assert dead <= 6
        assert (states(), len(consumer.arrivals)) == ({"dead": dead, "pending": 20 - dead}, dead)
        endpoint.enable()
        endpoint.save()
        wait_for_states(dead=dead, succeeded=20 - dead)
    assert courier.drain(10)
    assert Counter(name for name, _ in heard) == {"endpoint_suspended": 1, "delivery_dead": dead}
    entry = AuditEntry.objects.get()
    assert (entry.actor, entry.action, entry.object) == (SYSTEM, "endpoint.suspend", endpoint.public_id)
    assert entry.changes["disabled"] == [False, True]
    assert "suspended" in Delivery.objects.filter(state=State.DEAD)[0].note


def test_an_endpoint_that_a_person_disables_by_its_checkbox_is_held_and_enabling_it_lets_go(
    consumer: Consumer, sending: Sending
) -> None:
    endpoint = make_endpoint(consumer.url())
    dispatch("invoice.paid", {})
    endpoint.disabled = True
    endpoint.save()
    assert claim(Delivery, 10, lease=60) == []
    endpoint.disabled = False
    endpoint.save(update_fields=["disabled"])
    with sending():
        wait_for_states(succeeded=1)


# ---- the breaker --------------------------------------------------------------------------------------

QUICK = BreakerSettings(trip_after=3, first_pause=0.5, longest_pause=0.5, probes=2, close_after=2)


def test_an_endpoint_that_keeps_failing_is_spared_and_its_backlog_drains_when_it_is_back(
    consumer: Consumer, sending: Sending, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(health, "SETTINGS", QUICK)
    consumer.script = always(500)
    endpoint = make_endpoint(consumer.url())
    for number in range(30):
        dispatch("invoice.paid", {"n": number})

    def breaker() -> BreakerState:
        endpoint.refresh_from_db()
        return endpoint.breaker.state

    with sending(DELIVERY_CONCURRENCY=3, DELIVERY_RETRY_DELAYS=[0] * 8):
        wait_until(lambda: breaker() is BreakerState.OPEN)
        assert endpoint.held_until is not None
        # It opens again and again, and each time only a few probes find out.
        wait_until(lambda: breaker() is BreakerState.OPEN and endpoint.breaker.trips >= 3)
        tried = len(consumer.arrivals)
        assert tried <= 3 + 3 + 3 * 2
        # Those that a claim finds the breaker open for get the attempt back in the next statement.
        wait_until(lambda: sum(Delivery.objects.values_list("attempts", flat=True)) <= len(consumer.arrivals) + 2)
        consumer.script = always(200)
        wait_for_states(succeeded=30)
        wait_until(lambda: breaker() is BreakerState.CLOSED)
    endpoint.refresh_from_db()
    at_rest = Endpoint.objects.filter(held_until=None, breaker_state={})
    assert at_rest.count() == 1
    assert Attempt.objects.count() == len(consumer.arrivals)
    # What was put off spent nothing: every attempt that was counted was made.
    assert sum(Delivery.objects.values_list("attempts", flat=True)) == len(consumer.arrivals)
    assert "the breaker of" in caplog.text


def test_a_held_endpoint_spends_no_attempts_and_asks_nothing_of_the_workers(
    consumer: Consumer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health, "SETTINGS", BreakerSettings(trip_after=1, first_pause=3600))
    endpoint = make_endpoint(consumer.url())
    deliveries = [make_delivery(endpoint) for _ in range(5)]
    first, *others = claim(Delivery, 3, lease=60)
    health.admit([Loaded.of(first)])
    result = failed(first)
    record([result])
    endpoint.refresh_from_db()
    assert endpoint.breaker.state is BreakerState.OPEN
    assert claim(Delivery, 10, lease=60) == []
    # Those that were claimed before the breaker opened are given back, with their attempts.
    claimed = list(Delivery.objects.select_related("endpoint").filter(pk__in=[delivery.pk for delivery in others]))
    admitted, put_off = health.admit([Loaded.of(delivery) for delivery in claimed])
    assert (admitted, len(put_off)) == ([], 2)
    assert len(settle(put_off)) == 2
    assert Counter(Delivery.objects.values_list("attempts", flat=True)) == {1: 1, 0: 4}
    assert len(deliveries) == 5


def failed(delivery: Delivery, status: int = 500) -> Result:
    from hookline.core.outcome import classify
    from hookline.outgoing.deliver.attempt import decide

    response = Response(status=status)
    outcome = classify(status, "", None, time.time())
    (outbound,) = outbound_of([Loaded.of(delivery)], Signers(), time.time())
    return Result(outbound, response, outcome, decide(outbound, response, outcome, RetrySchedule(), time.time()))


# ---- secrets ------------------------------------------------------------------------------------------


def test_while_a_secret_is_rotated_both_sign_and_afterwards_only_the_new_one(
    consumer: Consumer, sending: Sending
) -> None:
    endpoint = make_endpoint(consumer.url(), SECRET)
    endpoint.secrets = endpoint.secrets.rotate(OTHER_SECRET, time.time(), overlap=3600)
    endpoint.save()
    dispatch("invoice.paid", {})
    with sending():
        wait_for_states(succeeded=1)
        endpoint.secrets = SecretRing.of(OTHER_SECRET)
        endpoint.save()
        dispatch("invoice.paid", {})
        wait_for_states(succeeded=2)
    during, after = consumer.arrivals
    for arrival in consumer.arrivals:
        Webhook(OTHER_SECRET).verify(arrival.body, arrival.headers)
    assert (during.genuine, after.genuine) == (True, False)
    assert during.headers["webhook-signature"].count("v1,") == 2


@pytest.mark.parametrize("broken", ["none", "not base64", "expired", "lost key"])
def test_an_endpoint_that_cannot_be_signed_for_gets_nothing_and_its_attempt_says_why(
    consumer: Consumer, sending: Sending, broken: str
) -> None:
    endpoint = make_endpoint(consumer.url())
    if broken == "lost key":
        with connection.cursor() as cursor:
            cursor.execute("UPDATE hookline_endpoint SET encrypted_secrets = 'lost.AAAA'")
    else:
        ring = SecretRing.of(SECRET).rotate("whsec_QUJD", 1000, overlap=10) if broken == "expired" else None
        endpoint.secrets = {
            "none": SecretRing(),
            "not base64": SecretRing.of("whsec_!!!!"),
            "expired": SecretRing(ring.secrets[1:]) if ring else SecretRing(),
        }[broken]
        endpoint.save()
    good = make_endpoint(consumer.url("/good"))
    dispatch("invoice.paid", {})
    with sending():
        wait_until(lambda: Attempt.objects.count() == 2)
        wait_for_states(succeeded=1, pending=1)
    assert [arrival.path for arrival in consumer.arrivals] == ["/good"]
    attempt = Attempt.objects.get(delivery__endpoint=endpoint)
    assert (attempt.status, attempt.error) == (None, "invalid_request")
    assert attempt.detail
    assert "!!!!" not in attempt.detail
    assert Delivery.objects.get(endpoint=good).state == State.SUCCEEDED


# ---- what comes back ----------------------------------------------------------------------------------


def test_a_long_answer_is_kept_in_part_and_a_strange_one_is_kept_readable(consumer: Consumer, sending: Sending) -> None:
    strange = bytes(range(256))
    consumer.script = in_turn(Reply(500, body=b"x" * 100_000), Reply(500, {"X-Strange": "a\x01b\xe9"}, strange))
    make_endpoint(consumer.url())
    dispatch("invoice.paid", {})
    with sending(DELIVERY_RETRY_DELAYS=[0, 3600]):
        wait_until(lambda: Attempt.objects.count() == 2)
    long, odd = Attempt.objects.order_by("number")
    assert (long.status, long.response_body) == (500, "x" * 8192)
    assert odd.status == 500
    assert "\\xff" in odd.response_body
    assert "\x00" not in odd.response_body


def test_an_address_that_may_not_be_connected_to_is_an_attempt_that_says_so(
    consumer: Consumer, sending: Sending
) -> None:
    make_endpoint(consumer.url())
    dispatch("invoice.paid", {})
    with sending(ALLOWED_SUBNETS=[], ALLOW_HTTP=True):
        wait_until(lambda: Attempt.objects.count() == 1)
        wait_for_states(pending=1)
    assert (Attempt.objects.get().status, Attempt.objects.get().error) == (None, "address_refused")
    assert consumer.arrivals == []


def test_a_consumer_that_does_not_answer_is_given_up_at_the_deadline(consumer: Consumer, sending: Sending) -> None:
    go_on = threading.Event()

    def hang(arrival: Arrival) -> int:
        go_on.wait(20)
        return 200

    consumer.script = hang
    make_endpoint(consumer.url())
    dispatch("invoice.paid", {})
    with sending(DELIVERY_TIMEOUT=0.3):
        wait_until(lambda: Attempt.objects.count() == 1)
    go_on.set()
    assert (Attempt.objects.get().status, Attempt.objects.get().error) == (None, "timeout")
    assert Delivery.objects.get().note.startswith("timeout")


# ---- changes while something is under way ----------------------------------------------------------------


@pytest.mark.parametrize("what", ["delete", "disable"])
def test_an_endpoint_that_goes_while_a_request_is_under_way_disturbs_no_other(
    consumer: Consumer, sending: Sending, what: str, caplog: pytest.LogCaptureFixture
) -> None:
    arrived, go_on = threading.Event(), threading.Event()

    def wait(arrival: Arrival) -> int:
        if arrival.path == "/going":
            arrived.set()
            go_on.wait(20)
        return 200

    consumer.script = wait
    going, staying = make_endpoint(consumer.url("/going")), make_endpoint(consumer.url("/staying"))
    dispatch("invoice.paid", {})
    with sending() as running:
        assert arrived.wait(10)
        if what == "delete":
            going.delete()
        else:
            going.disable("by a person")
            going.save()
        go_on.set()
        wait_until(lambda: len(running._leases) == 0)
        wait_until(lambda: Delivery.objects.get(endpoint=staying).state == State.SUCCEEDED)
        dispatch("invoice.paid", {})
        wait_until(lambda: Delivery.objects.filter(endpoint=staying, state=State.SUCCEEDED).count() == 2)
    if what == "delete":
        assert set(Attempt.objects.values_list("delivery__endpoint", flat=True)) == {staying.pk}
    else:
        assert Delivery.objects.get(endpoint=going).state == State.SUCCEEDED
        going.refresh_from_db()
        assert going.disabled


@pytest.mark.parametrize("gone", ["endpoint", "message"])
def test_a_row_that_goes_between_the_claim_and_the_sending_stops_nobody(
    consumer: Consumer, sending: Sending, monkeypatch: pytest.MonkeyPatch, gone: str
) -> None:
    real = claimed.with_parts
    doomed = [make_endpoint(consumer.url("/doomed"))]

    def delete_first(deliveries: Any) -> Any:
        if doomed and deliveries:
            if gone == "endpoint":
                doomed[0].delete()
            else:
                Message.objects.all().delete()
            doomed.clear()
        return real(deliveries)

    monkeypatch.setattr(claimed, "with_parts", delete_first)
    dispatch("invoice.paid", {})
    with sending() as running:
        wait_until(lambda: not doomed)
        staying = make_endpoint(consumer.url("/staying"))
        message = dispatch("invoice.paid", {})
        wait_until(lambda: Delivery.objects.get(endpoint=staying).state == State.SUCCEEDED)
        wait_until(lambda: len(running._leases) == 0)
        assert running._leases._lanes == {}
    assert message.public_id in {arrival.id for arrival in consumer.arrivals}


def test_a_breaker_of_an_endpoint_that_was_deleted_leaves_nothing_on_the_desk(
    consumer: Consumer, sending: Sending, monkeypatch: pytest.MonkeyPatch
) -> None:
    endpoint = make_endpoint(consumer.url())
    Endpoint.objects.update(breaker_state={"state": "half-open", "probes": 0, "open_until": time.time() + 30})
    make_delivery(endpoint)
    real = health.admit

    def delete_first(deliveries: Any) -> Any:
        if deliveries:
            Endpoint.objects.all().delete()
        return real(deliveries)

    monkeypatch.setattr(health, "admit", delete_first)
    with sending() as running:
        wait_until(lambda: not Endpoint.objects.exists())
        wait_until(lambda: len(running._leases) == 0)


def test_a_sender_outlives_an_error_that_nobody_thought_of(
    consumer: Consumer, sending: Sending, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(sender, "DATABASE_PAUSE", 0.01)
    real, surprises = claimed.with_parts, [RuntimeError("surprise")]

    def with_parts(deliveries: Any) -> Any:
        if deliveries and surprises:
            raise surprises.pop()
        return real(deliveries)

    monkeypatch.setattr(claimed, "with_parts", with_parts)
    make_endpoint(consumer.url())
    dispatch("invoice.paid", {})
    with sending():
        wait_for_states(succeeded=1)
    assert "surprise" in caplog.text
    assert Delivery.objects.get().attempts == 1


def test_a_sender_goes_on_after_the_server_has_closed_all_its_connections(
    consumer: Consumer, sending: Sending, monkeypatch: pytest.MonkeyPatch
) -> None:
    if connection.vendor != "postgresql":
        return  # SQLite has no server that could
    monkeypatch.setattr(sender, "DATABASE_PAUSE", 0.01)
    make_endpoint(consumer.url())
    with sending():
        for total in range(1, 4):
            dispatch("invoice.paid", {})
            wait_for_states(succeeded=total)
            with connection.cursor() as cursor:
                cursor.execute(
                    "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity "
                    "WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
                )


def test_stopping_waits_for_the_requests_under_way(consumer: Consumer, sending: Sending) -> None:
    arrived, go_on = threading.Event(), threading.Event()

    def wait(arrival: Arrival) -> int:
        arrived.set()
        go_on.wait(20)
        return 200

    consumer.script = wait
    make_endpoint(consumer.url())
    dispatch("invoice.paid", {})
    with sending() as running:
        assert arrived.wait(10)
        running._stopping.set()
        go_on.set()
        running.join(20)
        assert states() == {"succeeded": 1}
        # The context manager's own check, undone: this one was told to end.
        running.is_alive = lambda: True


def test_a_result_that_comes_after_the_lease_was_lost_is_kept_as_an_attempt_and_changes_nothing_else(
    consumer: Consumer, heard: list[tuple[str, Any]]
) -> None:
    delivery = make_delivery(make_endpoint())
    (claimed,) = claim(Delivery, 1, lease=60)
    Delivery.objects.update(claim=claimed.claim + 1)
    late = failed(claimed)
    late = Result(late.outbound, late.response, late.outcome, Settlement.die("too late"))
    assert [recorded.ours for recorded in record([late])] == [False]
    delivery.refresh_from_db()
    assert (delivery.state, delivery.note) == (State.RUNNING, "")
    assert Attempt.objects.get().status == 500
    assert courier.drain(10)
    assert heard == []


def test_a_worker_that_lost_its_leases_says_nothing_of_the_endpoint(transactional_db: None) -> None:
    endpoint = make_endpoint()
    for _ in range(20):
        make_delivery(endpoint)
    claimed = claim(Delivery, 20, lease=60)
    Delivery.objects.update(claim=F("claim") + 1)
    assert {recorded.held for recorded in record([failed(delivery) for delivery in claimed])} == {False}
    endpoint.refresh_from_db()
    assert endpoint.breaker == Breaker()
    assert Attempt.objects.count() == 20


# ---- others -------------------------------------------------------------------------------------------


def test_a_slow_endpoint_with_a_deep_backlog_does_not_delay_another(consumer: Consumer, sending: Sending) -> None:
    """The slow one answers nothing at all until the others have everything; it has 200 messages and came first."""
    go_on = threading.Event()

    def answer(arrival: Arrival) -> int:
        if arrival.path == "/slow":
            go_on.wait(30)
        return 200

    consumer.script = answer
    slow = make_endpoint(consumer.url("/slow"), event_types=["slow"])
    Message.objects.bulk_create(messages := [Message(tenant=slow.tenant, type="slow", body=b"{}") for _ in range(200)])
    Delivery.objects.bulk_create([Delivery(message=m, endpoint=slow, due_at=ago(3600)) for m in messages])
    with sending(DELIVERY_CONCURRENCY=20, DELIVERY_CONCURRENCY_PER_ENDPOINT=8):
        wait_until(lambda: len(consumer.arrivals) == 8)
        quick = make_endpoint(consumer.url("/quick"), event_types=["quick"])
        sent = [dispatch("quick", {"n": number}).public_id for number in range(50)]
        wait_until(lambda: quick.deliveries.filter(state=State.SUCCEEDED).count() == 50)
        ledger = Counter(arrival.path for arrival in consumer.arrivals)
        assert ledger == {"/slow": 8, "/quick": 50}
        go_on.set()
        wait_for_states(succeeded=250)
    assert sorted(a.id for a in consumer.arrivals if a.path == "/quick") == sorted(sent)
    assert len({a.id for a in consumer.arrivals}) == len(consumer.arrivals) == 250


def test_a_long_transaction_that_dispatched_does_not_hold_up_the_results_of_a_failing_endpoint(
    consumer: Consumer, sending: Sending
) -> None:
    if connection.vendor != "postgresql":
        return  # on SQLite a writer excludes every other anyway
    consumer.script = always(500)
    endpoint = make_endpoint(consumer.url())
    make_delivery(endpoint)
    with transaction.atomic():
        dispatch("invoice.paid", {})  # locks the endpoint's key against its deletion
        with sending():
            counted: list[int] = []

            def count() -> None:
                counted.append(Attempt.objects.count())
                connections.close_all()

            def recorded() -> bool:
                thread = threading.Thread(target=count)
                thread.start()
                thread.join(10)
                return counted[-1] == 1

            wait_until(recorded, 8)


def test_nothing_secret_is_logged_on_the_whole_way(
    consumer: Consumer, sending: Sending, caplog: pytest.LogCaptureFixture
) -> None:
    consumer.script = always(500)
    with caplog.at_level(logging.DEBUG):
        endpoint = make_endpoint(consumer.url(), SECRET)
        endpoint.secrets = endpoint.secrets.rotate(OTHER_SECRET, time.time(), overlap=3600)
        endpoint.save()
        dispatch("invoice.paid", {})
        with sending(DELIVERY_RETRY_DELAYS=[0]):
            wait_for_states(dead=1)
            wait_until(lambda: "is dead after 2 attempts" in caplog.text)
    assert len(consumer.arrivals) == 2
    for secret in (SECRET, OTHER_SECRET):
        assert secret not in caplog.text
        assert secret.removeprefix("whsec_") not in caplog.text
        assert secret not in repr(endpoint) + str(endpoint) + repr(endpoint.secrets)
