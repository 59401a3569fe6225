"""Every setting: name, type, default and why. `HOOKLINE = {...}` in Django's settings becomes one frozen value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from functools import cache, cached_property
from typing import Any, get_args, get_origin, get_type_hints

from django.conf import settings as django_settings
from django.core.signals import setting_changed
from django.dispatch import receiver

from hookline.core.addresses import AddressPolicy
from hookline.core.retry import RetrySchedule
from hookline.core.signatures.scheme import check_schemes
from hookline.core.suspension import SuspensionSettings
from hookline.exceptions import ConfigurationError

MINUTE, HOUR, DAY = 60, 3600, 86400


@dataclass(frozen=True, slots=True)
class Group:
    """Settings that belong together; a heading of docs/settings.md."""

    title: str
    about: str = ""


BOTH = Group("For both directions")
RECEIVING = Group("Receiving")
SERVING = Group(
    "Serving",
    "For `hookline serve`. Under another server, these are that server's to limit. A header section of "
    "more than 100 headers or 32 kB is answered 431 everywhere.",
)
SENDING = Group("Sending")
API = Group("The API")
GROUPS = (BOTH, RECEIVING, SERVING, SENDING, API)


def setting(group: Group, default: Any, why: str, *, shown: bool = True, zero: bool = False) -> Any:
    """A field of Settings with its documentation, in Markdown: docs/settings.md is made from it.

    A number is more than 0; with `zero` it may be that, too.
    """
    return field(default=default, repr=shown, metadata={"group": group, "why": why, "zero": zero})


@dataclass(frozen=True)
class Settings:
    """The settings of Hookline. Durations are seconds, sizes are bytes."""

    # ---- For both directions ----

    ENCRYPTION_KEYS: tuple[str, ...] = setting(
        BOTH,
        (),
        "Keys for secrets at rest, each `id:base64 of 32 bytes`. The first encrypts, all decrypt: to change "
        "keys, put a new one first and keep the previous one. Needed",
        shown=False,
    )

    PUBLIC_URL: str = setting(
        BOTH,
        "",
        "Scheme and host under which senders reach you. Some senders sign the URL, and the Host header cannot be "
        "trusted",
    )

    ENGINE: str = setting(
        BOTH,
        "worker",
        "What runs jobs: `worker` is `hookline worker` or `hookline serve`, `celery` is Celery's workers. See "
        "[celery.md](celery.md)",
    )

    WORKER_PROCESSES: int | None = setting(
        BOTH,
        None,
        "Processes that `hookline serve` starts beside the one that answers, to run handlers and deliver (each takes "
        "some 70 MB); 0: one process does everything. `None`: one less than there are cores, at most 4, and 0 on "
        "SQLite",
        zero=True,
    )

    METRICS_LISTEN: str = setting(
        BOTH,
        "",
        "Address and port on which `hookline worker` answers [/metrics](metrics.md), such as `0.0.0.0:9464`; `serve` "
        "does so on its own port. Empty: nowhere",
    )

    LEASE: float = setting(
        BOTH,
        60,
        "How long a job belongs to its worker; the worker extends it after each third. A job whose worker died waits "
        "until it ends. Must be longer than `DELIVERY_TIMEOUT`",
    )

    POLL: float = setting(
        BOTH,
        0.5,
        "The longest pause before a worker looks for jobs again. New jobs of the same process wake it at once",
    )

    STOP_TIMEOUT: float = setting(
        BOTH,
        30,
        "How long a worker that was told to stop waits for the jobs in progress",
        zero=True,
    )

    RETRY_JITTER: float = setting(
        BOTH,
        0.2,
        "Each wait before a retry is made longer by up to this share, so that not all come back at once",
        zero=True,
    )

    RETENTION: float = setting(
        BOTH,
        90 * DAY,
        "How long events and deliveries are kept after they ended, and messages: 90 days. 0 keeps them for "
        "ever. A webhook that is sent again later is a new event; see "
        "[operations.md](operations.md#history-and-how-long-it-is-kept)",
        zero=True,
    )

    REJECTION_RETENTION: float = setting(
        BOTH,
        30 * DAY,
        "How long rejections are kept: 30 days. 0 keeps them for ever. Shorter, because anybody can cause them",
        zero=True,
    )

    AUDIT_RETENTION: float = setting(
        BOTH,
        0,
        "How long entries of the [audit log](operations.md#who-changed-what-the-audit-log) are kept. 0 keeps them for "
        "ever: they are few, and questions about changes may come years later",
        zero=True,
    )

    ROTATION_OVERLAP: float = setting(
        BOTH,
        DAY,
        "How long the previous secret stays active after a rotation: a day for the other side to change over",
        zero=True,
    )

    # ---- Receiving ----

    TRUSTED_PROXIES: int = setting(
        RECEIVING,
        0,
        "How many proxies of yours each request passes, one after the other. The client's address is the entry with "
        "this number in `X-Forwarded-For`, counted from its end; with 0 the header is ignored. If the number is too "
        "high, a caller can invent its address. See [operations.md](operations.md#addresses-and-proxies)",
        zero=True,
    )

    MAX_BODY_BYTES: int = setting(
        RECEIVING,
        5 * 1024 * 1024,
        "A longer request is refused with 413 before it is read, unless the sender documents longer ones "
        "([GitHub](providers/github.md): 25 MB)",
    )

    REJECTION_BODY_BYTES: int = setting(
        RECEIVING,
        16 * 1024,
        "How much of a refused request is kept: URL, headers and body together. Only what was kept whole can "
        "be verified again",
        zero=True,
    )

    MAX_REJECTIONS: int = setting(
        RECEIVING,
        10_000,
        "Maximum number of rejections kept per source; all unknown URLs together get a tenth of it. One hour may "
        "use an eighth of that, one reason half of its hour. Further ones are only counted, except the "
        "first five of each reason in each hour. Limited because anybody can cause them",
    )

    MAX_REJECTION_BYTES: int = setting(
        RECEIVING,
        64 * 1024 * 1024,
        "... and their maximum size",
    )

    EVENT_RETRY_DELAYS: tuple[float, ...] = setting(
        RECEIVING,
        (5, 30, 2 * MINUTE, 10 * MINUTE, 30 * MINUTE, 2 * HOUR, 6 * HOUR, 12 * HOUR),
        "Waits before each retry of an event whose handler failed; after the last one it is dead. About 21 "
        "hours, so that a mistake can be repaired the next morning",
    )

    HANDLER_THREADS: int = setting(
        RECEIVING,
        4,
        "Handlers that run at once in one worker process. Each holds a database connection",
    )

    EVENTS_PER_TRANSACTION: int = setting(
        RECEIVING,
        50,
        "Maximum number of events in one transaction. It takes waiting events until it is 50 ms old; a single event "
        "is not delayed. More is faster, but locks of one handler's writes are kept until the other handlers are "
        "done. When one fails, the transaction is rolled back, and each of its events runs again in its own; with 1 "
        "each event has its own transaction from the beginning",
    )

    HANDLER_TIMEOUT: float = setting(
        RECEIVING,
        5 * MINUTE,
        "A handler that runs longer has failed: its event is retried, this run is rolled back, and its "
        "thread is replaced",
    )

    FOLLOW_UP_THREADS: int = setting(
        RECEIVING,
        4,
        "Functions marked with `@hookline.after_commit` that run at once in one worker process. None is started where "
        "no function is marked",
    )

    HANDLER_CONTEXT: str = setting(
        RECEIVING,
        "",
        "The dotted path of a function that takes an Event and returns a context manager, in which its handlers and "
        "follow-ups run, for example to enter a tenant's schema. See [django-tenants](howto/schema-per-tenant.md)",
    )

    # ---- Serving ----

    HTTP_HEADER_TIMEOUT: float = setting(
        SERVING,
        10,
        "Seconds in which all headers of a request must arrive. Later ones are answered 408; a connection on "
        "which nothing arrives is closed",
    )

    HTTP_BODY_TIMEOUT: float = setting(
        SERVING,
        30,
        "... and then its body",
    )

    HTTP_KEEP_ALIVE: float = setting(
        SERVING,
        75,
        "Seconds that a connection may wait for its next request. Longer than the usual 60 of load "
        "balancers, which could otherwise send a request on a connection that is being closed",
    )

    HTTP_MAX_BODY_BYTES: int = setting(
        SERVING,
        5 * 1024 * 1024,
        "The longest body of a request to a path that is not a source's, such as the admin; longer ones are answered "
        "413",
    )

    HTTP_MAX_BODIES_BYTES: int = setting(
        SERVING,
        128 * 1024 * 1024,
        "Total bytes of all bodies being read in one process. A request that would exceed it is answered 503",
    )

    HTTP_MAX_CONNECTIONS: int = setting(
        SERVING,
        1000,
        "Maximum number of connections of one process, also limited by its limit of open files. Beyond it, the "
        "connection that has been idle for the longest time is closed for the new one; if none is idle, the new one is "
        "answered 503",
    )

    METRICS_TOKEN: str = setting(
        SERVING,
        "",
        "A client that sends it as `Authorization: Bearer ...` may read [/metrics](metrics.md). Without this setting "
        "only direct requests from a loopback or private address may, because the metrics name tenants",
        shown=False,
    )

    # ---- Sending ----

    MAX_MESSAGE_BYTES: int = setting(
        SENDING,
        1024 * 1024,
        "A longer message is refused by `dispatch()`. Subscribers' servers have limits, too",
    )

    MESSAGE_EXPIRES_AFTER: float = setting(
        SENDING,
        0,
        "Seconds after which a message's unfinished deliveries are cancelled, if neither `dispatch()` nor its event "
        "type says otherwise. 0: never; attempts end with `DELIVERY_RETRY_DELAYS`",
        zero=True,
    )

    CONTENT_RETENTION: float = setting(
        SENDING,
        0,
        "How long the content of delivered messages and the answers of endpoints are kept. The record stays "
        "until `RETENTION`. 0: all is kept until then. See [operations.md](operations.md#expunge-content)",
        zero=True,
    )

    ENDPOINT_CHALLENGE: bool = setting(
        SENDING,
        False,
        "Whether a new endpoint must answer a [challenge](sending.md#ownership-challenge) before its first delivery, "
        "if its creation does not say",
    )

    ENDPOINT_SIGNATURES: tuple[str, ...] = setting(
        SENDING,
        (),
        "How messages to a new endpoint are [signed](sending.md#other-signatures), if its creation does not say: "
        "`v1, svix` while subscribers still read Svix's headers. Empty: `v1`",
    )

    EVENT_TYPES: str = setting(
        SENDING,
        "off",
        "Whether `dispatch()` checks data against the [catalogue](sending.md#event-types): `off` checks nothing, "
        "`check` checks types that are in it, `only` also refuses types that are not in it",
    )

    DELIVERY_RETRY_DELAYS: tuple[float, ...] = setting(
        SENDING,
        (
            5,
            5 * MINUTE,
            30 * MINUTE,
            2 * HOUR,
            5 * HOUR,
            10 * HOUR,
            14 * HOUR,
            20 * HOUR,
            24 * HOUR,
        ),
        "Waits before each retry: the example schedule of Standard Webhooks. After the last one the delivery is dead. "
        "An endpoint may have its own",
    )

    DELIVERY_DEADLINE: float = setting(
        SENDING,
        0,
        "Seconds after a delivery's first attempt within which its last one must begin, whatever the retry delays, a "
        "`Retry-After` or a breaker say. 0: no such limit. An endpoint may have its own",
        zero=True,
    )

    DELIVERY_TIMEOUT: float = setting(
        SENDING,
        20,
        "For the whole request: connect, send, and read the answer. Standard Webhooks advises 15 to 30",
    )

    DELIVERY_CONCURRENCY: int = setting(
        SENDING,
        200,
        "Requests under way at once in one worker process",
    )

    DELIVERY_CONCURRENCY_PER_ENDPOINT: int = setting(
        SENDING,
        50,
        "... and to one endpoint, so that a slow endpoint cannot use all of them",
    )

    SUSPEND_AFTER_FAILURES: int = setting(
        SENDING,
        10,
        "An endpoint is suspended after this many failed attempts in a row; failures within 30 seconds of the last "
        "counted one are not counted, so a restart under load counts once. Its tenant is warned after half. 0: never",
        zero=True,
    )

    SUSPEND_AFTER: float = setting(
        SENDING,
        5 * DAY,
        "... or when all attempts have failed for this long. 0: never",
        zero=True,
    )

    NOTIFY_BY_EMAIL: bool = setting(
        SENDING,
        True,  # a default
        "Whether a tenant with an e-mail address gets an e-mail, by Django, when its endpoint keeps failing, is "
        "suspended or recovers",
    )

    OPERATIONAL_TENANT: str = setting(
        SENDING,
        "",
        "The key of the tenant whose endpoints get the same news of all endpoints, as messages of the types "
        "`endpoint.failing`, `endpoint.suspended` and `endpoint.recovered`. Empty: no tenant",
    )

    RESPONSE_BODY_BYTES: int = setting(
        SENDING,
        8 * 1024,
        "How much of an endpoint's answer is kept, to be shown",
        zero=True,
    )

    ALLOWED_SUBNETS: tuple[str, ...] = setting(
        SENDING,
        (),
        "Networks to which deliveries may connect besides public addresses, such as `10.1.0.0/16`. Anybody who can "
        "create endpoints can then reach them",
    )

    ALLOW_HTTP: bool | None = setting(
        SENDING,
        None,
        "Whether endpoints may use plain http. None: only for addresses in `ALLOWED_SUBNETS`",
    )

    ALLOWED_PORTS: tuple[int, ...] = setting(
        SENDING,
        (),
        "The only ports to which deliveries may connect, such as `443, 8443`. Empty: all except those of well-known "
        "services that are not HTTP",
    )

    ALLOWED_PROXIES: tuple[str, ...] = setting(
        SENDING,
        (),
        "Forward proxies that endpoints may use although their addresses are not public, such as "
        "`http://proxy.internal:3128`",
    )

    # ---- The API ----

    API_KEY: str = setting(
        API,
        "",
        "An operator's key that may do everything, any 16 to 4,096 printable characters: for a "
        "first start, before `hookline key create`, and for programs that bring a key of their own. It is not in "
        "the database, so it cannot be revoked or limited; empty: none",
        shown=False,
    )

    PORTAL_URL: str = setting(
        API,
        "",
        "The page on which your subscribers manage their endpoints. `app-portal-access` answers with this URL, "
        "followed by `#key=` and the base64 of a JSON object with `appId` and `token`. Empty: it answers only the "
        "token",
    )

    @property
    def metrics_address(self) -> tuple[str, int] | None:
        """METRICS_LISTEN as host and port; None where it is empty. Raises ConfigurationError."""
        if not self.METRICS_LISTEN:
            return None
        host, _, port = self.METRICS_LISTEN.rpartition(":")
        if not host or not port.isascii() or not port.isdecimal() or not 0 < int(port) < 65536:
            raise ConfigurationError(
                "HOOKLINE['METRICS_LISTEN'] must be an address, a colon and a port, such as '0.0.0.0:9464' or "
                f"'[::]:9464', not {self.METRICS_LISTEN!r}"
            )
        return host.removeprefix("[").removesuffix("]"), int(port)

    @property
    def address_policy(self) -> AddressPolicy:
        """To which URLs and addresses Hookline connects. Raises ConfigurationError."""
        return AddressPolicy.parse(
            self.ALLOWED_SUBNETS,
            ports=self.ALLOWED_PORTS or None,
            allow_http=self.ALLOW_HTTP,
            proxies=self.ALLOWED_PROXIES,
        )

    @cached_property
    def event_retry(self) -> RetrySchedule:
        return RetrySchedule(self.EVENT_RETRY_DELAYS, self.RETRY_JITTER)

    @property
    def suspension(self) -> SuspensionSettings:
        return SuspensionSettings(self.SUSPEND_AFTER_FAILURES, self.SUSPEND_AFTER)

    @cached_property
    def delivery_retry(self) -> RetrySchedule:
        return RetrySchedule(self.DELIVERY_RETRY_DELAYS, self.RETRY_JITTER, self.DELIVERY_DEADLINE)


ENGINES = ("worker", "celery")
#: Of dispatched data against the catalogue of event types.
CHECKS = ("off", "check", "only")

NAMES = frozenset(f.name for f in fields(Settings))
#: What the value of each setting is: `int`, `bool | None`, `tuple[str, ...]` and the like.
KINDS: Mapping[str, Any] = get_type_hints(Settings)
_MAY_BE_ZERO = frozenset(f.name for f in fields(Settings) if f.metadata["zero"])
_LISTS = {float: "numbers", int: "whole numbers", str: "text"}


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
    _ = settings.metrics_address
    if settings.API_KEY and not (16 <= len(settings.API_KEY) <= 4096 and _is_token(settings.API_KEY)):
        raise ConfigurationError("HOOKLINE['API_KEY'] must have 16 to 4096 printable ASCII characters without blanks")
    if settings.EVENT_TYPES not in CHECKS:
        raise ConfigurationError(
            f"HOOKLINE['EVENT_TYPES'] must be one of {', '.join(CHECKS)}, not {settings.EVENT_TYPES!r}"
        )
    check_schemes(settings.ENDPOINT_SIGNATURES)
    for delays in (settings.EVENT_RETRY_DELAYS, settings.DELIVERY_RETRY_DELAYS):
        RetrySchedule(delays, settings.RETRY_JITTER)
    _ = settings.delivery_retry
    return settings


def _is_token(text: str) -> bool:
    """Whether it can stand in a header as it is."""
    return text.isascii() and text.isprintable() and " " not in text


def _check(name: str, value: Any) -> Any:
    kind = KINDS[name]
    if get_origin(kind) is tuple:
        item, _ = get_args(kind)
        if not isinstance(value, list | tuple) or not all(_is(one, item) for one in value):
            raise ConfigurationError(f"HOOKLINE[{name!r}] must be a list of {_LISTS[item]}")
        return tuple(value)
    kinds = get_args(kind) or (kind,)
    if not any(_is(value, one) for one in kinds):
        wanted = " or ".join("None" if one is type(None) else one.__name__ for one in kinds)
        raise ConfigurationError(f"HOOKLINE[{name!r}] must be {wanted}, not {type(value).__name__}")
    # Not `value <= 0`: that is false for nan, too.
    if (
        isinstance(value, int | float)
        and bool not in kinds
        and not (value > 0 or (value == 0 and name in _MAY_BE_ZERO))
    ):
        raise ConfigurationError(f"HOOKLINE[{name!r}] must be more than 0, not {value}")
    return value


def _is(value: Any, kind: type) -> bool:
    """Whether a setting of this kind takes the value: a whole number is a float, and a truth value is no number."""
    return isinstance(value, (int, float) if kind is float else kind) and (kind is bool or not isinstance(value, bool))


@cache
def get() -> Settings:
    """The settings of this process, read once."""
    return load(getattr(django_settings, "HOOKLINE", {}))


@receiver(setting_changed)
def _forget(setting: str, **kwargs: Any) -> None:
    if setting == "HOOKLINE":  # only tests change settings while running
        get.cache_clear()
