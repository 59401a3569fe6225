"""Sources: the places where webhooks arrive."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from typing import Any

from django.db import router, transaction

from hookline import conf, providers
from hookline.audit.actor import Actor
from hookline.audit.record import record
from hookline.core.locator import Locator
from hookline.core.networks import normalised
from hookline.core.rate_limit import Rate
from hookline.core.secrets import SecretRing
from hookline.core.signatures.standard_webhooks import new_secret
from hookline.exceptions import ConfigurationError, Conflict
from hookline.incoming.models import Event, Rejection, Source
from hookline.operations import rates, rows, secrets, tenants
from hookline.operations.changes import changing, deleting
from hookline.operations.secrets import Rotated
from hookline.providers.base import Provider
from hookline.tenants.models import Tenant, resolve

#: The maximum number of networks that an audit entry names.
NAMED = 100


def find(public_id: str) -> Source:
    """Raises NotFound or ValueError."""
    return rows.find(Source.objects.select_related("tenant"), public_id)


def newest(*, tenant: str | None = None, limit: int | None = None) -> list[Source]:
    """All sources, or those of a tenant, or the newest of them; newest first. Raises NotFound."""
    found = Source.objects.select_related("tenant").order_by("-id")
    return list((found if tenant is None else found.filter(tenant=tenants.find(tenant)))[:limit])


def create(
    actor: Actor,
    provider: str,
    *,
    secrets: Sequence[str] = (),
    tenant: Tenant | str | None = None,
    name: str = "",
    options: Mapping[str, Any] | None = None,
    networks: Sequence[str] | None = None,
    rate_limit: float | None = None,
    rate_burst: int | None = None,
    disabled: bool = False,
    order_by: str = "",
    object_at: str = "",
    version_at: str = "",
) -> Source:
    """Store a new source. `provider` may be an alias; the registry key is stored.

    Without a secret it refuses every request until `rotate` gives it one. `networks` are those from which requests are
    accepted, such as `192.0.2.0/24`; None: from everywhere. `rate_limit` is the number of requests a second that are
    accepted, `rate_burst` how many at once. Raises ConfigurationError.
    """
    found = providers.get(provider)
    options = dict(options or {})
    found.check_options(options)
    Rate.of(rate_limit, rate_burst)
    for secret in secrets:
        check_secret(found, secret)
    places = {"order_by": order_by, "object_at": object_at, "version_at": version_at}
    for place in places.values():
        check_place(place)
    with transaction.atomic(using=router.db_for_write(Source)):
        source = Source(
            tenant=resolve(tenant),
            provider=found.name,
            name=name,
            options=options,
            networks=checked_networks(networks),
            rate_limit=rate_limit,
            rate_burst=rate_burst,
            disabled=disabled,
            **places,
        )
        source.secrets = SecretRing.of(*secrets)
        source.save(force_insert=True)
        record(actor, "source.create", source.public_id, tenant_id=source.tenant_id, after=audited(source))
    return source


def update(
    actor: Actor,
    source: Source,
    *,
    name: str | None = None,
    options: Mapping[str, Any] | None = None,
    networks: Sequence[str] | None = None,
    rate_limit: float | None = None,
    rate_burst: int | None = None,
    order_by: str | None = None,
    object_at: str | None = None,
    version_at: str | None = None,
) -> None:
    """Change what is given; `options` and `networks` replace all of them. No networks: requests from everywhere.

    A `rate_limit` of 0 removes the limit. A new order is that of events which arrive from now on. Raises
    ConfigurationError or NotFound.
    """
    changed: dict[str, Any] = {} if name is None else {"name": name}
    if options is not None:
        providers.get(source.provider).check_options(options)
        changed["options"] = dict(options)
    if networks is not None:
        changed["networks"] = checked_networks(networks)
    for field, place in (("order_by", order_by), ("object_at", object_at), ("version_at", version_at)):
        if place is not None:
            changed[field] = check_place(place)
    changed |= rates.changed(source, rate_limit, rate_burst)
    with changing(actor, "source.update", source, audited) as locked:
        for field, value in changed.items():
            setattr(locked, field, value)
        locked.save(update_fields=list(changed))


def check_chosen(provider: Provider) -> None:
    """Raises ConfigurationError where a secret that is made up here could verify nothing."""
    if not provider.secret_is_yours:
        raise ConfigurationError(
            f"{provider.title} makes its secrets itself: give the one that it shows, with --secret-file or --secret"
        )


def check_secret(provider: Provider, secret: str) -> None:
    """Raises ConfigurationError, without quoting the secret, if it can verify nothing."""
    secrets.check_blanks(secret)
    provider.check_secret(secret)


def problems(source: Source) -> list[str]:
    """What keeps a source from accepting anything, each with what to do."""
    found = []
    try:
        if not source.secrets.secrets:
            found.append(
                "without a secret this source refuses every request; add one with "
                f"`hookline source rotate {source.public_id} --secret-file -`"
            )
    except ConfigurationError as error:
        found.append(str(error))
    provider = providers.get(source.provider)
    if not conf.get().PUBLIC_URL and provider.needs_public_url(source.options):
        found.append(
            f"HOOKLINE['PUBLIC_URL'] is not set, and {provider.title} signs the URL: every request is answered 503. "
            "Set it to the scheme and host under which the sender reaches you"
        )
    return found


def checked_networks(networks: Sequence[str] | None) -> list[str] | None:
    """The networks as they are stored. Raises ConfigurationError."""
    return normalised(networks) or None if networks is not None else None


def rotate(actor: Actor, source: Source, secret: str | None = None, *, overlap: float | None = None) -> Rotated:
    """Put a new secret first; those before it stay active for `overlap` more seconds, or as long as the settings say.

    Without a secret one is made up: right for senders that let you choose it. Raises ConfigurationError or NotFound.
    """
    provider = providers.get(source.provider)
    if secret is None:
        check_chosen(provider)
    new = secret if secret is not None else new_secret(os.urandom(32))
    check_secret(provider, new)
    seconds = secrets.overlap_or_default(overlap)
    with changing(actor, "source.rotate", source, audited, {"overlap_seconds": seconds}) as locked:
        locked.secrets = locked.secrets.rotate(new, time.time(), seconds)
        locked.save(update_fields=["encrypted_secrets"])
    return Rotated(new, seconds)


def disable(actor: Actor, source: Source) -> None:
    """Answer 404 to every request. Raises NotFound."""
    with changing(actor, "source.disable", source, audited) as locked:
        locked.disabled = True
        locked.save(update_fields=["disabled"])


def enable(actor: Actor, source: Source) -> None:
    """Accept requests again, and wait for the sender's first contact again. Raises NotFound, or Conflict for one
    whose tenant was deleted.
    """
    with changing(actor, "source.enable", source, audited) as locked:
        tenants.check_not_deleted(locked.tenant)
        locked.disabled, locked.awaiting_handshake = False, True
        locked.save(update_fields=["disabled", "awaiting_handshake"])


def delete(actor: Actor, source: Source) -> None:
    """Delete a disabled source that received nothing, or whose history is gone. Raises Conflict or NotFound.

    Edges keep enabled sources in memory, and would try to store events of one that is gone.
    """
    with deleting(actor, "source.delete", source, audited) as locked:
        if not locked.disabled:
            raise Conflict(
                f"source {locked.public_id} is enabled; disable it first: `hookline source disable {locked.public_id}`"
            )
        for model in (Event, Rejection):
            if model._default_manager.filter(source=locked).exists():
                raise Conflict(
                    f"source {locked.public_id} has {model.nouns}, which would be lost. Leave it "
                    "disabled; it can be deleted once its history is pruned"
                )


def check_place(place: str) -> str:
    """Return where a value stands in a webhook, or nothing for none. Raises ConfigurationError."""
    if place:
        Locator.parse(place)
    return place


def audited(source: Source) -> dict[str, Any]:
    """What an audit entry tells: not the URL either, since whoever knows it can send there."""
    networks = source.networks
    if networks and len(networks) > NAMED:
        networks = [*networks[:NAMED], f"and {len(networks) - NAMED} more"]
    return {
        "provider": source.provider,
        "tenant": source.tenant.key,
        "name": source.name,
        "options": source.options,
        "networks": networks,
        "order_by": source.order_by,
        "rate_limit": source.rate_limit,
        "rate_burst": source.rate_burst,
        "object_at": source.object_at,
        "version_at": source.version_at,
        "secrets": secrets.count(source),
        "disabled": source.disabled,
    }


def as_json(source: Source) -> dict[str, Any]:
    """A source without its secrets."""
    return {
        "id": source.public_id,
        "url": source.url,
        "path": source.path,
        "provider": source.provider,
        "tenant": source.tenant.key,
        "name": source.name,
        "options": source.options,
        "networks": source.networks or [],
        "order_by": source.order_by,
        "rate_limit": source.rate_limit,
        "rate_burst": source.rate_burst,
        "object_at": source.object_at,
        "version_at": source.version_at,
        "secrets": secrets.count(source),
        "disabled": source.disabled,
        "limits": source.limits,
        "created_at": source.created_at,
    }
