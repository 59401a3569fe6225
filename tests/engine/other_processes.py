"""Other processes on the database that the test itself uses."""

from __future__ import annotations

import json

from django.db import connection


def databases_as_json() -> str:
    """The DATABASES setting, one line of JSON, that leads another process to this test's database."""
    settings = connection.settings_dict
    names = ("ENGINE", "NAME", "USER", "PASSWORD", "HOST", "PORT", "OPTIONS")
    return json.dumps({"default": {name: settings[name] for name in names}})
