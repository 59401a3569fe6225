"""Settings as django-tenants' documentation has them, with hookline among the shared apps."""

from __future__ import annotations

import os
from typing import Any

import dj_database_url

SECRET_KEY = "for tests only"
USE_TZ = True
ALLOWED_HOSTS = ["*"]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

DATABASES: dict[str, Any] = {
    "default": {
        **dj_database_url.parse(os.environ["HOOKLINE_DATABASE_URL"]),
        "ENGINE": "django_tenants.postgresql_backend",
    }
}
DATABASE_ROUTERS = ["django_tenants.routers.TenantSyncRouter"]

SHARED_APPS = [
    "django_tenants",
    "tests.schemas.customers",
    "hookline",
    "django.contrib.contenttypes",
]
TENANT_APPS = ["tests.schemas.shop"]
INSTALLED_APPS = [*SHARED_APPS, *TENANT_APPS]
TENANT_MODEL = "customers.Customer"
TENANT_DOMAIN_MODEL = "customers.Domain"

MIDDLEWARE = ["django_tenants.middleware.main.TenantMainMiddleware"]
ROOT_URLCONF = "tests.schemas.urls"
PUBLIC_SCHEMA_URLCONF = "tests.schemas.urls"

HOOKLINE: dict[str, Any] = {
    "ENCRYPTION_KEYS": ["test:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="],
    "HANDLER_CONTEXT": "tests.schemas.shop.webhooks.tenant_schema",
    "PUBLIC_URL": "https://hooks.example.com",
    "EVENT_RETRY_DELAYS": [],
}
