"""The named points are Hookline's own functions: whoever renames one is told here, not after minutes of kill tests."""

from __future__ import annotations

import importlib
from functools import reduce

import pytest

from faults.points import CELERY_SERVER, CELERY_WORKER, COMMAND, SERVER, WORKER, Point


@pytest.mark.parametrize("known", [SERVER, WORKER, CELERY_SERVER, CELERY_WORKER, COMMAND])
def test_each_point_is_a_function_that_there_is(known: dict[str, Point]) -> None:
    for point in known.values():
        assert callable(reduce(getattr, point.function.split("."), importlib.import_module(point.module)))
