"""Every test in this directory that asks for an edge runs on both."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from hookline.incoming.process import handlers
from tests.edges.servers import SERVERS, Edge


@pytest.fixture(params=sorted(SERVERS))
def edge(request: pytest.FixtureRequest, transactional_db: None) -> Iterator[Edge]:
    with SERVERS[request.param]() as running:
        yield running


Register = Callable[..., Callable[[handlers.HandlerFunction], handlers.HandlerFunction]]


@pytest.fixture
def handler() -> Iterator[Register]:
    """`hookline.handler`, for the time of the test."""
    registered: list[handlers.HandlerFunction] = []

    def register(*arguments: Any, **options: Any) -> Callable[[handlers.HandlerFunction], handlers.HandlerFunction]:
        def remember(function: handlers.HandlerFunction) -> handlers.HandlerFunction:
            registered.append(function)
            return handlers.handler(*arguments, **options)(function)

        return remember

    yield register
    for function in registered:
        handlers.forget(function)
