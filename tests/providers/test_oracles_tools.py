"""The SDKs of developer tools and content services: what they sign we accept, and what we sign they accept."""

from __future__ import annotations

import time
from dataclasses import replace
from urllib.parse import urlencode

import atlassian_jwt  # type: ignore[import-untyped]  # ships no types
import pytest
from box_sdk_gen.internal.utils import (  # type: ignore[import-untyped]  # ships no types
    compute_webhook_signature,
)
from box_sdk_gen.managers.webhooks import WebhooksManager  # type: ignore[import-untyped]  # ships no types
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pyairtable.models.webhook import WebhookNotification
from workos.webhooks._verification import verify_header

from hookline import providers
from hookline.core.request import WebhookRequest, read_headers
from hookline.exceptions import NotVerified
from hookline.providers.base import SourceConfig
from tests.providers.vectors import load

SECRET = "bWFkZS11cC1zZWNyZXQtZm9yLXRoZS10ZXN0cw=="
URL = "https://hooks.example.com/in/abc"

quick = settings(deadline=None, max_examples=60)
#: Printable and not, ASCII and not, with what Box writes in a way of its own.
notes = st.text(st.characters(exclude_categories=["Cs"]) | st.sampled_from('\\/"\n\r\t\x7f é\U0001f600'), max_size=40)


def our_request(name: str, now: float, url: str = "") -> WebhookRequest:
    provider = providers.get(name)
    request = replace(provider.compose(next(iter(provider.samples)), "", now), url=url)
    return provider.sign(request, SourceConfig((SECRET,)), now)


def header(request: WebhookRequest, name: str) -> str:
    value = request.header(name)
    assert value is not None
    return value


# ---- workos -------------------------------------------------------------------------------------------


def test_the_workos_sdk_accepts_what_we_sign() -> None:
    request = our_request("workos", time.time())
    signature = header(request, "workos-signature")
    verify_header(event_body=request.body, event_signature=signature, secret=SECRET, tolerance=180)
    with pytest.raises(ValueError, match="hash"):
        verify_header(event_body=request.body + b" ", event_signature=signature, secret=SECRET, tolerance=180)


# ---- airtable -----------------------------------------------------------------------------------------


def test_pyairtable_accepts_what_we_sign_for_airtable() -> None:
    request = our_request("airtable", 1_700_000_000)
    mac = header(request, "x-airtable-content-mac")
    assert WebhookNotification.from_request(request.body.decode(), mac, SECRET).webhook.id == "ach00000000000000"
    with pytest.raises(ValueError, match="failed validation"):
        WebhookNotification.from_request(request.body.decode() + " ", mac, SECRET)


# ---- box ----------------------------------------------------------------------------------------------


def test_the_box_sdk_accepts_what_we_sign() -> None:
    request = our_request("box", time.time() - 1)
    headers = {name: values[0] for name, values in request.headers.items()}
    assert WebhooksManager.validate_message(request.body.decode(), headers, SECRET)
    assert not WebhooksManager.validate_message(request.body.decode() + " ", headers, SECRET)


@given(note=notes, escaped=st.booleans(), which=st.sampled_from(["primary", "secondary"]))
@example(note="\f\b\U00011808\U0001180c", escaped=True, which="primary")  # in UTF-16 as d806 dc08 and d806 dc0c
@example(note="\f\b\\ue0fa\ue0fb", escaped=True, which="primary")
@example(note="\f\b\\udc08\\udc0c", escaped=True, which="primary")
@quick
def test_box_accepts_either_spelling_that_the_sdk_signs(note: str, escaped: bool, which: str) -> None:
    body = f'{{"id":"1","trigger":"FILE.UPLOADED"}}{note}'
    headers = {
        "box-delivery-timestamp": "2020-01-01T00:00:00-07:00",
        "box-signature-version": "1",
        "box-signature-algorithm": "HmacSHA256",
    }
    signature = compute_webhook_signature(body, headers, SECRET, escape_body=escaped)
    assert signature is not None
    pairs = read_headers([*headers.items(), (f"box-signature-{which}", signature)])
    request = WebhookRequest("POST", URL, pairs, body.encode())
    box, config = providers.get("box"), SourceConfig((SECRET,))
    box.verify(request, config, 1_577_862_000)
    with pytest.raises(NotVerified):
        box.verify(replace(request, body=request.body + b"x"), config, 1_577_862_000)


# ---- jira_connect -------------------------------------------------------------------------------------


class App(atlassian_jwt.Authenticator):  # type: ignore[misc]  # the package ships no types
    def get_shared_secret(self, client_key: str) -> str:
        return SECRET


queries = st.lists(st.tuples(st.sampled_from(["a", "b", "issue.key", "Zz", "ü"]), notes), max_size=5).map(urlencode)
paths = st.sampled_from(["", "/", "/in/abc", "/in/abc/", "/a%20b", "/a&b", "/%C3%BC"])


@given(path=paths, query=queries)
@quick
def test_atlassian_jwt_accepts_what_we_sign_for_a_connect_app(path: str, query: str) -> None:
    relative = f"{path}?{query}" if query else path
    request = our_request("jira_connect", time.time(), f"https://hooks.example.com{relative}")
    result = App().authenticate("POST", relative, {"Authorization": header(request, "authorization")})
    assert result.claims["qsh"]


@given(path=paths, query=queries)
@quick
def test_jira_connect_accepts_what_atlassian_jwt_signs(path: str, query: str) -> None:
    relative = f"{path}?{query}" if query else path
    token = atlassian_jwt.encode_token("POST", relative, "a-site", SECRET)
    vector = load("jira_connect")[0]
    signed = replace(vector.request, url=f"https://hooks.example.com{relative}").with_headers(
        {"authorization": f"JWT {token}"}
    )
    config = SourceConfig((SECRET,), {"client_key": "a-site"})
    assert vector.provider.receive(signed, config, time.time()).events
    with pytest.raises(NotVerified, match="qsh"):
        vector.provider.receive(replace(signed, url="https://hooks.example.com/made/up"), config, time.time())
    with pytest.raises(NotVerified, match="iss"):
        vector.provider.receive(signed, SourceConfig((SECRET,), {"client_key": "another"}), time.time())
