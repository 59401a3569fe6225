"""Url: the address of an endpoint, parsed more strictly than any browser or resolver would.

After parsing, only the parts are used, never the text again. Most SSRF holes come from two parsers that read one
text in two ways: `urlsplit` drops tabs and leading spaces, glibc takes `0x7f.1`, `127.1` and `2130706433` for loopback,
IDNA turns fullwidth digits and the full stop of other scripts into ASCII, and `\\@` splits user and host differently in
every library. So there is one spelling, and the rest is refused with a message that says what to write instead.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from urllib.parse import quote

from hookline.exceptions import AddressRefused

#: Longer URLs are cut or refused by servers on the way (RFC 9110 section 4.1 asks for at least 8000 octets in all).
MAX_LENGTH = 2000
_DEFAULT_PORTS = {"http": 80, "https": 443}

_URL = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://(?P<authority>[^/?#]*)(?P<target>[^#]*)", re.ASCII)
_PORT = re.compile(r"[1-9][0-9]{0,4}", re.ASCII)
_DOTTED_QUAD = re.compile(r"(?:(?:0|[1-9][0-9]{0,2})\.){3}(?:0|[1-9][0-9]{0,2})", re.ASCII)
#: The underscore is not for host names (RFC 1123), but many real ones have it, and it has no second meaning.
_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?", re.ASCII)
#: WHATWG URL, "ends in a number": such a host is an IPv4 address to somebody.
_NUMERIC_LABEL = re.compile(r"[0-9]+|0x[0-9a-f]*", re.ASCII)
#: RFC 3986 section 3.3 and 3.4; `%` too, since what is encoded already stays as it is.
_TARGET_CHARACTERS = "%/?:@!$&'()*+,;=-._~"


@dataclass(frozen=True, slots=True)
class Url:
    """A checked URL. `host` is a lower-case ASCII name, a dotted quad, or an IPv6 address without brackets.

    `address` is the IP address when the host is one. `target` is path and query, percent-encoded, at least `/`.
    """

    scheme: str
    host: str
    port: int
    target: str
    address: IPv4Address | IPv6Address | None = None

    @property
    def authority(self) -> str:
        """Host and, unless it is the scheme's own, port: what the Host header says."""
        host = f"[{self.host}]" if isinstance(self.address, IPv6Address) else self.host
        return host if self.port == _DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"

    def __str__(self) -> str:
        return f"{self.scheme}://{self.authority}{self.target}"


def parse_url(text: str) -> Url:
    """Read an http or https URL. Raises AddressRefused, whatever the text."""
    if len(text) > MAX_LENGTH:
        raise AddressRefused(f"the URL is longer than {MAX_LENGTH} characters; use a shorter one")
    if not text.isprintable() or " " in text or "\\" in text:
        raise AddressRefused(
            "the URL holds a space, a backslash or an invisible character; remove or percent-encode it"
        )
    if not (match := _URL.fullmatch(text)):
        wanted = "remove the part from # on, it is never sent" if "#" in text else "write it as https://host/path"
        raise AddressRefused(f"this is not a URL that can be sent to; {wanted}")
    if (scheme := match["scheme"].lower()) not in _DEFAULT_PORTS:
        raise AddressRefused(f"the scheme {scheme[:20]!r} cannot be sent to; use https")
    if "@" in match["authority"]:
        raise AddressRefused("the URL holds a user name or password; remove it, and use a header if one is needed")
    host, address, port = _parse_authority(match["authority"])
    target = quote(match["target"], safe=_TARGET_CHARACTERS)
    if not target.startswith("/"):
        target = f"/{target}"
    return Url(scheme, host, _DEFAULT_PORTS[scheme] if port is None else port, target, address)


def _parse_authority(text: str) -> tuple[str, IPv4Address | IPv6Address | None, int | None]:
    if text.startswith("["):
        literal, bracket, rest = text[1:].partition("]")
        if not bracket or (rest and not rest.startswith(":")):
            raise AddressRefused(
                "the brackets around an IPv6 address are not closed; write it as https://[2001:db8::1]/"
            )
        address6 = _parse_ipv6(literal)
        return str(address6), address6, _parse_port(rest[1:]) if rest else None
    host, colon, port = text.partition(":")
    number = _parse_port(port) if colon else None
    host = _to_ascii(host).lower()
    if _NUMERIC_LABEL.fullmatch(host.rpartition(".")[2]):
        address4 = _parse_ipv4(host)
        return str(address4), address4, number
    if len(host) > 253 or not all(map(_LABEL.fullmatch, host.split("."))):
        raise AddressRefused(
            f"{host[:100]!r} is not a host name; write a name such as example.com, without a dot at the end"
        )
    return host, None, number


def _parse_ipv6(text: str) -> IPv6Address:
    if "%" in text:  # RFC 6874: a zone only means something on one machine
        raise AddressRefused("an IPv6 address with a zone (%) cannot be sent to; use a public address")
    try:
        return IPv6Address(text)
    except ValueError:
        raise AddressRefused(f"{text[:100]!r} is not an IPv6 address; write it as https://[2001:db8::1]/") from None


def _parse_ipv4(host: str) -> IPv4Address:
    try:
        if _DOTTED_QUAD.fullmatch(host):
            return IPv4Address(host)
    except ValueError:
        pass  # a number above 255: the same message
    raise AddressRefused(
        f"{host[:100]!r} is an unusual spelling of an IP address; "
        "write four decimal numbers from 0 to 255, without zeros in front"
    )


def _parse_port(text: str) -> int:
    if not _PORT.fullmatch(text) or int(text) > 65535:
        raise AddressRefused(f"{text[:20]!r} is not a port; write a number from 1 to 65535, or leave out the colon")
    return int(text)


def _to_ascii(host: str) -> str:
    """The `xn--` form of an international name. Refused where Unicode and the two versions of IDNA could differ."""
    if host.isascii():
        return host
    reads_as = unicodedata.normalize("NFKC", host)
    if reads_as == host:
        try:
            name = host.encode("idna").decode("ascii")
            # The way back shows what was mapped silently: ß, final sigma, the dots of other scripts.
            if name.encode("ascii").decode("idna") == host.lower():
                return name
        except UnicodeError:
            pass  # an unassigned or forbidden character, an empty or over-long label: the same message
    raise AddressRefused(
        f"{host[:100]!r} has more than one reading (it may mean {reads_as[:100]!r}); "
        "write its ASCII form, as xn--bcher-kva.example"
    )


def shown_url(url: str) -> str:
    """A URL for people, logs and audit entries: `...` in place of its query, and of a user with a password.

    Either may hold a token.
    """
    before, mark, _ = url.partition("?")
    scheme, slashes, rest = before.partition("://")
    authority, slash, path = rest.partition("/")
    _, at, host = authority.rpartition("@")
    shown = f"{scheme}{slashes}...@{host}{slash}{path}" if at else before
    return f"{shown}?..." if mark else shown
