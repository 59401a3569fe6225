"""Route: how a connection gets to its host, where not directly."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Route:
    """Connections of one route are never used for another."""

    #: A forward proxy, `http://[user:password@]host:port`.
    proxy: str = field(default="", repr=False)
    #: For mutual TLS: certificates and private key in PEM.
    client_certificate: str = field(default="", repr=False)

    def without_certificate(self) -> Route | None:
        """For another host than the one that the certificate is for."""
        return Route(self.proxy) if self.proxy else None
