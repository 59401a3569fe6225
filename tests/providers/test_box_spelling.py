"""The second spelling that Box signs, held against a reading of it character by character."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from hookline.providers.box import in_ascii

SHORT = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}
#: Where a text has nearly all of these, nothing is left to stand for control characters.
STAND_INS = ["\ue0fa", "\ue0fb", "\ue0fc", "ue0fd"]
PIECES = [
    "a",
    "/",
    "\\",
    '"',
    "\b",
    "\f",
    "\n",
    "\r",
    "\t",
    "\x7f",
    "\x00",
    "é",
    "😀",
    "\U00011808",  # d806 dc08 in UTF-16
    "\U0001180c",
    "\\udc08",
    *STAND_INS,
    "\\u00e9",
    "\\b",
]


def slowly(text: str) -> str:
    """As https://developer.box.com/guides/webhooks/v2/signatures-v2/ and Box's SDKs have it."""
    written = ""
    for character, following in zip(text, [*text[1:], ""], strict=False):
        if character == "\\":
            written += "\\" if following == "/" else "\\\\"
        elif " " <= character <= "~":
            written += character
        else:
            units = character.encode("utf-16-be").hex()
            escapes = "".join(f"\\u{units[i : i + 4]}" for i in range(0, len(units), 4))
            written += SHORT.get(character, escapes)
    return written


@given(st.lists(st.sampled_from(PIECES), max_size=12).map("".join))
@settings(deadline=None, max_examples=500)
def test_box_escapes_every_character_as_its_sdk_does(text: str) -> None:
    expected = slowly(text)
    found = in_ascii(text.encode())
    if ("\b" in text or "\f" in text) and sum(one in text for one in STAND_INS) > 2:
        assert found is None  # that is no JSON
    else:
        assert (text if found is None else found.decode()) == expected


def test_an_escaped_emoji_is_not_mistaken_for_a_control_character() -> None:
    assert in_ascii(b'{"a":"\\ud83d\\udc08"}') == b'{"a":"\\\\ud83d\\\\udc08"}'
