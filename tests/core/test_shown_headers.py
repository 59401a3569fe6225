"""What people see of headers: no credentials, and signatures only so far that two can be told apart."""

from __future__ import annotations

import pytest

from hookline.core.shown_headers import shown


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("x-gateway-token", "made-up", "***"),
        ("authorization", "Bearer made-up", "***"),
        ("set-cookie", "a=b", "***"),
        ("x-api-key", "made-up", "***"),
        ("x-chosen", "made-up", "***"),
        # Of Standard Webhooks, GitHub, Stripe and RFC 9421.
        (
            "webhook-signature",
            "v1,K5oZfzN95Z9UVu1EsfQmfVNQhnkZ2pj9o9NDN/H/pI4= v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
            "v1,K5oZfz... v1,g0hM9S...",
        ),
        (
            "x-hub-signature-256",
            "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17",
            "sha256=757107...",
        ),
        (
            "stripe-signature",
            "t=1492774577,v1=5257a869e7ecebeda32affa62cdca3fa51cad7e77a0e56ff536d0ce8e108d8bd",
            "t=1492774577,v1=5257a8...",
        ),
        (
            "signature",
            "sig-b25=:wqcAqbmYJ2ji2glfAMaRy4gruYYnx2nEFN2HN6jrnDnQCK1u02Gb04v9EDgwUPiu4A0w6vuQv5lIp5WPpBKRCw==:",
            "sig-b25=:wqcAqb...:",
        ),
        ("webhook-id", "msg_2KWPBgLlAfxdpx2AI54pPJ85f4W", "msg_2KWPBgLlAfxdpx2AI54pPJ85f4W"),
        ("content-type", "application/json", "application/json"),
    ],
)
def test_credentials_are_hidden_and_signatures_shortened(name: str, value: str, expected: str) -> None:
    assert shown({name: value}, hidden={"x-chosen"}) == {name: expected}
