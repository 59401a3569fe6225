"""The shop's settings. What Hookline needs is marked with (1) to (4)."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import dj_database_url

HERE = Path(__file__).parent.parent

SECRET_KEY = os.environ.get("SECRET_KEY", "for this example only")
DEBUG = os.environ.get("DEBUG", "1") == "1"
ALLOWED_HOSTS = ["localhost", "127.0.0.1"]

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "hookline",  # (1) the app; it finds the handlers in shop/webhooks.py
    "shop",
    "company",  # eleven models, each published by a few lines: company/models
]

HOOKLINE = {  # (2) its settings: docs/settings.md lists them all
    "PUBLIC_URL": os.environ.get("PUBLIC_URL", "http://127.0.0.1:8000"),
    # A key for secrets at rest. In production it comes from where you keep secrets.
    "ENCRYPTION_KEYS": os.environ.get("ENCRYPTION_KEYS", "dev:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=").split(","),
    # Lets endpoints be on this machine. Leave it out in production.
    "ALLOWED_SUBNETS": ["127.0.0.0/8"] if DEBUG else [],
}

TIME_ZONE = "UTC"
USE_TZ = True  # (3) it compares times with the database's clock
DATABASES: dict[str, Any] = {
    "default": dj_database_url.parse(os.environ.get("DATABASE_URL") or f"sqlite:///{HERE / 'shop.db'}")
}
if DATABASES["default"]["ENGINE"] == "django.db.backends.sqlite3":
    # (4) with SQLite: a transaction waits for its turn when it begins. Otherwise two writers can fail at once.
    DATABASES["default"]["OPTIONS"] = {
        "init_command": "PRAGMA journal_mode=WAL",
        "transaction_mode": "IMMEDIATE",
        "timeout": 20,
    }

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]
ROOT_URLCONF = "project.urls"
WSGI_APPLICATION = "project.wsgi.application"
STATIC_URL = "static/"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
