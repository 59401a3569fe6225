"""Supabase Auth hooks: Standard Webhooks, under `webhook-id`, `webhook-timestamp` and `webhook-signature`.

HMAC-SHA256 over `<webhook-id>.<webhook-timestamp>.<raw body>`, `v1,<base64>`; the key is the hook's secret,
base64-decoded after `v1,whsec_`. Where the hook has several secrets, Supabase puts a comma and a blank between the
signatures, not the blank alone of the specification. https://supabase.com/docs/guides/auth/auth-hooks

**Each of up to three tries has a new id, timestamp and signature**; only the body stays. So the deduplication key is a
hash of the body, and the id does not count. The bodies of e-mail and SMS hooks hold a code of their own.

There is no type that all hooks have: each has a URL of its own, so give each a source, with the option
`type=fixed:NAME`. Hooks are synchronous, and Supabase reads the answer as JSON: every event is answered with `{}`,
which changes nothing. A hook that must decide something cannot be received here.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from hookline.core.request import WebhookRequest
from hookline.core.signatures.standard_webhooks import decode_secret
from hookline.exceptions import Unreadable
from hookline.providers.base import Reply, SourceConfig, json_request
from hookline.providers.schemes.parts import Fixed
from hookline.providers.schemes.signatures import Tagged
from hookline.providers.standard import Standard


class SupabaseAuth(Standard):
    title = "Supabase Auth"
    docs_url = "https://supabase.com/docs/guides/auth/auth-hooks"
    aliases = ()
    secret_help = "the secret of the hook (v1,whsec_...)"
    reply = Reply.json({})

    signature = Tagged("webhook-signature", tag="v1", trailing=",")
    type_at = Fixed("auth_hook")
    id_at = None
    retries = (
        "id, timestamp and signature are new in each attempt, and do not count; the body stays (Supabase Auth's source)"
    )

    samples = {"auth_hook": {"user": {"email": "ada@example.com"}, "email_data": {"email_action_type": "signup"}}}

    def key(self, secret: str) -> bytes:
        return decode_secret(secret.removeprefix("v1,"))

    def event_type(self, request: WebhookRequest, config: SourceConfig) -> str:
        if not isinstance(request.json(), dict):
            raise Unreadable("wrong_body", "the body is not a JSON object")
        return super().event_type(request, config)

    def compose(
        self, event_type: str, event_id: str, now: float, data: Mapping[str, Any] | None = None
    ) -> WebhookRequest:
        sample = self.samples.get(event_type, {}) if data is None else data
        body = {"metadata": {"uuid": event_id or str(uuid.uuid5(uuid.NAMESPACE_URL, f"{now!r}"))}, **sample}
        return json_request(body, {"webhook-id": str(uuid.uuid5(uuid.NAMESPACE_URL, f"delivery {now!r}"))})
