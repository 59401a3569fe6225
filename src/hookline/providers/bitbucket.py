"""Bitbucket Cloud and Data Center: `X-Hub-Signature: sha256=<hex>`, HMAC-SHA256 over the raw body.

The key is the webhook's secret as text; a webhook without a secret is not signed, and is refused here. The header has
the name of GitHub's older SHA-1 header but not its digest.
https://support.atlassian.com/bitbucket-cloud/docs/manage-webhooks/#Secure-webhooks

The type is `X-Event-Key` (`repo:push`), the id `X-Request-UUID` (Cloud) or `X-Request-Id` (Data Center). Both stand
outside the signature: whoever captured a request could send its body again under another type or id, and a handler
should look at the body's own fields before it trusts the type. The deduplication key is a hash of type and body, since
several events of a pull request share one body; a known one under another id is a new event with `repeat_of`, or with
`repeated_bodies=refuse` a duplicate. There is no timestamp.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from hookline.core.request import WebhookRequest
from hookline.providers.base import SourceConfig, json_request
from hookline.providers.schemes.hmac import HmacProvider
from hookline.providers.schemes.parts import Header
from hookline.providers.schemes.signatures import Plain

_REPOSITORY = {"type": "repository", "full_name": "team/hello-world", "uuid": "{673a6070-3421-46c9-9d48-90745f7bfe8e}"}


class Bitbucket(HmacProvider):
    title = "Bitbucket"
    docs_url = "https://support.atlassian.com/bitbucket-cloud/docs/manage-webhooks/"
    secret_is_yours = True

    signature = Plain("x-hub-signature", prefix="sha256=")

    type_at = Header("x-event-key")
    id_at = Header("x-request-uuid")
    data_center_id_at = Header("x-request-id")
    id_is_signed = False
    event_header = type_at
    repeats_bodies = (
        "A pull request that is approved, unapproved and approved again has the same body twice; the id of the "
        "request, which is not signed, tells them apart (payloads recorded by others)."
    )
    retries = (
        "`X-Attempt-Number`; `X-Request-UUID` is taken to stay: if it does not, a retry is a new event with "
        "`repeat_of` (Atlassian's event payloads)"
    )

    samples = {
        "repo:push": {"push": {"changes": [{"new": {"type": "branch", "name": "main"}, "forced": False}]}},
        "pullrequest:created": {"pullrequest": {"id": 7, "title": "Add a page", "state": "OPEN"}},
        "pullrequest:fulfilled": {"pullrequest": {"id": 7, "title": "Add a page", "state": "MERGED"}},
        "issue:created": {"issue": {"id": 42, "title": "Found a bug", "state": "new", "priority": "major"}},
    }

    def event_id(self, request: WebhookRequest, config: SourceConfig) -> str:
        return self.id_at.read(request) or self.data_center_id_at.read(request)

    def compose(
        self, event_type: str, event_id: str, now: float, data: Mapping[str, Any] | None = None
    ) -> WebhookRequest:
        payload = dict(self.samples.get(event_type, {}) if data is None else data)
        if data is None:
            # What tells one sample from the next: the deduplication key is a hash of the body.
            payload["repository"] = {**_REPOSITORY, "updated_on": datetime.fromtimestamp(now, UTC).isoformat()}
        headers = {
            "user-agent": "Bitbucket-Webhooks/2.0",
            "x-event-key": event_type,
            "x-request-uuid": event_id or str(uuid.uuid5(uuid.NAMESPACE_URL, f"{event_type} {now!r}")),
            "x-attempt-number": "1",
        }
        return json_request(payload, headers)
