"""AuditEntry in the admin."""

from __future__ import annotations

from django.contrib import admin
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from hookline.admin.filters import ActionFilter
from hookline.admin.rows import MOST, HistoryAdmin, TimeFilter
from hookline.admin.text import show_json
from hookline.models import AuditEntry


@admin.register(AuditEntry)
class AuditEntryAdmin(HistoryAdmin[AuditEntry]):
    list_display = ("public_id", "created_at", "actor", "action", "object")
    list_filter = (TimeFilter, ActionFilter)
    not_listed = ("changes", "details")
    fields = ("public_id", "created_at", "actor", "action", "object", "changes_shown", "details_shown")
    found_by = {"aud": "pk"}
    search_help_text = _("An id of an entry or of what was changed (src_..., ep_..., ...), or who did it.")

    def search_text(self, term: str) -> Q:
        # One after the other, because no index serves an OR of the two.
        by_object = AuditEntry.objects.filter(object=term)
        by_actor = AuditEntry.objects.filter(actor_name=term)
        return Q(pk__in=[pk for found in (by_object, by_actor) for pk in found.values_list("pk", flat=True)[:MOST]])

    @admin.display(description=_("actor"))
    def actor(self, entry: AuditEntry) -> str:
        return str(entry.actor)

    @admin.display(description=_("changes"))
    def changes_shown(self, entry: AuditEntry) -> str:
        return show_json(entry.changes)

    @admin.display(description=_("details"))
    def details_shown(self, entry: AuditEntry) -> str:
        return show_json(entry.details)
