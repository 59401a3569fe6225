"""Creating and changing Endpoints: what the command line, the admin and the API do alike."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from django.db import router, transaction

from hookline import conf
from hookline.core.event_types import check_pattern
from hookline.core.secrets import SecretRing
from hookline.core.standard_webhooks import decode_secret, new_secret
from hookline.engine import notifier
from hookline.exceptions import ConfigurationError
from hookline.outgoing.deliver.worker import address_policy
from hookline.outgoing.models import Delivery, Endpoint
from hookline.tenants.models import Tenant, resolve

MAX_URL = 2000


def create(
    url: str,
    *,
    event_types: Sequence[str] = (),
    tenant: Tenant | str | None = None,
    secret: str | None = None,
    description: str = "",
) -> Endpoint:
    """Store a new endpoint; without a secret one is made up. No event types means all.

    Raises ConfigurationError, or AddressRefused for a URL that Hookline would not connect to.
    """
    check_url(url)
    endpoint = Endpoint(
        tenant=resolve(tenant),
        url=url,
        event_types=[check_pattern(pattern) for pattern in event_types],
        description=description,
    )
    endpoint.secrets = SecretRing.of(check_secret(secret) if secret is not None else new_secret(os.urandom(32)))
    endpoint.save(force_insert=True)
    return endpoint


def rotate(endpoint: Endpoint, secret: str | None, *, now: float, overlap: float) -> str:
    """Put a new secret first; without one it is made up. Returns it.

    Messages are signed with the former ones, too, for `overlap` more seconds. Raises ConfigurationError.
    """
    new = check_secret(secret) if secret is not None else new_secret(os.urandom(32))
    with _locked(endpoint) as locked:
        locked.secrets = locked.secrets.rotate(new, now, overlap)
        locked.save(update_fields=["encrypted_secrets"])
    return new


def disable(endpoint: Endpoint, reason: str = "") -> None:
    """Send nothing more until `enable`; deliveries that wait keep waiting."""
    with _locked(endpoint) as locked:
        locked.disable(reason)
        _save_state(locked)


def enable(endpoint: Endpoint) -> None:
    """Send again, what waited first."""
    with _locked(endpoint) as locked:
        locked.enable()
        _save_state(locked)
        notifier.notify_after_commit(Delivery)


def check_url(url: str) -> None:
    """Raises AddressRefused or ConfigurationError for a URL that Hookline would not connect to."""
    if len(url) > MAX_URL:
        raise ConfigurationError(f"the URL has {len(url)} characters; at most {MAX_URL} are allowed")
    address_policy(conf.get()).check_url(url)


def check_secret(secret: str) -> str:
    """Return a secret that messages can be signed with. Raises ConfigurationError, which does not quote it."""
    try:
        decode_secret(secret)
    except ValueError as error:
        raise ConfigurationError(
            f"the secret of an endpoint cannot be used: {error}. Leave it out to have one made"
        ) from None
    return secret


@contextmanager
def _locked(endpoint: Endpoint) -> Iterator[Endpoint]:
    """The row, locked against workers that change its breaker; the caller's object gets the new values."""
    with transaction.atomic(using=router.db_for_write(Endpoint)):
        locked = Endpoint.objects.select_for_update().get(pk=endpoint.pk)
        yield locked
    endpoint.refresh_from_db()


def _save_state(endpoint: Endpoint) -> None:
    endpoint.save(update_fields=["breaker_state", "held_until", "disabled", "disabled_reason"])
