"""Every setting: name, type, default and why. `HOOKLINE = {...}` in Django's settings becomes one frozen value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from functools import cache
from typing import Any

from django.conf import settings as django_settings
from django.core.signals import setting_changed
from django.dispatch import receiver

from hookline.core.retry import RetrySchedule
from hookline.exceptions import ConfigurationError

MINUTE, HOUR, DAY = 60, 3600, 86400


@dataclass(frozen=True)
class Settings:
    """The settings of Hookline. Durations are seconds, sizes are bytes."""

    #: Keys for secrets at rest, as `id:base64 of 32 bytes`. The first encrypts, all decrypt.
    ENCRYPTION_KEYS: tuple[str, ...] = field(default=(), repr=False)
    #: Scheme and host under which senders reach this installation. Some senders sign the URL, and a Host header
    #: is the caller's choice, so it is configured.
    PUBLIC_URL: str = ""

    #: A longer request is refused with 413 before it is read, unless its sender documents longer ones (GitHub: 25 MB).
    MAX_BODY_BYTES: int = 5 * 1024 * 1024
    #: How much of a refused request is kept for a person to look at: URL, headers and body together.
    REJECTION_BODY_BYTES: int = 16 * 1024
    #: Rejections that are kept of one source, and a tenth of it for all unknown URLs together; an hour may bring an
    #: eighth of that. What comes beyond is only counted, but for the first few of each reason: anybody can cause them.
    MAX_REJECTIONS: int = 10_000
    #: ... and how many bytes they may take.
    MAX_REJECTION_BYTES: int = 64 * 1024 * 1024
    #: Waits before each retry of an event whose handler failed. After the last one the event is dead.
    EVENT_RETRY_DELAYS: tuple[float, ...] = (5, 30, 2 * MINUTE, 10 * MINUTE, 30 * MINUTE, 2 * HOUR, 6 * HOUR, 12 * HOUR)
    #: Handlers that run at the same time in one worker process.
    HANDLER_THREADS: int = 4
    #: Events that share a transaction at most: as many as wait, until it is 50 ms old. More is faster, and keeps the
    #: locks of one handler's writes until those of the others are done. When one fails, each runs again by itself.
    EVENTS_PER_TRANSACTION: int = 50
    #: A handler that runs longer has failed: its event is tried again, this run rolls back, and its thread is replaced.
    HANDLER_TIMEOUT: float = 5 * MINUTE

    #: A longer message is refused by dispatch().
    MAX_MESSAGE_BYTES: int = 1024 * 1024
    #: Waits before each retry of a delivery (the example schedule of Standard Webhooks); then it is dead.
    DELIVERY_RETRY_DELAYS: tuple[float, ...] = (
        5, 5 * MINUTE, 30 * MINUTE, 2 * HOUR, 5 * HOUR, 10 * HOUR, 14 * HOUR, 20 * HOUR, 24 * HOUR,
    )  # fmt: skip
    #: Each wait is made longer by up to this share, so that endpoints do not all come back at once.
    RETRY_JITTER: float = 0.2
    #: Connect, send, and read the answer: all of it. Standard Webhooks advises 15 to 30.
    DELIVERY_TIMEOUT: float = 20
    #: Requests under way at the same time in one worker process.
    DELIVERY_CONCURRENCY: int = 200
    #: ... and to one endpoint, so that a slow one cannot take all the places.
    DELIVERY_CONCURRENCY_PER_ENDPOINT: int = 50
    #: How much of an endpoint's answer is kept.
    RESPONSE_BODY_BYTES: int = 8 * 1024
    #: Networks that the SSRF policy lets through besides public addresses, such as `10.1.0.0/16`.
    ALLOWED_SUBNETS: tuple[str, ...] = ()
    #: Whether endpoints may use plain http. None: only where ALLOWED_SUBNETS opens the address.
    ALLOW_HTTP: bool | None = None
    #: How long events and deliveries are kept after they ended, and messages; 0 keeps them for ever. An event that a
    #: sender repeats later is new again: the longest any sender is known to repeat one by itself is some days.
    RETENTION: float = 90 * DAY
    #: How long rejections are kept; 0 keeps them for ever. Anybody can cause them, so not as long.
    REJECTION_RETENTION: float = 30 * DAY
    #: How long the former secret stays active after a rotation.
    ROTATION_OVERLAP: float = DAY

    #: `hookline serve`: seconds until all headers of a request must be there, ...
    HTTP_HEADER_TIMEOUT: float = 10
    #: ... and from then on its body. Later ones are answered 408.
    HTTP_BODY_TIMEOUT: float = 30
    #: Seconds that a connection may wait for its next request. Longer than the 60 of the usual load balancers, which
    #: would otherwise send a request into a connection that is being closed.
    HTTP_KEEP_ALIVE: float = 75
    #: The longest body of a request to a path that is no source's, such as the admin.
    HTTP_MAX_BODY_BYTES: int = 5 * 1024 * 1024
    #: Bytes of all bodies under way in one process. What would exceed them is answered 503.
    HTTP_MAX_BODIES_BYTES: int = 128 * 1024 * 1024
    #: Connections at the same time in one process. Beyond it, an idle one is closed for the new one, or that gets 503.
    HTTP_MAX_CONNECTIONS: int = 1000

    #: Who sends this as `Authorization: Bearer ...` may read /metrics. Without it only direct requests from a loopback
    #: or private address may.
    METRICS_TOKEN: str = field(default="", repr=False)

    #: Who works: "worker" is `hookline worker` or `hookline serve`; "celery" is Celery's workers (docs/celery.md).
    ENGINE: str = "worker"
    #: Processes that `hookline serve` starts beside the one that answers, to run handlers and deliver; 0: it does so
    #: itself. None: one less than there are cores, at most 4, and 0 on SQLite.
    WORKER_PROCESSES: int | None = None
    #: How long a claimed job belongs to its worker without a sign of life. Extended every third of it.
    LEASE: float = 60
    #: The longest pause between two looks at an empty queue. A change in the same process wakes it at once.
    POLL: float = 0.5
    #: How long a worker that was told to stop waits for what it has begun.
    STOP_TIMEOUT: float = 30

    @property
    def event_retry(self) -> RetrySchedule:
        return RetrySchedule(self.EVENT_RETRY_DELAYS, self.RETRY_JITTER)

    @property
    def delivery_retry(self) -> RetrySchedule:
        return RetrySchedule(self.DELIVERY_RETRY_DELAYS, self.RETRY_JITTER)


ENGINES = ("worker", "celery")

_DEFAULTS = Settings()
NAMES = frozenset(f.name for f in fields(Settings))


def load(values: Mapping[str, Any]) -> Settings:
    """Turn the dict of Django's settings into Settings.

    Raises ConfigurationError for an unknown name, a wrong type, and a number that makes no sense.
    """
    if unknown := set(values) - NAMES:
        raise ConfigurationError(
            f"HOOKLINE has no setting {', '.join(sorted(map(repr, unknown)))}; "
            f"the settings are: {', '.join(sorted(NAMES))}"
        )
    settings = Settings(**{name: _check(name, value) for name, value in values.items()})
    if settings.ENGINE not in ENGINES:
        raise ConfigurationError(f"HOOKLINE['ENGINE'] must be one of {', '.join(ENGINES)}, not {settings.ENGINE!r}")
    for delays in (settings.EVENT_RETRY_DELAYS, settings.DELIVERY_RETRY_DELAYS):
        RetrySchedule(delays, settings.RETRY_JITTER)
    return settings


def _check(name: str, value: Any) -> Any:
    default = getattr(_DEFAULTS, name)
    if isinstance(default, tuple) and isinstance(value, list | tuple):
        kinds, of = ((int, float), "numbers") if name in _DELAYS else ((str,), "text")
        if not all(isinstance(item, kinds) and not isinstance(item, bool) for item in value):
            raise ConfigurationError(f"HOOKLINE[{name!r}] must be a list of {of}")
        return tuple(value)
    accepted: tuple[type, ...]
    if name in _NUMBERS_OR_NONE:
        accepted = (int, type(None))
    elif default is None or isinstance(default, bool):
        accepted = (bool, type(None))
    elif isinstance(default, int | float):
        accepted = (int, float) if isinstance(default, float) or name in _DURATIONS else (int,)
    else:
        accepted = (type(default),)
    if not isinstance(value, accepted) or (isinstance(value, bool) and bool not in accepted):
        wanted = " or ".join(kind.__name__ for kind in accepted)
        raise ConfigurationError(f"HOOKLINE[{name!r}] must be {wanted}, not {type(value).__name__}")
    if accepted[0] is int and isinstance(value, int | float):
        _check_number(name, value)
    return value


def _check_number(name: str, value: float) -> None:
    if not (value > 0 or (value == 0 and name in _MAY_BE_ZERO)):  # true for nan, too
        raise ConfigurationError(f"HOOKLINE[{name!r}] must be more than 0, not {value}")


#: Settings whose default is a whole number of seconds but which take fractions.
_DURATIONS = frozenset(
    {
        "HTTP_HEADER_TIMEOUT",
        "HTTP_BODY_TIMEOUT",
        "HTTP_KEEP_ALIVE",
        "HANDLER_TIMEOUT",
        "DELIVERY_TIMEOUT",
        "RETENTION",
        "REJECTION_RETENTION",
        "ROTATION_OVERLAP",
        "LEASE",
        "STOP_TIMEOUT",
    }
)

_NUMBERS_OR_NONE = frozenset({"WORKER_PROCESSES"})
_DELAYS = frozenset({"EVENT_RETRY_DELAYS", "DELIVERY_RETRY_DELAYS"})
_MAY_BE_ZERO = frozenset(
    {
        "REJECTION_BODY_BYTES",
        "RESPONSE_BODY_BYTES",
        "RETRY_JITTER",
        "RETENTION",
        "REJECTION_RETENTION",
        "ROTATION_OVERLAP",
        "STOP_TIMEOUT",
        "WORKER_PROCESSES",
    }
)


@cache
def get() -> Settings:
    """The settings of this process, read once."""
    return load(getattr(django_settings, "HOOKLINE", {}))


@receiver(setting_changed)
def _forget(setting: str, **kwargs: Any) -> None:
    if setting == "HOOKLINE":  # only tests change settings while running
        get.cache_clear()
