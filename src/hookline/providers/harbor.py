"""Harbor: `Authorization`, the text that you gave the webhook policy. **Nothing is signed.**

https://goharbor.io/docs/latest/working-with-projects/project-configuration/configure-webhooks/

The secret is the whole value of the header. Whoever has seen one request can make any other. The header is not stored
with the event. The type is the body's `type` (`PUSH_ARTIFACT`, or `harbor.artifact.pushed` in the CloudEvents format).
The id is that of CloudEvents; in the default format there is none, and the deduplication key is a hash of the body.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from hookline.core.request import WebhookRequest
from hookline.providers.base import SourceConfig, json_request
from hookline.providers.schemes.parts import Header, Json
from hookline.providers.schemes.token import TokenProvider

_REPOSITORY = {"name": "app", "namespace": "library", "repo_full_name": "library/app", "repo_type": "private"}


class Harbor(TokenProvider):
    title = "Harbor"
    docs_url = "https://goharbor.io/docs/latest/working-with-projects/project-configuration/configure-webhooks/"
    secret_is_yours = True
    secret_help = "the whole value of the Authorization header, as you gave it to the webhook policy"

    token_at = Header("authorization")

    type_at = Json("type")
    version_at = Json("specversion")
    id_at = Json("id")
    retries = "nothing: a job of Harbor sends the same body again (Harbor's source)"

    samples = {
        "PUSH_ARTIFACT": {"repository": _REPOSITORY},
        "DELETE_ARTIFACT": {"repository": _REPOSITORY},
        "SCANNING_COMPLETED": {"repository": _REPOSITORY},
    }

    def event_id(self, request: WebhookRequest, config: SourceConfig) -> str:
        return super().event_id(request, config) if self.version_at.read(request) else ""

    def compose(
        self, event_type: str, event_id: str, now: float, data: Mapping[str, Any] | None = None
    ) -> WebhookRequest:
        sample = self.samples.get(event_type, {}) if data is None else data
        digest = f"sha256:{uuid.uuid5(uuid.NAMESPACE_URL, f'{event_type} {event_id} {now!r}').hex}"
        content = {"resources": [{"digest": digest, "tag": "latest"}], **sample}
        return json_request({"type": event_type, "occur_at": int(now), "operator": "admin", "event_data": content})
