"""The Django app."""

from __future__ import annotations

import logging
from importlib.util import find_spec

from django.apps import AppConfig
from django.utils.module_loading import autodiscover_modules

from hookline.incoming.receive.log_limit import LogLimit
from hookline.telemetry.prometheus import prometheus


class HooklineConfig(AppConfig):
    name = "hookline"
    label = "hookline"
    verbose_name = "Hookline"  # a name: the same in each language
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from hookline import checks  # noqa: F401  # importing registers the checks

        limit_log()
        declare_kinds()
        connect_gateway()
        connect_operations()
        autodiscover_modules("webhooks")
        connect_sinks()
        wake_other_processes()
        wake_celery()


def limit_log() -> None:
    """Have the log of what comes in say no more of one thing than a person would read."""
    logger = logging.getLogger("hookline.incoming")
    if not any(isinstance(found, LogLimit) for found in logger.filters):
        logger.addFilter(LogLimit())


def connect_sinks() -> None:
    """Have what happens counted, and told to the receivers of Django's signals."""
    from hookline.incoming import announcements as incoming  # only now, when there are models
    from hookline.outgoing import announcements as outgoing  # as above

    if not prometheus.connected:
        prometheus.connect()
        incoming.connect()
        outgoing.connect()


def declare_kinds() -> None:
    """Make the kinds of job known: importing them does."""
    from hookline.incoming import kind as events  # noqa: F401  # only now, when there are models
    from hookline.outgoing import kind as deliveries  # noqa: F401  # as above
    from hookline.replays import kind as replays  # noqa: F401  # as above


def connect_gateway() -> None:
    """Have events forwarded by the rules of their sources, when they are processed."""
    from hookline.gateway.forward import gateway  # only now, when there are models
    from hookline.incoming.process.handlers import add_layer  # as above

    add_layer(gateway)


def connect_operations() -> None:
    """Give querysets the operations that they stand for, which are in a layer above them."""
    from hookline.engine.job_queryset import JobQuerySet  # only now, when there are models
    from hookline.operations.jobs import retry_for_code  # as above

    JobQuerySet.retry_keys = staticmethod(retry_for_code)


def wake_other_processes() -> None:
    """On PostgreSQL, have the workers of other processes woken by what this process commits."""
    from hookline.engine import notifier  # only now, when there are models
    from hookline.engine.kind import declared
    from hookline.engine.postgres_notify import PostgresNotify

    for kind in declared():
        notifier.of(kind.model).relay(PostgresNotify(kind.model))


def wake_celery() -> None:
    """With the engine "celery": have its workers woken by what this process commits.

    Raises nothing: the system checks say what is wrong.
    """
    from hookline import conf  # this module is imported before there are settings
    from hookline.exceptions import ConfigurationError  # as above

    try:
        if conf.get().ENGINE != "celery" or find_spec("celery") is None:
            return
    except ConfigurationError:
        return
    from hookline.runtime.broker import wakeups  # only now, when there are models, and for this engine

    wakeups.connect()
