"""Project: a Django project's files, and what `hookline init` writes into them. Reads and plans; writes last.

Nothing that is there is changed or removed: lines are added at the end of a file, and only where they are missing.
"""

from __future__ import annotations

import ast
import base64
import os
import re
import secrets
from dataclasses import dataclass
from pathlib import Path

from hookline.exceptions import ConfigurationError

KEY_FILE = "hookline.key"
#: The app that is made where the project has none of its own.
NEW_APP = "hooks"

_SETTINGS = """

# Hookline: webhooks in and out. Added by `hookline init`; change it as you like.
import os
from pathlib import Path

INSTALLED_APPS = [*INSTALLED_APPS, {apps}]
HOOKLINE = {{
    # Where the senders reach this project. Set it to https://your.host in production.
    "PUBLIC_URL": os.environ.get("PUBLIC_URL", "http://127.0.0.1:8000"),
    # Encrypts secrets at rest. In production set HOOKLINE_KEY to another one, from where you keep secrets.
    "ENCRYPTION_KEYS": [
        os.environ.get("HOOKLINE_KEY") or (Path(__file__).parents[{levels}] / "{key_file}").read_text().strip()
    ],
}}
if DATABASES["default"]["ENGINE"].endswith("sqlite3"):  # a transaction waits for its turn when it begins
    DATABASES["default"]["OPTIONS"] = {{"transaction_mode": "IMMEDIATE", **DATABASES["default"].get("OPTIONS", {{}})}}
"""

_URLS = """

# Hookline: where webhooks arrive. Added by `hookline init`.
from django.urls import include, path

urlpatterns = [*urlpatterns, path("", include("hookline.urls"))]
"""

_HANDLER = '''"""Handlers of webhooks. Hookline finds them in the webhooks.py of every installed app."""

import logging

from hookline import handler

logger = logging.getLogger(__name__)


@handler("{provider}")
def received(event):
    """What this writes to the database commits together with "this event is processed"; if it raises, nothing does."""
    logger.info("%s %s", event.type, event.public_id)
'''


@dataclass(frozen=True, slots=True)
class Change:
    """One file: what is added to it, or None where nothing is missing. `what` is shown to people."""

    path: Path
    what: str
    added: str | None = None
    mode: int | None = None

    def as_json(self) -> dict[str, object]:
        return {"path": str(self.path), "changed": self.added is not None, "what": self.what}


@dataclass(frozen=True, slots=True)
class Project:
    """Where its parts are."""

    root: Path
    settings: Path
    urls: Path
    #: Its own apps, by the names that INSTALLED_APPS has.
    apps: tuple[str, ...]
    #: Whether its settings say something of Hookline.
    has_hookline: bool

    @classmethod
    def find(cls, root: Path) -> Project:
        """Raises ConfigurationError where there is no Django project, saying what to do."""
        manage = root / "manage.py"
        if not manage.is_file():
            raise ConfigurationError(
                f"{manage} not found: run this in the folder of a Django project, or name that folder. Without a "
                "project of your own, run `hookline serve`"
            )
        match = re.search(r"""DJANGO_SETTINGS_MODULE["'],\s*["']([\w.]+)["']""", manage.read_text())
        name = os.environ.get("DJANGO_SETTINGS_MODULE") if match is None else match[1]
        settings = None if name is None else _file_of(root, name)
        if settings is None:
            raise ConfigurationError(f"{manage} names no settings module that is in {root}")
        values = _constants(settings)
        urls = _file_of(root, str(values.get("ROOT_URLCONF") or ""))
        if urls is None:
            raise ConfigurationError(f"{settings} names no ROOT_URLCONF that is in {root}; add hookline.urls by hand")
        listed = values.get("INSTALLED_APPS")
        installed = [str(app) for app in listed] if isinstance(listed, list | tuple) else []
        apps = tuple(app for app in installed if _folder_of(root, app) is not None)
        has_hookline = "HOOKLINE" in values or any(app.partition(".")[0] == "hookline" for app in installed)
        return cls(root, settings, urls, apps, has_hookline)

    def plan(self, provider: str, app: str | None) -> list[Change]:
        """What is missing, in the order in which it is written. Raises ConfigurationError for an unknown app."""
        if app is not None and _folder_of(self.root, app) is None:
            raise ConfigurationError(f"the app {app} is not a folder of {self.root}")
        name = app or next(iter(self.apps), NEW_APP)
        folder = _folder_of(self.root, name) or self.root / name
        return [self._key(), self._ignore(), *self._app(name, folder), self._settings(name), self._urls(),
                _handlers(folder, provider)]  # fmt: skip

    def _key(self) -> Change:
        path = self.root / KEY_FILE
        if path.exists():
            return Change(path, "the key that encrypts secrets is there")
        key = f"k{secrets.token_hex(3)}:{base64.b64encode(secrets.token_bytes(32)).decode()}\n"
        return Change(path, "a new key, which encrypts secrets at rest (mode 600)", key, 0o600)

    def _ignore(self) -> Change:
        path = self.root / ".gitignore"
        lines = path.read_text().splitlines() if path.exists() else []
        if KEY_FILE in lines:
            return Change(path, "keeps the key out of version control")
        newline = "" if not lines or path.read_text().endswith("\n") else "\n"
        return Change(path, "keeps the key out of version control", f"{newline}{KEY_FILE}\n")

    def _app(self, name: str, folder: Path) -> list[Change]:
        return [] if folder.exists() else [Change(folder / "__init__.py", f"a new app, {name}, for your handlers", "")]

    def _settings(self, app: str) -> Change:
        if self.has_hookline:
            return Change(self.settings, "has hookline already, and is left alone")
        new = [] if app in self.apps else [app]
        apps = ", ".join(f'"{name}"' for name in ["hookline", *new])
        levels = len(self.settings.relative_to(self.root).parts) - 1
        added = _SETTINGS.format(apps=apps, levels=levels, key_file=KEY_FILE)
        return Change(self.settings, "the app, its settings, and what SQLite needs", added)

    def _urls(self) -> Change:
        if "hookline.urls" in self.urls.read_text():
            return Change(self.urls, "includes hookline.urls already")
        return Change(self.urls, "the URLs at which webhooks arrive", _URLS)


def write(changes: list[Change]) -> None:
    """Add what is missing. Raises OSError."""
    for change in changes:
        if change.added is None:
            continue
        change.path.parent.mkdir(exist_ok=True)
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
        with os.fdopen(os.open(change.path, flags, change.mode or 0o666), "a", encoding="utf-8") as file:
            file.write(change.added)


def _handlers(folder: Path, provider: str) -> Change:
    path = folder / "webhooks.py"
    if path.exists():
        return Change(path, "your handlers are there")
    return Change(path, "a first handler", _HANDLER.format(provider=provider))


def _file_of(root: Path, module: str) -> Path | None:
    base = root.joinpath(*module.split("."))
    return next((path for path in (base.with_suffix(".py"), base / "__init__.py") if module and path.is_file()), None)


def _folder_of(root: Path, app: str) -> Path | None:
    """The folder of an app of the project's own, whether INSTALLED_APPS names it or its AppConfig."""
    for name in (app, app.rpartition(".apps.")[0]):
        folder = root.joinpath(*name.split("."))
        if name and (folder / "__init__.py").is_file():
            return folder
    return None


def _constants(path: Path) -> dict[str, object]:
    """The names that a module assigns; of several values the first, and None for what is no constant."""
    found: dict[str, object] = {}
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
            try:
                value = ast.literal_eval(node.value)
            except ValueError:
                value = None
            found.setdefault(node.targets[0].id, value)
    return found
