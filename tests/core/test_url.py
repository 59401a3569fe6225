"""How endpoint URLs may be written. The odd spellings are those that glibc's getaddrinfo, a browser (WHATWG URL) or
Unicode normalisation (UTS 46) read as an address or as another host."""

# Lookalike characters are what these tests are about.
# ruff: noqa: RUF001

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hookline.core.addresses import AddressPolicy
from hookline.core.url import shown_url
from hookline.exceptions import AddressRefused

PUBLIC_ONLY = AddressPolicy()
LOOPBACK_TOO = AddressPolicy.parse(["127.0.0.0/8", "::1/128"])


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("https://hooks.example.com/in?a=1&b=%20", "https://hooks.example.com/in?a=1&b=%20"),
        ("HTTPS://Hooks.Example.COM", "https://hooks.example.com/"),
        ("https://hooks.example.com?x", "https://hooks.example.com/?x"),
        ("https://hooks.example.com:443/", "https://hooks.example.com/"),
        ("https://hooks.example.com:8443/a/../b//c", "https://hooks.example.com:8443/a/../b//c"),
        ("https://my_service.example.com/", "https://my_service.example.com/"),
        ("https://8.8.8.8/", "https://8.8.8.8/"),
        ("https://[2606:4700:4700:0:0::1111]:8443/", "https://[2606:4700:4700::1111]:8443/"),
        ("https://bücher.example/ä?q=ü", "https://xn--bcher-kva.example/%C3%A4?q=%C3%BC"),  # RFC 3492, RFC 3987
        ("https://xn--bcher-kva.example/", "https://xn--bcher-kva.example/"),
        ('https://hooks.example.com/<a>[1]"{}|^`', "https://hooks.example.com/%3Ca%3E%5B1%5D%22%7B%7D%7C%5E%60"),
    ],
)
def test_a_url_is_written_in_one_way(text: str, canonical: str) -> None:
    assert str(PUBLIC_ONLY.check_url(text)) == canonical


@pytest.mark.parametrize(
    "host",
    [
        "2130706433", "0x7f000001", "0x7f.1", "0177.0.0.1", "127.1", "0", "0300.0250.0.1", "017700000001", "0X7F.1",
        "127.0.0.1.", "127.0.0.01", "127.0.0.256", "1.2.3.4.5", "127.0.0.0x1", "0x", "example.0x7f", "example.1",
        "①②⑦.⓪.⓪.①", "127。0。0。1", "127．0．0．1", "127｡0｡0｡1", "１２７.0.0.1", "ⓛocalhost", "ｌｏｃａｌｈｏｓｔ",
        "127.0.0.1%2f.example.com", "%31%32%37.0.0.1", "exam%70le.com", "example.com.", ".example.com",
        "a..example.com",
        "-a.example.com", "a-.example.com", "exa mple.com", "example.com,127.0.0.1", "localhost\x00.example.com",
        "straße.example", "\u212a.example", "a\u200d.example", "[::1", "::1", "[::1]x", "[127.0.0.1]",
        "[::1%lo]", "[::1%25lo]", "[v1.fe80::1]", "[::ffff:0x7f.1]", "", ":80",
        "x" * 64 + ".example", "a." * 127 + "example",
    ],
)  # fmt: skip
def test_odd_spellings_of_a_host_are_refused_even_where_loopback_is_allowed(host: str) -> None:
    for policy in (PUBLIC_ONLY, LOOPBACK_TOO):
        with pytest.raises(AddressRefused):
            policy.check_url(f"https://{host}/")


@pytest.mark.parametrize(
    ("url", "advice"),
    [
        ("https://good.example@127.0.0.1/", "user name or password; remove it"),
        ("https://127.0.0.1\\@good.example/", "a backslash"),
        ("https://user:secret@hooks.example.com/", "user name or password; remove it"),
        ("https:\\\\hooks.example.com/", "a backslash"),
        (" https://hooks.example.com/", "a space"),
        ("https://hooks.example.com/\r\nX-Evil: 1", "an invisible character"),
        ("https://hooks.\texample.com/", "an invisible character"),
        ("https://hooks.example.com/\u202e", "an invisible character"),
        ("https://hooks.example.com/\ud800", "an invisible character"),
        ("https://hooks.example.com/#top", "remove the part from # on"),
        ("https:hooks.example.com", "write it as https://host/path"),
        ("//hooks.example.com/", "write it as https://host/path"),
        ("hooks.example.com", "write it as https://host/path"),
        ("", "write it as https://host/path"),
        ("ftp://hooks.example.com/", "'ftp' cannot be sent to; use https"),
        ("file:///etc/passwd", "'file' cannot be sent to; use https"),
        ("gopher://127.0.0.1:6379/_INFO", "'gopher' cannot be sent to; use https"),
        ("http://hooks.example.com/", "plain http is not allowed; use https"),
        ("http://8.8.8.8/", "plain http is not allowed; use https"),
        ("https://hooks.example.com:22/", "port 22 belongs to a service that is not HTTP; use another port"),
        ("https://hooks.example.com:6379/", "port 6379 belongs to a service that is not HTTP; use another port"),
        ("https://hooks.example.com:0/", "is not a port; write a number from 1 to 65535"),
        ("https://hooks.example.com:65536/", "is not a port"),
        ("https://hooks.example.com:0443/", "is not a port"),
        ("https://hooks.example.com:/", "is not a port"),
        ("https://hooks.example.com:４４３/", "is not a port"),
        ("https://hooks.example.com/" + "a" * 2000, "longer than 2000 characters"),
        ("https://127.0.0.1/", "loopback, RFC 1122"),
        ("https://[::1]/", "loopback, RFC 4291"),
        ("https://[::ffff:169.254.169.254]/", "IPv4-mapped, RFC 4291"),
        ("https://169.254.169.254/latest/meta-data/", "link local and cloud metadata"),
        ("https://localhost/", "localhost is this machine"),
        ("https://a.localhost/", "a.localhost is this machine"),
        ("https://printer.local/", "is a name inside a network"),
        ("https://metadata.google.internal/", "is a name inside a network"),
        ("https://intranet/", "is a name inside a network"),
        ("https://postgres:5433/", "is a name inside a network"),
    ],
)
def test_a_refusal_says_what_to_do(url: str, advice: str) -> None:
    with pytest.raises(AddressRefused, match=advice):
        PUBLIC_ONLY.check_url(url)


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:8000/hook", "http://[::1]:8000/", "http://localhost:8000/", "https://consumer.localhost/",
        "http://consumer:8000/", "https://consumer.internal/", "http://hooks.example.com/", "https://8.8.8.8/",
    ],
)  # fmt: skip
def test_an_exception_for_loopback_lets_its_spellings_through(url: str) -> None:
    assert str(LOOPBACK_TOO.check_url(url)) == url


def test_localhost_needs_an_exception_for_loopback_itself() -> None:
    with pytest.raises(AddressRefused, match="localhost is this machine"):
        AddressPolicy.parse(["10.0.0.0/8"]).check_url("https://localhost/")


def test_plain_http_stays_refused_for_public_addresses_beside_an_exception() -> None:
    with pytest.raises(AddressRefused, match="plain http is not allowed"):
        LOOPBACK_TOO.check_url("http://8.8.8.8/")


def test_an_operator_can_limit_the_ports() -> None:
    policy = AddressPolicy.parse(ports=[443, 8443])
    assert policy.check_url("https://hooks.example.com:8443/").port == 8443
    with pytest.raises(AddressRefused, match="port 8080 is not allowed; use one of 443, 8443"):
        policy.check_url("https://hooks.example.com:8080/")


HOSTILE = st.text() | st.builds(
    "{}://{}{}".format,
    st.sampled_from(["http", "https", "HTTP", "ftp"]),
    st.text(alphabet=st.characters() | st.sampled_from(list("0123456789abcdefx.:[]@%-_①．。")), max_size=40),
    st.text(max_size=20),
)


@given(HOSTILE)
def test_any_text_is_either_refused_or_a_url_in_plain_ascii_that_reads_the_same_again(text: str) -> None:
    policy = AddressPolicy.parse(["0.0.0.0/0", "::/0"], allow_http=True)
    try:
        url = policy.check_url(text)
    except AddressRefused:
        return
    assert str(url).isascii()
    assert str(url).isprintable()
    assert policy.check_url(str(url)) == url


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://example.com/hooks", "https://example.com/hooks"),
        ("https://example.com/hooks?token=made-up", "https://example.com/hooks?..."),
        ("https://ann:made-up@example.com:8443/a@b", "https://...@example.com:8443/a@b"),
        ("https://made-up@example.com?token=made-up", "https://...@example.com?..."),
    ],
)
def test_host_and_path_of_a_url_are_shown_but_no_query_and_no_password(url: str, shown: str) -> None:
    assert shown_url(url) == shown
