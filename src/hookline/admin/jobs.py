"""What events and deliveries have in common in the admin: their states, and trying them again."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from hookline.admin.actor import actor_of
from hookline.admin.rows import MOST, HistoryAdmin, TimeFilter
from hookline.admin.text import Tone, badge, shortened, with_small
from hookline.operations.jobs import FINISHED, UNSUCCESSFUL, Job, State

if TYPE_CHECKING:
    from django.utils.functional import _StrOrPromise

J = TypeVar("J", bound=Job)

JOB_FIELDS = ("status", "note", "order_key", "attempts", "created_at", "due_at", "lease_until", "finished_at")


class StateFilter(admin.SimpleListFilter):
    """Selects by state."""

    title = _("state")
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[Any, str]]:
        return [*((state.value, str(state.label)) for state in State), ("parked", str(_("Parked")))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        state = self.value()
        if state == "parked":
            return queryset.filter(state=State.DEAD, has_turn=True)
        return queryset.filter(state=state) if state in State.values else queryset


#: Green and red say what they say everywhere: done, and somebody must look.
TONES = {
    State.SUCCEEDED: Tone.GOOD,
    State.DEAD: Tone.BAD,
    State.PENDING: Tone.WAITING,
    State.RUNNING: Tone.WAITING,
    State.CANCELLED: Tone.NEUTRAL,
}


class JobAdmin(HistoryAdmin[J], Generic[J]):
    list_filter: ClassVar[Any] = (StateFilter, TimeFilter)
    actions: Any = ("retry", "run_again", "discard", "release")
    #: The operation that makes rows due again.
    retry_keys: ClassVar[Callable[..., list[str]]]
    #: The operations by which a person decides about what waits or is dead.
    discard_keys: ClassVar[Callable[..., list[str]]]
    release_keys: ClassVar[Callable[..., list[str]]]

    def offers(self, row: J, action: str) -> bool:
        if action == "release":
            return row.is_parked
        offered = {"retry": UNSUCCESSFUL, "discard": (State.PENDING, State.DEAD)}
        return row.state in offered.get(action, FINISHED)

    @admin.display(description=_("status"))
    def status(self, job: J) -> str:
        return badge(job.get_state_display(), TONES[State(job.state)])

    @admin.display(description=_("status"))
    def status_and_attempts(self, job: J) -> str:
        tries = ngettext("%s attempt", "%s attempts", job.attempts) % job.attempts
        return with_small(self.status(job), tries if job.attempts else "")

    @admin.display(description=_("reason"))
    def reason_shown(self, job: J) -> str:
        return shortened(job.note) or "-"

    def has_retry_permission(self, request: HttpRequest) -> bool:
        return self.may_act(request)

    @admin.action(description=_("Retry those that are dead or cancelled"), permissions=["retry"])
    def retry(self, request: HttpRequest, queryset: QuerySet[J]) -> None:
        self._retry(request, queryset, UNSUCCESSFUL)

    @admin.action(description=_("Run again, also those that succeeded"), permissions=["retry"])
    def run_again(self, request: HttpRequest, queryset: QuerySet[J]) -> None:
        self._retry(request, queryset, FINISHED)

    @admin.action(description=_("Discard those that wait or are dead"), permissions=["retry"])
    def discard(self, request: HttpRequest, queryset: QuerySet[J]) -> None:
        self._decide(request, queryset, self.discard_keys, _("%(done)s of the %(selected)s selected are cancelled."))

    @admin.action(description=_("Release the order key that a dead one parks"), permissions=["retry"])
    def release(self, request: HttpRequest, queryset: QuerySet[J]) -> None:
        text = _("%(done)s of the %(selected)s selected let others go on.")
        self._decide(request, queryset, self.release_keys, text)

    def _decide(
        self, request: HttpRequest, queryset: QuerySet[J], decide: Callable[..., list[str]], text: _StrOrPromise
    ) -> None:
        selected = list(queryset.values_list("pk", flat=True)[:MOST])
        done = decide(actor_of(request), selected)
        level = messages.SUCCESS if done else messages.WARNING
        self.message_user(request, text % {"done": len(done), "selected": len(selected)}, level)

    def _retry(self, request: HttpRequest, queryset: QuerySet[J], states: Collection[State]) -> None:
        # "Select all" selects what the list counts, and that is no more than MOST.
        selected = list(queryset.values_list("pk", flat=True)[:MOST])
        retried = self.retry_keys(actor_of(request), selected, states=states)
        level = messages.SUCCESS if retried else messages.WARNING
        text = _("%(retried)s of the %(selected)s selected are due again.")
        self.message_user(request, text % {"retried": len(retried), "selected": len(selected)}, level)
