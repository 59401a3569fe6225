"""The public keys of an endpoint as a JSON Web Key Set (RFC 7517 section 5), where its subscriber can fetch them.

Each endpoint has its own keys, so that a message to one subscriber proves nothing to another. During the overlap of a
rotation the set has the previous key, too.
"""

from __future__ import annotations

import time
from typing import Any

from django.http import HttpRequest, JsonResponse
from django.urls import NoReverseMatch, reverse
from django.views.decorators.http import require_safe

from hookline import conf
from hookline.core.signatures.ed25519 import SigningKey
from hookline.outgoing.models import Endpoint

#: Seconds that a subscriber may keep the keys: a verifier asks again when it meets a `kid` that it does not know.
MAX_AGE = 300


@require_safe
def keys(request: HttpRequest, endpoint: str) -> JsonResponse:
    """`GET /.well-known/jwks/<endpoint id>`."""
    found = _find(endpoint)
    if found is None:
        return JsonResponse({"error": {"code": "not_found"}}, status=404)
    response = JsonResponse(key_set(found, time.time()), content_type="application/jwk-set+json")
    response["Cache-Control"] = f"public, max-age={MAX_AGE}"
    return response


def key_set(endpoint: Endpoint, now: float) -> dict[str, Any]:
    """The keys that are active at `now`, in Unix time; newest first."""
    return {"keys": [SigningKey.load(key).jwk for key in endpoint.keys.active(now)]}


def url_of(endpoint: Endpoint) -> str:
    """Where the keys are; only the path where PUBLIC_URL is not set."""
    try:
        path = reverse("hookline:jwks", args=[endpoint.public_id])
    except NoReverseMatch:  # the project does not include hookline.urls
        path = f"/.well-known/jwks/{endpoint.public_id}"
    return f"{conf.get().PUBLIC_URL.rstrip('/')}{path}"


def _find(public_id: str) -> Endpoint | None:
    try:
        key = Endpoint.id_of(public_id)
    except ValueError:
        return None
    return Endpoint.objects.only("encrypted_keys").filter(pk=key).first()
