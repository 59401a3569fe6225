"""Which IP addresses are not ordinary public ones, and which IPv4 address an IPv6 address contains. Tables and bits.

Our own table, because no existing test is complete: `ipaddress.is_global` accepts NAT64, 6to4, ISATAP,
IPv4-compatible, site-local and multicast addresses.
Sources: https://www.iana.org/assignments/iana-ipv4-special-registry,
https://www.iana.org/assignments/iana-ipv6-special-registry and the RFC beside each row. Rows that the registries call
globally reachable (AS112, AMT, anycast services) are here too: nobody's webhook consumer lives there.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

IPAddress = IPv4Address | IPv6Address
IPNetwork = IPv4Network | IPv6Network

_SPECIAL_IPV4 = tuple(
    (IPv4Network(block), name)
    for block, name in (
        ("0.0.0.0/8", "this network, RFC 791"),
        ("10.0.0.0/8", "private use, RFC 1918"),
        ("100.64.0.0/10", "shared address space, RFC 6598"),  # Alibaba's metadata service is 100.100.100.200
        ("127.0.0.0/8", "loopback, RFC 1122"),
        ("168.63.129.16/32", "Azure platform service"),
        # https://learn.microsoft.com/azure/virtual-network/what-is-ip-address-168-63-129-16
        ("169.254.0.0/16", "link local and cloud metadata, RFC 3927"),
        ("172.16.0.0/12", "private use, RFC 1918"),
        ("192.0.0.0/24", "IETF protocol assignments, RFC 6890"),  # Oracle's metadata service is 192.0.0.192
        ("192.0.2.0/24", "documentation, RFC 5737"),
        ("192.31.196.0/24", "AS112, RFC 7535"),
        ("192.52.193.0/24", "AMT, RFC 7450"),
        ("192.88.99.0/24", "6to4 relay anycast, RFC 7526"),
        ("192.168.0.0/16", "private use, RFC 1918"),
        ("192.175.48.0/24", "AS112, RFC 7534"),
        ("198.18.0.0/15", "benchmarking, RFC 2544"),
        ("198.51.100.0/24", "documentation, RFC 5737"),
        ("203.0.113.0/24", "documentation, RFC 5737"),
        ("224.0.0.0/4", "multicast, RFC 1112"),
        ("240.0.0.0/4", "reserved and broadcast, RFC 1112"),
    )
)

#: The most specific row comes first where rows overlap: the name is what a person reads.
_SPECIAL_IPV6 = tuple(
    (IPv6Network(block), name)
    for block, name in (
        ("::/128", "unspecified, RFC 4291"),
        ("::1/128", "loopback, RFC 4291"),
        ("::ffff:0:0/96", "IPv4-mapped, RFC 4291"),
        ("::ffff:0:0:0/96", "IPv4-translated (SIIT), RFC 2765"),
        ("::/96", "IPv4-compatible, RFC 4291"),
        ("64:ff9b::/96", "NAT64, RFC 6052"),
        ("64:ff9b:1::/48", "local-use NAT64, RFC 8215"),
        ("100::/64", "discard only, RFC 6666"),
        ("100:0:0:1::/64", "dummy prefix, RFC 9780"),
        ("2001::/32", "Teredo, RFC 4380"),
        ("2001::/23", "IETF protocol assignments, RFC 2928"),
        ("2001:db8::/32", "documentation, RFC 3849"),
        ("2002::/16", "6to4, RFC 3056"),
        ("2620:4f:8000::/48", "AS112, RFC 7534"),
        ("3fff::/20", "documentation, RFC 9637"),
        ("5f00::/16", "segment routing, RFC 9602"),
        ("fc00::/7", "unique local, RFC 4193"),
        ("fe80::/10", "link local, RFC 4291"),
        ("fec0::/10", "site local, RFC 3879"),
        ("ff00::/8", "multicast, RFC 4291"),
    )
)

#: The only IPv6 block from which public addresses are assigned (RFC 4291 section 2.4, IANA's address space registry).
_GLOBAL_UNICAST = IPv6Network("2000::/3")

_LOW_32 = 0xFFFF_FFFF
_COMPATIBLE = IPv6Network("::/96")
_TRANSLATED = IPv6Network("::ffff:0:0:0/96")
_NAT64 = IPv6Network("64:ff9b::/96")
_NAT64_LOCAL = IPv6Network("64:ff9b:1::/48")
_SIX_TO_FOUR = IPv6Network("2002::/16")
_TEREDO = IPv6Network("2001::/32")


def special_range(address: IPAddress) -> str | None:
    """The range that makes this address other than public, as `127.0.0.0/8 (loopback, RFC 1122)`, or None.

    Looks at the address itself only, not at an IPv4 address inside it.
    """
    rows = _SPECIAL_IPV4 if isinstance(address, IPv4Address) else _SPECIAL_IPV6
    for network, name in rows:
        if address in network:
            return f"{network} ({name})"
    if isinstance(address, IPv6Address) and address not in _GLOBAL_UNICAST:
        return "outside 2000::/3 (not assigned for public use, RFC 4291)"
    return None


def embedded_ipv4(address: IPv6Address) -> tuple[IPv4Address, ...]:
    """Every IPv4 address that some translator or tunnel could read out of this IPv6 address; often none.

    IPv4-mapped addresses are not treated here: they are IPv4 addresses in another spelling (`address.ipv4_mapped`).
    """
    bits = int(address)
    found: list[int] = []
    if address in _TRANSLATED or address in _NAT64 or (address in _COMPATIBLE and bits > 1):  # not :: and ::1
        found.append(bits & _LOW_32)
    if address in _NAT64_LOCAL:
        found.extend(_local_nat64(bits))
    if address in _SIX_TO_FOUR:  # RFC 3056 section 2: the 32 bits after 2002
        found.append(bits >> 80 & _LOW_32)
    if address in _TEREDO:  # RFC 4380 section 4: the server, and the client with every bit flipped
        found.extend((bits >> 64 & _LOW_32, ~bits & _LOW_32))
    # ISATAP (RFC 5214 section 6.1) may stand behind any prefix. The mask ignores the universal and group bits.
    if bits >> 32 & 0xFCFF_FFFF == 0x0000_5EFE:
        found.append(bits & _LOW_32)
    return tuple(map(IPv4Address, found))


def _local_nat64(bits: int) -> list[int]:
    """64:ff9b:1::/48 may be used with any prefix length of RFC 6052 section 2.2, and only the translator knows which.

    So each layout counts. The layouts overlap: one that reads as 0.0.0.0/8, where nothing lives, sees the padding of
    another one, unless all do.
    """
    layouts = (
        (bits >> 64 & 0xFFFF) << 16 | (bits >> 40 & 0xFFFF),  # /48: bits 48-63 and 72-87
        (bits >> 64 & 0xFF) << 24 | (bits >> 32 & 0xFF_FFFF),  # /56: bits 56-63 and 72-95
        bits >> 24 & _LOW_32,  # /64: bits 72-103
        bits & _LOW_32,  # /96
    )
    return [value for value in layouts if value >> 24] or [0]
