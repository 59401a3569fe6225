"""What lists are narrowed by. A column without an index is looked at in the newest rows only."""

from __future__ import annotations

from typing import Any, ClassVar
from uuid import UUID

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from hookline.db.row import Row
from hookline.models import Endpoint, Source

#: Rows in which the values are found that a filter offers.
SAMPLED = 1000
#: Values that a filter offers.
OFFERED = 30


class NewestValueFilter(admin.SimpleListFilter):
    """Selects by a column without an index, among the newest rows. It offers what the very newest have."""

    #: The lookup from the row to the column.
    column: ClassVar[str]

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[Any, str]]:
        newest = model_admin.model._default_manager.order_by("-id").values_list(self.column, flat=True)[:SAMPLED]
        values = sorted({str(value) for value in newest if value})[:OFFERED]
        chosen = self.used_parameters.get(str(self.parameter_name))
        return [(value, value) for value in sorted({*values, *([chosen] if chosen else [])})]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if (value := self.value()) is None:
            return queryset
        return queryset.filter(self.newest(queryset), **{self.column: value})

    def newest(self, queryset: QuerySet[Any]) -> Any:
        from hookline.admin.rows import newest

        return newest(queryset.model)


class TypeFilter(NewestValueFilter):
    title = _("type, in the newest 10,000")
    parameter_name = "type"
    column = "type"


class MessageTypeFilter(TypeFilter):
    column = "message__type"


class ReasonFilter(NewestValueFilter):
    title = _("reason, in the newest 10,000")
    parameter_name = "reason"
    column = "reason"


class ActionFilter(NewestValueFilter):
    title = _("action, in the newest 10,000")
    parameter_name = "action"
    column = "action"


class LaneFilter(admin.SimpleListFilter):
    """Selects what belongs to one row, which an index serves. It offers the newest of them; the search finds any."""

    model: ClassVar[type[Row]]

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[Any, str]]:
        rows = self.model._default_manager.order_by("-id")
        offered = {str(row.pk): row for row in rows[:OFFERED]}
        if (chosen := self._chosen()) and str(chosen) not in offered:
            offered |= {str(row.pk): row for row in rows.filter(pk=chosen)}
        return [(key, str(row)[:60]) for key, row in offered.items()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.value() is None:
            return queryset
        chosen = self._chosen()
        return queryset.none() if chosen is None else queryset.filter(**{self.field: chosen})

    @property
    def field(self) -> str:
        return str(self.parameter_name).partition("__")[0]

    def _chosen(self) -> UUID | None:
        try:
            return UUID(str(self.used_parameters.get(str(self.parameter_name))))
        except ValueError:
            return None


class SourceFilter(LaneFilter):
    title = _("source")
    parameter_name = "source__id__exact"
    model = Source


class EndpointFilter(LaneFilter):
    title = _("endpoint")
    parameter_name = "endpoint__id__exact"
    model = Endpoint
