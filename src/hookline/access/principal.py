"""Principal: who asks through a key or token, and what that may do."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from django.db.models import QuerySet

from hookline.audit.actor import Actor
from hookline.core.rate_limit import Rate
from hookline.tenants.models import Tenant
from hookline.tenants.organisation import key_in, organisation_of


@dataclass(frozen=True, slots=True)
class Principal:
    """Who asks: for a tenant, for all those of an organisation, or, without either, an operator, who sees all.

    It is kept in memory between requests.
    """

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
    #: Within which uids of tenants are looked up: its own, or that of its tenant. Empty: outside of any.
    organisation: str = ""

    @property
    def is_operator(self) -> bool:
        return self.tenant_id is None and not self.organisation

    @property
    def has_many(self) -> bool:
        """Whether it may see more tenants than one, and make new ones."""
        return self.tenant_id is None

    def may(self, scope: str) -> bool:
        return self.scopes is None or scope in self.scopes

    def sees(self, tenant: Tenant) -> bool:
        if self.tenant_id is not None:
            return self.tenant_id == tenant.pk
        return self.is_operator or organisation_of(tenant.key) == self.organisation

    def tenants(self) -> QuerySet[Tenant] | None:
        """Those that it may see, deleted ones too; None: all of them."""
        if self.is_operator:
            return None
        if self.tenant_id is not None:
            return Tenant.objects.filter(pk=self.tenant_id)
        return Tenant.objects.filter(key__startswith=key_in(self.organisation, ""))
