"""Sequence numbers: none twice, none missing, and a reader that asks for what comes next skips nothing."""

from __future__ import annotations

import asyncio
import base64
import hmac
import json
import os
import random
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import pytest
from asgiref.sync import sync_to_async
from click.testing import CliRunner
from django.db import connection, connections, transaction
from http_message_signatures import HTTPMessageVerifier, InvalidSignature, algorithms
from pytest_django import DjangoAssertNumQueries

from hookline import dispatch
from hookline.audit.actor import SYSTEM
from hookline.cli.root import root
from hookline.engine.claim import claim
from hookline.engine.job import State
from hookline.engine.settle import settle
from hookline.engine.settlement import Settlement
from hookline.exceptions import ConfigurationError, Conflict
from hookline.operations import endpoint_messages, endpoints, messages, replays
from hookline.operations.endpoint_messages import since
from hookline.operations.selection import Selection
from hookline.outgoing import sequence
from hookline.outgoing.deliver.load import prepare
from hookline.outgoing.deliver.signers import Signers
from hookline.outgoing.models import Delivery, Endpoint
from hookline.replays.work import do_portion
from hookline.testing import StubTransport, deliver_all
from tests.engine.other_processes import databases_as_json
from tests.engine.rows import SECRET, ago, make_delivery, make_endpoint
from tests.engine.test_concurrency import ROOT, in_threads
from tests.outgoing.test_signing import Keys, Message
from tests.waiting import wait_until

pytestmark = pytest.mark.django_db

HEADER = "webhook-sequence"


@pytest.fixture
def endpoint() -> Endpoint:
    return make_endpoint(sequenced=True)


def numbers(endpoint: Endpoint) -> list[int | None]:
    return list(Delivery.objects.filter(endpoint=endpoint).order_by("id").values_list("sequence", flat=True))


def test_each_endpoint_counts_what_it_is_sent(endpoint: Endpoint) -> None:
    other = make_endpoint(sequenced=True, event_types=["order.*"])
    plain = make_endpoint()
    for event_type in ("invoice.paid", "order.paid", "invoice.void"):
        dispatch(event_type, {})
    consumer = StubTransport(200)
    deliver_all(consumer)
    assert (numbers(endpoint), numbers(other), numbers(plain)) == ([1, 2, 3], [1], [None] * 3)
    sent = sorted(str(request.headers.get(HEADER)) for request in consumer.sent)
    assert sent == ["1", "1", "2", "3", "None", "None", "None"]


def test_a_retry_and_a_replay_keep_the_number(endpoint: Endpoint) -> None:
    dispatch("order.paid", {})
    consumer = StubTransport(500, 200)
    deliver_all(consumer)
    Delivery.objects.update(due_at="2020-01-01T00:00:00Z")
    deliver_all(consumer)
    dispatch("order.paid", {})
    deliver_all(consumer)
    assert [request.headers[HEADER] for request in consumer.sent] == ["1", "1", "2"]


def test_what_is_rolled_back_takes_no_number(endpoint: Endpoint) -> None:
    dispatch("order.paid", {"n": 1})
    with transaction.atomic():
        dispatch("order.paid", {"n": 2})
        transaction.set_rollback(True)
    dispatch("order.paid", {"n": 3})
    page = since(endpoint, 0)
    assert [(one.sequence, json.loads(one.body)["data"]["n"]) for one in page.messages] == [(1, 1), (2, 3)]


def test_a_reader_goes_page_by_page_and_sees_what_becomes_of_each(endpoint: Endpoint) -> None:
    for number in range(5):
        dispatch("order.paid", {"n": number})
    first = since(endpoint, 0, limit=2)
    assert ([one.sequence for one in first.messages], first.last, first.next, first.more) == ([1, 2], 5, 2, True)
    deliver_all(StubTransport(200))
    rest = since(endpoint, first.next)
    assert ([one.sequence for one in rest.messages], rest.next, rest.more, rest.gone) == ([3, 4, 5], 5, False, [])
    assert [(one.delivery.state, one.may_come) for one in rest.messages] == [("succeeded", False)] * 3
    assert since(endpoint, 5).is_empty
    dispatch("order.paid", {})
    (message,) = since(endpoint, 5).messages
    assert (message.sequence, message.may_come) == (6, True)


def test_a_reader_is_told_which_numbers_are_gone_and_which_were_expunged(endpoint: Endpoint) -> None:
    for number in range(6):
        dispatch("order.paid", {"n": number})
    page = since(endpoint, 0)
    for place in (0, 1, 4, 5):
        page.messages[place].delivery.delete()
    messages.expunge(SYSTEM, page.messages[2].delivery.message)
    later = since(endpoint, 0)
    assert (later.gone, later.next, later.last) == ([(1, 2), (5, 6)], 6, 6)
    assert [(one.sequence, bool(one.body)) for one in later.messages] == [(3, False), (4, True)]
    assert since(endpoint, 0, limit=1).gone == [(1, 2)]
    dispatch("order.paid", {})
    assert [one.sequence for one in since(endpoint, 6).messages] == [7]  # the counter outlives the history


def test_a_reader_gets_the_body_that_the_endpoint_gets() -> None:
    endpoint = make_endpoint(sequenced=True, payload={"fields": ["id"]})
    dispatch("order.paid", {"id": 1, "secret": 2})
    (message,) = since(endpoint, 0).messages
    consumer = StubTransport(200)
    deliver_all(consumer)
    assert message.body == consumer.sent[0].body
    assert b"secret" not in message.body


def test_what_was_missed_while_it_was_disabled_is_numbered_when_it_is_recovered(endpoint: Endpoint) -> None:
    dispatch("order.paid", {"n": 1})
    endpoints.disable(SYSTEM, endpoint)
    dispatch("order.paid", {"n": 2})
    endpoints.enable(SYSTEM, endpoint)
    dispatch("order.paid", {"n": 3})
    assert since(endpoint, 0).last == 2
    replay = replays.start(SYSTEM, "missed", Selection(endpoint=endpoint.public_id, since=ago(60)))
    with transaction.atomic():
        do_portion(replay)
    assert [json.loads(one.body)["data"]["n"] for one in since(endpoint, 0).messages] == [1, 3, 2]


def test_whether_many_have_something_new_takes_two_queries(
    endpoint: Endpoint, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    many = [endpoint, *(make_endpoint(sequenced=True, event_types=["other.*"]) for _ in range(20))]
    plain, deleted = make_endpoint(), make_endpoint(sequenced=True, deleted_at=ago(1))
    dispatch("order.paid", {})
    dispatch("order.paid", {})
    expected = {one.pk: 2 if one == endpoint else 0 for one in many}
    asked = [one.pk for one in (*many, plain, deleted)]
    assert endpoint_messages.last_numbers(asked) == expected
    with django_assert_num_queries(2):
        assert endpoint_messages.last_numbers(asked) == expected


def test_an_endpoint_that_counts_nothing_says_so(endpoint: Endpoint) -> None:
    with pytest.raises(Conflict, match="has no sequence numbers; turn them on: `hookline endpoint update"):
        since(make_endpoint(), 0)
    with pytest.raises(ConfigurationError, match="since 0 or more"):
        since(endpoint, -1)


def test_counting_goes_on_where_it_was_when_it_is_asked_for_again(endpoint: Endpoint) -> None:
    dispatch("order.paid", {})
    deliver_all()
    endpoints.update(SYSTEM, endpoint, sequenced=False)
    dispatch("order.paid", {})
    deliver_all()
    endpoints.update(SYSTEM, endpoint, sequenced=True)
    dispatch("order.paid", {})
    deliver_all()
    assert numbers(endpoint) == [1, None, 2]


def test_saving_an_old_copy_of_the_endpoint_sets_nothing_back(endpoint: Endpoint) -> None:
    dispatch("order.paid", {})
    deliver_all()
    endpoint.save()
    dispatch("order.paid", {})
    deliver_all()
    assert numbers(endpoint) == [1, 2]


def test_http_message_signatures_cover_the_number() -> None:
    url = "https://consumer.example/"
    for sequenced in (True, False):
        endpoints.create(SYSTEM, url, secret=SECRET, signatures=["rfc9421-hmac"], sequenced=sequenced)
    dispatch("order.paid", {})
    consumer = StubTransport(200)
    deliver_all(consumer)
    raw = base64.b64decode(SECRET.removeprefix("whsec_"))
    tag = hmac.new(raw, b"keyid", "sha256").hexdigest()[:16]
    verifier = HTTPMessageVerifier(signature_algorithm=algorithms.HMAC_SHA256, key_resolver=Keys({tag: raw}))
    (numbered,) = [sent for sent in consumer.sent if HEADER in sent.headers]
    (plain,) = [sent for sent in consumer.sent if HEADER not in sent.headers]
    for sent in (numbered, plain):
        assert verifier.verify(Message("POST", url, sent.headers), expect_tag=tag, body=sent.body)
    with pytest.raises(InvalidSignature):
        verifier.verify(Message("POST", url, {**numbered.headers, HEADER: "2"}), expect_tag=tag, body=numbered.body)


def test_the_command_line_shows_them_page_by_page(endpoint: Endpoint) -> None:
    for number in range(3):
        dispatch("order.paid", {"n": number})
    words = ["endpoint", "messages", endpoint.public_id, "--since", "1", "--limit", "1"]
    result = CliRunner().invoke(root, [*words, "--json"], prog_name="hookline")
    page = json.loads(result.stdout)
    assert (page["since"], page["next"], page["last"], page["more"], page["gone"]) == (1, 2, 3, True, [])
    (message,) = page["messages"]
    assert (message["sequence"], message["type"], message["status"]) == (2, "order.paid", "pending")
    assert json.loads(message["body"])["data"] == {"n": 1}
    assert "There are more: --since 2" in CliRunner().invoke(root, words, prog_name="hookline").output


def test_a_locked_delivery_waits_for_its_number_and_loses_no_try(
    endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_delivery(endpoint, sequence=0)
    monkeypatch.setattr(sequence, "number", lambda _: 0)
    jobs = claim(Delivery, 5, lease=60)
    to_send, put_off = prepare(jobs, Signers(), 0)
    settle(put_off)
    assert to_send == []
    delivery = Delivery.objects.get()
    assert (delivery.state, delivery.attempts, delivery.note) == ("pending", 0, "waits for its sequence number")


# ---- many at once -----------------------------------------------------------------------------------


class Reader(threading.Thread):
    """A subscriber: asks for what comes next, and holds that it comes in order and without a gap."""

    def __init__(self, endpoint: Endpoint) -> None:
        super().__init__()
        self.endpoint = endpoint
        self.seen: list[UUID] = []
        self.problems: list[str] = []
        self.stopping = threading.Event()

    def run(self) -> None:
        try:
            while not self.stopping.is_set():
                self.read()
        finally:
            connections.close_all()

    def read(self) -> None:
        page = since(self.endpoint, len(self.seen), limit=random.randint(1, 20))  # of no secret
        expected = list(range(len(self.seen) + 1, len(self.seen) + 1 + len(page.messages)))
        if page.gone or [one.sequence for one in page.messages] != expected:
            self.problems.append(f"{page} is not what follows {len(self.seen)}")
        self.seen += [one.delivery.pk for one in page.messages]

    def finish(self) -> list[UUID]:
        self.stopping.set()
        self.join(60)
        while len(self.seen) < since(self.endpoint, 0, limit=1).last:
            self.read()
        assert self.problems == []
        return self.seen


@pytest.fixture
def reader(transactional_db: None, endpoint: Endpoint) -> Iterator[Reader]:
    reader = Reader(endpoint)
    yield reader
    reader.stopping.set()


def check(endpoint: Endpoint, reader: Reader) -> None:
    """All that was committed has a number, none of them is missing, and the reader saw each once, in this order."""
    seen = reader.finish()
    rows = list(Delivery.objects.filter(endpoint=endpoint).order_by("sequence").values_list("pk", "sequence"))
    assert [number for _, number in rows] == list(range(1, len(rows) + 1))
    assert seen == [pk for pk, _ in rows]


@pytest.mark.parametrize("seed", range(3))
def test_publishers_and_workers_and_rollbacks_at_once_leave_no_gap(
    reader: Reader, endpoint: Endpoint, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sequence, "PORTION", 3)  # so that a backlog takes several transactions
    committed: list[UUID] = []
    reader.start()

    def work(number: int) -> None:
        rng = random.Random(10 * seed + number)  # of no secret
        for turn in range(15):
            if number % 3 == 2:  # a worker
                to_send, put_off = prepare(claim(Delivery, rng.randint(1, 6), lease=60), Signers(), 0)
                assert all(outbound.sequence for outbound in to_send)
                settle([*put_off, *((outbound, Settlement.succeed()) for outbound in to_send)], model=Delivery)
                continue
            with transaction.atomic():
                mine = [dispatch("order.paid", {"n": turn}).pk for _ in range(rng.randint(1, 3))]
                if rolled_back := rng.random() < 0.4:
                    transaction.set_rollback(True)
                elif rng.random() < 0.5:
                    threading.Event().wait(rng.random() / 100)  # others commit meanwhile
            if not rolled_back:
                committed.extend(mine)

    in_threads(6, work)
    check(endpoint, reader)
    assert set(Delivery.objects.values_list("message", flat=True)) == set(committed)


def test_a_process_that_is_killed_while_it_numbers_leaves_no_gap(reader: Reader, endpoint: Endpoint) -> None:
    script = Path(__file__).with_name("numbering_process.py")
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "tests.settings", "PYTHONPATH": str(ROOT)}
    reader.start()
    processes = [
        subprocess.Popen(
            [sys.executable, str(script), endpoint.public_id],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )
        for _ in range(2)
    ]
    try:
        for process in processes:
            assert process.stdin is not None
            process.stdin.write(databases_as_json() + "\n")
            process.stdin.flush()
        for process, lines in zip(processes, (12, 31), strict=True):
            assert process.stdout is not None
            for _ in range(lines):
                assert process.stdout.readline()
            process.kill()
            process.wait(10)
    finally:
        for process in processes:
            process.kill()
            process.communicate(timeout=10)
    wait_until(lambda: since(endpoint, 0, limit=1).last >= 12)  # a server may need a moment to end its transaction
    check(endpoint, reader)


def test_a_reader_that_waits_is_woken_by_what_is_published(reader: Reader, endpoint: Endpoint) -> None:
    def publish() -> None:
        dispatch("order.paid", {})
        connections.close_all()

    thread = threading.Timer(0.05, publish)
    thread.start()
    page = since(endpoint, 0, wait=30)
    thread.join()
    assert [one.sequence for one in page.messages] == [1]


def test_asynchronous_code_waits_without_a_thread(reader: Reader, endpoint: Endpoint) -> None:
    async def ask(after: int, wait: float) -> endpoint_messages.Page:
        try:
            return await endpoint_messages.asince(endpoint, after, wait=wait)
        finally:
            await sync_to_async(connections.close_all)()

    dispatch("order.paid", {})
    assert [one.sequence for one in asyncio.run(ask(0, 30)).messages] == [1]
    assert asyncio.run(ask(1, 0.01)).is_empty


def test_a_publisher_that_has_not_committed_holds_nobody_up(reader: Reader, endpoint: Endpoint) -> None:
    if connection.vendor == "sqlite":
        pytest.skip("on SQLite whoever writes is alone")
    wrote, finish = threading.Event(), threading.Event()

    def publish() -> None:
        with transaction.atomic():
            dispatch("order.paid", {"n": "slow"})
            wrote.set()
            finish.wait(10)
        connections.close_all()

    slow = threading.Thread(target=publish)
    slow.start()
    assert wrote.wait(10)
    dispatch("order.paid", {"n": "quick"})
    assert [delivery.sequence for delivery in deliver_all()] == [1]
    finish.set()
    slow.join(10)
    assert [delivery.sequence for delivery in deliver_all()] == [2]
    assert Delivery.objects.filter(state=State.SUCCEEDED).count() == 2
