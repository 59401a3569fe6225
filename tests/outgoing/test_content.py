"""The content of messages: expunged on request or when it is old, while the record stays."""

from __future__ import annotations

import json
from typing import Any

import pytest
from click.testing import CliRunner
from django.test import Client

from hookline import conf, dispatch
from hookline.audit.actor import SYSTEM
from hookline.audit.models import AuditEntry
from hookline.cli.root import root
from hookline.core.outcome import Failure
from hookline.engine.job import State
from hookline.engine.prune import Steps, prune
from hookline.exceptions import Conflict
from hookline.operations import deliveries, endpoint_preview, endpoints, messages
from hookline.outgoing import content
from hookline.outgoing import retention as outgoing
from hookline.outgoing.content import Expunging
from hookline.outgoing.models import Attempt, Delivery, Message
from hookline.testing import StubTransport, deliver_all
from hookline.transport.transport import Response
from tests.admin_pages import act, list_url, page_url
from tests.engine.rows import make_endpoint

pytestmark = pytest.mark.django_db

ANSWER = Response(500, headers={"x-customer": ("Ada",)}, body=b"Ada's order failed")


def command(*words: str) -> Any:
    result = CliRunner().invoke(root, [*words, "--json"], prog_name="hookline")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_an_expunged_message_leaves_what_was_sent_when_and_nothing_that_it_said() -> None:
    make_endpoint()
    message = dispatch("order.paid", {"customer": "Ada"}, idempotency_key="order-1")
    deliver_all(StubTransport(ANSWER))
    assert messages.expunge(SYSTEM, message) == messages.Expunged(answers=1, cancelled=1, under_way=0)
    (attempt,) = Attempt.objects.all()
    assert (attempt.status, attempt.response_headers, attempt.response_body) == (500, {}, "EXPUNGED")
    stored = Message.objects.get()
    assert (stored.type, stored.uid, stored.is_expunged, stored.json) == ("order.paid", "order-1", True, None)
    shown = command("messages", "show", message.public_id)
    assert (shown["body"], shown["expunged"], shown["deliveries"][0]["status"]) == (None, True, "cancelled")
    assert "Ada" not in json.dumps([shown, command("deliveries", "show", shown["deliveries"][0]["id"])])
    # The key still finds it, whatever the data: there is nothing left to compare with.
    assert dispatch("order.paid", {"customer": "Grace"}, idempotency_key="order-1") == stored


def test_expunging_again_changes_nothing_and_leaves_no_entry() -> None:
    message = dispatch("order.paid", {})
    messages.expunge(SYSTEM, message)
    assert messages.expunge(SYSTEM, message) == messages.Expunged(0, 0, 0)
    assert AuditEntry.objects.filter(action="message.expunge").count() == 1


def test_what_has_no_content_is_never_sent_again() -> None:
    endpoint = make_endpoint()
    message = dispatch("order.paid", {})
    (delivery,) = deliver_all(StubTransport(200))
    messages.expunge(SYSTEM, message)
    with pytest.raises(Conflict, match="cannot be sent again: the content of its message was expunged"):
        deliveries.retry(SYSTEM, [delivery.public_id])
    assert endpoints.missed(make_endpoint(), message.created_at) == 0
    (preview,) = endpoint_preview.preview(endpoint)
    assert preview.reason == "its content was expunged"
    # Whoever makes it due past that, such as a replay, has it cancelled.
    Delivery.objects.update(state=State.PENDING, finished_at=None)
    consumer = StubTransport(200)
    (again,) = deliver_all(consumer)
    assert (again.state, again.note) == ("cancelled", "the content of the message was expunged")
    assert (consumer.sent, again.attempts) == ([], 1)


def test_a_delivery_that_is_under_way_is_told_of_and_not_sent_again() -> None:
    make_endpoint()
    message = dispatch("order.paid", {})
    Delivery.objects.update(state=State.RUNNING)
    assert messages.expunge(SYSTEM, message).under_way == 1
    Delivery.objects.update(state=State.PENDING)
    (delivery,) = deliver_all(StubTransport(Response(error=Failure.TIMEOUT)))
    assert delivery.state == "cancelled"


def test_a_key_read_from_the_message_goes_with_it() -> None:
    make_endpoint(order_by="$.data.customer")
    first, second = (dispatch("order.paid", {"customer": "Ada", "n": n}) for n in range(2))
    deliver_all(StubTransport(200))
    for message in (first, second):
        messages.expunge(SYSTEM, message)
    assert set(Delivery.objects.values_list("order_key", flat=True)) == {None}


def test_the_answer_to_one_attempt_is_expunged_alone() -> None:
    make_endpoint()
    message = dispatch("order.paid", {"n": 1})
    deliver_all(StubTransport(ANSWER))
    (attempt,) = Attempt.objects.all()
    assert deliveries.expunge_attempt(SYSTEM, deliveries.find_attempt(attempt.public_id))
    assert not deliveries.expunge_attempt(SYSTEM, attempt)
    assert Message.objects.get(pk=message.pk).json["data"] == {"n": 1}


def test_the_admin_asks_before_it_expunges(admin_client: Client) -> None:
    message = dispatch("order.paid", {"n": 1})
    for page in (
        admin_client.post(page_url(message), {"_row_action": "expunge"}),
        admin_client.post(list_url(Message), {"action": "expunge", "_selected_action": [str(message.pk)]}),
    ):
        assert "cannot be undone" in page.content.decode()
    assert not Message.objects.get().is_expunged
    assert act(admin_client, "expunge", message, confirmed="yes") == ["1 messages are expunged."]
    assert "(expunged)" in admin_client.get(page_url(message)).content.decode()


def retention(seconds: float) -> list[Steps]:
    return [Expunging(Message, seconds), Expunging(Attempt, seconds)]


def test_old_content_goes_once_nothing_of_it_can_be_sent_any_more() -> None:
    make_endpoint(order_by="$.data.customer")
    old = dispatch("order.paid", {"customer": "Ada"})
    deliver_all(StubTransport(Response(200, headers={"x-customer": ("Ada",)}, body=b"Ada")))
    waiting = dispatch("order.paid", {"customer": "Grace"})
    parked = dispatch("order.paid", {"customer": "Linus"})
    Delivery.objects.filter(message=parked).update(state=State.DEAD, has_turn=True)
    assert prune(retention(3600)).deleted == {}
    assert prune(retention(-1)).deleted == {"contents": 2}  # a body and an answer
    bodies = dict(Message.objects.values_list("pk", "body"))
    assert [bool(bodies[message.pk]) for message in (old, waiting, parked)] == [False, True, True]
    assert Delivery.objects.get(message=old).order_key is None
    assert Attempt.objects.get().response_body == "EXPUNGED"
    assert prune(retention(-1)).deleted == {}


def test_content_is_kept_as_long_as_the_record_by_default() -> None:
    def walks(**settings: float) -> int:
        return sum(isinstance(walk, Expunging) for walk in outgoing.pruners(conf.load(settings)))

    assert (walks(), walks(CONTENT_RETENTION=3600)) == (0, 2)


def test_a_walk_over_old_content_takes_many_small_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(content, "WINDOW", 2)
    for number in range(5):
        dispatch("order.paid", {"n": number})
    walk = Expunging(Message, -1)
    assert [walk.step().deleted["contents"] for _ in range(4)] == [2, 2, 1, 0]
