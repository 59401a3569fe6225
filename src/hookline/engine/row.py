"""The noun Row: what every table of Hookline has."""

from __future__ import annotations

import os
import time
from typing import ClassVar, Self
from uuid import UUID

from django.db import models
from django.db.models.functions import Now

from hookline.core import ids


def new_id() -> UUID:
    """A fresh UUIDv7."""
    return ids.uuid7(time.time_ns(), os.urandom(8))


class Row(models.Model):
    """A table row with a sortable id, which people see as `public_id`."""

    #: The word before the underscore of the public id.
    prefix: ClassVar[str]

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return self.public_id

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.public_id}>"

    @property
    def public_id(self) -> str:
        return self.public(self.id)

    @classmethod
    def public(cls, value: UUID) -> str:
        """The public form of a primary key."""
        return ids.to_text(cls.prefix, value)

    @classmethod
    def id_of(cls, public_id: str) -> UUID:
        """The primary key behind a public id. Raises ValueError."""
        return ids.from_text(cls.prefix, public_id)

    @classmethod
    def find(cls, public_id: str) -> Self:
        """The row with this public id. Raises ValueError or DoesNotExist."""
        return cls._default_manager.get(pk=cls.id_of(public_id))
