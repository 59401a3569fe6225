"""Django's settings of the standalone server. Every value comes from the environment (see environment.py)."""

from __future__ import annotations

import logging
import logging.config
import os
from pathlib import Path

from hookline.server import environment, keys, logs
from hookline.server.private_file import create_private

for _sentence in environment.misspelt(os.environ):
    logging.getLogger("hookline.server").warning("%s", _sentence)

DATABASES = {
    "default": environment.database(os.environ.get("HOOKLINE_DATABASE_URL") or environment.DEFAULT_DATABASE_URL)
}

_database_file = Path(DATABASES["default"]["NAME"]) if "sqlite3" in DATABASES["default"]["ENGINE"] else None
_may_create = environment.may_create(os.environ)
if _database_file is not None and not _may_create:
    environment.require_file(_database_file)
_keys = keys.find(os.environ, _database_file, create=_may_create)
if _database_file is not None:
    create_private(_database_file)  # its secrets are encrypted, but not what was received and sent

SECRET_KEY = _keys.secret_key
HOOKLINE = environment.settings({**os.environ, keys.ENCRYPTION_KEYS: _keys.encryption_keys})
#: Modules with handlers.
HOOKLINE_APPS = environment.words(os.environ.get("HOOKLINE_APPS", ""))
globals().update(environment.email(os.environ.get("HOOKLINE_EMAIL_URL", "")))
LOGGING = logs.config(environment.log_format(os.environ))
# Django would first set up its own, and load templates and mail for it.
LOGGING_CONFIG = None
logging.config.dictConfig(LOGGING)

INSTALLED_APPS = ["hookline", "hookline.server"]
MIDDLEWARE: list[str] = []
ROOT_URLCONF = "hookline.server.urls"
ASGI_APPLICATION = "hookline.server.asgi.application"
# Any Host header is fine: nothing is made from it, since the public URL is configured.
ALLOWED_HOSTS = ["*"]
USE_TZ = True
TIME_ZONE = "UTC"

if HOOKLINE.get("ENGINE") == "celery":
    # As a project does in its __init__.py: messages go through the app that there is when Django starts.
    import hookline.server.celery  # noqa: F401  # that is all it takes
