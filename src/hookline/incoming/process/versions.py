"""Out-of-order protection: an event with an older state of its object than an already processed event is superseded.

If a source has `object_at` and `version_at`, the transaction of the handlers first stores the version of the
event's object. That row is locked until COMMIT, so that two states of one object are processed one
after the other, and the older one is recognised.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal, InvalidOperation

from django.db import connections, router

from hookline.core.text import storable
from hookline.db.row import new_id
from hookline.engine.sql import uuid_adapter
from hookline.incoming.models import Event, ObjectVersion

#: Digits before and after the decimal point.
_WHOLE, _FRACTION = 25, 9

_UPSERT = """
INSERT INTO {table} AS known (id, source_id, object, version, event_id) VALUES (%s, %s, %s, %s, %s)
ON CONFLICT (source_id, object) DO UPDATE SET id = excluded.id, version = excluded.version, event_id = excluded.event_id
WHERE known.version <= excluded.version
"""


def superseded(event: Event) -> str:
    """Why the event needs no processing; empty where it does, and then its version is written down.

    An event without an object, or without a version that can be compared, is processed.
    """
    about = event.value_at(event.source.object_at)
    version = comparable(event.value_at(event.source.version_at))
    if about is None or version is None:
        return ""
    connection = connections[router.db_for_write(ObjectVersion)]
    adapt = uuid_adapter(connection)
    with connection.cursor() as cursor:
        sql = _UPSERT.format(table=ObjectVersion._meta.db_table)
        cursor.execute(sql, [adapt(new_id()), adapt(event.source_id), about, version, adapt(event.pk)])
        if cursor.rowcount:
            return ""
    known = ObjectVersion.objects.using(connection.alias).get(source=event.source_id, object=about)
    return (
        f"superseded: {Event.public(known.event_id)} told a later state of {storable(about)} and was processed already"
    )


def comparable(text: str | None) -> str | None:
    """A number, or a time in ISO 8601, as digits that sort like it; None for what is neither."""
    if text is None:
        return None
    try:
        number = Decimal(text)
    except InvalidOperation:
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            return None
        number = Decimal(moment.timestamp()).quantize(Decimal("0.000001"))
    if not number.is_finite() or not 0 <= number < 10**_WHOLE:
        return None
    return f"{number:0{_WHOLE + 1 + _FRACTION}.{_FRACTION}f}"
