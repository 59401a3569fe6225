"""The transport of workers, as the settings say."""

from __future__ import annotations

from hookline import conf
from hookline.transport.transport import Transport, TransportSettings


def make_transport(settings: conf.Settings) -> Transport:
    """A transport as the settings say."""
    return Transport(
        settings.address_policy,
        TransportSettings(
            deadline=settings.DELIVERY_TIMEOUT,
            # More than a worker begins: it has its own rules for who may begin.
            concurrency=settings.DELIVERY_CONCURRENCY * 2,
            max_body=settings.RESPONSE_BODY_BYTES,
        ),
    )
