"""Fixtures for the tests of the management API."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.conf import settings as django_settings
from django.test import override_settings

from tests.api.calls import KEY, Calls


@pytest.fixture
def operator_key() -> Iterator[str]:
    with override_settings(HOOKLINE={**django_settings.HOOKLINE, "API_KEY": KEY}):
        yield KEY


@pytest.fixture
def api(operator_key: str) -> Calls:
    """The API through Django's test client, as an operator."""
    return Calls(operator_key)
