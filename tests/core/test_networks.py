"""Client addresses behind proxies, and the networks that a sender may come from."""

from __future__ import annotations

import json
from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hookline.core.client_address import client_address, client_scheme, read_address
from hookline.core.networks import Networks, normalised, read_file
from hookline.exceptions import ConfigurationError


def forwarded(*values: str) -> dict[str, tuple[str, ...]]:
    return {"x-forwarded-for": values} if values else {}


@pytest.mark.parametrize(
    ("proxies", "values", "client"),
    [
        (0, (), "10.0.0.9"),
        (0, ("203.0.113.7",), "10.0.0.9"),  # nobody is trusted: a header is only the caller's word
        (1, ("203.0.113.7",), "203.0.113.7"),
        (1, ("198.51.100.1, 203.0.113.7",), "203.0.113.7"),  # what stands left of it may be made up
        (1, ("198.51.100.1", "203.0.113.7"), "203.0.113.7"),
        (2, ("198.51.100.1, 203.0.113.7, 10.0.0.1",), "203.0.113.7"),
        (2, ("203.0.113.7",), "10.0.0.9"),  # it came past a proxy: only the peer is certain
        (1, (), "10.0.0.9"),
        (1, ("unknown",), ""),
        (1, ("203.0.113.7:4711",), "203.0.113.7"),
        (1, ("[2001:db8::1]:4711",), "2001:db8::1"),
        (1, ("::ffff:203.0.113.7",), "203.0.113.7"),
    ],
)
def test_the_client_is_the_hop_before_the_trusted_proxies(proxies: int, values: tuple[str, ...], client: str) -> None:
    assert client_address("10.0.0.9", forwarded(*values), proxies) == client


@given(st.lists(st.text(max_size=20), max_size=5))
def test_no_entry_to_the_left_of_the_trusted_ones_changes_the_client(made_up: list[str]) -> None:
    values = ", ".join([*(text.replace(",", "") for text in made_up), "203.0.113.7"])
    assert client_address("10.0.0.9", forwarded(values), 1) == "203.0.113.7"


def test_the_scheme_is_that_of_the_outermost_trusted_proxy() -> None:
    assert client_scheme("http", {"x-forwarded-proto": ("https",)}, 1) == "https"
    assert client_scheme("http", {"x-forwarded-proto": ("https",)}, 0) == "http"
    assert client_scheme("http", {"x-forwarded-proto": ("gopher",)}, 1) == "http"
    assert client_scheme("http", {"x-forwarded-proto": ("http, https, http",)}, 2) == "https"


@given(
    st.lists(st.tuples(st.integers(0, 2**32 - 1), st.integers(0, 32)), max_size=8),
    st.lists(st.integers(0, 2**32 - 1), max_size=4),
)
def test_an_address_is_in_the_set_when_it_is_in_one_of_the_networks(
    pairs: list[tuple[int, int]], others: list[int]
) -> None:
    networks = [ip_network((number, bits), strict=False) for number, bits in pairs]
    found = Networks(map(str, networks))
    for number in [*(number for number, _ in pairs), *others]:
        address = ip_address(number)
        assert (str(address) in found) == any(address in network for network in networks)


def test_six_and_four_are_apart_and_no_address_is_in_none() -> None:
    found = Networks(["0.0.0.0/0", "2001:db8::/32"])
    assert "192.0.2.1" in found
    assert "::ffff:192.0.2.1" in found
    assert "2001:db8:1::1" in found
    assert "2001:db9::1" not in found
    assert "" not in found
    assert "unknown" not in found
    assert read_address("localhost") is None


def test_networks_are_merged_and_a_mistake_is_named() -> None:
    assert normalised(["192.0.2.0/25", "192.0.2.128/25", "192.0.2.7"]) == ["192.0.2.0/24"]
    with pytest.raises(ConfigurationError, match=r"'192.0.2.1/24' is not a network: .*host bits set"):
        normalised(["192.0.2.1/24"])


def test_published_files_are_read() -> None:
    # The shapes of https://api.github.com/meta, https://stripe.com/files/ips/ips_webhooks.json,
    # https://ip-ranges.amazonaws.com/ip-ranges.json and of a list with comments.
    github = {"verifiable_password_authentication": False, "hooks": ["192.30.252.0/22"], "web": ["198.51.100.0/24"]}
    assert read_file(json.dumps(github), "hooks") == ["192.30.252.0/22"]
    assert read_file('{"WEBHOOKS":["3.18.12.63","3.130.192.231"]}') == ["3.18.12.63/32", "3.130.192.231/32"]
    amazon = {"syncToken": "1", "prefixes": [{"ip_prefix": "192.0.2.0/24", "region": "eu-west-1"}]}
    assert read_file(json.dumps(amazon)) == ["192.0.2.0/24"]
    assert read_file("# webhooks\n192.0.2.7  # the first\n\n2001:db8::/32\n") == ["192.0.2.7/32", "2001:db8::/32"]
    with pytest.raises(ConfigurationError, match="no field 'hooks'"):
        read_file("{}", "hooks")
    with pytest.raises(ConfigurationError, match="no networks"):
        read_file("\n")
