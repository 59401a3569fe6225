"""What every list and page of the admin has in common: nothing in it grows with the number of rows.

Ids are UUIDv7, so the primary key's index sorts and filters by time. Where a list is narrowed to a state or to what
belongs to one row, an index on that column and `created_at` does; in the order of ids, PostgreSQL would rather walk the
primary key past a million rows that do not match. No list is counted past `MOST`, or filtered by a column without an
index.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar, cast
from urllib.parse import urlencode
from uuid import UUID

from django.contrib import admin
from django.core.paginator import Paginator
from django.db.models import Model, Q, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from hookline.admin import times
from hookline.core import ids
from hookline.db import clock
from hookline.db.row import Row

R = TypeVar("R", bound=Row)

#: Rows that a list can be paged through. Older ones are found by id or with the filter by time.
MOST = 1000
#: What has no index is looked for in the newest rows only.
NEWEST = 10_000

_HOUR, _DAY = 3600, 86400

#: What the actions of a list are called on the page of one row.
ROW_ACTIONS = {
    "retry": _("Retry"),
    "run_again": _("Run again"),
    "discard": _("Discard"),
    "release": _("Release"),
    "verify_again": _("Verify again"),
    "expunge": _("Expunge"),
}

#: The parameters of a list that do not narrow it: its page, what the admin keeps for itself, and TimeFilter's.
_NOT_NARROWING = frozenset({"p", "all", "o", "e", "time", "_facets", "_popup", "_to_field"})

if TYPE_CHECKING:  # generic in the stubs only
    from django.contrib.admin import ModelAdmin as _ModelAdmin
    from django.utils.functional import _StrOrPromise, _StrPromise

    _Paginator = Paginator[Any]
else:
    _Paginator = Paginator

    class _ModelAdmin(admin.ModelAdmin, Generic[R]):
        pass


class CappedPaginator(_Paginator):
    """Counts no further than `MOST`: `count(*)` reads the whole table, and nobody turns to page 20,000."""

    @cached_property
    def count(self) -> int:
        rows: QuerySet[Any] = self.object_list  # type: ignore[assignment]  # the admin pages through querysets only
        return rows.order_by()[:MOST].count()


class TimeFilter(admin.SimpleListFilter):
    """Selects by the time that is in the id."""

    title = _("time")
    parameter_name = "time"

    _SPANS: ClassVar[Mapping[str, tuple[_StrPromise, str, int]]] = {
        "hour": (_("Last hour"), "gte", _HOUR),
        "day": (_("Last 24 hours"), "gte", _DAY),
        "week": (_("Last 7 days"), "gte", 7 * _DAY),
        "before-day": (_("More than 24 hours ago"), "lt", _DAY),
        "before-week": (_("More than 7 days ago"), "lt", 7 * _DAY),
        "before-month": (_("More than 30 days ago"), "lt", 30 * _DAY),
    }

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[Any, str]]:
        return [(value, str(title)) for value, (title, _, _) in self._SPANS.items()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if (span := self._SPANS.get(self.value() or "")) is None:
            return queryset
        _, lookup, seconds = span
        moment = time.time() - seconds
        if is_narrowed(request):
            return queryset.filter(**{f"created_at__{lookup}": clock.moment(moment)})
        return queryset.filter(**{f"id__{lookup}": ids.first_at(moment)})


class RowAdmin(_ModelAdmin[R], Generic[R]):
    """Base of all admin pages of Hookline."""

    class Media:
        css = {"all": ["hookline/admin.css"]}

    change_form_template = "hookline/admin/change_form.html"
    paginator = CappedPaginator
    #: They would count every row for each value.
    show_facets = admin.ShowFacets.NEVER
    show_full_result_count = False
    sortable_by = ()
    list_per_page = 50
    list_max_show_all = 0
    #: Only so that there is a search box: `get_search_results` says what it finds.
    search_fields = ("id",)

    #: Prefix of a public id -> the lookup under which such an id is found here.
    found_by: ClassVar[Mapping[str, str]] = {}
    #: Text fields to search in. Only where the rows are few, as with what a person has set up.
    found_by_text: ClassVar[tuple[str, ...]] = ()
    #: Columns that lists leave out, because they are long.
    not_listed: ClassVar[tuple[str, ...]] = ()

    @admin.display(description=_("public id"))
    def public_id(self, row: R) -> str:
        return row.public_id

    def has_delete_permission(self, request: HttpRequest, obj: R | None = None) -> bool:
        return False

    def get_queryset(self, request: HttpRequest) -> QuerySet[R]:
        return super().get_queryset(request).defer(*self.not_listed)

    def get_list_display(self, request: HttpRequest) -> list[Any]:
        return [times.shown(self.model, name) for name in super().get_list_display(request)]

    def get_fields(self, request: HttpRequest, obj: R | None = None) -> list[Any]:
        return [times.shown(self.model, name) for name in cast(list[Any], super().get_fields(request, obj))]

    def get_readonly_fields(self, request: HttpRequest, obj: R | None = None) -> list[Any]:
        return [times.shown(self.model, name) for name in super().get_readonly_fields(request, obj)]

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[R], search_term: str
    ) -> tuple[QuerySet[R], bool]:
        term = search_term.strip()
        return (queryset.filter(self.search(term)) if term else queryset), False

    def search(self, term: str) -> Q:
        """What a search for this text selects: one of Hookline's ids, a UUID, or else text."""
        prefix = term.partition("_")[0]
        if (lookup := self.found_by.get(prefix)) is not None:
            try:
                return Q(**{lookup: ids.from_text(prefix, term)})
            except ValueError:  # not ours: Stripe's event ids begin with evt_, too
                pass
        found = self.search_text(term)
        try:
            return Q(pk=UUID(term)) | found
        except ValueError:
            return found

    def search_text(self, term: str) -> Q:
        """What a search for a text that is none of our public ids selects."""
        found = Q(pk__in=())
        for name in self.found_by_text:
            found |= Q(**{f"{name}__icontains": term})
        return found

    def newest(self) -> Q:
        """The newest rows of the table, to bound a search without an index."""
        return newest(self.model)

    def found_in_newest(self, found: Q) -> Q:
        """The newest rows for which this holds, though no index serves it."""
        return Q(
            pk__in=list(self.model._default_manager.filter(self.newest(), found).values_list("pk", flat=True)[:MOST])
        )

    def link(self, row: Row | None, text: object = None) -> str:
        """A link to the page of a row."""
        if row is None:
            return "-"
        url = reverse(f"admin:{_name(type(row))}_change", args=[row.pk], current_app=self.admin_site.name)
        return format_html('<a href="{}">{}</a>', url, str(row) if text is None else text)

    def links(self, related: Mapping[type[Model], str], row: R) -> SafeString:
        """Links to the lists of what belongs to a row; `related` is model -> the field that points here."""
        parts = []
        for model, name in related.items():
            url = reverse(f"admin:{_name(model)}_changelist", current_app=self.admin_site.name)
            query = urlencode({f"{name}__id__exact": str(row.pk)})
            parts.append(format_html('<a href="{}?{}">{}</a>', url, query, model._meta.verbose_name_plural))
        return SafeString(" · ".join(parts))


class HistoryAdmin(RowAdmin[R], Generic[R]):
    """Base of the pages of what happened: nobody adds or changes it."""

    def get_ordering(self, request: HttpRequest) -> tuple[str, ...]:
        return ("-created_at", "-id") if is_narrowed(request) else ("-id",)

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: R | None = None) -> bool:
        return False

    def may_act(self, request: HttpRequest) -> bool:
        """Whether this user may retry rows: the permission to change them says so."""
        return request.user.has_perm(f"{self.opts.app_label}.change_{self.opts.model_name}")

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """A row's page, with a button for each action of its list that this user may do to it."""
        actions = self.get_actions(request)
        if request.method == "POST" and (chosen := actions.get(request.POST.get("_row_action", ""))):
            answer = _function_of(chosen)(self, request, self.get_queryset(request).filter(pk=object_id))
            return answer if isinstance(answer, HttpResponse) else HttpResponseRedirect(request.get_full_path())
        row = self.get_object(request, object_id)
        shown = [
            (name, ROW_ACTIONS.get(name) or _description_of(found))
            for name, found in actions.items()
            if row and found and self.offers(row, name)
        ]
        context = {**(extra_context or {}), "row_actions": shown}
        return super().change_view(request, object_id, form_url, context)

    def ask_first(
        self, request: HttpRequest, queryset: QuerySet[R], action: str, question: _StrOrPromise
    ) -> HttpResponse | None:
        """A page that asks before an action is done that nobody can undo; None once that is answered."""
        if "confirmed" in request.POST:
            return None
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": question,
            "action": action,
            "rows": list(queryset[:MOST]),
        }
        request.current_app = self.admin_site.name
        url = reverse(f"admin:{_name(self.model)}_changelist", current_app=self.admin_site.name)
        return TemplateResponse(request, "hookline/admin/confirm.html", {**context, "list_url": url})

    def offers(self, row: R, action: str) -> bool:
        """Whether the action would do anything to this row."""
        return True


def newest(model: type[Model]) -> Q:
    """The newest rows of a table."""
    keys = model._default_manager.order_by("-id").values_list("pk", flat=True)
    boundary = keys[NEWEST : NEWEST + 1].first()
    return Q() if boundary is None else Q(pk__gt=boundary)


def is_narrowed(request: HttpRequest) -> bool:
    """Whether the list that is asked for is narrowed by more than time."""
    return not _NOT_NARROWING.issuperset(request.GET)


def _name(model: type[Model]) -> str:
    return f"{model._meta.app_label}_{model._meta.model_name}"


def _function_of(action: Any) -> Callable[..., object]:
    """What an action does. Django 6.1 has objects for actions; before, they are tuples."""
    function: Callable[..., object] = action.func if hasattr(action, "func") else action[0]
    return function


def _description_of(action: Any) -> Any:
    """What an action is called in a list."""
    return action.description if hasattr(action, "description") else action[2]
