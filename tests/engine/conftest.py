"""The engine's conformance suite runs on both of the tables that it serves."""

from __future__ import annotations

import pytest

from tests.engine.rows import KINDS, Jobs


@pytest.fixture(params=KINDS, ids=["events", "deliveries"])
def jobs(request: pytest.FixtureRequest, transactional_db: None) -> Jobs:
    made: Jobs = request.param()
    return made
