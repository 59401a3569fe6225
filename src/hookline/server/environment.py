"""Reading the environment: which variables there are, and how their text becomes a value. Pure.

`HOOKLINE_<NAME>` sets the setting NAME of `hookline.conf`, for every setting. The few variables below belong to the
server itself.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import dj_database_url
import django

from hookline import conf
from hookline.exceptions import ConfigurationError

PREFIX = "HOOKLINE_"
DEFAULT_DATABASE_URL = "sqlite:///hookline.db"

#: What the server reads besides the settings: name -> what it is, for the page about settings.
OWN: Mapping[str, str] = {
    "DATABASE_URL": "`postgresql://user:password@host/database`, or `sqlite:///` and a path. Without it, `hookline.db` "
    "in the working directory. SQLite's writers wait for each other for up to 20 s; `sqlite:///hookline.db?timeout=5` "
    "sets another time",
    "APPS": "Modules or packages with handlers, separated by commas; of a package, its module `webhooks`, too. "
    "They are imported from the working directory and `PYTHONPATH`",
    "SECRET_KEY": "Django's `SECRET_KEY`: long and random. Without it, the one in `hookline.keys`",
    "EMAIL_URL": "The mail server: `smtp://user:password@host:587?tls=starttls&from=hooks@example.com`; "
    "`tls` is `starttls`, `ssl` or left out. Without it, none are sent",
    "LOG_FORMAT": "`text`, or `json`: one object for each line. See [operations.md](operations.md#the-log)",
    "CREATE": "`no`: never create a missing database or missing keys; refuse to start instead. Without it `serve`, "
    "`worker` and `migrate` create them; other commands never do",
}

LOG_FORMATS = ("text", "json")

#: Without IMMEDIATE, a transaction that reads before it writes fails at once with "database is locked". FULL, because
#: an acknowledged webhook must survive a power cut: NORMAL may lose the last transactions of a WAL. MEMORY, because
#: otherwise SQLite makes and deletes a file for each statement that changes many rows, in case it must undo a part.
_SQLITE_OPTIONS = {
    "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA temp_store=MEMORY",
    "transaction_mode": "IMMEDIATE",
    "timeout": 20,
}

_BOOLEANS = {"true": True, "1": True, "yes": True, "on": True, "false": False, "0": False, "no": False, "off": False}


def settings(environment: Mapping[str, str]) -> dict[str, Any]:
    """The `HOOKLINE` dict: every setting that the environment names. Raises ConfigurationError."""
    return {
        name: _convert(name, kind, text)
        for name, kind in conf.KINDS.items()
        if (text := environment.get(PREFIX + name)) is not None
    }


def words(text: str) -> list[str]:
    """The parts of a comma separated list."""
    return [word for part in text.split(",") if (word := part.strip())]


def database(url: str) -> dict[str, Any]:
    """The value of `DATABASES["default"]`. Raises ConfigurationError, without quoting the URL and its password."""
    try:
        # Connections live on between jobs; the end of an HTTP request closes its own (see apps.py).
        # A cursor of the server outlives its statement, and behind a pooler the next one may meet another session.
        parsed = dj_database_url.parse(url, conn_max_age=600, conn_health_checks=True, disable_server_side_cursors=True)
        config: dict[str, Any] = {**parsed}
    except ValueError as error:
        raise ConfigurationError(
            f"HOOKLINE_DATABASE_URL is not a database URL ({type(error).__name__}); write it as "
            "sqlite:///path/to/hookline.db or postgresql://user:password@host/database"
        ) from None
    if config["ENGINE"] == "django.db.backends.postgresql":
        return config
    if config["ENGINE"] != "django.db.backends.sqlite3":
        raise ConfigurationError("HOOKLINE_DATABASE_URL must name a PostgreSQL or SQLite database")
    if config["NAME"] in ("", ":memory:"):
        raise ConfigurationError("HOOKLINE_DATABASE_URL must name a file: threads do not share a database in memory")
    given = config.get("OPTIONS", {})
    options = {**given, **_SQLITE_OPTIONS, "timeout": given.get("timeout", _SQLITE_OPTIONS["timeout"])}
    return {**config, "NAME": str(Path(str(config["NAME"])).absolute()), "OPTIONS": options}


def email(url: str) -> dict[str, Any]:
    """Django's settings for e-mail. Raises ConfigurationError, without quoting the URL and its password."""
    if not url:
        return _mailer("django.core.mail.backends.dummy.EmailBackend")
    parts = urlsplit(url)
    try:
        options = dict(parse_qsl(parts.query, strict_parsing=bool(parts.query)))
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port, options = None, None, {}
    tls = options.pop("tls", "")
    sender = options.pop("from", "")
    if parts.scheme != "smtp" or not host or options or tls not in ("", "starttls", "ssl"):
        raise ConfigurationError(
            "HOOKLINE_EMAIL_URL is not the URL of a mail server; write it as "
            "smtp://user:password@host:587?tls=starttls&from=hooks@example.com"
        )
    server = _mailer(
        "django.core.mail.backends.smtp.EmailBackend",
        host=host,
        port=port or {"ssl": 465, "starttls": 587}.get(tls, 25),
        username=unquote(parts.username or ""),
        password=unquote(parts.password or ""),
        use_tls=tls == "starttls",
        use_ssl=tls == "ssl",
        timeout=30,
    )
    return {**server, **({"DEFAULT_FROM_EMAIL": sender} if sender else {})}


def _mailer(backend: str, **options: Any) -> dict[str, Any]:
    """A mail server as Django's settings name it: Django 6.1 has MAILERS in place of EMAIL_*."""
    if django.VERSION >= (6, 1):
        return {"MAILERS": {"default": {"BACKEND": backend, "OPTIONS": options}}}
    older = {"username": "HOST_USER", "password": "HOST_PASSWORD"}  # names of settings
    return {"EMAIL_BACKEND": backend, **{f"EMAIL_{older.get(n, n.upper())}": value for n, value in options.items()}}


def log_format(environment: Mapping[str, str]) -> str:
    """`text` or `json`. Raises ConfigurationError."""
    value = environment.get(PREFIX + "LOG_FORMAT", "") or "text"
    if value not in LOG_FORMATS:
        raise ConfigurationError(f"HOOKLINE_LOG_FORMAT must be one of {', '.join(LOG_FORMATS)}, not {value!r}")
    return value


def may_create(environment: Mapping[str, str]) -> bool:
    """Whether a database and keys that are missing are made. Raises ConfigurationError."""
    text = environment.get(PREFIX + "CREATE", "") or "yes"
    if text.strip().lower() not in _BOOLEANS:
        raise ConfigurationError(f"{PREFIX}CREATE must be true or false, not {text[:80]!r}")
    return _BOOLEANS[text.strip().lower()]


def require_file(database_file: Path) -> None:
    """Raises ConfigurationError where the SQLite database is not there."""
    if not database_file.exists():
        raise ConfigurationError(
            f"the database {database_file} does not exist. Change to the folder of the installation, or set "
            "HOOKLINE_DATABASE_URL; `hookline migrate` or `hookline serve` makes a new one here"
        )


def misspelt(environment: Mapping[str, str]) -> list[str]:
    """A sentence for each variable that is nearly one of ours.

    Other unknown names are left alone: Kubernetes puts HOOKLINE_PORT and the like into containers, when a service has
    that name.
    """
    known = {PREFIX + name for name in OWN.keys() | conf.NAMES}
    unknown = (name for name in environment if name.startswith(PREFIX) and name not in known)
    near = ((name, difflib.get_close_matches(name, known, n=1, cutoff=0.9)) for name in sorted(unknown))
    return [f"{name} is not a setting; did you mean {match[0]}?" for name, match in near if match]


def _convert(name: str, kind: Any, text: str) -> Any:
    try:
        if kind == tuple[str, ...]:
            return tuple(words(text))
        if kind == tuple[int, ...]:
            return tuple(int(word) for word in words(text))
        if kind == tuple[float, ...]:
            return tuple(float(word) for word in words(text))
        if kind in (int, float):
            return kind(text)
        if kind == int | None:
            return int(text)
        if kind is str:
            return text
        return _BOOLEANS[text.strip().lower()]
    except (ValueError, KeyError):
        wanted = {
            int: "a whole number",
            int | None: "a whole number",
            float: "a number",
            tuple[int, ...]: "whole numbers with commas between them",
            tuple[float, ...]: "numbers with commas between them",
        }
        raise ConfigurationError(
            f"{PREFIX}{name} must be {wanted.get(kind, 'true or false')}, not {text[:80]!r}"
        ) from None
