"""BambooHR: `X-BambooHR-Signature: <hex>`, HMAC-SHA256 over the raw body **and then** `X-BambooHR-Timestamp`.

The timestamp is Unix time in seconds, nothing stands between the two, and the key is the webhook's private key as
text, which BambooHR shows only when the webhook is created. Snippets that sign `timestamp.body` are wrong: a captured
request settles the order. https://documentation.bamboohr.com/docs/webhooks

The signature covers the whole body and the timestamp, for which BambooHR documents no window; the option `tolerance`
sets one. There is no event id: the deduplication key is a hash of the event, together with the signed timestamp where
the event has none of its own, since the same change made twice would otherwise look like one.

- Event-based webhooks: the type is `type` (`employee.updated`).
- Field-based webhooks: one event for each item of `employees`. Its type is `employee_with_fields.` and the item's
  `action` (`employee_with_fields.updated`), or `employee_with_fields` alone where the item has no action.
- Either may also come as a form. A field-based form is one event, however many employees are in it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from hookline.core.request import WebhookRequest
from hookline.providers.base import ParsedEvent, SourceConfig, json_request
from hookline.providers.schemes.batches import each_item, items_at
from hookline.providers.schemes.hmac import HmacProvider
from hookline.providers.schemes.parts import BODY, TIMESTAMP, FormOrJson, Header, Json, field_of
from hookline.providers.schemes.signatures import Plain

_WITH_FIELDS = "employee_with_fields"
_DATA = {"companyId": "12345", "employeeId": "67890"}


class BambooHR(HmacProvider):
    title = "BambooHR"
    docs_url = "https://documentation.bamboohr.com/docs/webhooks"
    media = frozenset({"JSON", "form"})

    signature = Plain("x-bamboohr-signature")
    signed = (BODY, TIMESTAMP)
    timestamp_at = Header("x-bamboohr-timestamp")

    type_at = FormOrJson("type", "type")
    action_at = Json("action")
    retries = (
        "not documented: if the signed timestamp changes, an event without a time of its own is processed again, "
        "since the same change made twice would otherwise be lost"
    )

    samples = {
        "employee.created": _DATA,
        "employee.updated": {**_DATA, "changedFields": ["firstName", "jobTitle"]},
        "employee.deleted": _DATA,
    }

    def payload(self, request: WebhookRequest) -> Any:
        """The JSON, or the fields of a form."""
        return dict(request.form()) if request.is_form else super().payload(request)

    def events(self, request: WebhookRequest, config: SourceConfig) -> Iterable[ParsedEvent]:
        employees = None if request.is_form else field_of(request.json(), "employees")
        if employees is None:
            return (self.parsed_event(request, config),)
        return each_item(
            request,
            items_at(request.body, "employees"),
            lambda item: self.parsed_event(item, config),
            most=self.max_events,
        )

    def event_type(self, request: WebhookRequest, config: SourceConfig) -> str:
        if event_type := self.type_at.read(request):
            return event_type
        if request.is_form:
            return _WITH_FIELDS if any(name.startswith("employees[") for name in request.form()) else ""
        if action := self.action_at.read(request):
            return f"{_WITH_FIELDS}.{action.lower()}"
        return _WITH_FIELDS if field_of(request.json(), "changedFields") is not None else ""

    def signed_bytes(self, request: WebhookRequest) -> bytes:
        timed = not request.is_form and field_of(request.json(), "timestamp") is not None
        return request.body if timed else self.signed_text(request, self.timestamp_at.read(request))

    def compose(
        self, event_type: str, event_id: str, now: float, data: Mapping[str, Any] | None = None
    ) -> WebhookRequest:
        timestamp = datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%dT%H:%M:%S%z")
        sample = self.samples.get(event_type, _DATA) if data is None else data
        return json_request({"type": event_type, "timestamp": timestamp, "data": dict(sample)})
