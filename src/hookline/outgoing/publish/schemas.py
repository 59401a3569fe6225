"""The catalogue's entry for a type, for `dispatch()`: cached, so that it needs no query.

Used only if the setting EVENT_TYPES says so. Another process sees a change of the catalogue after `FRESH` seconds.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.db import router

from hookline.exceptions import InvalidEventType, SchemaViolation
from hookline.outgoing.event_type import Enforcement, EventType

logger = logging.getLogger("hookline.outgoing")

#: Seconds after which the catalogue is read again.
FRESH = 10.0


@dataclass(frozen=True, slots=True)
class Rule:
    """What one type asks for."""

    schema: Mapping[str, Any] | None
    enforced: bool
    deprecated: bool
    #: Seconds.
    expires_after: int | None


class Catalogue:
    """The rules of all types, read together, by any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._rules: Mapping[str, Rule] = {}
        self._until = 0.0
        self._said: set[str] = set()

    def check(self, event_type: str, data: bytes, *, only_known: bool) -> None:
        """Hold serialised data against the schema of the type.

        Raises SchemaViolation where the type is enforced, and InvalidEventType with `only_known` for one that the
        catalogue does not have.
        """
        rule = self._current().get(event_type)
        if rule is None:
            if only_known:
                raise InvalidEventType(
                    f"{event_type!r} is not in the catalogue; add it: `hookline event-types create {event_type}`"
                )
            return
        if rule.deprecated and event_type not in self._said:  # once is enough in each process
            self._said.add(event_type)
            logger.warning("the event type %s is deprecated, and is still dispatched", event_type)
        if rule.schema is None:
            return
        from hookline.core.json_schema import violation  # loading it takes a while; only for those who have a schema

        if problem := violation(rule.schema, json.loads(data)):
            if rule.enforced:
                raise SchemaViolation(f"the data of {event_type!r} are not what its schema says: {problem}")
            logger.warning("the data of %s are not what its schema says: %s", event_type, problem)

    def expires_after(self, event_type: str) -> int | None:
        """Seconds after which messages of the type expire; None where the catalogue does not say."""
        rule = self._current().get(event_type)
        return None if rule is None else rule.expires_after

    def forget(self) -> None:
        """Read the catalogue again when it is next asked."""
        self._until = 0.0

    def _current(self) -> Mapping[str, Rule]:
        now = time.monotonic()
        if now < self._until:
            return self._rules
        with self._lock:
            if now >= self._until:
                found = EventType.objects.using(router.db_for_write(EventType)).values_list(
                    "name", "schema", "enforcement", "deprecated", "expires_after"
                )
                self._rules = {
                    name: Rule(
                        None if enforcement == Enforcement.OFF else schema,
                        enforcement == Enforcement.ENFORCE,
                        deprecated,
                        expires_after,
                    )
                    for name, schema, enforcement, deprecated, expires_after in found
                }
                self._until = now + FRESH
        return self._rules


catalogue = Catalogue()
