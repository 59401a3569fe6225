"""LaunchDarkly: `X-LD-Signature: <hex>`, HMAC-SHA256 over the raw body; the key is the webhook's secret as text.

https://launchdarkly.com/docs/home/infrastructure/webhooks#sign-webhooks

The body is an entry of the audit log. The type is its `kind` with the first action behind it, from
`accesses[0].action` (`flag.updateOn`); the id is `_id`. Entries may come out of order: go by `date`. There is no
timestamp in the signature: whoever captured a request can send it again, which then counts as a duplicate.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hookline.core.request import WebhookRequest
from hookline.providers.base import SourceConfig, json_request
from hookline.providers.schemes.hmac import HmacProvider
from hookline.providers.schemes.parts import BODY, Json, field_of
from hookline.providers.schemes.signatures import Plain


class LaunchDarkly(HmacProvider):
    title = "LaunchDarkly"
    docs_url = "https://launchdarkly.com/docs/home/infrastructure/webhooks#sign-webhooks"
    secret_is_yours = True

    signature = Plain("x-ld-signature")
    signed = (BODY,)

    type_at = Json("kind")
    id_at = Json("_id")
    retries = "not documented; `_id` is that of the entry and not of the attempt"

    samples = {
        "flag.createFlag": {"name": "new-checkout", "titleVerb": "created the flag"},
        "flag.updateOn": {"name": "new-checkout", "titleVerb": "turned on the flag"},
        "environment.updateName": {"name": "Production", "titleVerb": "renamed the environment"},
    }

    def event_type(self, request: WebhookRequest, config: SourceConfig) -> str:
        kind = super().event_type(request, config)
        accesses = field_of(request.json(), "accesses")
        action = field_of(accesses[0], "action") if isinstance(accesses, list) and accesses else None
        return f"{kind}.{action}" if kind and isinstance(action, str) and action else kind

    def compose(
        self, event_type: str, event_id: str, now: float, data: Mapping[str, Any] | None = None
    ) -> WebhookRequest:
        sample = self.samples.get(event_type, {}) if data is None else data
        kind, _, action = event_type.partition(".")
        return json_request(
            {
                "_id": event_id or f"{now * 1000:.0f}",
                "date": int(now * 1000),
                "accesses": [{"action": action, "resource": "proj/default:env/production:flag/new-checkout"}],
                "kind": kind,
                **sample,
            }
        )
