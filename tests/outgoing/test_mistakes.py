"""Endpoints that are made past Hookline's operations, which would get nothing, or nothing that they can verify."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.checks import run_checks
from django.db import connection

from hookline.audit.actor import SYSTEM
from hookline.exceptions import ConfigurationError
from hookline.operations import endpoints
from hookline.outgoing.models import Endpoint
from hookline.tenants.models import resolve
from tests.engine.rows import make_endpoint

pytestmark = pytest.mark.django_db

SECRET = "whsec_MDEyMzQ1Njc4OWFiY2RlZmdoaWprbG1u"


def test_an_endpoint_without_a_secret_is_not_stored() -> None:
    with pytest.raises(ConfigurationError, match="needs a secret"):
        Endpoint.objects.create(url="https://consumer.example/hook", tenant=resolve(None))
    assert not Endpoint.objects.exists()


@pytest.mark.parametrize("fields", [{"event_types": "order.*"}, {"event_types": [7]}, {"channels": "eu"}])
def test_patterns_and_channels_that_are_no_lists_are_not_stored(fields: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match="list of texts"):
        make_endpoint(**fields)
    endpoint = make_endpoint()
    for name, value in fields.items():
        setattr(endpoint, name, value)
    with pytest.raises(ConfigurationError, match="list of texts"):
        endpoint.save()
    endpoint.refresh_from_db()
    assert endpoint.event_types == []


def test_the_check_finds_what_was_written_past_the_model() -> None:
    good, silent, forged = make_endpoint(), make_endpoint(), make_endpoint()
    Endpoint.objects.filter(pk=silent.pk).update(event_types="order.*")
    with connection.cursor() as cursor:
        cursor.execute("UPDATE hookline_endpoint SET encrypted_secrets = '' WHERE id = %s", [adapted(forged)])
    found = [str(error.msg) for error in run_checks(databases=["default"]) if error.id == "hookline.E007"]
    assert sorted(found) == sorted(
        [
            f"endpoint {silent.public_id}: its event_types are 'order.*', which is no list",
            f"endpoint {forged.public_id}: it has no secret to sign with",
        ]
    )
    assert good.public_id not in str(found)


def adapted(endpoint: Endpoint) -> str:
    return str(endpoint.pk) if connection.vendor == "postgresql" else endpoint.pk.hex


@pytest.mark.parametrize("secret", [f" {SECRET}", f"{SECRET}\n"])
def test_blanks_around_a_secret_are_refused_without_quoting_it(secret: str) -> None:
    with pytest.raises(ConfigurationError, match="blanks") as refused:
        endpoints.create(SYSTEM, "https://consumer.example/hook", secret=secret)
    assert SECRET not in str(refused.value)
