from __future__ import annotations

import pytest

from hookline.core.sent_headers import check_headers
from hookline.exceptions import ConfigurationError


def test_ordinary_headers_are_fine() -> None:
    check_headers({"webhook-id": "msg_1", "Authorization": "Bearer a b\tc", "X-Empty": ""})


@pytest.mark.parametrize(
    "value",
    ["a\r\nHost: inside", "a\nb", "a\rb", "a\x00b", "a\x0bb", "a\x7fb", "a\u2028b", "\u560d\u560aHost: inside", "é",
     " a", "a ", "\ta", "a\n"],
)  # fmt: skip
def test_a_value_cannot_start_another_header(value: str) -> None:
    with pytest.raises(ConfigurationError, match="the header X-Custom has a line break"):
        check_headers({"X-Custom": value})


@pytest.mark.parametrize("name", ["", "X Y", "X:", "X\r\nY", "Xé", "X\n", "a" * 101])
def test_a_name_is_a_token_of_rfc_9110(name: str) -> None:
    with pytest.raises(ConfigurationError, match="is not a header name"):
        check_headers({name: "a"})


@pytest.mark.parametrize(
    "name", ["Host", "content-length", "Transfer-Encoding", "CONNECTION", "Upgrade", "Expect", "TE", "Accept-Encoding"]
)
def test_headers_that_frame_or_route_the_message_are_not_for_people_to_set(name: str) -> None:
    with pytest.raises(ConfigurationError, match=f"the header {name} is set by the HTTP client; remove it"):
        check_headers({name: "a"})


def test_headers_are_bounded() -> None:
    with pytest.raises(ConfigurationError, match="too many"):
        check_headers({f"X-{number}": "a" for number in range(65)})
    with pytest.raises(ConfigurationError, match="longer than 4096 characters"):
        check_headers({"X-Long": "a" * 4097})


def test_an_error_does_not_repeat_the_value_which_may_be_a_credential() -> None:
    with pytest.raises(ConfigurationError) as caught:
        check_headers({"Authorization": "Bearer made-up-token\n"})
    assert "made-up-token" not in str(caught.value)
