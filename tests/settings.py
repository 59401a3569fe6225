"""Django's settings for the tests, and for tools that need some (mypy, makemigrations)."""

from __future__ import annotations

from example.project import settings as example
from tests.databases import django_database

DATABASES = {"default": django_database()}

SECRET_KEY = "made up, for the tests only"
ALLOWED_HOSTS = ["testserver", "localhost", "127.0.0.1"]
USE_TZ = True
TIME_ZONE = "UTC"
ROOT_URLCONF = "tests.urls"
STATIC_URL = "static/"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
# The default hasher is slow on purpose.
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "hookline",
]

# What Django's admin needs is as in the example, which must stand alone.
MIDDLEWARE = example.MIDDLEWARE
TEMPLATES = example.TEMPLATES

HOOKLINE = {
    "PUBLIC_URL": "https://hooks.example.com",
    # The bytes 0 to 31, in base64.
    "ENCRYPTION_KEYS": ["test:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="],
}

# Django 6.1 wants it; tests collect e-mails instead of sending them.
MAILERS = {"default": {"BACKEND": "django.core.mail.backends.locmem.EmailBackend"}}
