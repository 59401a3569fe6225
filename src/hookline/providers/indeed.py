"""Indeed Apply: `X-Indeed-Signature: <base64>`, HMAC-**SHA1** over the raw body; the key is the API secret as text.

https://docs-plus.indeed.com/indeed-apply/message-signature-generation

The signature covers the whole body; there is no timestamp. Everything that Indeed posts is one job application, so
the type is always `application`. Where the application's id stands is not confirmed: the deduplication key is a hash
of the body. The body is JSON with the CV as base64 inside, so raise MAX_BODY_BYTES if people send large ones.

Indeed reads the status of the answer: 401 is a bad signature, 409 a duplicate, and **410 closes the job**; Hookline
sends none of the last two. Redirects are not followed. Many published snippets use hex or SHA-256, wrongly.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hookline.core.request import WebhookRequest
from hookline.providers.base import json_request
from hookline.providers.schemes.hmac import HmacProvider
from hookline.providers.schemes.parts import Fixed
from hookline.providers.schemes.signatures import Plain


class Indeed(HmacProvider):
    title = "Indeed Apply"
    docs_url = "https://docs-plus.indeed.com/indeed-apply/message-signature-generation"
    aliases = ("indeed_apply",)

    signature = Plain("x-indeed-signature")
    digest = "sha1"
    encoding = "base64"
    type_at = Fixed("application")
    retries = "not documented; the body has the application's `id` and time"

    samples = {
        "application": {
            "locale": "en_US",
            "job": {"jobId": "1001", "jobTitle": "Engineer", "jobCompany": "Example Ltd"},
            "applicant": {"fullName": "Ada Lovelace", "email": "ada@example.com", "phoneNumber": "+441632960000"},
        },
    }

    def compose(
        self, event_type: str, event_id: str, now: float, data: Mapping[str, Any] | None = None
    ) -> WebhookRequest:
        made_up = event_id or f"{now * 1000:048.0f}"
        sample = self.samples["application"] if data is None else data
        return json_request({"id": made_up, "appliedOnMillis": int(now * 1000), **sample})
