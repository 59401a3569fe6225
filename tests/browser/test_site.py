"""The documentation site in a real browser: its search finds, and what it shows can be read."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser

SITE = Path(__file__).parent.parent.parent / "build" / "site"


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 # as the base has it
        """Nothing: pytest shows what matters."""


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    assert (SITE / "index.html").exists(), "run `make site`"
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(SITE))) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(
    ("asked", "found"),
    [("Stripe", "providers/stripe.html"), ("HANDLER_TIMEOUT", "settings.html"), ("rotate", "howto/rotate-keys.html")],
)
def test_search_finds(browser: Browser, address: str, asked: str, found: str) -> None:
    page = browser.new_page()
    page.goto(f"{address}/index.html")
    page.locator("input[name=q]").first.fill(asked)
    page.keyboard.press("Enter")
    page.locator(f'#search-results a[href*="{found}"]').first.wait_for()
    page.close()


@pytest.mark.parametrize("width", [1360, 390])
def test_a_page_fits_the_screen(browser: Browser, address: str, width: int) -> None:
    page = browser.new_page(viewport={"width": width, "height": 900})
    for name in ("index", "tutorial", "verify", "providers/stripe", "reference/python"):
        page.goto(f"{address}/{name}.html")
        assert page.evaluate("document.documentElement.scrollWidth") <= width, name
    page.close()
