"""The one secret that an endpoint has where nothing is said of schemes: `whsec_...`, or a key pair."""

from __future__ import annotations

import os
import time

from hookline import conf
from hookline.core.secrets import SecretRing
from hookline.core.signatures import scheme
from hookline.core.signatures.ed25519 import KEY_BYTES, PRIVATE_PREFIX, SigningKey
from hookline.core.signatures.standard_webhooks import new_secret
from hookline.operations.endpoint_fields import check_secret, load_key
from hookline.outgoing.models import Endpoint

#: Of an endpoint that was given a private key, and nothing else.
PAIR_ALONE = (scheme.STANDARD_ED25519,)


def is_private_key(secret: str | None) -> bool:
    return secret is not None and secret.startswith(PRIVATE_PREFIX)


def default_schemes(*, with_pair: bool) -> list[str]:
    """How a new endpoint signs where nothing is said of it; none for the usual way."""
    wanted = conf.get().ENDPOINT_SIGNATURES
    if not with_pair:
        return scheme.check_schemes(wanted) if wanted else []
    return [*PAIR_ALONE, *([scheme.SVIX] if scheme.SVIX in wanted else [])]


def current(endpoint: Endpoint) -> str:
    """The secret that subscribers verify with, or the public key. Raises ConfigurationError when its key is lost."""
    if _signs_with_pair(endpoint) and (pair := endpoint.keys.current) is not None:
        return SigningKey.load(pair).public
    return endpoint.secrets.current or ""


def still_active(endpoint: Endpoint) -> int:
    """How many previous secrets and keys still sign."""
    now = time.time()
    rings = (endpoint.secrets, endpoint.keys)
    return sum(one.expires_at is not None and one.is_active(now) for ring in rings for one in ring.secrets)


def put_first(endpoint: Endpoint, secret: str | None, now: float, overlap: float) -> str:
    """Sign with this secret or private key from now on, and with what there was for `overlap` more seconds.

    Without one, another of the same kind is made up. The caller saves. Returns the secret or public key.
    """
    if is_private_key(secret) or (secret is None and _signs_with_pair(endpoint)):
        pair = SigningKey(os.urandom(KEY_BYTES)) if secret is None else load_key(secret)
        endpoint.keys = endpoint.keys.rotate(pair.dump(), now, overlap)
        if scheme.STANDARD_ED25519 not in endpoint.schemes:
            endpoint.secrets = endpoint.secrets.ending(now, overlap)
            endpoint.signatures = scheme.check_schemes([*endpoint.schemes, scheme.STANDARD_ED25519])
        return pair.public
    new = new_secret(os.urandom(32)) if secret is None else check_secret(secret)
    if _signs_with_pair(endpoint):
        endpoint.keys = endpoint.keys.ending(now, overlap)
        if scheme.STANDARD not in endpoint.schemes:
            endpoint.secrets = SecretRing()  # it was made up, and nobody knows it
            endpoint.signatures = scheme.check_schemes([*endpoint.schemes, scheme.STANDARD])
    endpoint.secrets = endpoint.secrets.rotate(new, now, overlap)
    return new


def _signs_with_pair(endpoint: Endpoint) -> bool:
    """Whether what stays is a key pair alone."""
    schemes = set(endpoint.schemes)
    if scheme.WITH_KEY_PAIR.isdisjoint(schemes) or endpoint.keys.current is None:
        return False
    return endpoint.secrets.current is None or schemes <= {*scheme.WITH_KEY_PAIR, scheme.SVIX}
