"""AddressPolicy: to which URLs and addresses Hookline connects (protection against SSRF). Pure.

A subscriber chooses the URL, so without a policy anybody could make this server connect to its own database, or to
the metadata service of its cloud. The policy is asked twice, and both checks are needed:

* `check_url` when an Endpoint is created and before each send: how the URL is written;
* `check_address` for every connection, with the exact address that it will connect to. Only this check sees what a
  name resolves to at that moment.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from hookline.core.proxy import Proxy, parse_proxy
from hookline.core.ranges import IPAddress, IPNetwork, embedded_ipv4, special_range
from hookline.core.url import Url, parse_url
from hookline.exceptions import AddressRefused, ConfigurationError

_LOOPBACK = (ip_address("127.0.0.1"), ip_address("::1"))

#: Endings of names that only mean something inside a network (RFC 6761, RFC 6762, RFC 8375, ICANN's name collision
#: list and resolution 2024.07.29.06 for .internal).
_INSIDE_NAMES = (
    "localdomain", "local", "internal", "intranet", "private", "corp", "home", "lan", "home.arpa",
)  # fmt: skip

#: Ports of well-known services that are not HTTP. The bad ports of https://fetch.spec.whatwg.org/#port-blocking ...
_NOT_HTTP = frozenset((
    0, 1, 7, 9, 11, 13, 15, 17, 19, 20, 21, 22, 23, 25, 37, 42, 43, 53, 69, 77, 79, 87, 95, 101, 102, 103, 104, 109,
    110, 111, 113, 115, 117, 119, 123, 135, 137, 139, 143, 161, 179, 389, 427, 465, 512, 513, 514, 515, 526, 530, 531,
    532, 540, 548, 554, 556, 563, 587, 601, 636, 989, 990, 993, 995, 1719, 1720, 1723, 2049, 3659, 4045, 4190, 5060,
    5061, 6000, 6566, 6665, 6666, 6667, 6668, 6669, 6679, 6697, 10080,
    # ... and databases, caches, brokers, remote desktops and control planes that are often found without a password.
    445, 873, 1433, 1521, 2181, 2375, 2379, 3306, 3389, 5432, 5672, 5900, 6379, 9042, 9092, 10250, 11211, 27017,
))  # fmt: skip


@dataclass(frozen=True)
class AddressPolicy:
    """Public addresses over https, and the exceptions that an operator makes.

    `allowed_subnets` are allowed besides public addresses. An IPv4 exception also covers the IPv4-mapped spelling
    of its addresses (`::ffff:127.0.0.1`), since the system connects to the same IPv4 address for it. It covers no other
    embedding: a packet to NAT64, 6to4, Teredo, ISATAP, SIIT or IPv4-compatible forms goes to a translator or relay, and
    where that sends it is not what the operator allowed. An IPv6 exception (`64:ff9b::/96` in an IPv6-only network,
    say) covers an address with an embedded IPv4 address only if that one is public or itself an exception.

    `allowed_ports`: None means every port except those of well-known services that are not HTTP.

    `allow_http`: True everywhere, False nowhere; None, the default, only for addresses in `allowed_subnets`.
    """

    allowed_subnets: tuple[IPNetwork, ...] = ()
    allowed_ports: frozenset[int] | None = None
    allow_http: bool | None = None
    #: Hosts and ports of forward proxies that may be connected to although their addresses are not public.
    allowed_proxies: frozenset[str] = frozenset()

    @classmethod
    def parse(
        cls,
        subnets: Iterable[str] = (),
        *,
        ports: Iterable[int] | None = None,
        allow_http: bool | None = None,
        proxies: Iterable[str] = (),
    ) -> AddressPolicy:
        """The policy for settings as a person writes them. Raises ConfigurationError for what is no subnet or proxy."""
        networks = []
        for text in subnets:
            try:
                networks.append(ip_network(text))
            except ValueError as error:
                raise ConfigurationError(
                    f"{text!r} is not a subnet: {error}; write it as 10.1.0.0/16 or fd00::/8"
                ) from None
        trusted = frozenset(parse_proxy(proxy).url.authority for proxy in proxies)
        return cls(tuple(networks), None if ports is None else frozenset(ports), allow_http, trusted)

    def check_url(self, text: str) -> Url:
        """The parts of the URL in canonical spelling. Raises AddressRefused, whatever the text."""
        url = parse_url(text)
        self._check_port(url)
        if isinstance(url.address, IPv4Address | IPv6Address):
            self._check(url.address, plain_http=url.scheme == "http")
            return url
        self._check_name(url.host)
        # Over plain http a name may only lead to an exception; which address it has is seen when connecting.
        if url.scheme == "http" and not (self.allow_http or (self.allow_http is None and self.allowed_subnets)):
            raise AddressRefused(f"{url.host}: plain http is not allowed; use https")
        return url

    def check_address(self, address: str, *, plain_http: bool = False) -> None:
        """Raises AddressRefused, naming the range, unless connecting to this IP address is allowed."""
        try:
            parsed = ip_address(address)
        except ValueError:
            raise AddressRefused(f"{address[:100]!r} is not an IP address") from None
        self._check(parsed, plain_http=plain_http)

    def check_proxy(self, text: str) -> Proxy:
        """The forward proxy with this URL. Raises AddressRefused or ConfigurationError."""
        proxy = parse_proxy(text)
        if proxy.url.authority not in self.allowed_proxies:
            self._check_port(proxy.url)
            if proxy.url.address is None:
                self._check_name(proxy.url.host)
            else:
                self.check_proxy_address(proxy, str(proxy.url.address))
        return proxy

    def check_proxy_address(self, proxy: Proxy, address: str) -> None:
        """Raises AddressRefused unless a proxy may be connected to at this address. It is spoken to in plain http."""
        if proxy.url.authority in self.allowed_proxies:
            return
        try:
            self.check_address(address)
        except AddressRefused as error:
            raise AddressRefused(
                f"the proxy {proxy.shown} may not be connected to: {error}; "
                "or let the operator add it to ALLOWED_PROXIES"
            ) from None

    def _check(self, address: IPAddress, *, plain_http: bool) -> None:
        excepted = self._is_exception(address)
        if reason := self._refusal(address, excepted):
            raise AddressRefused(f"{address} is not a public address: {reason}{self._advice()}")
        if plain_http and not (self.allow_http or (self.allow_http is None and excepted)):
            raise AddressRefused(f"{address}: plain http is not allowed; use https")

    def _refusal(self, address: IPAddress, excepted: bool) -> str | None:
        if isinstance(address, IPv6Address):
            if address.ipv4_mapped is not None:
                return None if excepted else f"::ffff:0:0/96 (IPv4-mapped, RFC 4291) for {address.ipv4_mapped}"
            for inner in embedded_ipv4(address):
                if (reason := special_range(inner)) and not (excepted and self._is_exception(inner)):
                    return f"it carries {inner}, which is in {reason}"
        if excepted:
            return None
        return (reason := special_range(address)) and f"it is in {reason}"

    def _is_exception(self, address: IPAddress) -> bool:
        # An IPv4-mapped address is an IPv4 address, also to exceptions: `::/0` does not open 127.0.0.1.
        mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
        return any((mapped or address) in network for network in self.allowed_subnets)

    def _check_name(self, host: str) -> None:
        if host == "localhost" or host.endswith(".localhost"):
            if not any(map(self._is_exception, _LOOPBACK)):
                raise AddressRefused(f"{host} is this machine{self._advice()}")
        elif not self.allowed_subnets and (
            "." not in host or any(host == name or host.endswith(f".{name}") for name in _INSIDE_NAMES)
        ):
            raise AddressRefused(f"{host} is a name inside a network, not a public one{self._advice()}")

    def _check_port(self, url: Url) -> None:
        if self.allowed_ports is None and url.port in _NOT_HTTP:
            raise AddressRefused(f"port {url.port} belongs to a service that is not HTTP; use another port")
        if self.allowed_ports is not None and url.port not in self.allowed_ports:
            ports = ", ".join(map(str, sorted(self.allowed_ports)))
            raise AddressRefused(f"port {url.port} is not allowed; use one of {ports}")

    @staticmethod
    def _advice() -> str:
        return "; use a public address, or let the operator add its subnet to ALLOWED_SUBNETS"
