"""Expected values: Standard Webhooks (2xx, 410, Retry-After) and RFC 9110 sections 5.6.7 and 10.2.3."""

# Lookalike characters are what these tests are about.
# ruff: noqa: RUF001

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hookline.core.outcome import Failure, Outcome, Verdict, classify
from hookline.core.retry_after import parse_retry_after

#: Sun, 06 Nov 1994 08:49:37 GMT, the example date of RFC 9110 section 5.6.7, as Unix time.
RFC_DATE = 784111777.0


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
def test_every_2xx_is_a_success(status: int) -> None:
    assert classify(status, "", None, 0.0) == Outcome(Verdict.SUCCEEDED, f"status_{status}")


@pytest.mark.parametrize("status", [101, 199, 300, 301, 304, 308, 400, 401, 404, 409, 429, 499, 500, 503, 599, 999, 0])
def test_every_other_status_but_410_is_tried_again(status: int) -> None:
    outcome = classify(status, "", None, 0.0)
    assert outcome == Outcome(Verdict.RETRY, f"status_{status}")


def test_410_says_that_the_endpoint_is_gone() -> None:
    outcome = classify(410, "", "60", 0.0)
    assert outcome == Outcome(Verdict.GONE, "status_410")
    assert not outcome.succeeded


@pytest.mark.parametrize(
    "error",
    ["dns_failed", "connect_failed", "tls_failed", "timeout", "disconnected", "bad_response", "headers_too_large"],
)
def test_network_trouble_is_tried_again(error: str) -> None:
    assert classify(None, error, None, 0.0) == Outcome(Verdict.RETRY, error)


@pytest.mark.parametrize("error", ["address_refused", "invalid_request"])
def test_what_hookline_itself_did_not_send_is_told_apart_and_tried_again(error: str) -> None:
    outcome = classify(None, error, None, 0.0)
    assert outcome == Outcome(Verdict.REFUSED, error)


@pytest.mark.parametrize("status", [410, 500])
def test_a_response_that_broke_off_does_not_count(status: int) -> None:
    assert classify(status, Failure.DISCONNECTED, None, 0.0) == Outcome(Verdict.RETRY, "disconnected")


@pytest.mark.parametrize("error", ["disconnected", "timeout", "bad_response", "headers_too_large"])
def test_a_2xx_is_a_success_whatever_became_of_its_body(error: str) -> None:
    assert classify(200, error, None, 0.0) == Outcome(Verdict.SUCCEEDED, "status_200")


def test_no_status_and_no_error_is_not_a_success() -> None:
    assert classify(None, "", None, 0.0).verdict is Verdict.RETRY


@pytest.mark.parametrize("status", [429, 503])
def test_429_and_503_may_ask_for_a_wait(status: int) -> None:
    assert classify(status, "", "120", 0.0).retry_after == 120.0


@pytest.mark.parametrize("status", [200, 301, 500, 502])
def test_other_statuses_may_not(status: int) -> None:
    assert classify(status, "", "120", 0.0).retry_after is None


@pytest.mark.parametrize(
    "value",
    ["Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994"],
)
def test_the_three_forms_of_an_http_date_mean_the_same_moment(value: str) -> None:
    assert parse_retry_after(value, RFC_DATE - 90) == 90.0


def test_a_moment_in_the_past_is_no_wait() -> None:
    assert parse_retry_after("Sun, 06 Nov 1994 08:49:37 GMT", RFC_DATE + 1) == 0.0


@pytest.mark.parametrize("value", ["86401", "99999999999999999999", "Fri, 31 Dec 9999 23:59:59 GMT"])
def test_no_wait_is_longer_than_a_day(value: str) -> None:
    assert parse_retry_after(value, RFC_DATE) == 86400.0


@pytest.mark.parametrize(
    "value",
    [
        None, "", " ", "-1", "+1", "1.5", "1_0", "1e3", "inf", "nan", "0x10", "１２０", "120s", "120, 240", "soon",
        "9" * 21,
        "Sun, 31 Feb 1994 08:49:37 GMT", "Sun, 06 Nov 1994 25:49:37 GMT", "Sun, 06 Nov 0000 08:49:37 GMT",
        "Sun, 06 Nov 1994 08:49:37 +0000", "Sun, 6 Nov 1994 08:49:37 GMT", "1994-11-06T08:49:37Z",
        "Sun Nov    08:49:37 1994", "Sun, 06 Nov 1994 08:49:37 GMT" + " " * 99, "\x00",
    ],
)  # fmt: skip
def test_what_is_not_a_retry_after_is_as_if_absent(value: str | None) -> None:
    assert parse_retry_after(value, RFC_DATE) is None


def test_surrounding_spaces_do_not_count() -> None:
    assert parse_retry_after(" 120\t", 0.0) == 120.0


@given(
    st.none() | st.text() | st.from_regex(r"[A-Z][a-z]{2,8}, [0-9]{2}[ -][A-Z][a-z]{2}[ -][0-9]{2,4} [0-9:]{8} GMT"),
    st.floats(0, 4e9),
)
def test_hostile_values_never_raise_and_never_exceed_a_day(value: str | None, now: float) -> None:
    wait = parse_retry_after(value, now)
    assert wait is None or 0 <= wait <= 86400
