"""Settings are checked when they are read, so that a slip of the pen is not found by a customer."""

from __future__ import annotations

from typing import Any

import pytest
from django.conf import settings as django_settings
from django.test.utils import override_settings

from hookline import conf
from hookline.exceptions import ConfigurationError


def test_without_settings_everything_has_its_default() -> None:
    settings = conf.load({})
    assert (settings.MAX_BODY_BYTES, settings.LEASE, settings.DELIVERY_TIMEOUT) == (5 * 1024 * 1024, 60, 20)
    # https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md, "Retry schedule"
    assert settings.DELIVERY_RETRY_DELAYS == (5, 300, 1800, 7200, 18000, 36000, 50400, 72000, 86400)


def test_a_misspelt_name_is_refused_with_the_names_that_there_are() -> None:
    with pytest.raises(ConfigurationError, match=r"no setting 'MAX_BODY'.*MAX_BODY_BYTES"):
        conf.load({"MAX_BODY": 5})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MAX_BODY_BYTES", "5000"),
        ("MAX_BODY_BYTES", 5000.5),
        ("MAX_BODY_BYTES", True),
        ("MAX_BODY_BYTES", None),
        ("MAX_BODY_BYTES", 0),
        ("MAX_BODY_BYTES", -1),
        ("LEASE", "60"),
        ("LEASE", 0),
        ("LEASE", float("nan")),
        ("POLL", -0.5),
        ("POLL", True),
        ("HANDLER_THREADS", 0),
        ("HANDLER_THREADS", 2.5),
        ("DELIVERY_CONCURRENCY", 0),
        ("RETRY_JITTER", 1.5),
        ("RETRY_JITTER", -0.1),
        ("RETRY_JITTER", float("nan")),
        ("REJECTION_BODY_BYTES", -1),
        ("PUBLIC_URL", None),
        ("PUBLIC_URL", 5),
        ("ENCRYPTION_KEYS", "one:key"),
        ("ENCRYPTION_KEYS", [5]),
        ("ALLOWED_SUBNETS", "10.0.0.0/8"),
        ("ALLOWED_SUBNETS", [None]),
        ("EVENT_RETRY_DELAYS", 5),
        ("EVENT_RETRY_DELAYS", ["5"]),
        ("EVENT_RETRY_DELAYS", [-5]),
        ("EVENT_RETRY_DELAYS", [True]),
        ("DELIVERY_RETRY_DELAYS", [float("nan")]),
        ("DELIVERY_RETRY_DELAYS", [1e12]),
        ("ALLOW_HTTP", "yes"),
        ("ALLOW_HTTP", 1),
    ],
)
def test_a_value_of_the_wrong_type_or_out_of_range_is_refused(name: str, value: Any) -> None:
    with pytest.raises(ConfigurationError):
        conf.load({name: value})


@pytest.mark.parametrize(
    ("name", "value", "taken"),
    [
        ("LEASE", 0.5, 0.5),
        ("POLL", 1, 1),
        ("RETRY_JITTER", 0, 0),
        ("REJECTION_BODY_BYTES", 0, 0),
        ("ALLOW_HTTP", None, None),
        ("ALLOW_HTTP", False, False),
        ("EVENT_RETRY_DELAYS", [], ()),
        ("EVENT_RETRY_DELAYS", [1, 2.5], (1, 2.5)),
        ("ALLOWED_SUBNETS", ["10.0.0.0/8"], ("10.0.0.0/8",)),
        ("PUBLIC_URL", "https://a.example", "https://a.example"),
    ],
)
def test_a_value_that_makes_sense_is_taken(name: str, value: Any, taken: Any) -> None:
    assert getattr(conf.load({name: value}), name) == taken


def test_the_keys_are_not_in_the_text_of_the_settings() -> None:
    key = "one:MTExMTExMTExMTExMTExMTExMTExMTExMTExMTExMTE="
    assert key not in repr(conf.load({"ENCRYPTION_KEYS": [key]}))
    with pytest.raises(ConfigurationError) as caught:
        conf.load({"ENCRYPTION_KEYS": key})
    assert key not in str(caught.value)


def test_settings_cannot_be_changed_and_are_read_again_only_by_tests() -> None:
    before = conf.get()
    with pytest.raises(AttributeError):
        before.LEASE = 5  # type: ignore[misc]  # that is the point
    with override_settings(HOOKLINE={**django_settings.HOOKLINE, "LEASE": 5}):
        assert conf.get().LEASE == 5
    assert conf.get() == before
