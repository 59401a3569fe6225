"""Tenant in the admin."""

from __future__ import annotations

from django.contrib import admin

from hookline.admin.rows import RowAdmin
from hookline.tenants.models import Tenant


@admin.register(Tenant)
class TenantAdmin(RowAdmin[Tenant]):
    list_display = ("key", "name", "email", "public_id", "created_at")
    fields = ("public_id", "key", "name", "email", "created_at")
    readonly_fields = ("public_id", "created_at")
    found_by = {"ten": "pk"}
    found_by_text = ("key", "name")
    search_help_text = "An id (ten_...), a key or a name."
