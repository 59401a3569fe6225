"""HANDLER_CONTEXT with the real django-tenants, as docs/howto/schema-per-tenant.md shows it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.databases import POSTGRES_URL

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "howto" / "schema-per-tenant.md"


@pytest.mark.skipif(not POSTGRES_URL, reason="SQLite has no schemas")
def test_handlers_write_into_the_schema_of_their_tenant_and_our_tables_are_shared(database_url: str) -> None:
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "tests.schemas.settings",
        "HOOKLINE_DATABASE_URL": database_url,
    }
    ran = subprocess.run(
        [sys.executable, "-m", "tests.schemas.prove"],
        env=environment, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    assert json.loads(ran.stdout.splitlines()[-1]) == {
        "statuses": [200] * 4,
        "payments": {"acme": [["evt_acme_paid", True]], "globex": [["evt_globex_paid", True]]},
        "events": [
            ["evt_acme_paid", "succeeded"], ["evt_acme_voided", "dead"],
            ["evt_globex_paid", "succeeded"], ["evt_globex_voided", "dead"],
        ],
        "messages": [
            ["acme", "order.created"], ["acme", "payment.stored"],
            ["globex", "order.created"], ["globex", "payment.stored"],
        ],
        "schemas_with_our_tables": ["public"],
    }  # fmt: skip


def test_the_page_shows_what_the_tested_project_has() -> None:
    page = PAGE.read_text()
    settings = (ROOT / "tests" / "schemas" / "settings.py").read_text()
    for line in (
        'DATABASE_ROUTERS = ["django_tenants.routers.TenantSyncRouter"]',
        "return schema_context(event.tenant.key)",
    ):
        assert line in page
        assert line in settings + (ROOT / "tests" / "schemas" / "shop" / "webhooks.py").read_text()
