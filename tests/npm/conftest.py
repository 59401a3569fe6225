"""One Node process for all these tests, which `make test-npm` runs."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.npm.node import Node


@pytest.fixture(scope="session")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    with Node(tmp_path_factory.mktemp("node") / "errors") as running:
        yield running
