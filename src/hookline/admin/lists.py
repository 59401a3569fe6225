"""A field for a list of short texts: one in each line, and a box to tick for each that is known."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from django import forms
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _


def _nothing() -> Sequence[str]:
    return ()


class ListWidget(forms.Textarea):
    """Boxes and lines share one name, so that either can be left out."""

    known: Callable[[], Sequence[str]] = staticmethod(_nothing)

    def value_from_datadict(self, data: Any, files: Any, name: str) -> list[str]:
        lines = [line.strip() for text in data.getlist(name) for line in text.splitlines()]
        return list(dict.fromkeys(line for line in lines if line))

    def value_omitted_from_data(self, data: Any, files: Any, name: str) -> bool:
        return False  # no box is ticked and no line written: the list is empty

    def render(self, name: str, value: Any, attrs: Any = None, renderer: Any = None) -> SafeString:
        chosen = list(value or ())
        known = self.known()
        boxes = format_html_join(
            "",
            '<label><input type="checkbox" name="{}" value="{}"{}> {}</label> ',
            ((name, one, " checked" if one in chosen else "", one) for one in known),
        )
        lines = "\n".join(one for one in chosen if one not in known)
        return format_html('<div class="hookline-list">{}{}</div>', boxes, super().render(name, lines, attrs, renderer))


class ListField(forms.Field):
    """Its value is a list of texts; `known` are those that it offers."""

    def __init__(self, *, known: Callable[[], Sequence[str]] = _nothing, help_text: Any = "") -> None:
        super().__init__(required=False, help_text=help_text, widget=ListWidget(attrs={"rows": 3, "cols": 60}))
        self.widget.known = known

    def has_changed(self, initial: Any, data: Any) -> bool:
        return set(initial or ()) != set(data or ())


PATTERNS_HELP = _("None means all. Tick what you want, or write patterns such as order.*, one in each line.")
CHANNELS_HELP = _("One in each line. None means messages of every channel.")
