"""An endpoint's own retry schedule, the deadline of all retries, and what a delivery that is held says."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.db import connection
from django.test.utils import CaptureQueriesContext, override_settings

from hookline import dispatch
from hookline.audit.actor import SYSTEM
from hookline.core.breaker import Breaker
from hookline.core.breaker import State as BreakerState
from hookline.engine.claim import claim
from hookline.engine.job import FOREVER
from hookline.engine.settle import begin, release_expired
from hookline.models import Attempt, Delivery, Endpoint
from hookline.operations import deliveries, endpoints
from hookline.testing import StubTransport, deliver_all
from hookline.transport.transport import Response
from tests.engine.rows import ago, make_delivery, make_endpoint

pytestmark = pytest.mark.django_db(transaction=True)


def using(**settings: Any) -> Any:
    return override_settings(HOOKLINE={**django_settings.HOOKLINE, "RETRY_JITTER": 0, **settings})


def again(*answers: int | Response) -> Delivery:
    """The delivery after one more attempt."""
    Delivery.objects.filter(state="pending").update(due_at=ago(1))
    deliver_all(StubTransport(*answers))
    return Delivery.objects.get()


def waits(delivery: Delivery) -> float:
    return (delivery.due_at - datetime.now(UTC)).total_seconds()


def test_an_endpoint_s_own_schedule_is_followed_and_that_of_the_settings_by_the_others() -> None:
    own = make_endpoint(retry={"delays": [120, 240]})
    with using(DELIVERY_RETRY_DELAYS=[60]):
        dispatch("invoice.paid", {})
        assert 118 < waits(again(500)) <= 120
        assert 238 < waits(again(500)) <= 240
        dead = again(500)
        assert (dead.state, dead.attempts, dead.note) == ("dead", 3, "the endpoint answered 500; no tries left")
        Delivery.objects.all().delete()
        endpoints.update(SYSTEM, own, retry=None)
        dispatch("invoice.paid", {})
        assert 58 < waits(again(500)) <= 60
        assert again(500).state == "dead"


@pytest.mark.parametrize(("own", "tries"), [({"delays": [0, 0, 0]}, 4), ({"delays": []}, 2), ({"deadline": 60}, 3)])
def test_one_that_crashes_its_worker_has_the_tries_of_its_endpoint(own: dict[str, Any], tries: int) -> None:
    """The first crash makes nothing dead: another delivery may have caused it."""
    delivery = make_delivery(make_endpoint(retry=own))
    for number in range(1, tries + 1):
        (mine,) = claim(Delivery, 1, lease=-1)
        begin([mine])
        assert release_expired(Delivery, max_attempts=3) == 1
        delivery.refresh_from_db()
        assert (delivery.state, delivery.attempts) == ("dead" if number == tries else "pending", number)


def test_after_its_deadline_a_delivery_is_dead_and_says_so() -> None:
    make_endpoint(retry={"delays": [60] * 20, "deadline": 3600})
    dispatch("invoice.paid", {})
    assert again(500).state == "pending"
    Attempt.objects.update(created_at=ago(3500))
    assert again(500).state == "pending"
    Attempt.objects.filter(number=1).update(created_at=ago(3590))
    dead = again(500)
    assert (dead.state, dead.attempts) == ("dead", 3)
    assert dead.note == "the endpoint answered 500; the next try would be later than 1h after the first, its deadline"


def test_a_deadline_of_the_settings_also_ends_what_a_retry_after_would_put_off() -> None:
    make_endpoint()
    with using(DELIVERY_DEADLINE=600):
        dispatch("invoice.paid", {})
        assert again(Response(429, {"retry-after": ("601",)})).state == "dead"


def test_what_a_person_makes_due_again_has_its_whole_time_again() -> None:
    make_endpoint(retry={"deadline": 600})
    dispatch("invoice.paid", {})
    again(500)
    Attempt.objects.update(created_at=ago(900))
    assert again(500).state == "dead"
    deliveries.retry(SYSTEM, [Delivery.objects.get().public_id])
    assert again(500).state == "pending"
    assert list(Attempt.objects.order_by("number").values_list("number", flat=True)) == [1, 2, 3]


def test_without_a_deadline_nothing_asks_when_the_first_attempt_was() -> None:
    make_endpoint(retry={"delays": [60] * 5})
    dispatch("invoice.paid", {})
    again(500)
    Delivery.objects.update(due_at=ago(1))
    with CaptureQueriesContext(connection) as asked:
        deliver_all(StubTransport(500))
    assert not [query for query in asked if "hookline_attempt" in query["sql"] and query["sql"].startswith("SELECT")]


# ---- what is held says so -------------------------------------------------------------------------------


def shown(endpoint: Endpoint, **fields: Any) -> tuple[str, datetime | None]:
    delivery = make_delivery(endpoint, **{"due_at": ago(5), **fields})
    found = deliveries.as_json(deliveries.find(delivery.public_id))
    return found["note"], found["due_at"]


def test_a_delivery_that_a_breaker_holds_says_so_and_when_it_can_go() -> None:
    opens = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=300)
    until = opens.timestamp()
    endpoint = make_endpoint()
    endpoint.breaker = Breaker(BreakerState.OPEN, trips=1, opened_at=until - 30, open_until=until)
    endpoint.save()
    why = f"its endpoint's breaker is open, and probed from {opens:%H:%M:%S} UTC on"
    assert shown(endpoint) == (why, opens)
    assert shown(endpoint, note="the endpoint answered 500") == (f"the endpoint answered 500; {why}", opens)
    later = opens + timedelta(seconds=60)
    assert shown(endpoint, due_at=later)[1] == later
    endpoint.breaker = Breaker(
        BreakerState.HALF_OPEN, trips=1, opened_at=until - 60, open_until=until, probes=3, full=True
    )
    endpoint.save()
    assert shown(endpoint) == ("its endpoint's breaker waits for the results of its probes", opens)


def test_one_of_a_disabled_endpoint_waits_for_a_person() -> None:
    endpoint = make_endpoint()
    endpoint.disable("it answered 410")
    endpoint.save()
    assert shown(endpoint) == ("its endpoint is disabled: it answered 410", None)


def test_one_that_waits_for_its_turn_waits_for_another() -> None:
    note = "waits for an earlier one with the same order key"
    assert shown(make_endpoint(), order_key="7", due_at=FOREVER, note=note) == (note, None)


def test_one_beyond_a_limit_says_its_rate_and_when_there_is_room() -> None:
    now = datetime.now(UTC).timestamp()
    note, due_at = shown(make_endpoint(lane_rate=2.0, lane_burst=1, lane_due=now + 100))
    assert note == "its endpoint gets 2 a second"
    assert due_at is not None
    assert 99 < due_at.timestamp() - now <= 101
    assert shown(make_endpoint(lane_rate=2.0))[0] == ""


def test_one_that_nothing_holds_has_its_own_note_and_time() -> None:
    soon = datetime.now(UTC) + timedelta(seconds=100)
    assert shown(make_endpoint(), due_at=soon, note="the endpoint answered 500") == ("the endpoint answered 500", soon)
