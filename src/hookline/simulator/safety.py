"""Where a simulation may send: to this machine, and to test networks that a person names."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Sequence
from urllib.parse import urlsplit

from hookline.exceptions import ConfigurationError

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def allowed_networks(texts: Sequence[str]) -> list[Network]:
    """The networks of `--allow`. Raises ConfigurationError for a public one: strangers must get no forged webhooks."""
    networks = []
    for text in texts:
        try:
            network = ipaddress.ip_network(text)
        except ValueError as error:
            raise ConfigurationError(f"--allow {text!r:.80} is not a network such as 10.0.0.0/8: {error}") from None
        if not network.is_private:
            raise ConfigurationError(f"--allow {text} is a public network; only private test networks can be allowed")
        networks.append(network)
    return networks


def safe_address(url: str, allowed: Sequence[Network] = ()) -> str:
    """The address to connect to, so that no name can lead elsewhere later. Raises ConfigurationError for any other."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ConfigurationError(f"{url!r:.80} is not a URL that webhooks can be sent to")
    addresses = addresses_of(parts.hostname, parts.port or 80)
    for address in map(ipaddress.ip_address, addresses):
        if not address.is_loopback and not any(address in network for network in allowed):
            raise ConfigurationError(
                f"{url} is at {address}, which is not this machine; a simulation sends only to loopback addresses and "
                "to private test networks named by --allow"
            )
    return addresses[0]


def addresses_of(host: str, port: int) -> list[str]:
    """Where a host is found. Raises ConfigurationError."""
    try:
        return [str(entry[4][0]) for entry in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]
    except (OSError, UnicodeError) as error:
        raise ConfigurationError(f"cannot find the host {host!r:.80}: {error}") from None
