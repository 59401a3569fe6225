"""Replays in the admin: how far they have come, and pausing them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from hookline.admin.actor import actor_of
from hookline.admin.jobs import StateFilter
from hookline.admin.rows import MOST, HistoryAdmin, TimeFilter
from hookline.audit.actor import Actor
from hookline.exceptions import Conflict
from hookline.models import Replay
from hookline.operations import replays


@admin.register(Replay)
class ReplayAdmin(HistoryAdmin[Replay]):
    list_display = ("public_id", "what", "status", "progress", "renewed", "created_at", "note")
    list_filter = (StateFilter, TimeFilter)
    fields = (
        "public_id", "what", "status", "tenant", "chosen", "since", "until", "rate", "seen", "total", "renewed", "note",
        "created_at", "finished_at",
    )  # fmt: skip
    found_by = {"rpl": "pk", "ten": "tenant"}
    search_help_text = _("An id: rpl_... or ten_...")
    actions = ("pause", "resume", "cancel")

    def has_change_replay_permission(self, request: HttpRequest) -> bool:
        return self.may_act(request)

    @admin.display(description=_("status"))
    def status(self, replay: Replay) -> str:
        return replays.status_of(replay)

    @admin.display(description=_("seen"))
    def progress(self, replay: Replay) -> str:
        return _("%(seen)d of %(total)d") % {"seen": replay.seen, "total": replay.total}

    @admin.action(description=_("Pause"), permissions=["change_replay"])
    def pause(self, request: HttpRequest, queryset: QuerySet[Replay]) -> None:
        self._each(request, queryset, replays.pause)

    @admin.action(description=_("Resume"), permissions=["change_replay"])
    def resume(self, request: HttpRequest, queryset: QuerySet[Replay]) -> None:
        self._each(request, queryset, replays.resume)

    @admin.action(description=_("Cancel: what was made due stays due"), permissions=["change_replay"])
    def cancel(self, request: HttpRequest, queryset: QuerySet[Replay]) -> None:
        self._each(request, queryset, replays.cancel)

    def _each(self, request: HttpRequest, queryset: QuerySet[Replay], change: Callable[[Actor, Replay], Any]) -> None:
        for replay in queryset[:MOST]:
            try:
                change(actor_of(request), replay)
            except Conflict as error:
                self.message_user(request, str(error), messages.WARNING)
