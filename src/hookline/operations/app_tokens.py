"""Tokens for a subscriber's page: keys of one tenant that end by themselves, and that can all be ended at once."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import timedelta

from django.db import router, transaction
from django.utils import timezone

from hookline.access.models import ApiKey
from hookline.audit.actor import Actor
from hookline.audit.record import record
from hookline.core.api_keys import KeyKind
from hookline.core.scopes import SETS
from hookline.exceptions import ConfigurationError
from hookline.operations.keys import Made, store
from hookline.tenants.models import Tenant, resolve

#: Seconds: as long as Svix's tokens live, and the longest.
LIFETIME = LONGEST = 28 * 86_400
#: What a token may do that is for looking.
READ = tuple(scope for scope in SETS["subscriber"] if scope.endswith(":read") and scope != "secrets:read")
#: Seconds after its end a token is deleted, when the tenant gets the next one.
_KEPT = 86_400
#: Of these at a time.
_AT_ONCE = 100


def issue(
    actor: Actor,
    tenant: Tenant,
    *,
    feature_flags: Sequence[str] | None = None,
    lifetime: float = LIFETIME,
    scopes: Sequence[str] | None = None,
    session: str = "",
) -> Made:
    """Store a new token, which may do what a subscriber may, or of that only what `scopes` say.

    With `feature_flags` it sees event types without a flag or with one of those; None: all. `lifetime` in seconds.
    Tokens with the name of a session can be ended by it. Raises ConfigurationError.
    """
    if beyond := set(scopes or ()) - set(SETS["subscriber"]):
        raise ConfigurationError(f"a subscriber may not have {', '.join(sorted(beyond))}")
    if not (math.isfinite(lifetime) and 0 < lifetime <= LONGEST):
        raise ConfigurationError(f"a token must live for more than 0 and at most {LONGEST} seconds, not {lifetime}")
    now = timezone.now()
    token = ApiKey(
        kind=KeyKind.APP.value,
        tenant=resolve(tenant),
        name=session,
        scopes=["subscriber"] if scopes is None else sorted(scopes),
        expires_at=now + timedelta(seconds=lifetime),
        feature_flags=None if feature_flags is None else sorted(set(feature_flags)),
    )
    with transaction.atomic(using=router.db_for_write(ApiKey)):
        of_tenant = ApiKey.objects.filter(tenant=tenant, kind=KeyKind.APP)
        ended = of_tenant.filter(expires_at__lt=now - timedelta(seconds=_KEPT)).values_list("pk", flat=True)
        ApiKey.objects.filter(pk__in=list(ended[:_AT_ONCE])).delete()
        return store(actor, "app_token.issue", token)


def expire(actor: Actor, tenant: Tenant, *, after: float = 0, sessions: Sequence[str] | None = None) -> int:
    """End all tokens of a tenant that there are now, or those of some sessions, at once or `after` seconds later.

    Returns how many. Raises ConfigurationError.
    """
    if not (math.isfinite(after) and 0 <= after <= LONGEST):
        raise ConfigurationError(f"tokens end after 0 to {LONGEST} seconds, not {after}")
    end = timezone.now() + timedelta(seconds=after)
    with transaction.atomic(using=router.db_for_write(ApiKey)):
        living = ApiKey.objects.filter(tenant=tenant, kind=KeyKind.APP, revoked_at=None, expires_at__gt=end)
        living = living if sessions is None else living.filter(name__in=sessions)
        ended = living.update(expires_at=end)
        record(actor, "app_token.expire", tenant.public_id, tenant_id=tenant.pk, details={"tokens": ended})
    return ended
