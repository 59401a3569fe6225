"""The address of the client that sent a request, also behind proxies. Pure.

Each proxy appends the address that connected to it to `X-Forwarded-For`; the caller can invent the entries before
that. So with N trusted proxies the client is the Nth entry from the right, and without any it is the peer
of the connection, whatever the header says.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address

FORWARDED_FOR = "x-forwarded-for"
FORWARDED_PROTO = "x-forwarded-proto"


def client_address(peer: str, headers: Mapping[str, Sequence[str]], proxies: int) -> str:
    """The address of the client, or empty where nobody can tell it. `peer` is whoever made the connection.

    Where the header has fewer entries than there are proxies, the request came past some of them: then only the peer is
    certain.
    """
    if not proxies:
        return peer
    hops = _entries(headers.get(FORWARDED_FOR, ()))
    if len(hops) < proxies:
        return peer
    found = read_address(hops[-proxies])
    return str(found) if found is not None else ""


def client_scheme(scheme: str, headers: Mapping[str, Sequence[str]], proxies: int) -> str:
    """`http` or `https`, as the outermost trusted proxy was asked; `scheme` where it does not say."""
    values = _entries(headers.get(FORWARDED_PROTO, ())) if proxies else []
    if not values:
        return scheme
    # A proxy that sets the header replaces it; one that adds to it writes at the end.
    found = values[-proxies if len(values) >= proxies else -1].lower()
    return found if found in ("http", "https") else scheme


def read_address(text: str) -> IPv4Address | IPv6Address | None:
    """An address as proxies write it: alone, with a port (`192.0.2.1:4711`, `[2001:db8::1]:4711`), IPv4 in IPv6."""
    text = text.strip()
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        found = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return (found.ipv4_mapped or found) if isinstance(found, IPv6Address) else found


def _entries(values: Sequence[str]) -> list[str]:
    """The entries of a header; the values of one that was sent several times follow each other (RFC 9110 5.3)."""
    return [entry.strip() for value in values for entry in value.split(",") if entry.strip()]
