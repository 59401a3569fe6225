"""Endpoints: the URLs that messages are delivered to."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from django.db import router, transaction
from django.db.models import QuerySet
from django.utils import timezone

from hookline import conf
from hookline.audit.actor import Actor
from hookline.audit.record import record
from hookline.core.access import Access
from hookline.core.secrets import SecretRing
from hookline.core.signatures import scheme
from hookline.core.signatures.ed25519 import KEY_BYTES, SigningKey
from hookline.core.signatures.standard_webhooks import new_secret
from hookline.core.url import shown_url
from hookline.engine import notifier
from hookline.engine.job import State
from hookline.exceptions import Conflict
from hookline.operations import rows, secrets, tenants
from hookline.operations.changes import changing, deleting
from hookline.operations.endpoint_fields import check_secret, checked, load_key
from hookline.operations.endpoint_rows import audited
from hookline.operations.endpoint_secrets import default_schemes, is_private_key, put_first
from hookline.operations.secrets import Rotated
from hookline.outgoing.deliver.challenge import send_challenge
from hookline.outgoing.models import Challenge, Delivery, Endpoint
from hookline.outgoing.publish.missed import count_wanted
from hookline.tenants.models import Tenant, resolve

#: As long as the column.
MAX_REASON = 200


def find(name: str, *, tenant: str | None = None) -> Endpoint:
    """By public id, or by uid: within a tenant, if one is named. Raises NotFound or ConfigurationError."""
    owner = None if tenant is None else tenants.find(tenant)
    return rows.find_or_uid(living(), name, owner)


def living() -> QuerySet[Endpoint]:
    """All that are not deleted, with their tenants, in no order."""
    return Endpoint.objects.select_related("tenant").filter(deleted_at=None)


def newest(*, tenant: str | None = None, limit: int | None = None) -> list[Endpoint]:
    """All endpoints, or those of a tenant, or the newest of them; newest first. Raises NotFound."""
    found = living().order_by("-id")
    return list((found if tenant is None else found.filter(tenant=tenants.find(tenant)))[:limit])


def create(
    actor: Actor,
    url: str,
    *,
    event_types: Sequence[str] = (),
    tenant: Tenant | str | None = None,
    secret: str | None = None,
    description: str = "",
    uid: str | None = None,
    channels: Sequence[str] = (),
    metadata: Mapping[str, str] | None = None,
    signatures: Sequence[str] = (),
    headers: Mapping[str, str] | None = None,
    filter: str | None = None,  # noqa: A002  # what it is called everywhere
    payload: Mapping[str, Any] | None = None,
    order_by: str = "",
    sequenced: bool = False,
    challenge: bool | None = None,
    retry: Mapping[str, Any] | None = None,
    access: Mapping[str, Any] | None = None,
    version: int | None = None,
) -> Endpoint:
    """Store a new endpoint; without a secret one is made up. No event types means all, and no channels, too.

    Of those messages it gets the ones that fulfil the `filter` (`core/payload_filter.py`), and of each what `payload`
    makes of it (`core/payload_template.py`). `signatures` are schemes of `core/signatures/scheme.py`; a key pair is
    made up where one needs it, and a private key (`whsk_...`) for a secret signs by v1a. `headers` are sent with each
    request. With `challenge`, or where the settings say so, it is sent nothing until `challenge()` was answered.
    `retry` is its own schedule (`core/retry.py`), `access` its client certificate, forward proxy and OAuth 2.0
    (`core/access.py`).

    Raises ConfigurationError, or AddressRefused for a URL that Hookline would not connect to.
    """
    fields = checked(
        {
            "url": url,
            "event_types": event_types,
            "description": description,
            "uid": uid,
            "channels": channels,
            "metadata": metadata or {},
            **({"signatures": signatures} if signatures else {}),
            **({"own_headers": headers} if headers else {}),
            "filter": filter,
            "payload": payload,
            "order_by": order_by,
            "retry": retry,
            **({"access": access} if access else {}),
            "sequenced": sequenced,
            "version": version,
        }
    )
    if "access" in fields:
        fields["access"] = Access().changed_by(fields["access"])
    pair = load_key(secret) if secret is not None and is_private_key(secret) else None
    given = None if pair is not None else secret
    ring = SecretRing.of(check_secret(given) if given is not None else new_secret(os.urandom(32)))
    if not signatures and (schemes := default_schemes(with_pair=pair is not None)):
        fields["signatures"] = schemes
    with transaction.atomic(using=router.db_for_write(Endpoint)):
        endpoint = Endpoint(tenant=resolve(tenant), **fields)
        _check_uid_is_free(endpoint)
        endpoint.secrets = ring
        if pair is not None:
            endpoint.keys = SecretRing.of(pair.dump())
        _make_key_pair_if_needed(endpoint)
        if challenge if challenge is not None else conf.get().ENDPOINT_CHALLENGE:
            endpoint.await_challenge()
        endpoint.save(force_insert=True)
        record(actor, "endpoint.create", endpoint.public_id, tenant_id=endpoint.tenant_id, after=audited(endpoint))
    return endpoint


def update(actor: Actor, endpoint: Endpoint, **fields: Any) -> None:
    """Change what is given of what `create` takes, but tenant and secret. `headers` replaces all of them;
    of `access` what is named is replaced, and removed by None.

    Raises as `create` does, and NotFound.
    """
    if "headers" in fields:
        fields["own_headers"] = fields.pop("headers")
    changed = checked(fields)
    url = changed.get("url", endpoint.url)
    hidden = url != endpoint.url and shown_url(url) == shown_url(endpoint.url)
    details = {"query_of_url": "changed"} if hidden else {}
    if "own_headers" in changed:
        details["values_of_headers"] = "set"
    if "access" in changed:
        details["access"] = "set"
    with changing(actor, "endpoint.update", endpoint, audited, details) as locked:
        before = locked.url
        if "access" in changed:
            changed["access"] = locked.access.changed_by(changed["access"])
        for field, value in changed.items():
            setattr(locked, field, value)
        if "uid" in changed:
            _check_uid_is_free(locked)
        if locked.challenge and url.partition("?")[0] != before.partition("?")[0]:
            locked.await_challenge()  # somebody else may be behind the new URL
        _make_key_pair_if_needed(locked)
        locked.save(update_fields=[*map(_column, changed), *(["encrypted_keys"] if "signatures" in changed else [])])
        if locked.challenge == Challenge.AWAITED:
            _save_state(locked)


def rotate(actor: Actor, endpoint: Endpoint, secret: str | None = None, *, overlap: float | None = None) -> Rotated:
    """Put a new secret first, or a private key (`whsk_...`); without one it is made up, of the same kind.

    Messages are signed with the previous ones, too, for `overlap` more seconds, or as long as the settings say.
    Returns the secret, or the public key. Raises ConfigurationError or NotFound.
    """
    seconds = secrets.overlap_or_default(overlap)
    with changing(actor, "endpoint.rotate", endpoint, audited, {"overlap_seconds": seconds}) as locked:
        new = put_first(locked, secret, time.time(), seconds)
        locked.save(update_fields=["encrypted_secrets", "encrypted_keys", "signatures"])
    return Rotated(new, seconds)


def rotate_key(actor: Actor, endpoint: Endpoint, key: str | None = None, *, overlap: float | None = None) -> Rotated:
    """Put a new key pair first, for the schemes that sign with one; without a private key (`whsk_...`) one is made up.

    Messages are signed with the previous ones, too, for `overlap` more seconds. Returns the public key, `whpk_...`.
    Raises ConfigurationError or NotFound.
    """
    pair = load_key(key) if key is not None else SigningKey(os.urandom(KEY_BYTES))
    seconds = secrets.overlap_or_default(overlap)
    with changing(actor, "endpoint.rotate_key", endpoint, audited, {"overlap_seconds": seconds}) as locked:
        locked.keys = locked.keys.rotate(pair.dump(), time.time(), seconds)
        locked.save(update_fields=["encrypted_keys"])
    return Rotated(pair.public, seconds)


def disable(actor: Actor, endpoint: Endpoint, reason: str = "") -> None:
    """Send nothing more until `enable`; deliveries that wait keep waiting. Raises NotFound."""
    with changing(actor, "endpoint.disable", endpoint, audited) as locked:
        locked.disable((reason or f"disabled by {actor}")[:MAX_REASON])
        _save_state(locked)


def enable(actor: Actor, endpoint: Endpoint) -> None:
    """Send again, what waited first.

    Raises NotFound, or Conflict for one whose challenge was not answered, or whose tenant was deleted.
    """
    with changing(actor, "endpoint.enable", endpoint, audited) as locked:
        tenants.check_not_deleted(locked.tenant)
        if locked.challenge == Challenge.AWAITED:
            name = locked.public_id
            raise Conflict(f"endpoint {name} must answer its challenge: `hookline endpoint challenge {name}`")
        locked.enable()
        _save_state(locked)
        notifier.notify_after_commit(Delivery)


def challenge(actor: Actor, endpoint: Endpoint) -> None:
    """Send the endpoint its challenge, and enable it when it answers: see `outgoing/deliver/challenge.py`.

    It waits for the answer, up to DELIVERY_TIMEOUT; call it outside of a transaction. Raises Conflict, saying what came
    instead, or NotFound.
    """
    tenants.check_not_deleted(endpoint.tenant)
    problem = send_challenge(endpoint)
    if problem:
        raise Conflict(f"endpoint {endpoint.public_id} did not answer its challenge: {problem}")
    with changing(actor, "endpoint.challenge", endpoint, audited) as locked:
        if locked.url != endpoint.url:
            raise Conflict(f"the URL of endpoint {endpoint.public_id} was changed meanwhile; challenge it again")
        was_awaited = locked.challenge != Challenge.PASSED
        locked.challenge = Challenge.PASSED
        if was_awaited:
            locked.enable()
            notifier.notify_after_commit(Delivery)
        _save_state(locked)


def missed(endpoint: Endpoint, since: datetime) -> int:
    """How many messages of the time since then an enabled endpoint wants and never got."""
    return count_wanted(endpoint.pk, since, timezone.now(), (State.DEAD, State.CANCELLED))


def delete(actor: Actor, endpoint: Endpoint) -> None:
    """Delete a disabled endpoint to which nothing was sent, or whose history is gone. Raises Conflict or NotFound.

    A transaction of the application that publishes at this moment may have chosen an enabled one already.
    """
    name = endpoint.public_id
    with deleting(actor, "endpoint.delete", endpoint, audited) as locked:
        if not locked.disabled:
            raise Conflict(f"endpoint {name} is enabled; disable it first: `hookline endpoint disable {name}`")
        if Delivery.objects.filter(endpoint=locked).exists():
            raise Conflict(
                f"endpoint {name} has deliveries, which would be lost. Leave it disabled; it can be deleted once its "
                "history is pruned"
            )


def _column(field: str) -> str:
    return {"own_headers": "encrypted_headers", "access": "encrypted_access"}.get(field, field)


def _make_key_pair_if_needed(endpoint: Endpoint) -> None:
    if not scheme.WITH_KEY_PAIR.isdisjoint(endpoint.schemes) and not endpoint.keys.active(time.time()):
        endpoint.keys = SecretRing.of(SigningKey(os.urandom(KEY_BYTES)).dump())


def _check_uid_is_free(endpoint: Endpoint) -> None:
    if endpoint.uid is None:
        return
    others = Endpoint.objects.filter(tenant=endpoint.tenant, uid=endpoint.uid).exclude(pk=endpoint.pk)
    if (other := others.first()) is not None:
        raise Conflict(f"uid {endpoint.uid!r} is already used by endpoint {other.public_id}")


def _save_state(endpoint: Endpoint) -> None:
    names = ["breaker_state", "held_until", "disabled", "disabled_reason", "disabled_at", "challenge"]
    endpoint.save(update_fields=[*names, "lane_slow_rate", "lane_slow_at"])
