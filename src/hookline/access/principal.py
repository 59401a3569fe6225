"""Principal: who asks through a key or token, and what that may do."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from hookline.audit.actor import Actor
from hookline.core.rate_limit import Rate
from hookline.tenants.models import Tenant


@dataclass(frozen=True, slots=True)
class Principal:
    """Who asks. Without a tenant it is an operator, who may see all of them. It is kept in memory between requests."""

    actor: Actor
    tenant_id: UUID | None = None
    #: Such as `messages:write`, see `core.scopes`; None: every scope.
    scopes: frozenset[str] | None = None
    #: Of the event types that are behind a flag, those of these flags are seen. None: all.
    feature_flags: frozenset[str] | None = None
    #: The row of the key; None for the key of the settings.
    key_id: UUID | None = None
    #: How many requests it may send; None: no limit.
    rate: Rate | None = None
    #: Whether it is a token of a subscriber's page.
    is_app: bool = False

    @property
    def is_operator(self) -> bool:
        return self.tenant_id is None

    def may(self, scope: str) -> bool:
        return self.scopes is None or scope in self.scopes

    def sees(self, tenant: Tenant) -> bool:
        return self.tenant_id is None or self.tenant_id == tenant.pk
