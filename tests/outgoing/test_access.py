"""OAuth 2.0, proxies and client certificates of endpoints, from dispatch() to real servers; and that nothing leaks."""

from __future__ import annotations

import logging
import time
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.db import connection
from django.test.utils import override_settings

from hookline import dispatch
from hookline.audit.actor import SYSTEM
from hookline.audit.models import AuditEntry
from hookline.exceptions import AddressRefused, ConfigurationError
from hookline.models import Attempt, Delivery, Endpoint
from hookline.operations import endpoint_rows, endpoint_trial, endpoints
from tests.outgoing.authorisation_server import Authorisation, running_authorisation
from tests.outgoing.conftest import Sending
from tests.outgoing.test_transport_tls import make_certificate
from tests.waiting import wait_until

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def authorisation() -> Any:
    with running_authorisation() as running:
        yield running


def endpoint_of(authorisation: Authorisation, **more: str) -> Endpoint:
    with loopback():
        access = {"oauth2": authorisation.credentials(**more)}
        return endpoints.create(SYSTEM, authorisation.endpoint_url, access=access)


def loopback(**more: Any) -> Any:
    return override_settings(HOOKLINE={**django_settings.HOOKLINE, "ALLOWED_SUBNETS": ["127.0.0.0/8"], **more})


def succeeded(count: int) -> None:
    wait_until(lambda: Delivery.objects.filter(state="succeeded").count() == count, 15)


def test_one_token_serves_many_deliveries(authorisation: Authorisation, sending: Sending) -> None:
    endpoint_of(authorisation, scope="hooks:write", audience="https://api.example.com")
    for number in range(20):
        dispatch("invoice.paid", {"n": number})
    with sending():
        succeeded(20)
    assert authorisation.asked == [
        {
            "grant_type": ["client_credentials"],
            "scope": ["hooks:write"],
            "audience": ["https://api.example.com"],
        }
    ]
    assert authorisation.answers == [200] * 20


def test_a_token_that_is_refused_is_replaced_once_within_the_same_attempt(
    authorisation: Authorisation, sending: Sending
) -> None:
    endpoint_of(authorisation, send_as="body")
    with sending(DELIVERY_RETRY_DELAYS=[3600]):
        dispatch("invoice.paid", {"n": 1})
        succeeded(1)
        with authorisation.lock:
            authorisation.good.clear()  # revoked
        dispatch("invoice.paid", {"n": 2})
        succeeded(2)
    assert authorisation.answers == [200, 401, 200]
    assert len(authorisation.asked) == 2
    assert list(Attempt.objects.values_list("status", flat=True)) == [200, 200]


def test_an_endpoint_that_refuses_every_token_gets_two_and_its_attempt_says_401(
    authorisation: Authorisation, sending: Sending
) -> None:
    endpoint = endpoint_of(authorisation)
    authorisation.refusing = True
    dispatch("invoice.paid", {})
    with sending(DELIVERY_RETRY_DELAYS=[3600]):
        wait_until(lambda: Attempt.objects.count() == 1, 15)
    assert (authorisation.answers, len(authorisation.asked)) == ([401, 401], 2)
    assert Attempt.objects.get().status == 401
    assert endpoint.public_id


def test_without_a_token_nothing_is_sent_and_the_attempt_says_why(
    authorisation: Authorisation, sending: Sending
) -> None:
    with loopback():
        access = {"oauth2": {**authorisation.credentials(), "client_secret": "another"}}
        endpoints.create(SYSTEM, authorisation.endpoint_url, access=access)
    dispatch("invoice.paid", {})
    with sending(DELIVERY_RETRY_DELAYS=[3600]):
        wait_until(lambda: Attempt.objects.count() == 1, 15)
    attempt = Attempt.objects.get()
    assert (attempt.error, authorisation.answers) == ("token_failed", [])
    assert attempt.detail == "the authorisation server answered 401: invalid_client"


def test_the_guard_judges_the_url_of_the_token_when_it_is_saved_and_when_it_is_asked(
    authorisation: Authorisation,
) -> None:
    with pytest.raises(AddressRefused):
        endpoints.create(SYSTEM, "https://hooks.example.com/", access={"oauth2": authorisation.credentials()})
    endpoint = endpoint_of(authorisation)
    Endpoint.objects.update(url="https://hooks.example.com/")
    tried = endpoint_trial.send(SYSTEM, Endpoint.objects.get(pk=endpoint.pk))  # loopback is closed by now
    assert tried.as_json()["error"] == "token_failed"
    assert "127.0.0.1" in tried.as_json()["detail"]
    assert authorisation.asked == []


def test_what_is_named_is_replaced_the_rest_stays_and_none_removes(tmp_path: Path) -> None:
    folder = make_certificate(tmp_path, [])
    pem = (folder / "cert.pem").read_text() + (folder / "key.pem").read_text()
    endpoint = endpoints.create(
        SYSTEM, "https://hooks.example.com/", access={"proxy": "http://u:p@proxy.example.com:3128"}
    )
    endpoints.update(SYSTEM, endpoint, access={"client_certificate": pem})
    shown = endpoint_rows.as_json(Endpoint.objects.get())["access"]
    assert shown["proxy"] == "http://proxy.example.com:3128"
    assert shown["client_certificate"]["subject"] == "CN=hooks.example.com"
    assert shown["oauth2"] is None
    endpoints.update(SYSTEM, endpoint, access={"proxy": None})
    shown = endpoint_rows.as_json(Endpoint.objects.get())["access"]
    assert (shown["proxy"], shown["client_certificate"] is None) == (None, False)


@pytest.mark.parametrize(
    "access",
    [
        "http://proxy.example.com", {"password": "x"}, {"proxy": 7}, {"proxy": "http://proxy.example.com/path"},
        {"oauth2": {"token_url": "https://auth.example.com/"}}, {"client_certificate": "made-up"},
        {"oauth2": {"token_url": "https://auth.example.com/", "client_id": "a", "client_secret": "s\r\nx: y"}},
    ],
)  # fmt: skip
def test_what_cannot_be_used_is_refused_without_quoting_it(access: Any) -> None:
    with pytest.raises(ConfigurationError) as caught:
        endpoints.create(SYSTEM, "https://hooks.example.com/", access=access)
    assert "made-up" not in str(caught.value)


def test_a_certificate_without_its_own_key_is_refused(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        make_certificate(tmp_path / name, [])
    pem = (tmp_path / "a/cert.pem").read_text() + (tmp_path / "b/key.pem").read_text()
    with pytest.raises(ConfigurationError, match="is not that of the client certificate"):
        endpoints.create(SYSTEM, "https://hooks.example.com/", access={"client_certificate": pem})


def test_nothing_secret_of_it_is_stored_in_the_clear_shown_audited_or_logged(
    authorisation: Authorisation, sending: Sending, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        endpoint = endpoint_of(authorisation)
        with loopback():
            endpoints.update(SYSTEM, endpoint, access={"oauth2": {**authorisation.credentials(), "scope": "a"}})
        dispatch("invoice.paid", {})
        with sending():
            succeeded(1)
    with connection.cursor() as cursor:
        cursor.execute("SELECT encrypted_access FROM hookline_endpoint")
        (stored,) = cursor.fetchone()
    audited = str(list(AuditEntry.objects.values()))
    for text in (stored, caplog.text, audited, str(endpoint_rows.as_json(endpoint)), repr(endpoint.access)):
        assert "made-up" not in text
        assert "token-1" not in text
    assert "'scope': 'a'" in audited


def test_only_the_ports_of_the_setting_may_be_connected_to() -> None:
    with override_settings(HOOKLINE={**django_settings.HOOKLINE, "ALLOWED_PORTS": [443, 8443]}):
        endpoints.create(SYSTEM, "https://hooks.example.com:8443/")
        with pytest.raises(AddressRefused, match="port 9443 is not allowed; use one of 443, 8443"):
            endpoints.create(SYSTEM, "https://hooks.example.com:9443/")


def test_a_token_is_used_until_shortly_before_its_end_and_a_minute_s_for_half_of_it() -> None:
    from hookline.core.client_credentials import read_answer

    now = time.time()
    for seconds, used in ((3600, 3570), ("3600", 3570), (40, 20), (None, 270), (1e9, 86370), (10**400, 270)):
        body = f'{{"access_token": "a", "token_type": "bearer", "expires_in": {seconds!r}}}'.replace("None", "null")
        assert read_answer(200, body.replace("'", '"').encode(), now).until == pytest.approx(now + used)
