"""Tour: the thread that makes things happen in the demo, and then watches what its visitor does."""

from __future__ import annotations

import logging
import shlex
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

from django.conf import settings as django_settings
from django.db import DatabaseError, connections

from hookline.cli.demo.stage import EVENT_TYPE, Stage
from hookline.cli.demo.story import Story
from hookline.cli.demo.watcher import Watcher
from hookline.cli.post import post
from hookline.core.request import WebhookRequest
from hookline.exceptions import HooklineError

logger = logging.getLogger("hookline.cli")

_PAUSE = 0.1
#: Seconds that a step may take before the tour says that something is wrong.
_PATIENCE = 20.0


class Tour(threading.Thread):
    """Start it when the server listens; `stop` ends it."""

    def __init__(self, stage: Stage) -> None:
        super().__init__(name="hookline-demo-tour", daemon=True)
        self._stage = stage
        self._story = Story()
        self._watcher = Watcher(self._story, stage.consumer)
        self._stopping = threading.Event()

    def run(self) -> None:
        try:
            self._introduce()
            self._receive()
            self._forge()
            self._invite()
            while not self._stopping.wait(_PAUSE):
                self._watcher.look()
        except (HooklineError, DatabaseError):
            if not self._stopping.is_set():
                logger.exception("the demo cannot go on; the server still runs")
        finally:
            connections.close_all()

    def stop(self) -> None:
        self._stopping.set()
        self.join(_PATIENCE)

    def _introduce(self) -> None:
        stage = self._stage
        self._story.title("Hookline demo: a webhook comes in, a handler runs, a message goes out")
        self._story.facts(
            [
                ("database", f"{django_settings.DATABASES['default']['NAME']} (gone when the demo ends)"),
                ("tenant", f"{stage.tenant.public_id} ({stage.tenant.key})"),
                ("source", f"{stage.source.public_id}: Stripe would post to {stage.url}"),
                ("endpoint", f"{stage.endpoint.public_id}: a consumer listens on {stage.endpoint.url}"),
            ]
        )

    def _receive(self) -> None:
        self._story.title("A webhook, signed as Stripe signs, twice")
        webhook = self._stage.signed_webhook()
        self._story.step("received", self._post(webhook))
        self._watcher.look()
        self._story.step("duplicate", f"{self._post(webhook)}: known already, so nothing was stored")
        self._watch_until(lambda: self._watcher.confirmed > 0)

    def _forge(self) -> None:
        self._story.title("The same with another amount, but the old signature")
        self._story.step("received", self._post(self._stage.forged_webhook()))
        self._watch_until(lambda: self._watcher.rejected > 0)

    def _invite(self) -> None:
        stage = self._stage
        hookline = command_name()
        database = shlex.quote(f"sqlite:///{django_settings.DATABASES['default']['NAME']}")
        with_database = f"HOOKLINE_DATABASE_URL={database} {hookline}"
        self._story.title("Your turn: paste these into another terminal, and watch here")
        self._story.command(
            "send another webhook, as Stripe would",
            f"{with_database} trigger stripe {EVENT_TYPE} --source {stage.source.public_id} --server {stage.server}",
        )
        self._story.command(
            "the same with curl (Stripe's signatures are valid for 5 minutes)", curl(stage.url, stage.signed_webhook())
        )
        self._story.command("look around", f"{with_database} events list")
        self._story.title("Ctrl-C ends the demo.")

    def _post(self, webhook: WebhookRequest) -> str:
        """Send it, and say what was answered."""
        status, body = post(self._stage.url, webhook)
        return f"POST {self._stage.source.path} -> {status} {body.decode(errors='replace')}"

    def _watch_until(self, happened: Callable[[], bool]) -> None:
        deadline = time.monotonic() + _PATIENCE
        self._watcher.look()
        while not happened():
            if self._stopping.wait(_PAUSE) or time.monotonic() > deadline:
                raise HooklineError(f"the next step did not happen within {_PATIENCE:.0f} s")
            self._watcher.look()


def command_name() -> str:
    """How this command was called, so that it works in another terminal in the same directory."""
    called = Path(sys.argv[0])
    return shlex.quote(str(called)) if called.is_absolute() or called.exists() else "hookline"


def curl(url: str, webhook: WebhookRequest) -> str:
    """A curl command that sends exactly this request."""
    headers = [f"-H {shlex.quote(f'{name}: {value}')}" for name, values in webhook.headers.items() for value in values]
    return " ".join(["curl -i", shlex.quote(url), *headers, "--data-binary", shlex.quote(webhook.body.decode())])
