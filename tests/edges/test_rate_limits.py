"""Limits on requests: the same at both edges, for a source and a tenant, and shared between processes."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from hookline.db.permits import Permits, permits
from hookline.db.rate_use import RateUse
from hookline.exceptions import RateLimited
from hookline.incoming.models import Event, Rejection
from hookline.incoming.receive.limits import limits_of
from hookline.tenants.models import Tenant
from tests.edges.senders import SECRET, Request, generic
from tests.edges.servers import Edge
from tests.edges.test_edges import post_at_once
from tests.engine.rows import make_source


@pytest.fixture(autouse=True)
def no_permits() -> Iterator[None]:
    permits.forget()
    yield
    permits.forget()


def order(number: int) -> Request:
    return generic(b'{"type":"order.paid","id":"evt_%d"}' % number)


def test_beyond_the_burst_of_a_source_requests_are_answered_429_and_told_when_to_come_again(edge: Edge) -> None:
    source = make_source("generic", SECRET, rate_limit=1 / 60, rate_burst=5)
    answers = [edge.post(source.path, order(number)) for number in range(7)]
    assert Counter(answer.status for answer in answers) == {200: 5, 429: 2}
    assert answers[-1].json == {"error": {"code": "rate_limited"}}
    assert 1 <= int(answers[-1].headers["retry-after"]) <= 60
    assert Event.objects.count() == 5
    rejection = Rejection.objects.first()
    assert rejection is not None
    assert (rejection.reason, rejection.status) == ("rate_limited", 429)
    other = make_source("generic", SECRET)
    assert edge.post(other.path, order(9)).status == 200


def test_twenty_senders_at_once_get_no_more_than_the_burst(edge: Edge) -> None:
    source = make_source("generic", SECRET, rate_limit=1 / 60, rate_burst=8)
    answers = post_at_once(edge, source.path, order, count=20)
    assert Counter(answer.status for answer in answers) == {200: 8, 429: 12}


def test_the_sources_of_a_tenant_share_its_limit(edge: Edge) -> None:
    tenant = Tenant.objects.create(key="acme", rate_limit=1 / 60, rate_burst=3)
    first, second = (make_source("generic", SECRET, tenant=tenant) for _ in range(2))
    statuses = [edge.post(source.path, order(number)).status for number, source in enumerate([first, second] * 3)]
    assert Counter(statuses) == {200: 3, 429: 3}


@pytest.mark.django_db(transaction=True)
def test_two_processes_share_one_limit_and_what_is_accepted_writes_next_to_nothing() -> None:
    source = make_source("generic", SECRET, rate_limit=100, rate_burst=200)
    one, other = Permits(), Permits()
    admitted, began = 0, time.monotonic()
    with CaptureQueriesContext(connection) as queries:
        for number in range(400):
            try:
                (one if number % 2 else other).admit(limits_of(source))
                admitted += 1
            except RateLimited:
                pass
    most = 200 + 100 * (time.monotonic() - began) + 1  # the burst, and what the time of the test allows
    assert 200 <= admitted <= most
    writes = [query for query in queries.captured_queries if query["sql"].startswith("UPDATE")]
    # Ten at a time from the burst; what comes to be allowed while the test runs may be taken one by one.
    assert len(writes) <= 200 / 10 + (admitted - 200) + 5
    assert RateUse.objects.count() == 1
