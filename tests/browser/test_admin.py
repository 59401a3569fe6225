"""The admin in a real browser, on a desk and on a telephone."""

from __future__ import annotations

import importlib.resources
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from django.contrib import admin
from django.db.models import Model
from django.urls import reverse

from tests.browser import scene

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, Page

#: Where pictures for the documentation go, if anywhere.
PICTURES = os.environ.get("HOOKLINE_PICTURES")
AXE = importlib.resources.files("axe_playwright_python").joinpath("axe.min.js").read_text()
#: Of the Web Content Accessibility Guidelines, levels A and AA: https://www.w3.org/TR/WCAG21/
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]
MODELS = sorted(
    (model for model in admin.site._registry if model._meta.app_label == "hookline"),
    key=lambda m: m._meta.model_name or "",
)
NAMES = [str(model._meta.model_name) for model in MODELS]
#: Where lists say why something failed, due or came.
TOLD = {
    "event": ("status_and_attempts", "reason_shown", "due_at", "created_at"),
    "delivery": ("status_and_attempts", "reason_shown", "due_at", "created_at"),
    "rejection": ("answered", "reason_shown", "created_at"),
    "attempt": ("result", "reason_shown", "created_at"),
    "endpoint": ("status", "reason_shown", "created_at"),
    "source": ("status", "created_at"),
}


@pytest.fixture
def page(context: BrowserContext) -> Any:
    made = context.new_page()
    broken: list[str] = []
    made.on("pageerror", lambda error: broken.append(str(error)))
    made.on("response", lambda answer: broken.append(answer.url) if answer.status >= 400 else None)
    yield made
    made.close()
    assert broken == []


def go(page: Page, name: str, *arguments: object) -> None:
    answer = page.goto(reverse(f"admin:{name}", args=arguments))
    assert answer is not None
    assert answer.status == 200


def check(page: Page) -> None:
    """Nothing is beside the screen, and whoever cannot see it can use it."""
    width = page.viewport_size["width"]  # type: ignore[index]
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.evaluate(AXE)
    found = page.evaluate(f"axe.run({json.dumps({'runOnly': RULES})})")
    serious = [
        (violation["id"], violation["help"], violation["nodes"][0]["html"][:200])
        for violation in found["violations"]
        if violation["impact"] in ("serious", "critical")
    ]
    assert serious == []


def picture(page: Page, name: str) -> None:
    if PICTURES:
        width = page.viewport_size["width"]  # type: ignore[index]
        page.screenshot(path=Path(PICTURES) / f"{name}-{width}.png", scale="css")


@pytest.mark.parametrize("name", NAMES)
def test_a_list_tells_everything_without_scrolling_sideways(page: Page, name: str) -> None:
    go(page, f"hookline_{name}_changelist")
    picture(page, name)
    for column in TOLD.get(name, ()):
        cell = page.locator(f"#result_list tbody tr:first-child .field-{column}")
        box = cell.bounding_box()
        assert box is not None, f"{column} is not shown"
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= page.viewport_size["width"]  # type: ignore[index]
    scrolled = page.locator("#changelist-form .results")
    if scrolled.count():
        assert scrolled.evaluate("box => box.scrollWidth <= box.clientWidth")
    check(page)


@pytest.mark.parametrize("name", NAMES)
def test_a_page_tells_everything_without_scrolling_sideways(page: Page, name: str) -> None:
    row: Model | None = scene.one_of_each().get(name)
    if row is None:
        (model,) = [model for model in MODELS if model._meta.model_name == name]
        row = model._default_manager.order_by("-pk").first()
    assert row is not None, f"the scene has no {name}"
    go(page, f"hookline_{name}_change", row.pk)
    picture(page, f"{name}-page")
    check(page)


@pytest.mark.parametrize("name", ["tenant", "source", "endpoint"])
def test_a_form_can_be_filled_in(page: Page, name: str) -> None:
    go(page, f"hookline_{name}_add")
    check(page)


def test_the_index_and_the_apps_page_are_whole(page: Page) -> None:
    for name, arguments in (("index", ()), ("app_list", ("hookline",))):  # these are Django's own
        go(page, name, *arguments)
        assert page.evaluate("document.documentElement.scrollWidth") <= page.viewport_size["width"]  # type: ignore[index]


def test_the_reason_of_a_dead_event_is_read_in_the_list_and_repaired_on_its_page(page: Page) -> None:
    go(page, "hookline_event_changelist")
    reason = page.locator(".field-reason_shown", has_text=scene.EVENT_REASON).first
    assert reason.is_visible()
    page.get_by_role("link", name="Dead").click()
    page.locator("#result_list th a").first.click()
    page.get_by_role("button", name="Retry", exact=True).click()
    assert page.locator(".messagelist").inner_text() == "1 of the 1 selected are due again."
    assert page.get_by_text("retried by ada").is_visible()
