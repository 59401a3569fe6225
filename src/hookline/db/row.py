"""Row: what every table of Hookline has."""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Collection, Iterable
from operator import attrgetter
from typing import Any, ClassVar, Self
from uuid import UUID

from django.db import models
from django.db.models.base import ModelState
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from hookline.core import ids

#: How much is asked of the system's random generator at a time. Each question lets other threads run, and whoever asks
#: then waits for its turn to come again: a millisecond where an id takes two microseconds.
_AT_ONCE = 4096


#: Eight random bytes each, for one id. What a thread takes out, no other gets.
_random: deque[bytes] = deque()
# A process that is forked would make the ids that its parent makes.
os.register_at_fork(after_in_child=_random.clear)


def _eight() -> bytes:
    """Random bytes that were given to nobody else."""
    try:
        return _random.pop()
    except IndexError:
        fresh = os.urandom(_AT_ONCE)
        eights = [fresh[start : start + 8] for start in range(0, _AT_ONCE, 8)]
        eight = eights.pop()
        _random.extend(eights)
        return eight


def new_id() -> UUID:
    """A fresh UUIDv7."""
    return ids.uuid7(time.time_ns(), _eight())


def new_ids(count: int) -> list[UUID]:
    """As many fresh UUIDv7s, in ascending order."""
    made = [new_id() for _ in range(count)]
    made.sort(key=attrgetter("int"))  # two may be of the same quarter of a microsecond
    return made


class Row(models.Model):
    """A table row with a sortable id, which people see as `public_id`."""

    #: The word before the underscore of the public id.
    prefix: ClassVar[str]
    #: What one and many of these are called in JSON, metrics, records and messages: never translated, unlike the
    #: names in `Meta`, which are for pages.
    noun: ClassVar[str]
    nouns: ClassVar[str]

    id = models.UUIDField(_("ID"), primary_key=True, default=new_id, editable=False)
    created_at = models.DateTimeField(_("created at"), db_default=Now(), editable=False)

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return self.public_id

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.public_id}>"

    @classmethod
    def from_db(
        cls, db: str | None, field_names: Collection[str], values: Collection[Any], *, fetch_mode: Any = None
    ) -> Self:
        """An instance for a row that was read. Columns that were not are read when they are first used.

        Django's own asks every field to set itself and sends two signals, which takes longer than reading the row. A
        column that is not in `__dict__` is what Django means by a deferred one.
        """
        (row,) = cls.from_rows(db, field_names, [values], fetch_mode)
        return row

    @classmethod
    def from_rows(
        cls, db: str | None, names: Collection[str], rows: Iterable[Collection[Any]], fetch_mode: Any = None
    ) -> list[Self]:
        """The same for many rows, each of as many values as there are names."""
        made = []
        for values in rows:
            row, state = cls.__new__(cls), ModelState()
            state.adding, state.db = False, db
            if fetch_mode is not None:  # since Django 6.1
                state.fetch_mode = fetch_mode
            held = row.__dict__
            held.update(zip(names, values, strict=True))
            held["_state"] = state
            made.append(row)
        return made

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
