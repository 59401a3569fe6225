"""Organisations: parts of an installation that know nothing of each other. Pure.

An organisation is the part of a tenant's key before a colon: the tenants `acme` and `beta:acme` are two, of which the
organisation `beta` sees the second alone, under the name `acme`. So keys are unique within an organisation, and a whole
key names one tenant everywhere. Most installations have none.
"""

from __future__ import annotations

import re

from hookline.exceptions import ConfigurationError

SEPARATOR = ":"
PATTERN = r"[a-z0-9-]{1,40}"


def key_in(organisation: str, name: str) -> str:
    """The key of the tenant that an organisation, or none, calls so."""
    return f"{organisation}{SEPARATOR}{name}" if organisation else name


def organisation_of(key: str) -> str:
    """That of the tenant with this key; empty for none."""
    return key.rpartition(SEPARATOR)[0]


def name_in(key: str) -> str:
    """What its organisation calls the tenant with this key."""
    return key.rpartition(SEPARATOR)[2]


def check_organisation(name: str) -> str:
    """The name of an organisation, if it can be one; empty for none. Raises ConfigurationError."""
    if name and not re.fullmatch(PATTERN, name):
        raise ConfigurationError(
            f"the name of an organisation must be 1-40 lower-case letters, digits and hyphens, got {name!r:.80}"
        )
    return name
