"""Times as pages show them: with seconds and their zone, since operators compare them with logs."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import cache
from typing import Any

from django.contrib import admin
from django.core.exceptions import FieldDoesNotExist
from django.db.models import DateTimeField, Model
from django.utils import timezone
from django.utils.html import format_html
from django.utils.translation import gettext as _

#: What is held until then waits for a person.
_NEVER = 9999


def show_time(moment: datetime | None) -> str:
    """A time in the project's time zone, such as `2026-01-02 03:04:05 UTC`."""
    if moment is None:
        return "-"
    if moment.year == _NEVER:
        return _("until somebody enables it")
    local = timezone.localtime(moment)
    return format_html(
        '<time datetime="{}">{} <span>{}</span></time>', local.isoformat(), f"{local:%Y-%m-%d}", f"{local:%H:%M:%S %Z}"
    )


def shown(model: type[Model], name: Any) -> Any:
    """What shows a field of the model: the field's name, or a function that shows its time."""
    try:
        field = model._meta.get_field(name) if isinstance(name, str) else None
    except FieldDoesNotExist:
        return name
    return _column(field.name, str(field.verbose_name)) if isinstance(field, DateTimeField) else name


@cache
def _column(name: str, title: str) -> Callable[[Any], str]:
    @admin.display(description=title)
    def column(row: Any) -> str:
        return show_time(getattr(row, name))

    column.__name__ = name
    return column
