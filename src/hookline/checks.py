"""Django system checks: what can be seen to be wrong before the first request."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

from django.conf import settings as django_settings
from django.core.checks import CheckMessage, Error, Tags, register
from django.core.checks import Warning as CheckWarning
from django.db import connections, router
from django.urls import Resolver404, resolve

from hookline import conf
from hookline.db import encrypted_field as fields
from hookline.engine.sql import DIALECTS
from hookline.exceptions import ConfigurationError


@register()
def check_settings(**kwargs: Any) -> list[CheckMessage]:
    """E001 a setting is unknown or cannot be what it is; E002 no usable encryption key; E003, E004, W001 see below."""
    try:
        settings = conf.get()
        _ = settings.address_policy
    except ConfigurationError as error:
        return [Error(str(error), id="hookline.E001")]
    found: list[CheckMessage] = []
    try:
        fields.keyring(settings.ENCRYPTION_KEYS)
    except ConfigurationError as error:
        found.append(Error(str(error), id="hookline.E002"))
    if settings.LEASE <= settings.DELIVERY_TIMEOUT:
        found.append(
            Error(
                f"LEASE ({settings.LEASE} s) must be longer than DELIVERY_TIMEOUT ({settings.DELIVERY_TIMEOUT} s)",
                hint="Otherwise a delivery can be claimed by a second worker while the first still sends it.",
                id="hookline.E003",
            )
        )
    if not django_settings.USE_TZ:
        found.append(
            Error(
                "Hookline needs USE_TZ = True",
                hint="It compares times with the database's clock, which is only safe when they carry their zone.",
                id="hookline.E004",
            )
        )
    if not settings.PUBLIC_URL:
        found.append(
            CheckWarning(
                "HOOKLINE['PUBLIC_URL'] is not set",
                hint="Set it to https://your.host: senders that sign the URL cannot be verified without it.",
                id="hookline.W001",
            )
        )
    return found


@register()
def check_engine(**kwargs: Any) -> list[CheckMessage]:
    """E006 the engine is Celery, which is not installed; W004 it is, but the project has no Celery app."""
    try:
        if conf.get().ENGINE != "celery":
            return []
    except ConfigurationError:
        return []  # check_settings says so
    if find_spec("celery") is None:
        return [
            Error(
                "HOOKLINE['ENGINE'] is 'celery', but Celery is not installed",
                hint="pip install 'hookline[celery]', or leave ENGINE out and run `hookline worker`.",
                id="hookline.E006",
            )
        ]
    from hookline.runtime.broker import wakeups  # only for this engine

    if not wakeups.has_app():
        return [
            CheckWarning(
                "HOOKLINE['ENGINE'] is 'celery', but no Celery app existed when Django started",
                hint="Import it in your project's __init__.py, or no worker is notified and webhooks wait.",
                id="hookline.W004",
            )
        ]
    return []


@register(Tags.urls)
def check_view(**kwargs: Any) -> list[CheckMessage]:
    """W005 the project wraps the view, and with ATOMIC_REQUESTS that makes a transaction around it."""
    from hookline.incoming.url import path_of
    from hookline.models import Event

    alias = router.db_for_write(Event)
    if not connections[alias].settings_dict["ATOMIC_REQUESTS"]:
        return []
    try:
        view = resolve(path_of("token")).func
    except Resolver404:  # the ASGI edge needs no URL of Django's
        return []
    if alias in getattr(view, "_non_atomic_requests", ()):
        return []
    return [
        CheckWarning(
            f"ATOMIC_REQUESTS of the database {alias!r} applies to the view of hookline.urls, which is wrapped",
            hint="Webhooks would be acknowledged before their COMMIT. Include hookline.urls as they are, or use "
            f"transaction.non_atomic_requests(using={alias!r}) around what wraps them.",
            id="hookline.W005",
        )
    ]


@register(Tags.database)
def check_database(databases: Any = None, **kwargs: Any) -> list[CheckMessage]:
    """E005 the database is neither PostgreSQL nor SQLite; W002 SQLite does not lock before it writes."""
    from hookline.models import Event

    connection = connections[router.db_for_write(Event)]
    if connection.vendor not in DIALECTS:
        return [Error(f"Hookline does not run on {connection.display_name}", id="hookline.E005")]
    options = connection.settings_dict.get("OPTIONS", {})
    if connection.vendor == "sqlite" and str(options.get("transaction_mode", "")).upper() != "IMMEDIATE":
        return [
            CheckWarning(
                "SQLite transactions are not IMMEDIATE, so two writers can fail with 'database is locked'",
                hint="Set DATABASES[...]['OPTIONS'] to {'transaction_mode': 'IMMEDIATE', 'timeout': 20}.",
                id="hookline.W002",
            )
        ]
    return []


@register(Tags.database)
def check_endpoints(databases: Any = None, **kwargs: Any) -> list[CheckMessage]:
    """E007 an enabled endpoint was written past Hookline, so that it gets nothing, or nothing that it can verify."""
    from hookline.outgoing.models import Endpoint

    connection = connections[router.db_for_read(Endpoint)]
    if not databases or Endpoint._meta.db_table not in connection.introspection.table_names():
        return []
    found: list[CheckMessage] = []
    rows = Endpoint.objects.filter(disabled=False).only("event_types", "channels", "encrypted_secrets")
    for endpoint in rows.iterator():
        problems = [
            f"its {name} are {value!r:.80}, which is no list"
            for name in ("event_types", "channels")
            if not isinstance(value := getattr(endpoint, name), list)
        ]
        if not fields.sealed(endpoint, "encrypted_secrets"):
            problems.append("it has no secret to sign with")
        if problems:
            what = f"endpoint {endpoint.public_id}: {', and '.join(problems)}"
            hint = f"hookline endpoint update {endpoint.public_id} --events ..., or hookline endpoint rotate"
            found.append(Error(what, hint=hint, id="hookline.E007"))
    return found


@register(Tags.database)
def check_sources(databases: Any = None, **kwargs: Any) -> list[CheckMessage]:
    """W003 an enabled source has no secret, so that it refuses everything; E002 its secrets cannot be decrypted."""
    from hookline.incoming.models import Source

    connection = connections[router.db_for_read(Source)]
    if not databases or Source._meta.db_table not in connection.introspection.table_names():
        return []
    found: list[CheckMessage] = []
    # Only these columns: `migrate` runs this check before it adds the others.
    for source in Source.objects.filter(disabled=False).only("provider", "encrypted_secrets"):
        what = f"source {source.public_id} ({source.provider})"
        try:
            if source.secrets.secrets:
                continue
        except ConfigurationError as error:
            found.append(Error(f"{what} refuses every request: {error}", id="hookline.E002"))
            continue
        hint = f"Add one: hookline source rotate {source.public_id} --secret ..."
        found.append(CheckWarning(f"{what} has no secret and refuses every request", hint=hint, id="hookline.W003"))
    return found
