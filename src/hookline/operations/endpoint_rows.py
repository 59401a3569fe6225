"""An endpoint in JSON and in the audit: never a secret, nor the value of a header."""

from __future__ import annotations

import time
from typing import Any

from hookline.core.signatures.ed25519 import SigningKey
from hookline.core.url import shown_url
from hookline.exceptions import ConfigurationError
from hookline.operations import secrets
from hookline.outgoing import jwks
from hookline.outgoing.models import Endpoint


def as_json(endpoint: Endpoint, *, reveal: bool = False) -> dict[str, Any]:
    """An endpoint without its secrets; with `reveal`, its whole URL, whose query may hold a token."""
    return {
        "id": endpoint.public_id,
        "uid": endpoint.uid,
        "url": endpoint.url if reveal else shown_url(endpoint.url),
        "tenant": endpoint.tenant.key,
        "events": endpoint.event_types,
        "channels": endpoint.channels,
        "description": endpoint.description,
        "metadata": endpoint.metadata,
        "order_by": endpoint.order_by,
        "retry": endpoint.retry,
        "sequenced": endpoint.sequenced,
        "secrets": secrets.count(endpoint),
        "filter": endpoint.filter,
        "payload": endpoint.payload,
        "challenge": endpoint.challenge,
        "signatures": list(endpoint.schemes),
        "public_keys": None if (keys := public_keys(endpoint)) is None else [key.public for key in keys],
        "jwks_url": jwks.url_of(endpoint) if keys else None,
        "headers": header_names(endpoint),
        "access": access_as_json(endpoint),
        "breaker": endpoint.breaker.state.value,
        "disabled": endpoint.disabled,
        "disabled_reason": endpoint.disabled_reason,
        "limits": endpoint.limits,
        "created_at": endpoint.created_at,
    }


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


def access_as_json(endpoint: Endpoint) -> dict[str, Any] | None:
    """How it is reached, without secrets; None when the key that encrypted it is lost."""
    try:
        return endpoint.access.as_json()
    except ConfigurationError:
        return None


def audited(endpoint: Endpoint) -> dict[str, Any]:
    """The fields of an audit entry."""
    return {
        "tenant": endpoint.tenant.key,
        "uid": endpoint.uid,
        "url": shown_url(endpoint.url),
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


def key_set(endpoint: Endpoint) -> dict[str, Any]:
    """The public keys of an endpoint that are active, as a JSON Web Key Set, and where its subscriber finds them."""
    return {**jwks.key_set(endpoint, time.time()), "url": jwks.url_of(endpoint)}


def _special(endpoint: Endpoint) -> dict[str, Any]:
    """The optional parts of an audit entry about an endpoint."""
    found: dict[str, Any] = {}
    for name in ("filter", "payload", "challenge", "retry"):
        if (value := getattr(endpoint, name)) is not None:
            found[name] = value
    if endpoint.sequenced:
        found["sequenced"] = True
    if endpoint.signatures is not None:
        found["signatures"] = list(endpoint.schemes)
    if (keys := public_keys(endpoint)) != []:
        found["key_pairs"] = None if keys is None else len(keys)
    if header_names(endpoint) != []:
        found["headers"] = header_names(endpoint)
    if (access := access_as_json(endpoint)) is None or any(access.values()):
        found["access"] = access
    return found
