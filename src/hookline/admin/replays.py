"""Replays in the admin: starting them, how far they have come, and pausing them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.translation import gettext_lazy as _

from hookline.admin.actor import actor_of
from hookline.admin.jobs import StateFilter
from hookline.admin.replay_form import FIELDS, ReplayForm
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
    form = ReplayForm

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm(f"{self.opts.app_label}.add_{self.opts.model_name}")

    def get_fields(self, request: HttpRequest, obj: Replay | None = None) -> list[Any]:
        return list(FIELDS) if obj is None else super().get_fields(request, obj)

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """What it would do comes first, and it starts once that is confirmed."""
        if request.method == "POST" and "confirmed" not in request.POST and self.has_add_permission(request):
            form: Any = self.get_form(request)(request.POST)
            if form.is_valid():
                return self._preview(request, form)
        return super().add_view(request, form_url, extra_context)

    def _preview(self, request: HttpRequest, form: ReplayForm) -> HttpResponse:
        values = [(name, request.POST[name]) for name in FIELDS if name in request.POST]
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": _("Start a replay"),
            "preview": form.previewed,
            "values": values,
            "query": urlencode(values),
        }
        request.current_app = self.admin_site.name
        return TemplateResponse(request, "hookline/admin/replay_preview.html", context)

    def save_model(self, request: HttpRequest, obj: Replay, form: Any, change: bool) -> None:
        started = replays.start(actor_of(request), form.cleaned_data["what"], form.selection, **form.how)
        obj.__dict__.update(started.__dict__)

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
