"""Secrets, and until when each is active."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from hookline.core.secrets import Secret, SecretRing


def test_a_new_secret_comes_first_and_the_former_one_ends_after_the_overlap() -> None:
    ring = SecretRing.of("old").rotate("new", now=1000, overlap=60)
    assert ring.active(1000) == ("new", "old")
    assert ring.active(1059.9) == ("new", "old")
    assert ring.active(1060) == ("new",)


def test_rotating_twice_does_not_lengthen_the_life_of_the_oldest() -> None:
    ring = SecretRing.of("a").rotate("b", 1000, overlap=60).rotate("c", 1010, overlap=3600)
    assert ring.active(1011) == ("c", "b", "a")
    assert ring.active(1060) == ("c", "b")
    assert ring.active(1010 + 3600) == ("c",)


def test_a_shorter_overlap_ends_the_earlier_ones_sooner() -> None:
    ring = SecretRing.of("a").rotate("b", 1000, overlap=3600).rotate("c", 1000, overlap=0)
    assert ring.active(1000) == ("c",)


def test_rotating_to_the_current_secret_keeps_it_without_end() -> None:
    ring = SecretRing.of("a").rotate("a", 1000, overlap=60)
    assert ring.active(10**12) == ("a",)
    assert len(ring.secrets) == 1


def test_two_secrets_that_have_ended_are_kept_and_never_active() -> None:
    ring = SecretRing.of("a")
    for number, value in enumerate("bcde"):
        ring = ring.rotate(value, 1000 + 100 * number, overlap=0)
    assert [secret.value for secret in ring.secrets] == ["e", "d", "c"]
    assert ring.active(1300) == ("e",)


def test_several_secrets_may_be_current_and_empty_ones_are_none() -> None:
    assert SecretRing.of("a", "", "b").active(0) == ("a", "b")
    assert SecretRing.of("").active(0) == SecretRing().active(0) == ()


@given(st.lists(st.tuples(st.text(), st.none() | st.floats(allow_nan=False, allow_infinity=False))))
def test_a_ring_is_loaded_as_it_was_dumped(secrets: list[tuple[str, float | None]]) -> None:
    ring = SecretRing(tuple(Secret(value, expires_at) for value, expires_at in secrets))
    assert SecretRing.load(ring.dump()) == ring


def test_nothing_stored_is_no_secret() -> None:
    assert SecretRing.load("") == SecretRing()


def test_a_secret_is_not_in_its_text() -> None:
    ring = SecretRing.of("recognisable")
    assert "recognisable" not in repr(ring) + str(ring) + repr(ring.secrets) + f"{ring.secrets[0]}"
