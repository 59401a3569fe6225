"""The senders' own npm packages, in both directions: what we sign they accept, and what they sign we accept.

They read the clock, so these tests do too.
"""

from __future__ import annotations

import json
import time
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hookline.core.request import WebhookRequest
from hookline.providers.base import SourceConfig
from tests.npm.node import Node
from tests.npm.oracle import MARK, ORACLES, Oracle

SIGNERS = [oracle for oracle in ORACLES if oracle.signs]
TIMED = [oracle for oracle in ORACLES if oracle.tolerance]
#: SNS has no secret: its messages are recognised by the certificate.
WITH_SECRET = [oracle for oracle in ORACLES if oracle.provider_name != "aws_sns"]

every_oracle = pytest.mark.parametrize("oracle", ORACLES, ids=str)
every_signer = pytest.mark.parametrize("oracle", SIGNERS, ids=str)
every_timed_oracle = pytest.mark.parametrize("oracle", TIMED, ids=str)
every_oracle_with_a_secret = pytest.mark.parametrize("oracle", WITH_SECRET, ids=str)
notes = given(note=st.text(max_size=40))
quick = settings(deadline=None, max_examples=25)


def a_type(oracle: Oracle) -> str:
    return next(iter(oracle.provider.samples))


def with_note(request: WebhookRequest, note: str) -> WebhookRequest:
    """The request with any text, written in UTF-8, where MARK stands in its JSON."""
    return replace(request, body=request.body.replace(MARK, json.dumps(note, ensure_ascii=False)[1:-1].encode()))


def changed(request: WebhookRequest) -> WebhookRequest:
    """The request with one letter of its body changed; it is still JSON."""
    assert MARK in request.body
    return replace(request, body=request.body.replace(MARK, MARK[:-1] + b"x"))


# ---- what we sign -------------------------------------------------------------------------------------


@every_oracle
def test_the_package_accepts_every_sample_that_we_sign(oracle: Oracle, node: Node) -> None:
    for event_type in oracle.provider.samples:
        now = time.time()
        request = oracle.signed_by_us(oracle.composed(event_type, now), now)
        assert oracle.refused_by_package(node, request, now) == "", event_type
        assert oracle.accepted_by_us(request, now), event_type


@every_oracle
@notes
@quick
def test_the_package_accepts_what_we_sign_whatever_the_text(oracle: Oracle, note: str, node: Node) -> None:
    now = time.time()
    request = oracle.signed_by_us(with_note(oracle.composed(a_type(oracle), now), note), now)
    assert oracle.refused_by_package(node, request, now) == ""


@every_oracle
def test_the_package_refuses_a_changed_body(oracle: Oracle, node: Node) -> None:
    now = time.time()
    request = oracle.signed_by_us(oracle.composed(a_type(oracle), now), now)
    assert oracle.refused_by_package(node, changed(request), now) != ""


@every_oracle_with_a_secret
def test_the_package_refuses_another_secret(oracle: Oracle, node: Node) -> None:
    now = time.time()
    request = oracle.signed_by_us(oracle.composed(a_type(oracle), now), now)
    assert oracle.refused_by_package(node, request, now, oracle.kit.other) != ""


# ---- what the package signs ---------------------------------------------------------------------------


@every_signer
@notes
@quick
def test_we_accept_what_the_package_signs(oracle: Oracle, note: str, node: Node) -> None:
    now = time.time()
    request = oracle.signed_by_package(node, with_note(oracle.composed(a_type(oracle), now), note), now)
    assert oracle.accepted_by_us(request, now)


@every_signer
def test_we_refuse_a_changed_body_and_another_secret(oracle: Oracle, node: Node) -> None:
    now = time.time()
    request = oracle.signed_by_package(node, oracle.composed(a_type(oracle), now), now)
    assert oracle.accepted_by_us(request, now)
    assert not oracle.accepted_by_us(changed(request), now)
    assert not oracle.accepted_by_us(request, now, SourceConfig((oracle.kit.other,), oracle.kit.options))


# ---- how old a request may be -------------------------------------------------------------------------


@every_timed_oracle
def test_a_request_may_be_as_old_for_us_as_for_the_package(oracle: Oracle, node: Node) -> None:
    now = time.time()
    for age, fresh in ((oracle.tolerance - 20, True), (oracle.tolerance + 20, False)):
        request = oracle.signed_by_us(oracle.composed(a_type(oracle), now - age), now - age)
        assert (oracle.refused_by_package(node, request, now) == "") is fresh, age
        assert oracle.accepted_by_us(request, now) is fresh, age


# ---- Contentful signs more than the body --------------------------------------------------------------

CONTENTFUL = next(oracle for oracle in ORACLES if oracle.provider_name == "contentful")


@pytest.mark.parametrize(
    "target",
    ["/in/abc", "/in/abc?", "/in/a%20b?note=a%20b&x=1", "/in/ü?q=ü", "/in/abc?a=(1)!*'~-_.&b=c+d", "/in/a;b?c=d?e"],
)
def test_contentfuls_toolkit_and_we_agree_on_the_path(target: str, node: Node) -> None:
    now = time.time()
    request = CONTENTFUL.composed(a_type(CONTENTFUL), now, f"https://hooks.example.com{target}")
    assert CONTENTFUL.refused_by_package(node, CONTENTFUL.signed_by_us(request, now), now) == ""
    signed = CONTENTFUL.signed_by_package(node, request, now)
    assert CONTENTFUL.accepted_by_us(signed, now)
    assert not CONTENTFUL.accepted_by_us(replace(signed, url=request.url.replace("/in/", "/out/")), now)


def test_contentfuls_toolkit_and_we_refuse_another_topic(node: Node) -> None:
    now = time.time()
    request = CONTENTFUL.signed_by_us(CONTENTFUL.composed(a_type(CONTENTFUL), now), now)
    forged = request.with_headers({"x-contentful-topic": "ContentManagement.Entry.delete"})
    assert CONTENTFUL.refused_by_package(node, forged, now) != ""
    assert not CONTENTFUL.accepted_by_us(forged, now)
