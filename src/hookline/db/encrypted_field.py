"""EncryptedField: text that is encrypted in the database.

AES-256-GCM (NIST SP 800-38D). The stored value is `<key id>.<base64 of nonce, ciphertext and tag>`. Table, column
and primary key are authenticated with it, so a value that is copied to another row does not decrypt there.
"""

from __future__ import annotations

import base64
import binascii
import os
from functools import cache
from typing import TYPE_CHECKING, Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.db import models

from hookline import conf
from hookline.exceptions import ConfigurationError

_NONCE_BYTES = 12
#: Before a value in a dump, so that loading it does not encrypt it again.
_DUMPED = "encrypted:"

NEW_KEY_HINT = (
    "make one with: python -c \"import base64, os; print('k1:' + base64.b64encode(os.urandom(32)).decode())\""
)


@cache
def keyring(keys: tuple[str, ...]) -> dict[str, AESGCM]:
    """Key id -> cipher, the encrypting one first. Raises ConfigurationError; never shows a key."""
    ring: dict[str, AESGCM] = {}
    for position, entry in enumerate(keys, start=1):
        key_id, _, encoded = entry.partition(":")
        try:
            key = base64.b64decode(encoded, validate=True)
        except (binascii.Error, ValueError):
            key = b""
        if not key_id or "." in key_id or len(key) != 32 or key_id in ring:
            raise ConfigurationError(
                f"entry {position} of HOOKLINE['ENCRYPTION_KEYS'] must be a key id of its own, a colon and the base64 "
                f"of 32 bytes; {NEW_KEY_HINT}"
            )
        ring[key_id] = AESGCM(key)
    if not ring:
        raise ConfigurationError(f"HOOKLINE['ENCRYPTION_KEYS'] is empty, so secrets cannot be stored; {NEW_KEY_HINT}")
    return ring


def encrypt(text: str, context: str) -> str:
    """Encrypt with the first key. `context` must be the same when decrypting."""
    key_id, cipher = next(iter(keyring(conf.get().ENCRYPTION_KEYS).items()))
    nonce = os.urandom(_NONCE_BYTES)
    return f"{key_id}.{base64.b64encode(nonce + cipher.encrypt(nonce, text.encode(), context.encode())).decode()}"


def decrypt(stored: str, context: str) -> str:
    """Decrypt with the key that the value names. Raises ConfigurationError when that is impossible."""
    key_id, _, encoded = stored.partition(".")
    cipher = keyring(conf.get().ENCRYPTION_KEYS).get(key_id)
    if cipher is None:
        raise ConfigurationError(
            f"{context} was encrypted with the key {key_id[:40]!r}, which HOOKLINE['ENCRYPTION_KEYS'] lacks; "
            "add it back"
        )
    try:
        raw = base64.b64decode(encoded, validate=True)
        return cipher.decrypt(raw[:_NONCE_BYTES], raw[_NONCE_BYTES:], context.encode()).decode()
    except (InvalidTag, ValueError) as error:
        raise ConfigurationError(
            f"{context} does not decrypt: it was changed, copied from another row, or its key was replaced"
        ) from error


class _Decrypting:
    """Holds what the database has; decrypts when the attribute is read, so that most rows never are."""

    def __init__(self, field: EncryptedField) -> None:
        self.field = field

    def __get__(self, instance: models.Model | None, owner: type[models.Model]) -> Any:
        if instance is None:
            return self
        name = self.field.attname
        if name not in instance.__dict__:
            instance.refresh_from_db(fields=[name])
        value = instance.__dict__[name]
        if isinstance(value, _Stored) and not isinstance(value, _Loaded):
            value = decrypt(value, self.field.context_of(instance)) if value else ""
            instance.__dict__[name] = value
        return value

    def __set__(self, instance: models.Model, value: Any) -> None:
        instance.__dict__[self.field.attname] = value


class _Stored(str):
    """Ciphertext, as the database has it."""

    __slots__ = ()


def is_sealed(value: object) -> bool:
    """Whether it is what the database has of an encrypted field, and not in the clear."""
    return isinstance(value, _Stored)


def sealed(instance: models.Model, name: str) -> str | None:
    """What the database has of an encrypted field. None once the field was read or set: then it is in the clear."""
    value = instance.__dict__.get(name)
    return value if isinstance(value, _Stored) else None


def opened(instance: models.Model, name: str) -> str:
    """An encrypted field in the clear, without leaving it so in the instance. Raises ConfigurationError."""
    stored = sealed(instance, name)
    text: str = getattr(instance, name)
    if stored is not None:
        instance.__dict__[name] = stored
    return text


class _Loaded(_Stored):
    """Ciphertext out of a dump, on its way into the database: `loaddata` reads the attribute and writes that."""

    __slots__ = ()


if TYPE_CHECKING:
    _BaseField = models.TextField[str, str]
else:
    _BaseField = models.TextField


#: The `db_default` of a column that is added to a table with rows.
NOTHING = models.Value("", output_field=models.TextField())


class EncryptedField(_BaseField):
    """Text that the database holds encrypted. It can be saved with its row, but not filtered or `update()`d."""

    descriptor_class: Any = _Decrypting

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("editable", False)
        kwargs.setdefault("blank", True)
        kwargs.setdefault("default", "")
        super().__init__(*args, **kwargs)

    def context_of(self, instance: models.Model) -> str:
        return f"{instance._meta.db_table}|{self.column}|{instance.pk}"

    def from_db_value(self, value: str | None, expression: Any, connection: Any) -> str | None:
        return None if value is None else _Stored(value)

    def pre_save(self, model_instance: models.Model, add: bool) -> Any:
        value = model_instance.__dict__.get(self.attname, "")
        if isinstance(value, _Stored) or not value:
            return _Stored(value or "")
        return _Stored(encrypt(value, self.context_of(model_instance)))

    def value_to_string(self, obj: models.Model) -> str:
        """For serializers: what the database holds, so that `dumpdata` writes no secret."""
        return f"{_DUMPED}{self.pre_save(obj, add=False)}"

    def to_python(self, value: Any) -> Any:
        if isinstance(value, str) and value.startswith(_DUMPED):
            return _Loaded(value.removeprefix(_DUMPED))
        return super().to_python(value)

    def get_prep_value(self, value: Any) -> Any:
        if value is not None and not isinstance(value, _Stored):
            raise TypeError(f"{self.name} is encrypted for its row; set it on an object and save that")
        return str(value) if value is not None else None

    def get_lookup(self, lookup_name: str) -> Any:
        return super().get_lookup(lookup_name) if lookup_name == "isnull" else None
