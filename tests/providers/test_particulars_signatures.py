"""How a few senders write their signatures, where the conformance suite cannot show it."""

from __future__ import annotations

import base64
from dataclasses import replace

import pytest

from hookline.core.request import without_fields
from hookline.exceptions import NotVerified
from tests.providers.vectors import load


def test_of_two_signatures_of_supabase_the_first_counts_too_though_a_comma_follows_it() -> None:
    vector = load("supabase_auth")[1]
    first, second = vector.headers["webhook-signature"].split(", ")
    (event,) = vector.receive(vector.request.with_headers({"webhook-signature": f"{second}, {first}"})).events
    assert event.dedup_key == vector.expected["dedup_key"]
    with pytest.raises(NotVerified):
        vector.receive(vector.request.with_headers({"webhook-signature": f"{second},, {first}"}))


def test_merge_may_pad_its_signature_and_may_not() -> None:
    vector = load("merge")[0]
    unpadded = vector.headers["x-merge-webhook-signature"]
    padded = unpadded + "=" * (-len(unpadded) % 4)
    assert len(base64.urlsafe_b64decode(padded)) == 32
    assert padded != unpadded
    changed = vector.request.with_headers({"x-merge-webhook-signature": padded})
    assert vector.receive(changed).events == vector.receive().events


def test_the_signature_in_the_query_of_pandadoc_is_not_stored() -> None:
    vector = load("pandadoc")[0]
    signature = vector.url.rpartition("=")[2]
    assert signature not in without_fields(vector.url, vector.provider.credential_query)


def test_the_earlier_header_of_ramp_counts_only_where_the_newer_is_missing() -> None:
    vector = next(v for v in load("ramp") if "x-ramp-webhook-signature" in v.headers)
    assert vector.receive().events
    with pytest.raises(NotVerified):
        vector.receive(vector.request.with_headers({"x-ramp-signature": "00" * 32}))


def test_the_key_of_authorize_net_and_mercury_counts_in_both_forms_and_no_third() -> None:
    for name in ("authorize_net", "mercury"):
        for vector in load(name):
            assert vector.receive().events
            with pytest.raises(NotVerified):
                replace(vector, secrets=[vector.secrets[0][:-4]]).receive()
