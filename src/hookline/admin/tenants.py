"""Tenant in the admin."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from hookline.admin.actor import actor_of
from hookline.admin.rows import MOST, RowAdmin
from hookline.exceptions import Conflict
from hookline.models import Tenant
from hookline.operations import tenants


@admin.register(Tenant)
class TenantAdmin(RowAdmin[Tenant]):
    list_display = ("key", "name", "email", "public_id", "created_at", "deleted_at")
    fields = ("public_id", "key", "name", "email", "rate_limit", "rate_burst", "created_at", "deleted_at")
    readonly_fields = ("public_id", "created_at", "deleted_at")
    found_by = {"ten": "pk"}
    found_by_text = ("key", "name")
    search_help_text = _("An id (ten_...), a key or a name.")
    actions = ("delete_tenant", "erase")

    def has_delete_tenant_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm(f"{self.opts.app_label}.delete_tenant")

    @admin.action(description=_("Delete: disable all of it, and keep its history"), permissions=["delete_tenant"])
    def delete_tenant(self, request: HttpRequest, queryset: QuerySet[Tenant]) -> None:
        self._delete(request, queryset, erase=False)

    @admin.action(description=_("Erase the history of deleted tenants"), permissions=["delete_tenant"])
    def erase(self, request: HttpRequest, queryset: QuerySet[Tenant]) -> None:
        chosen = queryset.filter(deleted_at__isnull=False)
        if not chosen.exists():
            self.message_user(request, _("Delete a tenant before you erase its history."), messages.WARNING)
        self._delete(request, chosen, erase=True)

    def _delete(self, request: HttpRequest, queryset: QuerySet[Tenant], *, erase: bool) -> None:
        for tenant in queryset[:MOST]:
            try:
                tenants.delete(actor_of(request), tenant, erase=erase)
            except Conflict as error:
                self.message_user(request, str(error), messages.WARNING)

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
