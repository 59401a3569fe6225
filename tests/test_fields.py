"""Secrets at rest: encrypted for their row, and seen nowhere else."""

from __future__ import annotations

import base64
import pickle
from collections.abc import Iterator
from contextlib import contextmanager
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.core import serializers
from django.core.exceptions import FieldError
from django.core.management import call_command
from django.db import connection, transaction
from django.test.utils import override_settings
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hookline.core.secrets import SecretRing
from hookline.db import encrypted_field as fields
from hookline.exceptions import ConfigurationError
from hookline.incoming.models import Source
from hookline.outgoing.models import Endpoint
from hookline.tenants.models import resolve
from tests.engine.rows import make_endpoint, make_source

pytestmark = pytest.mark.django_db

SECRET = "whsec_recognisable"
FIRST, SECOND = (f"{name}:{base64.b64encode(byte * 32).decode()}" for name, byte in (("one", b"1"), ("two", b"2")))
text = st.text(st.characters(exclude_categories=["Cs"]), max_size=200)


@contextmanager
def keys(*entries: str) -> Iterator[None]:
    with override_settings(HOOKLINE={**django_settings.HOOKLINE, "ENCRYPTION_KEYS": list(entries)}):
        yield


def stored(table: str = "hookline_source", column: str = "encrypted_secrets") -> str:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {column} FROM {table}")
        (row,) = cursor.fetchall()
    value: str = row[0]
    return value


def store(value: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute("UPDATE hookline_source SET encrypted_secrets = %s", [value])


# ---- encrypting ------------------------------------------------------------------------------------------


@given(value=text, context=text)
def test_what_was_encrypted_decrypts_in_its_context_and_does_not_show(value: str, context: str) -> None:
    hidden = fields.encrypt(value, context)
    assert fields.decrypt(hidden, context) == value
    assert len(value) < 8 or value not in hidden
    assert hidden.startswith("test.")


@given(value=text, context=text, other=text)
def test_it_decrypts_in_no_other_context(value: str, context: str, other: str) -> None:
    if context != other:
        with pytest.raises(ConfigurationError, match="does not decrypt"):
            fields.decrypt(fields.encrypt(value, context), other)


@given(value=text, data=st.data())
def test_a_value_in_which_one_bit_was_changed_does_not_decrypt(value: str, data: st.DataObject) -> None:
    key_id, _, encoded = fields.encrypt(value, "context").partition(".")
    raw = bytearray(base64.b64decode(encoded))
    raw[data.draw(st.integers(0, len(raw) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises(ConfigurationError, match="does not decrypt"):
        fields.decrypt(f"{key_id}.{base64.b64encode(raw).decode()}", "context")


@given(garbage=st.text(max_size=100))
def test_garbage_is_a_configuration_error_and_nothing_else(garbage: str) -> None:
    for value in (garbage, f"test.{garbage}"):
        with pytest.raises(ConfigurationError):
            fields.decrypt(value, "context")


def test_the_same_text_is_encrypted_differently_each_time() -> None:
    assert len({fields.encrypt("same", "context") for _ in range(100)}) == 100


def test_a_known_value_decrypts() -> None:
    """Made with `cryptography` alone: AES-256-GCM, the key of the bytes 0 to 31, a nonce of twelve zeros."""
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    sealed = bytes(12) + AESGCM(bytes(range(32))).encrypt(bytes(12), b"secret", b"table|column|pk")
    assert fields.decrypt(f"test.{base64.b64encode(sealed).decode()}", "table|column|pk") == "secret"


# ---- keys --------------------------------------------------------------------------------------------------


def test_after_a_rotation_the_new_key_encrypts_and_the_former_still_decrypts() -> None:
    with keys(FIRST):
        old = fields.encrypt("text", "context")
    with keys(SECOND, FIRST):
        assert fields.decrypt(old, "context") == "text"
        assert fields.encrypt("text", "context").startswith("two.")
    with keys(SECOND), pytest.raises(ConfigurationError, match=r"key 'one'.*add it back"):
        fields.decrypt(old, "context")


def test_a_key_that_was_replaced_under_its_own_name_does_not_decrypt() -> None:
    with keys(FIRST):
        old = fields.encrypt("text", "context")
    with keys(SECOND.replace("two", "one")), pytest.raises(ConfigurationError, match="its key was replaced"):
        fields.decrypt(old, "context")


@pytest.mark.parametrize(
    "entries",
    [
        [],
        [""],
        ["one"],
        ["one:"],
        [":" + FIRST.partition(":")[2]],
        ["one:recognisable"],
        ["one:" + base64.b64encode(b"recognisable-and-not-32-bytes").decode()],
        ["a.b:" + FIRST.partition(":")[2]],
        [FIRST, FIRST],
    ],
)
def test_keys_that_are_none_are_refused_with_advice_and_without_showing_them(entries: list[str]) -> None:
    with keys(*entries), pytest.raises(ConfigurationError, match="make one with: python -c") as caught:
        fields.encrypt("text", "context")
    for entry in entries:
        encoded = entry.partition(":")[2]
        assert not encoded or encoded not in str(caught.value)


def test_the_advice_for_a_new_key_works() -> None:
    code = fields.NEW_KEY_HINT.removeprefix('make one with: python -c "').removesuffix('"')
    printed: list[str] = []
    exec(code, {"print": printed.append})
    with keys(*printed):
        assert fields.decrypt(fields.encrypt("text", "c"), "c") == "text"


# ---- the field ---------------------------------------------------------------------------------------------


@given(value=text.filter(bool))
@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_a_row_gives_back_the_text_that_it_was_saved_with(value: str) -> None:
    endpoint = Endpoint(url="https://consumer.example", tenant=resolve(None))
    endpoint.encrypted_secrets = value
    assert endpoint.encrypted_secrets == value
    endpoint.save()
    assert endpoint.encrypted_secrets == value
    assert Endpoint.objects.get(pk=endpoint.pk).encrypted_secrets == value
    assert Endpoint.objects.defer("encrypted_secrets").get(pk=endpoint.pk).encrypted_secrets == value
    assert Endpoint.objects.only("encrypted_secrets").get(pk=endpoint.pk).encrypted_secrets == value


def test_the_database_holds_no_secret_and_neither_do_values() -> None:
    make_source("stripe", SECRET)
    assert stored().startswith("test.")
    for seen in (
        stored(),
        str(list(Source.objects.values())),
        str(list(Source.objects.values_list("encrypted_secrets"))),
    ):
        assert "recognisable" not in seen


def test_saving_a_row_again_keeps_its_secret_whether_or_not_it_was_read() -> None:
    source = make_source("stripe", SECRET)
    for read in (True, False):
        found = Source.objects.get()
        if read:
            assert found.secrets.active(0) == (SECRET,)
        found.name = "renamed"
        found.save()
        found.save(update_fields=["name"])
    assert Source.objects.get(pk=source.pk).secrets.active(0) == (SECRET,)


def test_a_value_that_was_copied_to_another_row_does_not_decrypt() -> None:
    make_source("stripe", SECRET)
    copied = stored()
    Source.objects.all().delete()
    make_source("stripe", "other")
    store(copied)
    with pytest.raises(ConfigurationError, match="copied from another row"):
        _ = Source.objects.get().secrets


def test_a_value_of_another_table_does_not_decrypt() -> None:
    endpoint = make_endpoint()
    source = make_source("stripe")
    Source.objects.filter(pk=source.pk).update(id=endpoint.pk)
    store(stored("hookline_endpoint"))
    with pytest.raises(ConfigurationError, match="does not decrypt"):
        _ = Source.objects.get().secrets


def test_an_empty_text_is_empty_in_the_database_too() -> None:
    source = Source.objects.create(provider="stripe", tenant=resolve(None))
    assert stored() == ""
    assert Source.objects.get().secrets == SecretRing()
    assert source.encrypted_secrets == ""


def test_a_row_can_be_read_and_saved_without_the_key_and_only_its_secret_cannot() -> None:
    make_source("stripe", SECRET)
    before = stored()
    with keys(FIRST):
        source = Source.objects.get()
        source.name = "renamed"
        source.save()
        with pytest.raises(ConfigurationError, match="add it back"):
            _ = source.secrets
    assert stored() == before
    assert Source.objects.get().secrets.active(0) == (SECRET,)


def test_rotating_the_key_takes_effect_when_a_row_is_saved_after_its_secret_was_read() -> None:
    with keys(FIRST):
        make_source("stripe", SECRET)
    with keys(SECOND, FIRST):
        source = Source.objects.get()
        _ = source.secrets
        source.save()
    with keys(SECOND):
        assert Source.objects.get().secrets.active(0) == (SECRET,)


def test_update_and_bulk_update_are_refused_because_the_value_belongs_to_its_row() -> None:
    source = make_source("stripe", SECRET)
    with pytest.raises(TypeError, match="set it on an object and save that"), transaction.atomic():
        Source.objects.update(encrypted_secrets="plain")
    with pytest.raises(TypeError, match="set it on an object and save that"), transaction.atomic():
        Source.objects.bulk_update([source], ["encrypted_secrets"])
    assert Source.objects.get().secrets.active(0) == (SECRET,)


def test_bulk_create_encrypts() -> None:
    source = Source(provider="stripe", tenant=resolve(None))
    source.secrets = SecretRing.of(SECRET)
    Source.objects.bulk_create([source])
    assert "recognisable" not in stored()
    assert Source.objects.get().secrets.active(0) == (SECRET,)


@pytest.mark.parametrize("lookup", ["exact", "contains", "in", "gt", "startswith"])
def test_filtering_by_it_is_refused(lookup: str) -> None:
    with pytest.raises(FieldError):
        list(Source.objects.filter(**{f"encrypted_secrets__{lookup}": "plain"}))


def test_the_secret_is_in_no_text_about_the_row() -> None:
    source = make_source("stripe", SECRET)
    ring = source.secrets
    found = Source.objects.get()
    for seen in (
        repr(source),
        str(source),
        repr(ring),
        str(ring),
        repr(ring.secrets[0]),
        repr(found),
        repr(source.config(0)),
    ):
        assert "recognisable" not in seen


def test_a_source_in_memory_tells_at_each_time_what_is_active_then() -> None:
    source = make_source("stripe", SECRET)
    source.secrets = SecretRing.of(SECRET).rotate("whsec_next", 1000.0, 60.0)
    assert source.config(1059.0).secrets == ("whsec_next", SECRET)
    assert source.config(1060.0).secrets == ("whsec_next",)
    assert source.config(1059.0).secrets == ("whsec_next", SECRET)
    source.options = {"tolerance": "10"}
    source.awaiting_handshake = False
    changed = source.config(1059.0)
    assert (changed.options, changed.awaiting_handshake) == ({"tolerance": "10"}, False)
    source.secrets = SecretRing.of("whsec_other")
    assert source.config(1059.0).secrets == ("whsec_other",)


def test_a_dump_of_the_database_holds_only_what_the_database_holds() -> None:
    """`manage.py dumpdata` writes files that are copied to other machines."""
    source = make_source("stripe", SECRET)
    _ = source.secrets
    out = StringIO()
    call_command("dumpdata", "hookline", stdout=out)
    assert "encrypted_secrets" in out.getvalue()
    assert "recognisable" not in out.getvalue()
    assert "recognisable" not in serializers.serialize("json", [source])
    assert '"encrypted:test.' in out.getvalue()


def test_a_dump_can_be_loaded_again(tmp_path: Path) -> None:
    make_source("stripe", SECRET)
    dump = tmp_path / "dump.json"
    call_command("dumpdata", "hookline", output=str(dump))
    Source.objects.all().delete()
    call_command("loaddata", str(dump), verbosity=0)
    assert stored().startswith("test.")
    assert Source.objects.get().secrets.active(0) == (SECRET,)


def test_an_undecrypted_row_survives_pickling() -> None:
    make_source("stripe", SECRET)
    found = Source.objects.get()
    again: Any = pickle.loads(pickle.dumps(found))
    assert again.secrets.active(0) == (SECRET,)
