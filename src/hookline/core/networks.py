"""Networks: the addresses from which a sender may come. Pure."""

from __future__ import annotations

import json
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from ipaddress import IPv4Network, IPv6Network, collapse_addresses, ip_network
from typing import Any

from hookline.core.client_address import read_address
from hookline.exceptions import ConfigurationError

#: GitHub's Actions have some 6,000; senders of webhooks have a few.
MOST = 10_000


class Networks:
    """A set of addresses. A look-up takes as long as a binary search, however many networks there are."""

    def __init__(self, networks: Iterable[str]) -> None:
        """Raises ConfigurationError for what is not a network."""
        self._texts = normalised(networks)
        parsed = [ip_network(text) for text in self._texts]
        self._ranges = {
            version: sorted(
                (int(network.network_address), int(network.broadcast_address))
                for network in parsed
                if network.version == version
            )
            for version in (4, 6)
        }
        self._starts = {version: [start for start, _ in found] for version, found in self._ranges.items()}

    def __contains__(self, address: object) -> bool:
        """Whether this address, as text, is in one of them. What is no address is in none."""
        found = read_address(str(address))
        if found is None:
            return False
        place = bisect_right(self._starts[found.version], int(found)) - 1
        return place >= 0 and int(found) <= self._ranges[found.version][place][1]


def normalised(networks: Iterable[str]) -> list[str]:
    """The networks as `192.0.2.0/24`, sorted, without those that are within another. Raises ConfigurationError."""
    v4: list[IPv4Network] = []
    v6: list[IPv6Network] = []
    for text in networks:
        try:
            network = ip_network(text.strip())
        except (ValueError, AttributeError) as error:
            raise ConfigurationError(
                f"{str(text)[:80]!r} is not a network: {error}; write it as 192.0.2.7, 192.0.2.0/24 or 2001:db8::/32"
            ) from None
        if isinstance(network, IPv4Network):
            v4.append(network)
        else:
            v6.append(network)
    found = [str(network) for network in (*collapse_addresses(v4), *collapse_addresses(v6))]
    if len(found) > MOST:
        raise ConfigurationError(f"{len(found)} networks are too many; at most {MOST} are allowed")
    return found


def read_file(text: str, key: str = "") -> list[str]:
    """The networks of a file as senders publish them. Raises ConfigurationError where there are none.

    Either JSON, in which every text that is a network counts, or only those below the object's field `key` (`hooks` of
    https://api.github.com/meta); or lines with one network each, and comments after `#`.
    """
    try:
        document = json.loads(text)
    except ValueError:
        lines = (line.partition("#")[0].strip() for line in text.splitlines())
        found: Sequence[str] = [line for line in lines if line]
    else:
        if key:
            if not isinstance(document, dict) or key not in document:
                raise ConfigurationError(f"the file has no field {key!r}")
            document = document[key]
        found = list(_texts(document))
    if not found:
        raise ConfigurationError("the file has no networks")
    return normalised(found)


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        try:
            yield str(ip_network(value))
        except ValueError:
            return
    elif isinstance(value, dict | list):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _texts(inner)
