"""Which limits a request to a source counts towards: those of the source and of its tenant."""

from __future__ import annotations

from hookline.core.rate_limit import Rate
from hookline.db.permits import Limit
from hookline.incoming.models import Source


def limits_of(source: Source) -> list[Limit]:
    """Those of the source and of its tenant. Raises ConfigurationError for numbers that somebody spoilt."""
    found = (
        (f"source:{source.pk.hex}", Rate.of(source.rate_limit, source.rate_burst)),
        (f"tenant:{source.tenant.pk.hex}", Rate.of(source.tenant.rate_limit, source.tenant.rate_burst)),
    )
    return [Limit(key, rate) for key, rate in found if rate is not None]
