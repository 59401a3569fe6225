"""FollowUp in the admin."""

from __future__ import annotations

from django.contrib import admin
from django.utils.translation import gettext_lazy as _

from hookline.admin.jobs import JOB_FIELDS, JobAdmin, StateFilter
from hookline.admin.rows import TimeFilter
from hookline.admin.text import show_json, with_small
from hookline.models import FollowUp
from hookline.operations import follow_ups


@admin.register(FollowUp)
class FollowUpAdmin(JobAdmin[FollowUp]):
    list_filter = (StateFilter, TimeFilter)
    actions = ("retry", "run_again", "discard")
    retry_keys = staticmethod(follow_ups.retry_keys)
    discard_keys = staticmethod(follow_ups.discard_keys)
    list_display = ("name_and_id", "status", "attempts", "reason_shown", "source", "due_at", "created_at")
    list_select_related = ("source", "event")
    not_listed = ("arguments", "source__encrypted_secrets", "event__body", "event__headers", "event__url")
    fields = ("public_id", "name", "key", *JOB_FIELDS, "source", "event", "arguments_shown")
    found_by = {"fol": "pk", "evt": "event", "src": "source"}
    search_help_text = _("An id: fol_..., evt_... or src_...")

    @admin.display(description=_("function"))
    def name_and_id(self, follow_up: FollowUp) -> str:
        return with_small(follow_up.name, follow_up.public_id)

    @admin.display(description=_("arguments"))
    def arguments_shown(self, follow_up: FollowUp) -> str:
        return show_json(follow_up.arguments)
