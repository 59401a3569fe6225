"""One database, one server and one browser for all of these tests, which `make test-browser` runs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.test.utils import setup_databases, teardown_databases
from pytest_django import DjangoDbBlocker
from pytest_django.live_server_helper import LiveServer

from tests.browser import scene
from tests.debian import PROGRAMS

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext

#: A desk and a telephone: width and height in CSS pixels.
SCREENS = {"desk": (1360, 900), "telephone": (390, 844)}


@pytest.fixture(scope="session")
def server(django_db_modify_db_settings: None, django_db_blocker: DjangoDbBlocker) -> Iterator[str]:
    """The address of a server on a database in which the scene was played."""
    with django_db_blocker.unblock():
        made = setup_databases(verbosity=0, interactive=False)
        scene.play()
        live = LiveServer("127.0.0.1")
        yield live.url
        live.stop()
        teardown_databases(made, verbosity=0)


@pytest.fixture(scope="session")
def cookie(server: str) -> str:
    """The session of somebody who may do everything."""
    client = Client()
    client.force_login(User.objects.get(username="ada"))
    return client.cookies["sessionid"].value


@pytest.fixture(scope="session")
def browser(server: str) -> Iterator[Browser]:
    """Started after the scene was played, which needs an event loop of its own in this thread."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        # Root has no sandbox, and the pages are our own.
        yield playwright.chromium.launch(executable_path=PROGRAMS["chromium"], args=["--no-sandbox"])


@pytest.fixture(scope="session", params=SCREENS)
def context(request: pytest.FixtureRequest, browser: Browser, server: str, cookie: str) -> Iterator[BrowserContext]:
    width, height = SCREENS[request.param]
    made = browser.new_context(viewport={"width": width, "height": height}, base_url=server, timezone_id="UTC")
    made.add_cookies([{"name": "sessionid", "value": cookie, "url": server}])
    made.set_default_timeout(10_000)
    yield made
    made.close()
