"""The Django app."""

from __future__ import annotations

from django.apps import AppConfig
from django.utils.module_loading import autodiscover_modules


class HooklineConfig(AppConfig):
    name = "hookline"
    label = "hookline"
    verbose_name = "Hookline"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from hookline import checks  # noqa: F401  # importing registers the checks

        autodiscover_modules("webhooks")
