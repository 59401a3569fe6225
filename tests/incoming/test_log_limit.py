"""Lines of the log that a stranger causes."""

from __future__ import annotations

import logging

import pytest

from hookline.incoming.receive.log_limit import LogLimit


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def logger(clock: Clock) -> logging.Logger:
    made = logging.getLogger("hookline.tests.log_limit")
    made.filters = [LogLimit(clock)]
    return made


def test_of_a_flood_of_one_kind_few_lines_are_written_and_the_next_says_how_many_were_not(
    logger: logging.Logger, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(1000):
        logger.warning("answering 503: %s", "the queue is full")
    assert len(caplog.records) == 200
    clock.now += 1
    logger.warning("answering 503: %s", "the queue is full")
    assert caplog.messages[-1] == "answering 503: the queue is full (and 800 more like it before)"
    logger.warning("answering 503: %s", "the queue is full")
    assert len(caplog.records) == 201


def test_another_kind_and_another_source_are_written_all_the_same(
    logger: logging.Logger, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(1000):
        logger.warning("refused a webhook for %s with %d", "src_1", 401)
    caplog.clear()
    logger.warning("refused a webhook for %s with %d", "src_2", 401)
    logger.error("cannot look up a source")
    assert caplog.messages == ["refused a webhook for src_2 with 401", "cannot look up a source"]


def test_ever_new_kinds_take_no_more_memory(logger: logging.Logger) -> None:
    (limit,) = logger.filters
    assert isinstance(limit, LogLimit)
    for number in range(3000):
        logger.warning("made up %s", number)
    assert len(limit._kinds) == 1000


def test_what_receiving_logs_is_limited_in_every_project() -> None:
    filters = logging.getLogger("hookline.incoming").filters
    assert [type(found) for found in filters] == [LogLimit]


def test_so_is_what_the_server_logs_about_requests_that_are_none() -> None:
    from hookline.server import logs

    assert logs.config("text")["loggers"]["uvicorn.error"]["filters"] == ["limit"]
