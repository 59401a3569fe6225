"""Acuity Scheduling: `X-Acuity-Signature: <base64>`, HMAC-SHA256 over the raw body; the key is the account's API key.

https://developers.acuityscheduling.com/docs/webhooks

The body is a form with an action and ids and nothing else: fetch the appointment. The type is the field `action`
(`scheduled`, `rescheduled`, `canceled`, `changed`). There is no event id and no time, so **two reschedulings of one
appointment have the same bytes**: a known body is a new event with `repeat_of`, also where it is a retry. That does no
harm to a handler which fetches the appointment.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from hookline.core.forms import URLENCODED
from hookline.core.request import WebhookRequest, read_headers
from hookline.providers.schemes.hmac import HmacProvider
from hookline.providers.schemes.parts import Form
from hookline.providers.schemes.signatures import Plain


class Acuity(HmacProvider):
    title = "Acuity Scheduling"
    docs_url = "https://developers.acuityscheduling.com/docs/webhooks"
    media = frozenset({"form"})
    aliases = ("acuity_scheduling",)
    secret_help = "the API key of the account"

    signature = Plain("x-acuity-signature")
    encoding = "base64"

    type_at = Form("action")
    repeats_bodies = (
        "The form holds an action and ids, and no time, so the next rescheduling of an appointment has the same bytes "
        "(Acuity's page on webhooks)."
    )
    retries = "nothing: there is no id, so a retry cannot be told from the next change"

    samples = {
        "scheduled": {"id": "1", "calendarID": "1", "appointmentTypeID": "1"},
        "rescheduled": {"id": "1", "calendarID": "1", "appointmentTypeID": "1"},
        "canceled": {"id": "1", "calendarID": "1", "appointmentTypeID": "1"},
    }

    def payload(self, request: WebhookRequest) -> Any:
        """The fields of the form."""
        return dict(request.form())

    def compose(
        self, event_type: str, event_id: str, now: float, data: Mapping[str, Any] | None = None
    ) -> WebhookRequest:
        sample = self.samples.get(event_type, {}) if data is None else data
        fields = {"action": event_type, **sample, "id": event_id or str(sample.get("id", 1))}
        return WebhookRequest("POST", "", read_headers([("content-type", URLENCODED)]), urlencode(fields).encode())
