"""SecretRing: the secrets of a source or endpoint, and until when each is active."""

from __future__ import annotations

import json
from dataclasses import dataclass, field

#: Secrets that have ended and are kept.
MAX_ENDED = 2


@dataclass(frozen=True, slots=True)
class Secret:
    """One secret. `expires_at` is Unix time in seconds; None while it is the current one."""

    value: str = field(repr=False)
    expires_at: float | None = None

    def is_active(self, now: float) -> bool:
        return self.expires_at is None or now < self.expires_at


@dataclass(frozen=True, slots=True)
class SecretRing:
    """Secrets, newest first. Never printed."""

    secrets: tuple[Secret, ...] = ()

    @classmethod
    def of(cls, *values: str) -> SecretRing:
        """A ring of secrets that are all current."""
        return cls(tuple(Secret(value) for value in values if value))

    def active(self, now: float) -> tuple[str, ...]:
        """The values that count at this time, newest first."""
        return tuple(secret.value for secret in self.secrets if secret.is_active(now))

    def active_until(self, now: float) -> float:
        """Until when `active` gives what it gives now, in Unix time; infinity where nothing ends."""
        ends = [secret.expires_at for secret in self.secrets if secret.expires_at is not None and secret.is_active(now)]
        return min(ends, default=float("inf"))

    def rotate(self, value: str, now: float, overlap: float) -> SecretRing:
        """Put a new secret first. Those before it stay active for `overlap` seconds, or less if they end sooner.

        The newest of those that have ended are kept, too, so that it can be told what was signed with one of them.
        """
        end = now + overlap
        kept = [
            Secret(secret.value, end if secret.expires_at is None else min(secret.expires_at, end))
            for secret in self.secrets
            if secret.value != value
        ]
        active = [secret for secret in kept if secret.is_active(now)]
        ended = [secret for secret in kept if not secret.is_active(now)]
        return SecretRing((Secret(value), *active, *ended[:MAX_ENDED]))

    def ending(self, now: float, overlap: float) -> SecretRing:
        """All of them stay active for `overlap` more seconds, or less if they end sooner."""
        end = now + overlap
        return SecretRing(
            tuple(
                Secret(one.value, end if one.expires_at is None else min(one.expires_at, end)) for one in self.secrets
            )
        )

    @property
    def current(self) -> str | None:
        """The one that stays; None where all end."""
        return next((secret.value for secret in self.secrets if secret.expires_at is None), None)

    def dump(self) -> str:
        """As JSON text, to be encrypted."""
        return json.dumps([[secret.value, secret.expires_at] for secret in self.secrets])

    @classmethod
    def load(cls, text: str) -> SecretRing:
        return cls(tuple(Secret(value, expires_at) for value, expires_at in json.loads(text or "[]")))
