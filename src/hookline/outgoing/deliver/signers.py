"""The noun Signers: what signs for each endpoint, kept from one claim to the next.

Decrypting and reading an endpoint's secrets takes longer than signing with them. Every claim reads the secrets again as
the database has them, encrypted, so that a change counts at once; what they decrypt to is kept.
"""

from __future__ import annotations

from dataclasses import dataclass

from hookline.core.secrets import SecretRing
from hookline.core.standard_webhooks import Signer
from hookline.db.encrypted_field import opened, sealed
from hookline.outgoing.models import Endpoint


@dataclass(frozen=True, slots=True)
class _Kept:
    #: The secrets, encrypted.
    sealed: str
    signer: Signer
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

    def of(self, endpoint: Endpoint, now: float) -> Signer:
        """What signs a message at `now`, in Unix time, with every secret that is active then.

        Raises ValueError or ConfigurationError, quoting no secret, when there is none that can sign.
        """
        number, stored = endpoint.pk.int, sealed(endpoint, "encrypted_secrets")
        kept = self._kept.get(number)
        if kept is not None and kept.sealed == stored and now < kept.until:
            return kept.signer
        ring = SecretRing.load(opened(endpoint, "encrypted_secrets"))
        signer = Signer(ring.active(now))
        if stored is not None:
            self._kept.pop(number, None)
            if len(self._kept) >= self._most:
                del self._kept[next(iter(self._kept))]
            self._kept[number] = _Kept(stored, signer, ring.active_until(now))
        return signer
