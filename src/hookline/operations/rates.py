"""Rates of sources, tenants and keys, as they are changed."""

from __future__ import annotations

from typing import Any

from hookline.access.models import ApiKey
from hookline.core.rate_limit import Rate
from hookline.incoming.models import Source
from hookline.tenants.models import Tenant


def changed(row: Source | Tenant | ApiKey, rate_limit: float | None, rate_burst: int | None) -> dict[str, Any]:
    """The fields that these values change; a rate of 0 removes both. Raises ConfigurationError."""
    if rate_limit is None and rate_burst is None:
        return {}
    if rate_limit == 0:
        return {"rate_limit": None, "rate_burst": None}
    limit = row.rate_limit if rate_limit is None else float(rate_limit)
    burst = row.rate_burst if rate_burst is None else rate_burst
    Rate.of(limit, burst)
    return {"rate_limit": limit, "rate_burst": burst}
