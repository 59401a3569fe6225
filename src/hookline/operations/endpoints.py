"""Endpoints: the URLs that messages are delivered to."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import router, transaction
from django.utils import timezone

from hookline import conf
from hookline.audit.actor import Actor
from hookline.audit.record import record
from hookline.core.event_types import check_pattern, matches
from hookline.core.locator import Locator
from hookline.core.secrets import SecretRing
from hookline.core.sent_headers import check_own_headers
from hookline.core.signatures import scheme
from hookline.core.signatures.ed25519 import KEY_BYTES, SigningKey
from hookline.core.signatures.scheme import check_schemes
from hookline.core.signatures.standard_webhooks import check_new_secret, new_secret
from hookline.engine import notifier
from hookline.engine.job import State
from hookline.exceptions import ConfigurationError, Conflict, DispatchError
from hookline.operations import rows, secrets, tenants
from hookline.operations.changes import changing, deleting
from hookline.operations.secrets import Rotated
from hookline.outgoing import jwks
from hookline.outgoing.deliver.challenge import send_challenge
from hookline.outgoing.deliver.worker import address_policy
from hookline.outgoing.models import Challenge, Delivery, Endpoint, Message
from hookline.outgoing.publish.filtering import passes
from hookline.outgoing.publish.missed import count_wanted
from hookline.tenants.models import Tenant, resolve

#: What decides what an endpoint gets.
PREVIEWED = ("event_types", "channels", "filter", "payload")
MAX_URL = 2000
MAX_UID = 256
MAX_CHANNELS = 10
#: As long as the column.
MAX_REASON = 200


@dataclass(frozen=True, slots=True)
class Preview:
    """What an endpoint would get of a message: the body, or why none."""

    message: Message
    reason: str = ""
    body: bytes = b""


def find(name: str, *, tenant: str | None = None) -> Endpoint:
    """By public id, or by uid: within a tenant, if one is named. Raises NotFound or ConfigurationError."""
    owner = None if tenant is None else tenants.find(tenant)
    return rows.find_or_uid(Endpoint.objects.select_related("tenant"), name, owner)


def newest(*, tenant: str | None = None, limit: int | None = None) -> list[Endpoint]:
    """All endpoints, or those of a tenant, or the newest of them; newest first. Raises NotFound."""
    found = Endpoint.objects.select_related("tenant").order_by("-id")
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
    challenge: bool | None = None,
) -> Endpoint:
    """Store a new endpoint; without a secret one is made up. No event types means all, and no channels, too.

    Of those messages it gets the ones that fulfil the `filter` (`core/payload_filter.py`), and of each what `payload`
    makes of it (`core/payload_template.py`). `signatures` are schemes of `core/signatures/scheme.py`; a key pair is
    made up where one needs it. `headers` are sent with each request. With `challenge`, or where the settings say so, it
    is sent nothing until `challenge()` was answered.

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
        }
    )
    ring = SecretRing.of(check_secret(secret) if secret is not None else new_secret(os.urandom(32)))
    with transaction.atomic(using=router.db_for_write(Endpoint)):
        endpoint = Endpoint(tenant=resolve(tenant), **fields)
        _check_uid_is_free(endpoint)
        endpoint.secrets = ring
        _make_key_pair_if_needed(endpoint)
        if challenge if challenge is not None else conf.get().ENDPOINT_CHALLENGE:
            endpoint.await_challenge()
        endpoint.save(force_insert=True)
        record(actor, "endpoint.create", endpoint.public_id, tenant_id=endpoint.tenant_id, after=audited(endpoint))
    return endpoint


def update(actor: Actor, endpoint: Endpoint, **fields: Any) -> None:
    """Change what is given of what `create` takes, but tenant and secret. `headers` replaces all of them.

    Raises as `create` does, and NotFound.
    """
    if "headers" in fields:
        fields["own_headers"] = fields.pop("headers")
    changed = checked(fields)
    url = changed.get("url", endpoint.url)
    hidden = url != endpoint.url and without_query(url) == without_query(endpoint.url)
    details = {"query_of_url": "changed"} if hidden else {}
    if "own_headers" in changed:
        details["values_of_headers"] = "set"
    with changing(actor, "endpoint.update", endpoint, audited, details) as locked:
        before = locked.url
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
    """Put a new secret first; without one it is made up.

    Messages are signed with the previous ones, too, for `overlap` more seconds, or as long as the settings say.
    Raises ConfigurationError or NotFound.
    """
    new = check_secret(secret) if secret is not None else new_secret(os.urandom(32))
    seconds = secrets.overlap_or_default(overlap)
    with changing(actor, "endpoint.rotate", endpoint, audited, {"overlap_seconds": seconds}) as locked:
        locked.secrets = locked.secrets.rotate(new, time.time(), seconds)
        locked.save(update_fields=["encrypted_secrets"])
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
    """Send again, what waited first. Raises NotFound, or Conflict for one whose challenge was not answered."""
    with changing(actor, "endpoint.enable", endpoint, audited) as locked:
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


def preview(endpoint: Endpoint, *, limit: int = 100, **fields: Any) -> list[Preview]:
    """What the endpoint would get of the newest messages of its tenant; nothing is changed.

    What is given of PREVIEWED takes the place of its own. Raises ConfigurationError.
    """
    changed = checked(fields)
    given = {
        name: changed.get(name, getattr(endpoint, name)) for name in ("event_types", "channels", "filter", "payload")
    }
    newest = Message.objects.filter(tenant=endpoint.tenant_id).order_by("-created_at", "-id")[:limit]
    return [_previewed(message, given) for message in newest]


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


def checked(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The values of an endpoint as they are stored. Raises ConfigurationError, AddressRefused, TypeError."""
    if unknown := set(fields) - set(_CHECKS):
        raise TypeError(f"an endpoint has no {', '.join(sorted(unknown))} to set")
    return {name: _CHECKS[name](value) for name, value in fields.items()}


def check_url(url: str) -> str:
    """Raises AddressRefused or ConfigurationError for a URL that Hookline would not connect to."""
    if len(url) > MAX_URL:
        raise ConfigurationError(f"the URL has {len(url)} characters; at most {MAX_URL} are allowed")
    address_policy(conf.get()).check_url(url)
    return url


def check_event_types(patterns: Sequence[str]) -> list[str]:
    """Raises ConfigurationError for what is no list of patterns."""
    return [check_pattern(pattern) for pattern in _texts("event_types", patterns)]


def check_channels(channels: Sequence[str]) -> list[str]:
    """Raises ConfigurationError for more channels than an endpoint can have, or what is no list of them."""
    found = _texts("channels", channels)
    if len(found) > MAX_CHANNELS:
        raise ConfigurationError(f"an endpoint has at most {MAX_CHANNELS} channels, got {len(found)}")
    return found


def check_metadata(metadata: Mapping[str, str]) -> dict[str, str]:
    """Raises ConfigurationError for what is no mapping of texts."""
    if isinstance(metadata, Mapping) and all(isinstance(part, str) for pair in metadata.items() for part in pair):
        return dict(metadata)
    raise ConfigurationError('metadata must be an object of texts, such as {"region": "eu"}')


def check_order_by(place: str) -> str:
    """Return where the order key stands in a message, or nothing for no order. Raises ConfigurationError."""
    if place and Locator.parse(place).header:
        raise ConfigurationError(
            f"a message has no headers, so {place!r:.80} cannot order it; use a path into its JSON"
        )
    return place


def check_uid(uid: str | None) -> str | None:
    """No uid for an empty one. Raises ConfigurationError."""
    if not uid:
        return None
    if not (isinstance(uid, str) and len(uid) <= MAX_UID and uid.isprintable()):
        raise ConfigurationError(f"uid must be 1-{MAX_UID} printable characters, got {uid!r:.80}")
    return uid


def check_filter(text: str | None) -> str | None:
    """No filter for an empty one. Raises ConfigurationError."""
    if text:
        from hookline.core.payload_filter import payload_filter  # loading it takes a while

        payload_filter(text)
    return text or None


def check_payload(template: Any) -> Any:
    """Return a template that can be used. Raises ConfigurationError."""
    from hookline.core.payload_template import check_template  # loading it takes a while

    return check_template(template)


def check_secret(secret: str) -> str:
    """Return a secret that messages can be signed with. Raises ConfigurationError, which does not quote it."""
    secrets.check_blanks(secret)
    try:
        check_new_secret(secret)
    except ValueError as error:
        raise ConfigurationError(
            f"the secret of an endpoint cannot be used: {error}. Leave it out to have one made"
        ) from None
    return secret


def load_key(key: str) -> SigningKey:
    """Raises ConfigurationError, which does not quote it."""
    try:
        return SigningKey.load(key)
    except ValueError as error:
        raise ConfigurationError(f"the private key of an endpoint cannot be used: {error}") from None


def public_keys(endpoint: Endpoint) -> list[SigningKey] | None:
    """Its active key pairs, newest first; None when the key that encrypted them is lost."""
    try:
        return [SigningKey.load(key) for key in endpoint.keys.active(time.time())]
    except ConfigurationError:
        return None


def header_names(endpoint: Endpoint) -> list[str] | None:
    """The headers that a person gave it, without their values; None when the key that encrypted them is lost."""
    try:
        return sorted(endpoint.own_headers)
    except ConfigurationError:
        return None


def audited(endpoint: Endpoint) -> dict[str, Any]:
    """What an audit entry tells. What stands in the query of a URL may be a token."""
    return {
        "tenant": endpoint.tenant.key,
        "uid": endpoint.uid,
        "url": without_query(endpoint.url),
        "description": endpoint.description,
        "event_types": endpoint.event_types,
        "channels": endpoint.channels,
        "metadata": endpoint.metadata,
        "order_by": endpoint.order_by,
        "secrets": secrets.count(endpoint),
        **_special(endpoint),
        "breaker": endpoint.breaker.state.value,
        "disabled": endpoint.disabled,
        "disabled_reason": endpoint.disabled_reason,
    }


def without_query(url: str) -> str:
    """The URL with `...` in place of its query."""
    before, mark, _ = url.partition("?")
    return f"{before}?..." if mark else before


def as_json(endpoint: Endpoint) -> dict[str, Any]:
    """An endpoint without its secrets."""
    return {
        "id": endpoint.public_id,
        "uid": endpoint.uid,
        "url": endpoint.url,
        "tenant": endpoint.tenant.key,
        "events": endpoint.event_types,
        "channels": endpoint.channels,
        "description": endpoint.description,
        "metadata": endpoint.metadata,
        "order_by": endpoint.order_by,
        "secrets": secrets.count(endpoint),
        "filter": endpoint.filter,
        "payload": endpoint.payload,
        "challenge": endpoint.challenge,
        "signatures": list(endpoint.schemes),
        "public_keys": None if (keys := public_keys(endpoint)) is None else [key.public for key in keys],
        "jwks_url": jwks.url_of(endpoint) if keys else None,
        "headers": header_names(endpoint),
        "breaker": endpoint.breaker.state.value,
        "disabled": endpoint.disabled,
        "disabled_reason": endpoint.disabled_reason,
        "limits": endpoint.limits,
        "created_at": endpoint.created_at,
    }


def preview_as_json(preview: Preview) -> dict[str, Any]:
    return {
        "message": preview.message.public_id,
        "type": preview.message.type,
        "wanted": not preview.reason,
        "reason": preview.reason,
        "body": preview.body.decode() if preview.body else None,
    }


def _check_description(description: str) -> str:
    if len(description) > 1000:
        raise ConfigurationError(f"the description has {len(description)} characters; at most 1000 are allowed")
    return description


_CHECKS: dict[str, Callable[[Any], Any]] = {
    "url": check_url,
    "event_types": check_event_types,
    "description": _check_description,
    "uid": check_uid,
    "channels": check_channels,
    "metadata": check_metadata,
    "signatures": check_schemes,
    "own_headers": check_own_headers,
    "filter": check_filter,
    "payload": check_payload,
    "order_by": check_order_by,
}


def _texts(name: str, values: Sequence[str]) -> list[str]:
    if isinstance(values, str) or not all(isinstance(value, str) for value in values):
        raise ConfigurationError(f'{name} must be a list of texts, such as ["invoice.paid", "order.*"]')
    return list(values)


def _previewed(message: Message, given: Mapping[str, Any]) -> Preview:
    from hookline.core.payload_template import applied  # loading it takes a while

    patterns, channels, text, payload = (given[name] for name in PREVIEWED)
    if patterns and not any(matches(pattern, message.type) for pattern in patterns):
        return Preview(message, "its type is not wanted")
    if channels and not set(channels).intersection(message.channels):
        return Preview(message, "it is on no channel of the endpoint")
    body = bytes(message.body)
    if text and not passes(text, json.loads(body)):
        return Preview(message, "it does not pass the filter")
    try:
        return Preview(message, body=body if payload is None else applied(payload, body, conf.get().MAX_MESSAGE_BYTES))
    except (DispatchError, ConfigurationError) as error:
        return Preview(message, f"the payload cannot be made: {error}")


def _special(endpoint: Endpoint) -> dict[str, Any]:
    """What an audit entry tells of an endpoint that has it."""
    found: dict[str, Any] = {}
    for name in ("filter", "payload", "challenge"):
        if (value := getattr(endpoint, name)) is not None:
            found[name] = value
    if endpoint.signatures is not None:
        found["signatures"] = list(endpoint.schemes)
    if (keys := public_keys(endpoint)) != []:
        found["key_pairs"] = None if keys is None else len(keys)
    if header_names(endpoint) != []:
        found["headers"] = header_names(endpoint)
    return found


def _column(field: str) -> str:
    return "encrypted_headers" if field == "own_headers" else field


def _make_key_pair_if_needed(endpoint: Endpoint) -> None:
    if not scheme.WITH_KEY_PAIR.isdisjoint(endpoint.schemes) and not endpoint.keys.active(time.time()):
        endpoint.keys = SecretRing.of(SigningKey(os.urandom(KEY_BYTES)).dump())


def _check_uid_is_free(endpoint: Endpoint) -> None:
    if endpoint.uid is None:
        return
    others = Endpoint.objects.filter(tenant=endpoint.tenant, uid=endpoint.uid).exclude(pk=endpoint.pk)
    if (other := others.first()) is not None:
        raise ConfigurationError(f"uid {endpoint.uid!r} is already that of endpoint {other.public_id}")


def _save_state(endpoint: Endpoint) -> None:
    names = ["breaker_state", "held_until", "disabled", "disabled_reason", "disabled_at", "challenge"]
    endpoint.save(update_fields=names)
