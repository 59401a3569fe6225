"""Trying an endpoint: a signed test message is sent at once, and its answer is shown."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.db import router, transaction
from django.utils import timezone

from hookline.audit.actor import Actor
from hookline.audit.models import AuditEntry
from hookline.audit.record import record
from hookline.core.outcome import Verdict
from hookline.core.url import shown_url
from hookline.outgoing.deliver import trial
from hookline.outgoing.deliver.attempt import Result, describe
from hookline.outgoing.models import Endpoint
from hookline.outgoing.publish.draft import compose

#: The type of a test message, and its data.
TYPE = "hookline.test"
DATA = {"message": "This is a test. It is no event of yours."}


@dataclass(frozen=True, slots=True)
class Trial:
    """What came of it."""

    endpoint: Endpoint
    result: Result

    @property
    def delivered(self) -> bool:
        return self.result.outcome.verdict is Verdict.SUCCEEDED

    @property
    def problem(self) -> str:
        """In one sentence why it was not taken; empty where it was."""
        return "" if self.delivered else describe(self.result.response)

    def as_json(self) -> dict[str, Any]:
        response = self.result.response
        return {
            "id": self.endpoint.public_id,
            "url": shown_url(self.endpoint.url),
            "message": self.result.outbound.message_id,
            "type": self.result.outbound.type,
            "delivered": self.delivered,
            "status": response.status,
            "error": response.error,
            "detail": response.detail,
            "duration_ms": response.duration_ms,
            "response_headers": {name: ", ".join(values) for name, values in response.headers.items()},
            "response_body": response.body.decode("utf-8", "backslashreplace"),
        }


def send(actor: Actor, endpoint: Endpoint, event_type: str = TYPE, data: Any = DATA) -> Trial:
    """Send a test message, signed as any other, whether the endpoint is disabled or not, and whatever types it wants.

    It is no message of the history, and the breaker learns nothing. Raises DispatchError for what cannot be sent;
    network trouble is in the result.
    """
    result = trial.send(endpoint, event_type, compose(event_type, data, timezone.now()))
    with transaction.atomic(using=router.db_for_write(AuditEntry)):
        details = {"type": event_type, "status": result.response.status, "error": result.response.error}
        record(actor, "endpoint.test", endpoint.public_id, tenant_id=endpoint.tenant_id, details=details)
    return Trial(endpoint, result)
