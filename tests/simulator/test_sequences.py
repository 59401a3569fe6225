"""The stories of senders: what is sent is genuine, every event is another one, and no two playings share an id."""

from __future__ import annotations

import time

import pytest

from hookline import providers
from hookline.exceptions import ConfigurationError
from hookline.providers.base import SourceConfig
from hookline.simulator.emulator import Emulator
from hookline.simulator.history import Sending
from hookline.simulator.sequence import instance
from hookline.simulator.sequences import find, sequences_of
from hookline.testing import _SECRETS

URL = "https://hooks.example.com/in/abc"
#: Who has stories of its own, and the first of them.
STORIES = {
    "adyen": "payment",
    "checkr": "report",
    "docusign": "envelope",
    "dropbox_sign": "signature-request",
    "github": "pull-request",
    "gitlab": "pipeline",
    "hubspot": "contact",
    "shopify": "order",
    "slack": "conversation",
    "stripe": "subscription",
    "twilio": "message",
    "zoom": "meeting",
}


def secret_of(name: str) -> str | None:
    """A made-up secret that this provider takes, and can sign with; None for those who sign with a private key."""
    provider = providers.get(name)
    for secret in _SECRETS:
        try:
            provider.check_secret(secret)
            Emulator(provider, URL, (secret,)).request(
                instance(find(provider, None), "00", time.time()), Sending(0), time.time()
            )
        except (ConfigurationError, ValueError):
            continue
        return secret
    return None


SIGNING = {name: secret for name in providers.names() if (secret := secret_of(name)) is not None}


def test_nearly_all_senders_can_be_played() -> None:
    assert len(SIGNING) >= len(providers.names()) - 18, set(providers.names()) - set(SIGNING)
    assert {name: find(providers.get(name), None).name for name in STORIES} == STORIES


@pytest.mark.parametrize("name", SIGNING)
def test_each_event_of_each_story_is_genuine_and_another_one(name: str) -> None:
    provider, now = providers.get(name), time.time()
    emulator = Emulator(provider, URL, (SIGNING[name],))
    for sequence in sequences_of(provider):
        keys: list[str] = []
        for nonce, happened in (("0a1b2c3d4e0001", now - 5), ("0a1b2c3d4e0002", now - 15)):
            playing = instance(sequence, nonce, happened)
            for place, event in enumerate(playing.events):
                request = emulator.request(playing, Sending(place), now)
                assert request is not None
                received = provider.receive(request, SourceConfig((SIGNING[name],)), now)
                found = received.events or [None]
                if name in STORIES:
                    assert [parsed and parsed.type for parsed in found] == [event.type]
                keys += [parsed.dedup_key for parsed in received.events]
        if name in STORIES:
            assert len(set(keys)) == len(keys) > 2
