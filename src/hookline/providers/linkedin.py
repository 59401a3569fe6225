"""LinkedIn: `X-LI-Signature: <hex>`, HMAC-SHA256 over the text `hmacsha256=` and then the raw body.

The key is the app's client secret as text. Leaving out the literal `hmacsha256=` fails every event. A few receivers
have also seen that text before the signature in the header, so it may stand there.
https://learn.microsoft.com/linkedin/shared/api-guide/webhook-validation

LinkedIn checks a URL when it is saved and every two hours: GET with `challengeCode` wants the code back with its
HMAC, made with the same key that signs events. A `challengeCode` of `hmacsha256={...}` would have a forged event
signed, so only a version 4 UUID is answered, which no event can be. With `applicationId` LinkedIn means the secret of
that child app: give each child app a source of its own. The newest secret answers.

The signature covers the whole body; there is no timestamp. The type is `type`, with `leadAction` behind it where there
is one (`LEAD_ACTION.CREATED`); a handler for `LEAD_ACTION` gets all of them. One request may hold several
`notifications`; since it is not documented that their ids are unique between products, the request stays one event,
whose deduplication key is a hash of the body. A `RESYNC_JOBS` has neither id nor time: each is a new event, with
`repeat_of` where its body is known, so that a retry of one is processed again. Replacing the client secret also breaks
OAuth tokens of the app.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from hookline.core.request import WebhookRequest
from hookline.core.signing import mac
from hookline.exceptions import NotVerified
from hookline.providers.base import Reply, SourceConfig, json_request
from hookline.providers.schemes.hmac import HmacProvider
from hookline.providers.schemes.parts import BODY, Json
from hookline.providers.schemes.signatures import Plain

_UUID4 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", re.ASCII | re.IGNORECASE)


class LinkedIn(HmacProvider):
    title = "LinkedIn"
    docs_url = "https://learn.microsoft.com/linkedin/shared/api-guide/webhook-validation"
    methods = frozenset({"POST", "GET"})

    signature = Plain("x-li-signature", optional_prefix="hmacsha256=")
    signed = ("hmacsha256=", BODY)
    type_at = Json("type")
    action_at = Json("leadAction")
    repeats_bodies = (
        "`RESYNC_JOBS` holds neither an id nor a time, so the next request for the same jobs has the same body "
        "(LinkedIn's page on job resync notifications)."
    )
    retries = (
        "not documented: the body is taken to stay. If LinkedIn groups `notifications` otherwise then, they are "
        "processed again: tell them apart by `notificationId`. A `RESYNC_JOBS` is processed again"
    )

    samples = {
        "ORGANIZATION_SOCIAL_ACTION_NOTIFICATIONS": {
            "notifications": [
                {
                    "notificationId": 1589481,
                    "organizationalEntity": "urn:li:organization:2414183",
                    "action": "COMMENT",
                    "sourcePost": "urn:li:share:6686006183424262144",
                }
            ]
        },
        "LEAD_ACTION.CREATED": {
            "leadGenFormResponse": "urn:li:leadGenFormResponse:ff1c8e4b-9f5a-4a2e-8b7d-5d1f0e3a2c6b",
            "leadGenForm": "urn:li:versionedLeadGenForm:(urn:li:leadGenForm:3162,1)",
            "leadType": "SPONSORED",
        },
        "JOB_APPLICATION_EXPORT": {"jobApplication": "urn:li:jobApplication:21890211"},
    }

    def unsigned_handshake(self, request: WebhookRequest, config: SourceConfig) -> Reply | None:
        if request.method != "GET":
            return None
        code = request.query().get("challengeCode", "")
        if not _UUID4.fullmatch(code):
            raise NotVerified("refused_challenge", "the challengeCode is missing or is not a version 4 UUID")
        answer = mac("sha256", next(self.keys(config)), code.encode())
        return Reply.json({"challengeCode": code, "challengeResponse": answer.hex()})

    def event_type(self, request: WebhookRequest, config: SourceConfig) -> str:
        kind, action = self.type_at.read(request), self.action_at.read(request)
        return f"{kind}.{action}" if kind and action else kind

    def repeats(self, request: WebhookRequest, config: SourceConfig) -> bool:
        return self.type_at.read(request) == "RESYNC_JOBS"

    def older_types(self, event_type: str) -> tuple[str, ...]:
        kind, _, action = event_type.partition(".")
        return (kind,) if action else ()

    def compose(
        self, event_type: str, event_id: str, now: float, data: Mapping[str, Any] | None = None
    ) -> WebhookRequest:
        sample = self.samples.get(event_type, {}) if data is None else data
        kind, _, action = event_type.partition(".")
        acted = {"leadAction": action} if action else {}
        return json_request({"type": kind, **acted, "lastModifiedAt": int(now * 1000), **sample})
