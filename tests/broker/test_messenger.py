"""Messages to the broker: few, soon, and nobody waits for them or fails because of them."""

from __future__ import annotations

import logging
import time

import pytest

from hookline.runtime.broker import messenger as module
from hookline.runtime.broker.messenger import Messenger
from tests.broker.conftest import Queue


def test_a_task_that_is_asked_for_is_sent(messenger: Messenger, queue: Queue) -> None:
    messenger.send("hookline.process_events")
    assert messenger.flush(5)
    assert queue.messages() == ["hookline.process_events"]


def test_a_thousand_commits_are_a_few_messages(messenger: Messenger, queue: Queue) -> None:
    begun = time.monotonic()
    for _ in range(1000):
        messenger.send("hookline.process_events")
        messenger.send("hookline.send_deliveries")
    assert messenger.flush(5)
    rounds = 2 + (time.monotonic() - begun) / module.DEBOUNCE
    sent = queue.messages()
    assert set(sent) == {"hookline.process_events", "hookline.send_deliveries"}
    assert len(sent) <= 2 * rounds


def test_what_is_asked_for_after_a_message_was_sent_gets_another_one(messenger: Messenger, queue: Queue) -> None:
    for _ in range(2):
        messenger.send("hookline.process_events")
        assert messenger.flush(5)
    assert queue.messages() == ["hookline.process_events"] * 2


def test_a_long_queue_gets_no_longer_and_what_was_asked_for_meanwhile_is_sent_when_it_is_short(
    messenger: Messenger, queue: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "ENOUGH", 3)
    monkeypatch.setattr(module, "DEBOUNCE", 0.001)
    monkeypatch.setattr(module, "BROKER_PAUSE", 0.001)
    for _ in range(3):
        messenger.send("hookline.process_events")
        assert messenger.flush(5)
    messenger.send("hookline.process_events")
    messenger.send("hookline.send_deliveries")
    assert not messenger.flush(0.2)
    assert queue.messages() == ["hookline.process_events"] * 3
    assert messenger.flush(5)
    assert sorted(queue.messages()) == ["hookline.process_events", "hookline.send_deliveries"]


def test_a_broker_that_is_away_gets_one_message_of_each_kind_when_it_returns(
    messenger: Messenger, queue: Queue, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(module, "BROKER_PAUSE", 0.001)
    with monkeypatch.context() as away:
        refused = []

        def refuse(**options: object) -> None:
            refused.append(options)
            raise ConnectionRefusedError("nobody is there")

        away.setattr(queue.app, "connection_for_write", refuse)
        with caplog.at_level(logging.WARNING, "hookline.runtime.broker"):
            for _ in range(10):
                messenger.send("hookline.process_events")
                messenger.send("hookline.send_deliveries")
            assert not messenger.flush(0.2)
        assert len(refused) > 2
        assert [record.getMessage() for record in caplog.records] == [
            "the broker does not accept messages; retrying until it does: nobody is there"
        ]
    assert messenger.flush(5)
    assert sorted(queue.messages()) == ["hookline.process_events", "hookline.send_deliveries"]
    assert caplog.records[-1].getMessage() == "the broker accepts messages again"


def test_a_broker_that_refuses_connections_keeps_nobody_waiting(free_port: int) -> None:
    queue = Queue()
    queue.app.conf.broker_url = f"redis://127.0.0.1:{free_port}/0"
    messenger = Messenger(queue.app)
    begun = time.monotonic()
    messenger.send("hookline.process_events")
    assert time.monotonic() - begun < 1
    assert not messenger.flush(0.2)
    messenger.close(0.1)


def test_a_forked_process_sends_its_own_messages_and_leaves_the_connection_of_its_parent_alone(
    messenger: Messenger, queue: Queue
) -> None:
    messenger.send("hookline.process_events")
    assert messenger.flush(5)
    messenger.close(5)
    parents = messenger._connection = queue.app.connection_for_write()
    parents.connect()
    messenger.after_fork()
    messenger.send("hookline.send_deliveries")
    assert messenger.flush(5)
    assert queue.messages() == ["hookline.process_events", "hookline.send_deliveries"]
    assert parents.connected
    parents.release()
