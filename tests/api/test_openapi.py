"""The API describes itself, and the description is pinned."""

from __future__ import annotations

import json
import re
from pathlib import Path

from django.test import Client

from hookline.api.build import build
from hookline.api.document import document, operations, text

STORED = Path(__file__).parents[2] / "docs/openapi.json"

#: Of the open-source server's own specification, version 1.100: what it calls its operations.
SVIX = {
    "v1.health.get",
    *(f"v1.application.{verb}" for verb in ("list", "create", "get", "update", "patch", "delete")),
    *(f"v1.endpoint.{verb}" for verb in ("list", "create", "get", "update", "patch", "delete")),
    *(f"v1.endpoint.{verb}" for verb in ("get-headers", "update-headers", "patch-headers", "get-secret")),
    *(f"v1.endpoint.{verb}" for verb in ("rotate-secret", "get-stats", "recover", "send-example")),
    *(f"v1.event-type.{verb}" for verb in ("list", "create", "get", "update", "patch", "delete")),
    "v1.authentication.app-portal-access",
    "v1.authentication.logout",
}


def test_the_stored_document_is_that_of_the_api() -> None:
    """Where it is not, `make docs` writes it; what was removed or renamed there breaks clients."""
    assert text(build()) == STORED.read_text()


def test_every_reference_leads_somewhere_and_every_operation_says_what_it_answers() -> None:
    found = document(build())
    known = found["components"]["schemas"]
    assert set(re.findall(r'"#/components/schemas/([^"]+)"', json.dumps(found))) <= set(known)
    for path, method, operation in operations(found):
        assert any(status.startswith("2") for status in operation["responses"]), f"{method} {path}"
        assert operation["description"], f"{method} {path}"


def test_operations_have_the_names_that_svix_gives_them() -> None:
    assert {operation["operationId"] for _, _, operation in operations(document(build()))} >= SVIX


def test_anybody_may_read_the_document_and_the_page() -> None:
    answer = Client().get("/api/v1/openapi.json")
    assert answer.status_code == 200
    assert answer.json()["openapi"] == "3.1.0"
    page = Client().get("/api/v1/docs/")
    assert page.status_code == 200
    html = page.content.decode()
    for _, _, operation in operations(answer.json()):
        assert f'id="{operation["operationId"]}"' in html
    assert "<script" not in html
