"""The fixtures for a project's own tests, in a project that knows nothing of ours."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path
from textwrap import dedent

import pytest

pytestmark = pytest.mark.own_database

pytest_plugins = ["pytester"]

ROOT = Path(__file__).parent.parent

PROJECT = {
    "project/__init__.py": "",
    "project/settings.py": """
        SECRET_KEY = "made-up"
        USE_TZ = True
        ALLOWED_HOSTS = ["*"]
        INSTALLED_APPS = ["django.contrib.contenttypes", "django.contrib.auth", "hookline", "shop"]
        ROOT_URLCONF = "project.urls"
        DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}
        HOOKLINE = {
            "PUBLIC_URL": "https://shop.example.com",
            "ENCRYPTION_KEYS": ["one:MTExMTExMTExMTExMTExMTExMTExMTExMTExMTExMTE="],
        }
    """,
    "project/urls.py": """
        from django.urls import include, path

        urlpatterns = [path("hooks/", include("hookline.urls"))]
    """,
    "shop/__init__.py": "",
    "shop/webhooks.py": """
        from django.contrib.auth.models import Group
        from hookline import dispatch, handler

        @handler("stripe", "invoice.paid")
        def paid(event):
            invoice = event.json["data"]["object"]
            Group.objects.create(name=invoice["id"])
            dispatch("order.paid", {"invoice": invoice["id"]})

        @handler("github", "push")
        async def pushed(event):
            raise ValueError("no such branch")
    """,
    "pytest.ini": """
        [pytest]
        DJANGO_SETTINGS_MODULE = project.settings
        filterwarnings = error
    """,
}


@pytest.fixture
def project(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """A fresh project beside an installed Hookline, as far as pytest looks: its entry points."""
    with (ROOT / "pyproject.toml").open("rb") as file:
        declared = tomllib.load(file)["project"]["entry-points"]["pytest11"]
    installed = pytester.mkdir("installed")
    information = installed / "hookline_entry_points-1.dist-info"
    information.mkdir()
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: hookline-entry-points\nVersion: 1\n")
    lines = "".join(f"{name} = {target}\n" for name, target in declared.items())
    (information / "entry_points.txt").write_text(f"[pytest11]\n{lines}")
    path = [str(installed), str(pytester.path), str(ROOT / "src")]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(path))
    monkeypatch.delenv("DJANGO_SETTINGS_MODULE", raising=False)
    for name, text in PROJECT.items():
        file_path = pytester.path / name
        file_path.parent.mkdir(exist_ok=True)
        file_path.write_text(dedent(text).lstrip("\n"))
    return pytester


def test_a_handlers_test_is_three_lines(project: pytest.Pytester) -> None:
    project.makepyfile(
        test_shop="""
        def test_a_paid_invoice_is_announced(receive_webhook, dispatched_messages):
            receive_webhook("stripe", "invoice.paid", {"id": "in_1"})
            assert [message.json["data"] for message in dispatched_messages()] == [{"invoice": "in_1"}]
        """
    )
    project.runpytest_subprocess("-q", "-p", "no:cacheprovider").assert_outcomes(passed=1)


def test_what_fails_or_is_refused_fails_the_test_and_says_why(project: pytest.Pytester) -> None:
    project.makepyfile(
        test_shop="""
        import pytest
        from django.contrib.auth.models import Group

        def test_a_failing_handler(receive_webhook):
            receive_webhook("github", "push")

        def test_a_failing_handler_that_is_looked_at(receive_webhook):
            assert "no such branch" in receive_webhook("github", "push", raise_errors=False).note

        def test_refused(receive_webhook, webhook_source):
            source = webhook_source("stripe")
            source.disabled = True
            source.save()
            receive_webhook(source, "invoice.paid")

        def test_the_same_event_twice_is_one_event(receive_webhook):
            first, second = (receive_webhook("stripe", "invoice.paid", event_id="evt_1") for _ in range(2))
            assert first == second
            assert Group.objects.count() == 1

        def test_nothing_is_left_of_other_tests(dispatched_messages):
            assert (dispatched_messages(), Group.objects.count()) == ([], 0)

        def test_delivered(receive_webhook, webhook_endpoint, deliver_webhooks):
            endpoint = webhook_endpoint(event_types=["order.*"])
            receive_webhook("stripe", "invoice.paid")
            (delivery,) = deliver_webhooks()
            assert (delivery.endpoint, delivery.state) == (endpoint, "succeeded")
        """
    )
    result = project.runpytest_subprocess("-q", "-p", "no:cacheprovider")
    result.assert_outcomes(passed=4, failed=2)
    result.stdout.fnmatch_lines(["*AssertionError: handlers failed:*", "*ValueError: no such branch*"])
    result.stdout.fnmatch_lines(["*AssertionError: the webhook was answered 404: *unknown_source*"])


def test_a_project_without_django_is_not_disturbed(pytester: pytest.Pytester, project: pytest.Pytester) -> None:
    (pytester.path / "pytest.ini").write_text("[pytest]\nfilterwarnings = error\n")
    pytester.makepyfile(
        test_plain="""
        import sys

        def test_plain():
            assert "hookline.pytest_plugin" in sys.modules
            assert "hookline.models" not in sys.modules
        """
    )
    pytester.runpytest_subprocess("-q", "-p", "no:cacheprovider", "-p", "no:django").assert_outcomes(passed=1)
