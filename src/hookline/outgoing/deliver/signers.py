"""Signers: what signs for each endpoint, kept from one claim to the next.

Decrypting and parsing an endpoint's secrets takes longer than signing with them. Every claim reads the encrypted
secrets from the database again, so that a change counts at once; the decrypted secrets are cached.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from hookline.core.secrets import SecretRing
from hookline.core.signatures import scheme
from hookline.core.signatures.ed25519 import SigningKey
from hookline.core.signatures.message_signer import MessageSigner
from hookline.db.encrypted_field import is_sealed, opened
from hookline.exceptions import ConfigurationError
from hookline.outgoing.models import Endpoint


@dataclass(frozen=True, slots=True)
class _Kept:
    #: What the database has of the endpoint: encrypted secrets, keys and headers, and the schemes.
    stored: tuple[object, ...]
    signer: MessageSigner
    #: Until when these are the active ones, in Unix time.
    until: float


class Signers:
    """Keeps the signers of at most `most` endpoints; each takes about 2 kB. For one thread."""

    def __init__(self, most: int = 20_000) -> None:
        self._most = most
        #: By the number of the endpoint's id. Those that were made first come first.
        self._kept: dict[int, _Kept] = {}

    def __len__(self) -> int:
        return len(self._kept)

    def of(self, endpoint: Endpoint, now: float) -> MessageSigner:
        """What signs a message at `now`, in Unix time, with every secret that is active then.

        Raises ValueError or ConfigurationError, quoting no secret, when there is none that can sign.
        """
        number, stored = endpoint.pk.int, _stored(endpoint)
        kept = self._kept.get(number)
        if kept is not None and kept.stored == stored and now < kept.until:
            return kept.signer
        secrets = SecretRing.load(opened(endpoint, "encrypted_secrets"))
        keys = SecretRing.load(opened(endpoint, "encrypted_keys"))
        signer = MessageSigner(
            secrets.active(now),
            _that_sign(endpoint.schemes, secrets, keys, now),
            [SigningKey.load(key) for key in keys.active(now)],
            json.loads(opened(endpoint, "encrypted_headers") or "{}"),
        )
        if stored is not None:
            self._kept.pop(number, None)
            if len(self._kept) >= self._most:
                del self._kept[next(iter(self._kept))]
            self._kept[number] = _Kept(stored, signer, min(secrets.active_until(now), keys.active_until(now)))
        return signer

    def find(self, endpoint: Endpoint, now: float) -> tuple[MessageSigner | None, str]:
        """The same, or why there is nothing that signs; it quotes no secret."""
        try:
            return self.of(endpoint, now), ""
        except (ValueError, ConfigurationError) as error:
            return None, f"cannot sign for this endpoint: {error}"


def _that_sign(schemes: Sequence[str], secrets: SecretRing, keys: SecretRing, now: float) -> Sequence[str]:
    """Those of the schemes that were not rotated away: all secrets, or all key pairs, may have ended for the others."""
    ended = {ring for ring in (secrets, keys) if ring.secrets and not ring.active(now)}
    if not ended:
        return schemes
    left = [one for one in schemes if (keys if one in scheme.WITH_KEY_PAIR else secrets) not in ended]
    return left or schemes


def _stored(endpoint: Endpoint) -> tuple[object, ...] | None:
    """What its signer is made of, as the database has it. None once some of it was read or set, and is in the clear."""
    values = endpoint.__dict__
    secrets, keys, headers = map(values.get, ("encrypted_secrets", "encrypted_keys", "encrypted_headers"))
    if is_sealed(secrets) and is_sealed(keys) and is_sealed(headers):
        return secrets, keys, headers, values.get("signatures")
    return None
