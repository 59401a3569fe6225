"""Creating and changing Sources: what the command line, the admin and the API do alike."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

from django.db import router, transaction

from hookline import providers
from hookline.core.secrets import SecretRing
from hookline.core.standard_webhooks import new_secret
from hookline.incoming.models import Source
from hookline.tenants.models import Tenant, resolve


def create(
    provider: str,
    *,
    secrets: Sequence[str] = (),
    tenant: Tenant | str | None = None,
    name: str = "",
    options: Mapping[str, Any] | None = None,
) -> Source:
    """Store a new source. `provider` may be an alias; the registry key is stored.

    Without a secret it refuses every request until `rotate` gives it one. Raises ConfigurationError.
    """
    found = providers.get(provider)
    options = dict(options or {})
    found.check_options(options)
    for secret in secrets:
        found.check_secret(secret)
    source = Source(tenant=resolve(tenant), provider=found.name, name=name, options=options)
    source.secrets = SecretRing.of(*secrets)
    source.save(force_insert=True)
    return source


def rotate(source: Source, secret: str | None, *, now: float, overlap: float) -> str:
    """Put a new secret first; those before it stay active for `overlap` more seconds. Returns it.

    Without a secret one is made up: right for senders that let you choose it. Raises ConfigurationError.
    """
    new = secret if secret is not None else new_secret(os.urandom(32))
    providers.get(source.provider).check_secret(new)
    with transaction.atomic(using=router.db_for_write(Source)):
        locked = Source.objects.select_for_update().get(pk=source.pk)
        locked.secrets = locked.secrets.rotate(new, now, overlap)
        locked.save(update_fields=["encrypted_secrets"])
    source.secrets = locked.secrets
    return new


def set_disabled(source: Source, disabled: bool) -> None:
    """Answer 404 to every request, or accept them again and wait for the sender's first contact anew."""
    source.disabled = disabled
    if not disabled:
        source.awaiting_handshake = True
    source.save(update_fields=["disabled", "awaiting_handshake"])
