"""Messages of many requests in one transaction: constraints decide which of them are new."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest

from hookline import dispatch
from hookline.db.row import new_id
from hookline.outgoing.models import Delivery, Message
from hookline.outgoing.publish.draft import Draft
from hookline.outgoing.publish.posting import Outcome, Post, post
from hookline.tenants.models import Tenant, resolve
from tests.engine.rows import make_endpoint

# Committed, as a server does it: on PostgreSQL nearly always by one statement.
pytestmark = pytest.mark.django_db(transaction=True)


def posted(
    uid: str | None = None, key: UUID | None = None, *, body: bytes = b'{"n":1}', at: datetime | None = None
) -> Post:
    draft = Draft(new_id(), "order.paid", [], body, uid, deliver_at=at, request_key=key)
    return Post(draft, resolve(None).pk)


def outcomes(*posts: Post) -> list[str]:
    return [one.outcome.value for one in post(posts)]


def test_all_of_a_batch_are_written_with_their_deliveries() -> None:
    make_endpoint()
    make_endpoint(filter="@.n == 1")
    assert outcomes(posted(), posted("u"), posted(key=uuid4()), posted(body=b'{"n":2}')) == ["new"] * 4
    assert Message.objects.count() == 4
    assert Delivery.objects.count() == 7


def test_a_repeated_request_is_answered_with_its_first_message_whatever_it_says() -> None:
    key = uuid4()
    (first,) = post([posted("u", key)])
    (again,) = post([posted(None, key, body=b'{"other":true}')])
    assert again.outcome is Outcome.REPEATED
    assert (again.draft.id, again.draft.body) == (first.draft.id, b'{"n":1}')
    assert again.created_at == first.created_at


def test_a_uid_that_is_taken_is_told_apart_from_a_repeated_request() -> None:
    assert sorted(outcomes(posted("u", uuid4()), posted("u", uuid4()))) == ["new", "taken"]
    assert outcomes(posted("u"), posted("v")) == ["taken", "new"]
    assert Message.objects.count() == 2


def test_two_requests_with_one_key_in_one_batch_make_one_message() -> None:
    key = uuid4()
    one, two = post([posted(key=key), posted(key=key)])
    assert {one.outcome, two.outcome} == {Outcome.NEW, Outcome.REPEATED}
    assert one.draft.id == two.draft.id


def test_the_keys_of_one_tenant_are_none_of_anothers() -> None:
    key, other = uuid4(), Tenant.objects.create(key="other")
    mine = posted("u", key)
    assert outcomes(mine, Post(posted("u", key).draft, other.pk)) == ["new", "new"]


def test_a_message_of_a_tenant_that_is_gone_fails_alone() -> None:
    assert outcomes(posted(), Post(posted().draft, uuid4()), posted()) == ["new", "no_tenant", "new"]


def test_a_uid_is_shared_with_what_python_dispatches() -> None:
    first = dispatch("order.paid", {}, idempotency_key="u")
    (taken,) = post([posted("u")])
    assert (taken.outcome, taken.draft.id) == (Outcome.TAKEN, first.pk)


def test_each_is_due_when_it_should_be() -> None:
    make_endpoint()
    later = datetime.now(UTC) + timedelta(hours=2)
    now, scheduled = post([posted(), posted(at=later)])
    due = dict(Delivery.objects.values_list("message", "due_at"))
    assert due[scheduled.draft.id] == later
    assert due[now.draft.id] < later - timedelta(hours=1)
