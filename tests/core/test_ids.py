"""Ids that sort by time, and their public form."""

from __future__ import annotations

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hookline.core import ids

#: RFC 9562, appendix A.6: unix_ts_ms 0x017F22E279B0, rand_a 0xCC3, rand_b 0b01, 0x8C4DC0C0C07398F.
RFC_EXAMPLE = UUID("017F22E2-79B0-7CC3-98C4-DC0C0C07398F")


def test_the_timestamp_version_and_variant_stand_where_rfc_9562_puts_them() -> None:
    made = ids.uuid7(0x017F22E279B0 * 1_000_000, bytes.fromhex("18C4DC0C0C07398F"))
    assert made.version == 7
    assert made.variant == "specified in RFC 4122"
    assert made.hex[:12] == RFC_EXAMPLE.hex[:12]
    assert made.hex[16:] == RFC_EXAMPLE.hex[16:]


def test_the_twelve_bits_behind_the_milliseconds_are_their_fraction() -> None:
    assert ids.uuid7(1_000_000 + 500_000, bytes(8)).hex[12:16] == "7800"
    assert ids.uuid7(1_000_000 + 999_999, bytes(8)).hex[12:16] == "7fff"
    assert ids.uuid7(2_000_000, bytes(8)).hex[12:16] == "7000"


def test_the_time_of_an_id_can_be_read_and_the_lowest_id_of_a_time_be_made() -> None:
    # The same example: 22 February 2022, 14:22:22 at GMT-05:00.
    assert ids.made_at(RFC_EXAMPLE) == 1645557742.0
    assert ids.first_at(1645557742.0) <= RFC_EXAMPLE < ids.first_at(1645557742.001)
    assert ids.first_at(1645557742.0).hex[:12] == "017f22e279b0"


@given(st.integers(0, 2**48 * 10**6 - 1), st.integers(0, 2**48 * 10**6 - 1), st.binary(min_size=8, max_size=8))
def test_a_later_id_sorts_behind_an_earlier_one_as_uuid_and_as_text(one: int, other: int, random: bytes) -> None:
    early, late = sorted((one, other))
    if late - early >= 245:  # one step of the fraction, in nanoseconds
        first, second = ids.uuid7(early, random), ids.uuid7(late, bytes(8))
        assert first < second
        assert ids.to_text("evt", first) < ids.to_text("evt", second)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (UUID(int=0), "evt_0000000000000000000000"),
        (UUID(int=61), "evt_000000000000000000000z"),
        (UUID(int=62), "evt_0000000000000000000010"),
        (UUID(int=2**128 - 1), "evt_7n42DGM5Tflk9n8mt7Fhc7"),  # the usual base62 of 2 ** 128 - 1, digits 0-9A-Za-z
    ],
)
def test_the_public_form_is_a_prefix_and_22_base62_digits(value: UUID, text: str) -> None:
    assert ids.to_text("evt", value) == text
    assert ids.from_text("evt", text) == value


@given(st.uuids(), st.sampled_from(["ten", "src", "evt", "rej", "ep", "msg", "dlv", "atmpt"]))
def test_the_public_form_leads_back(value: UUID, prefix: str) -> None:
    assert ids.from_text(prefix, ids.to_text(prefix, value)) == value


@pytest.mark.parametrize(
    "text",
    [
        "",
        "evt_",
        "evt_123",
        "msg_0000000000000000000000",
        "0000000000000000000000",
        "evt_00000000000000000000000",
        "evt_000000000000000000000-",
        "evt_000000000000000000000\u0663",
        "evt_zzzzzzzzzzzzzzzzzzzzzz",
        "EVT_0000000000000000000000",
        " evt_0000000000000000000000",
        "evt_0000000000000000000000\n",
        "evt_\x000000000000000000000000",
        "evt_" + "z" * 100_000,
    ],
)
def test_what_is_no_id_of_this_kind_is_refused_saying_what_one_looks_like(text: str) -> None:
    with pytest.raises(ValueError, match="evt_<22 letters and digits>") as caught:
        ids.from_text("evt", text)
    assert len(str(caught.value)) < 200
