"""What sources and endpoints have in common: secrets that are put in, rotated, counted, and never shown again."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import datetime

from hookline import conf
from hookline.db.clock import moment
from hookline.db.row import Row
from hookline.exceptions import ConfigurationError
from hookline.incoming.models import Source
from hookline.outgoing.models import Endpoint


@dataclass(frozen=True, slots=True)
class Rotated:
    """The new secret, and for how long the previous ones stay active. Seconds."""

    secret: str
    overlap: float

    def __repr__(self) -> str:
        return f"Rotated(overlap={self.overlap})"


def check_blanks(secret: str) -> None:
    """Raises ConfigurationError, not quoting it, for a secret with blanks around it: they came with copying it."""
    if secret != secret.strip() and "-----BEGIN " not in secret:
        raise ConfigurationError("the secret has blanks or line breaks around it; remove them")


def overlap_or_default(overlap: float | None) -> float:
    return conf.get().ROTATION_OVERLAP if overlap is None else overlap


def count(row: Source | Endpoint) -> int | None:
    """How many secrets are active now; None when the key that encrypted them is lost."""
    try:
        return len(row.secrets.active(time.time()))
    except ConfigurationError:
        return None


def ends(row: Source | Endpoint) -> list[datetime | None]:
    """When each active secret ends; None for one that stays. Raises ConfigurationError when they cannot be read."""
    now = time.time()
    active = [secret for secret in row.secrets.secrets if secret.is_active(now)]
    return [None if secret.expires_at is None else moment(secret.expires_at) for secret in active]


def require_keys() -> None:
    """Raises ConfigurationError when the secrets in the database cannot be decrypted with the keys at hand."""
    for model in (Source, Endpoint):
        row: Row | None = model._default_manager.order_by("-id").first()
        if row is not None:
            _ = row.encrypted_secrets  # type: ignore[attr-defined]  # both have the field; reading it decrypts
