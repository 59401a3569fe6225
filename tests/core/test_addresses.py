"""Expected values: the IANA IPv4 and IPv6 special-purpose address registries, and the RFC named in each row.

https://www.iana.org/assignments/iana-ipv4-special-registry
https://www.iana.org/assignments/iana-ipv6-special-registry
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from hookline.core.addresses import AddressPolicy
from hookline.exceptions import AddressRefused, ConfigurationError

PUBLIC_ONLY = AddressPolicy()

#: First and last address of each block, and what the refusal says.
SPECIAL_IPV4 = [
    ("0.0.0.0", "0.255.255.255", "this network, RFC 791"),
    ("10.0.0.0", "10.255.255.255", "private use, RFC 1918"),
    ("100.64.0.0", "100.127.255.255", "shared address space, RFC 6598"),
    ("127.0.0.0", "127.255.255.255", "loopback, RFC 1122"),
    ("168.63.129.16", "168.63.129.16", "Azure platform service"),
    ("169.254.0.0", "169.254.255.255", "link local and cloud metadata, RFC 3927"),
    ("172.16.0.0", "172.31.255.255", "private use, RFC 1918"),
    ("192.0.0.0", "192.0.0.255", "IETF protocol assignments, RFC 6890"),
    ("192.0.2.0", "192.0.2.255", "documentation, RFC 5737"),
    ("192.31.196.0", "192.31.196.255", "AS112, RFC 7535"),
    ("192.52.193.0", "192.52.193.255", "AMT, RFC 7450"),
    ("192.88.99.0", "192.88.99.255", "6to4 relay anycast, RFC 7526"),
    ("192.168.0.0", "192.168.255.255", "private use, RFC 1918"),
    ("192.175.48.0", "192.175.48.255", "AS112, RFC 7534"),
    ("198.18.0.0", "198.19.255.255", "benchmarking, RFC 2544"),
    ("198.51.100.0", "198.51.100.255", "documentation, RFC 5737"),
    ("203.0.113.0", "203.0.113.255", "documentation, RFC 5737"),
    ("224.0.0.0", "239.255.255.255", "multicast, RFC 1112"),
    ("240.0.0.0", "255.255.255.255", "reserved and broadcast, RFC 1112"),
]

SPECIAL_IPV6 = [
    ("::", "::", "unspecified, RFC 4291"),
    ("::1", "::1", "loopback, RFC 4291"),
    ("::2", "::ffff:ffff", "RFC"),  # IPv4-compatible; the reason may be the address inside
    ("::ffff:0:0", "::ffff:ffff:ffff", "IPv4-mapped, RFC 4291"),
    ("::ffff:0:0:0", "::ffff:0:ffff:ffff", "RFC"),
    ("64:ff9b::", "64:ff9b::ffff:ffff", "RFC"),
    ("64:ff9b:1::", "64:ff9b:1:ffff:ffff:ffff:ffff:ffff", "RFC"),
    ("100::", "100::ffff:ffff:ffff:ffff", "discard only, RFC 6666"),
    ("100:0:0:1::", "100::1:ffff:ffff:ffff:ffff", "dummy prefix, RFC 9780"),
    ("2001::", "2001:0:ffff:ffff:ffff:ffff:ffff:ffff", "RFC"),
    ("2001:1::", "2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff", "IETF protocol assignments, RFC 2928"),
    ("2001:db8::", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", "documentation, RFC 3849"),
    ("2002::", "2002:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "RFC"),
    ("2620:4f:8000::", "2620:4f:8000:ffff:ffff:ffff:ffff:ffff", "AS112, RFC 7534"),
    ("3fff::", "3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff", "documentation, RFC 9637"),
    ("4000::", "5eff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "outside 2000::/3"),
    ("5f00::", "5f00:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "segment routing, RFC 9602"),
    ("fc00::", "fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "unique local, RFC 4193"),
    ("fe80::", "febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "link local, RFC 4291"),
    ("fec0::", "feff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "site local, RFC 3879"),
    ("ff00::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "multicast, RFC 4291"),
]

PUBLIC = [
    "1.0.0.0", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0", "126.255.255.255", "128.0.0.0",
    "168.63.129.15", "168.63.129.17", "169.253.255.255", "169.255.0.0", "172.15.255.255", "172.32.0.0",
    "191.255.255.255", "192.0.1.0", "192.0.3.0", "192.88.98.255", "192.88.100.0", "192.167.255.255", "192.169.0.0",
    "198.17.255.255", "198.20.0.0", "203.0.112.255", "203.0.114.0", "223.255.255.255", "8.8.8.8", "93.184.216.34",
    "2000::1", "2001:200::1", "2001:4860:4860::8888", "2003::1", "2606:4700:4700::1111", "2620:4f:8001::1",
    "2a00:1450:4001:82f::200e", "3ffe:ffff::1", "3fff:1000::1", "3fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
]  # fmt: skip


@pytest.mark.parametrize(("first", "last", "reason"), SPECIAL_IPV4 + SPECIAL_IPV6)
def test_both_ends_of_every_special_block_are_refused_with_its_name(first: str, last: str, reason: str) -> None:
    for address in (first, last):
        with pytest.raises(AddressRefused, match=reason):
            PUBLIC_ONLY.check_address(address)


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses_are_allowed_up_to_the_edge_of_the_special_blocks(address: str) -> None:
    PUBLIC_ONLY.check_address(address)


@pytest.mark.parametrize(
    ("address", "why"),
    [
        ("::127.0.0.1", "IPv4-compatible, RFC 4291 section 2.5.5.1"),
        ("::ffff:127.0.0.1", "IPv4-mapped, RFC 4291 section 2.5.5.2"),
        ("::ffff:0:127.0.0.1", "IPv4-translated, RFC 2765 section 2.1"),
        ("64:ff9b::7f00:1", "NAT64, RFC 6052 section 2.1"),
        ("64:ff9b:1:7f00:0:100::", "NAT64 with a /48 prefix, RFC 6052 section 2.2"),
        ("64:ff9b:1:7f:0:1::", "NAT64 with a /56 prefix"),
        ("64:ff9b:1:0:7f:0:100:0", "NAT64 with a /64 prefix"),
        ("64:ff9b:1::7f00:1", "NAT64 with a /96 prefix"),
        ("2002:7f00:1::", "6to4, RFC 3056 section 2"),
        ("2001:0:7f00:1:0:0:f7f7:f7f7", "Teredo server 127.0.0.1, RFC 4380 section 4"),
        ("2001:0:808:808:0:0:80ff:fffe", "Teredo client 127.0.0.1, bits flipped"),
        ("2606:4700::5efe:7f00:1", "ISATAP behind a public prefix, RFC 5214 section 6.1"),
        ("2606:4700::200:5efe:7f00:1", "ISATAP with the universal bit"),
        ("2606:4700::5efe:a9fe:a9fe", "ISATAP with the metadata address"),
        ("fe80::5efe:7f00:1", "ISATAP behind link local"),
        ("fd00:ec2::254", "AWS metadata service over IPv6"),
        ("100.100.100.200", "Alibaba metadata service"),
        ("192.0.0.192", "Oracle metadata service"),
        ("169.254.169.254", "metadata service of AWS, Google, Azure"),
    ],
)
def test_addresses_that_carry_or_are_an_inside_address_are_refused(address: str, why: str) -> None:
    with pytest.raises(AddressRefused):
        PUBLIC_ONLY.check_address(address)


@pytest.mark.parametrize(
    "text", ["", "localhost", "127.1", "0x7f000001", "2130706433", "0177.0.0.1", "①②⑦.⓪.⓪.①", "127.0.0.1\n", "a" * 999]
)
def test_what_is_not_an_address_is_refused(text: str) -> None:
    with pytest.raises(AddressRefused, match="is not an IP address"):
        PUBLIC_ONLY.check_address(text)


#: How an IPv4 address is written inside an IPv6 address, for each embedding.
EMBEDDINGS: list[Callable[[str], str]] = [
    lambda v4: f"::{v4}",
    lambda v4: f"::ffff:{v4}",
    lambda v4: f"::ffff:0:{v4}",
    lambda v4: f"64:ff9b::{v4}",
    lambda v4: f"64:ff9b:1::{v4}",
    lambda v4: "2002:{:02x}{:02x}:{:02x}{:02x}::1".format(*map(int, v4.split("."))),
    lambda v4: "2001:0:{:02x}{:02x}:{:02x}{:02x}::f7f7:f7f7".format(*map(int, v4.split("."))),
    lambda v4: "2001:0:808:808::{:02x}{:02x}:{:02x}{:02x}".format(*(255 - int(part) for part in v4.split("."))),
    lambda v4: f"2606:4700::5efe:{v4}",
    lambda v4: f"2606:4700::200:5efe:{v4}",
]


def _number(address: str) -> int:
    a, b, c, d = map(int, address.split("."))
    return a << 24 | b << 16 | c << 8 | d


@st.composite
def special_ipv4(draw: st.DrawFn) -> str:
    first, last, _ = draw(st.sampled_from(SPECIAL_IPV4))
    number = draw(st.integers(_number(first), _number(last)))
    return f"{number >> 24}.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"


@given(special_ipv4())
def test_no_special_ipv4_address_is_ever_allowed(address: str) -> None:
    with pytest.raises(AddressRefused):
        PUBLIC_ONLY.check_address(address)


@given(special_ipv4(), st.sampled_from(EMBEDDINGS))
def test_no_special_ipv4_address_is_ever_allowed_inside_an_ipv6_address(
    address: str, embed: Callable[[str], str]
) -> None:
    with pytest.raises(AddressRefused):
        PUBLIC_ONLY.check_address(embed(address))


@given(special_ipv4(), st.sampled_from(EMBEDDINGS))
def test_an_exception_for_all_of_ipv6_opens_no_special_ipv4_address(address: str, embed: Callable[[str], str]) -> None:
    assume(embed(address) not in ("::0.0.0.0", "::0.0.0.1"))  # these are IPv6's own unspecified and loopback address
    with pytest.raises(AddressRefused):
        AddressPolicy.parse(["::/0"]).check_address(embed(address))


@given(special_ipv4(), st.sampled_from(EMBEDDINGS))
def test_an_exception_for_all_of_ipv4_opens_no_embedding_but_the_mapped_one(
    address: str, embed: Callable[[str], str]
) -> None:
    text = embed(address)
    assume(not text.startswith("::ffff:") or text.startswith("::ffff:0:"))
    with pytest.raises(AddressRefused):
        AddressPolicy.parse(["0.0.0.0/0"]).check_address(text)


@given(st.integers(0, 2**128 - 1))
def test_no_ipv6_address_outside_2000_3_is_ever_allowed(number: int) -> None:
    text = ":".join(f"{number >> shift & 0xFFFF:x}" for shift in range(112, -16, -16))
    if number >> 125 != 1:
        with pytest.raises(AddressRefused):
            PUBLIC_ONLY.check_address(text)


def test_an_ipv4_exception_covers_its_addresses_and_their_mapped_spelling() -> None:
    policy = AddressPolicy.parse(["127.0.0.0/8"])
    policy.check_address("127.0.0.1")
    policy.check_address("::ffff:127.0.0.1")
    policy.check_address("8.8.8.8")
    for other in ("10.0.0.1", "::1", "::ffff:10.0.0.1", "64:ff9b::7f00:1", "2606:4700::5efe:7f00:1"):
        with pytest.raises(AddressRefused):
            policy.check_address(other)


def test_a_nat64_exception_allows_public_ipv4_addresses_behind_it_only() -> None:
    policy = AddressPolicy.parse(["64:ff9b::/96"])
    policy.check_address("64:ff9b::808:808")
    for inside in ("64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b::a00:1"):
        with pytest.raises(AddressRefused, match="it carries"):
            policy.check_address(inside)


def test_what_is_behind_nat64_may_be_excepted_too() -> None:
    AddressPolicy.parse(["64:ff9b::/96", "10.0.0.0/8"]).check_address("64:ff9b::a00:1")


def test_a_local_nat64_exception_reads_every_layout_of_rfc_6052() -> None:
    policy = AddressPolicy.parse(["64:ff9b:1::/48"])
    policy.check_address("64:ff9b:1::808:808")  # /96
    policy.check_address("64:ff9b:1:808:8:800::")  # /48: 8.8.8.8
    for inside in ("64:ff9b:1::7f00:1", "64:ff9b:1:7f00:0:100::", "64:ff9b:1:7f:0:1::", "64:ff9b:1:0:7f:0:100:0"):
        with pytest.raises(AddressRefused):
            policy.check_address(inside)


def test_plain_http_is_allowed_only_where_an_exception_opens_the_address() -> None:
    policy = AddressPolicy.parse(["127.0.0.0/8"])
    policy.check_address("127.0.0.1", plain_http=True)
    policy.check_address("::ffff:127.0.0.1", plain_http=True)
    with pytest.raises(AddressRefused, match="use https"):
        policy.check_address("8.8.8.8", plain_http=True)


def test_plain_http_can_be_allowed_or_forbidden_everywhere() -> None:
    AddressPolicy.parse(allow_http=True).check_address("8.8.8.8", plain_http=True)
    with pytest.raises(AddressRefused, match="use https"):
        AddressPolicy.parse(["127.0.0.0/8"], allow_http=False).check_address("127.0.0.1", plain_http=True)


@pytest.mark.parametrize("subnet", ["10.0.0.1/8", "ten", "", "10.0.0.0/33", "::/129"])
def test_a_subnet_with_a_slip_of_the_pen_is_a_configuration_error(subnet: str) -> None:
    with pytest.raises(ConfigurationError, match="is not a subnet"):
        AddressPolicy.parse([subnet])
