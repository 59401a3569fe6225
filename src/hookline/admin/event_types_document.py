"""The catalogue of event types as an OpenAPI document in the admin: check, import, export."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext_lazy as _

from hookline.admin.actor import actor_of
from hookline.exceptions import HooklineError
from hookline.operations import event_types
from hookline.operations.event_types import Imported


class DocumentForm(forms.Form):
    document = forms.JSONField(widget=forms.Textarea(attrs={"rows": 20, "cols": 100}))
    allow_breaking = forms.BooleanField(
        required=False, help_text=_("Import it also where subscribers of the previous schemas could not read it.")
    )


def urls(page: admin.ModelAdmin[Any]) -> list[URLPattern]:
    """Of the page of event types."""
    wrap = page.admin_site.admin_view
    return [
        path("document/", wrap(lambda request: document(page, request)), name="hookline_eventtype_document"),
        path("document/export/", wrap(lambda request: export(page, request)), name="hookline_eventtype_export"),
    ]


def export(page: admin.ModelAdmin[Any], request: HttpRequest) -> HttpResponse:
    if not page.has_view_permission(request):
        raise PermissionDenied
    answer = JsonResponse(event_types.export(), json_dumps_params={"indent": 2, "ensure_ascii": False})
    answer["Content-Disposition"] = 'attachment; filename="event-types.json"'
    return answer


def document(page: admin.ModelAdmin[Any], request: HttpRequest) -> HttpResponse:
    """Says what a document would change, and changes it."""
    may_import = page.has_add_permission(request) and page.has_change_permission(request)
    if not page.has_view_permission(request) or ("import" in request.POST and not may_import):
        raise PermissionDenied
    form, would = DocumentForm(request.POST or None), None
    if form.is_valid():
        allowed, dry_run = form.cleaned_data["allow_breaking"], "import" not in request.POST
        try:
            would = event_types.import_document(
                actor_of(request), form.cleaned_data["document"], allow_breaking=allowed, dry_run=dry_run
            )
        except HooklineError as error:
            form.add_error("document", str(error))
        else:
            if not dry_run:
                text = _("%(created)d event types were created and %(updated)d updated.")
                numbers = {"created": len(would.created), "updated": len(would.updated)}
                page.message_user(request, text % numbers, messages.SUCCESS)
                name = page.admin_site.name
                return HttpResponseRedirect(reverse("admin:hookline_eventtype_changelist", current_app=name))
    context = {
        **page.admin_site.each_context(request),
        "opts": page.opts,
        "title": _("Event types of an OpenAPI document"),
        "form": form,
        "would": would and _shown(would),
        "may_import": may_import,
    }
    request.current_app = page.admin_site.name
    return TemplateResponse(request, "hookline/admin/event_types_document.html", context)


def _shown(would: Imported) -> list[tuple[Any, Any]]:
    return [
        (_("Would be created"), would.created),
        (_("Would be updated"), would.updated),
        (_("Unchanged"), would.unchanged),
        (_("Breaks subscribers"), would.breaking),
    ]
