"""Mistakes in setting up a source that are told at once, and not by webhooks that never verify."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import pytest
from click.testing import CliRunner
from django.test import Client

from hookline import providers
from hookline.audit.actor import SYSTEM
from hookline.cli.root import root
from hookline.exceptions import ConfigurationError, VerificationError
from hookline.incoming.models import Rejection
from hookline.operations import sources
from hookline.testing import make_source, post_webhook
from tests.providers.kits import kit_of

SECRET = "a_secret_that_was_made_up"


def test_each_provider_says_whether_it_can_verify_without_the_public_url() -> None:
    """By what happens: each of its samples, signed for a URL, arrives at one of which only the path is known."""
    said = [name for name in providers.names() if providers.get(name).needs_public_url(kit_of(name).options)]
    assert said == [name for name in providers.names() if fails_without_host(name)]
    assert "twilio" in said


def fails_without_host(name: str) -> bool:
    provider, kit, now = providers.get(name), kit_of(name), time.time()
    for event_type in provider.samples or ["test"]:
        request = provider.signed_request(event_type, kit.sender, now, url="https://hooks.example.com/in/token")
        kit.receive(provider, request, now)
        try:
            kit.receive(provider, replace(request, url=request.url.removeprefix("https://hooks.example.com")), now)
        except VerificationError:
            return True
    return False


def without_public_url(settings: Any) -> None:
    settings.HOOKLINE = {**settings.HOOKLINE, "PUBLIC_URL": ""}


@pytest.mark.django_db
def test_a_sender_that_signs_the_url_is_answered_503_where_the_url_is_not_known(client: Client, settings: Any) -> None:
    source = make_source("twilio")
    assert post_webhook(client, source, "message.received").status_code == 200
    without_public_url(settings)
    source.refresh_from_db()
    headers = {"x-twilio-signature": "c2lnbmVkIGZvciBhbm90aGVyIFVSTA=="}
    answer = client.post(source.path, "MessageSid=SM1", "application/x-www-form-urlencoded", headers=headers)
    assert answer.status_code == 503
    rejection = Rejection.objects.get()
    assert (rejection.status, rejection.reason) == (503, "bad_configuration")
    assert "PUBLIC_URL" in rejection.detail


@pytest.mark.django_db
def test_creating_such_a_source_says_so(settings: Any) -> None:
    words = ["source", "create", "--secret", SECRET, "--json", "--provider"]
    assert "PUBLIC_URL" not in CliRunner().invoke(root, [*words, "twilio"], prog_name="hookline").stderr
    without_public_url(settings)
    result = CliRunner().invoke(root, [*words, "twilio"], prog_name="hookline")
    assert result.exit_code == 0
    assert "Warning: HOOKLINE['PUBLIC_URL'] is not set, and Twilio signs the URL" in result.stderr
    assert "PUBLIC_URL" not in CliRunner().invoke(root, [*words, "github"], prog_name="hookline").stderr


@pytest.mark.django_db
def test_a_secret_is_made_up_only_for_a_sender_that_takes_one() -> None:
    """GitHub's webhooks have a secret of your choice; Stripe shows the one that it made for an endpoint.

    https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries
    https://docs.stripe.com/webhooks#verify-official-libraries
    """
    assert sources.rotate(SYSTEM, make_source("github")).secret
    stripe = make_source("stripe")
    with pytest.raises(ConfigurationError, match=r"Stripe makes its secrets itself.*--secret-file"):
        sources.rotate(SYSTEM, stripe)
    assert len(stripe.secrets.secrets) == 1
    sources.rotate(SYSTEM, stripe, SECRET)


@pytest.mark.django_db
@pytest.mark.parametrize("secret", [f" {SECRET}", f"{SECRET}\n", f"{SECRET}\t"])
def test_blanks_around_a_secret_are_refused_without_quoting_it(secret: str) -> None:
    source = make_source("stripe")
    for attempt in (
        lambda: sources.create(SYSTEM, "stripe", secrets=[secret]),
        lambda: sources.rotate(SYSTEM, source, secret),
    ):
        with pytest.raises(ConfigurationError, match="blanks") as refused:
            attempt()
        assert SECRET not in str(refused.value)
