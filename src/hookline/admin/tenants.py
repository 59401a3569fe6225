"""Tenant in the admin."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from hookline.admin.actor import actor_of
from hookline.admin.rows import RowAdmin
from hookline.models import Tenant
from hookline.operations import tenants


@admin.register(Tenant)
class TenantAdmin(RowAdmin[Tenant]):
    list_display = ("key", "name", "email", "public_id", "created_at")
    fields = ("public_id", "key", "name", "email", "rate_limit", "rate_burst", "created_at")
    readonly_fields = ("public_id", "created_at")
    found_by = {"ten": "pk"}
    found_by_text = ("key", "name")
    search_help_text = _("An id (ten_...), a key or a name.")

    def save_model(self, request: HttpRequest, obj: Tenant, form: Any, change: bool) -> None:
        data = form.cleaned_data
        if change:
            if changed := {name: data[name] for name in form.changed_data}:
                if changed.get("rate_limit", 0) is None:  # emptied
                    changed["rate_limit"] = 0
                tenants.update(actor_of(request), obj, **changed)
        else:
            created = tenants.create(actor_of(request), **data)
            obj.__dict__.update(created.__dict__)
