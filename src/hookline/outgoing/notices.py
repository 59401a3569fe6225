"""Telling people that an endpoint fails, was suspended, or has recovered: each once, in the ways that they chose.

The operational webhook is a message of the tenant OPERATIONAL_TENANT, written in the transaction of the change. Signals
and e-mails follow its commit, and a process that is killed just then loses them.
"""

from __future__ import annotations

import logging
from functools import partial
from typing import Any

from django.core.mail import send_mail
from django.db import router, transaction

from hookline import conf
from hookline.core import ids
from hookline.core.suspension import Notice
from hookline.core.url import shown_url
from hookline.db.clock import moment
from hookline.exceptions import HooklineError
from hookline.outgoing.log_fields import of_endpoint
from hookline.outgoing.models import Endpoint
from hookline.telemetry.courier import courier
from hookline.telemetry.emit import emit, subscribe
from hookline.telemetry.records import EndpointNoticed
from hookline.tenants.models import Tenant

logger = logging.getLogger("hookline.outgoing")

_SUBJECTS = {
    Notice.FAILING: "Webhooks to {host} are failing",
    Notice.SUSPENDED: "Webhooks to {host} are suspended",
    Notice.RECOVERED: "Webhooks to {host} are delivered again",
}
_BEGINNINGS = {
    Notice.FAILING: (
        "Deliveries to your endpoint {url} have failed since {since}. They are being retried. If they keep failing, "
        "the endpoint will be suspended."
    ),
    Notice.SUSPENDED: (
        "Your endpoint {url} was suspended: {reason}. It has failed since {since}. Nothing more is sent to it until it "
        "is enabled."
    ),
    Notice.RECOVERED: (
        "Your endpoint {url} takes deliveries again. It had failed since {since}. What waited is being sent."
    ),
}
_ENDINGS = {
    Notice.FAILING: "What it answered last: {reason}",
    Notice.SUSPENDED: (
        "Once it is repaired, have the endpoint {id} enabled (`hookline endpoint enable {id}`), and what it missed "
        "sent again (`hookline endpoint recover {id} --since ...`)."
    ),
    Notice.RECOVERED: "",
}


def connect() -> None:
    """Have e-mails sent from now on."""
    subscribe(EndpointNoticed, lambda noticed: courier.put(partial(mail, noticed)))


def tell(endpoint: Endpoint, notice: Notice, reason: str, since: float | None) -> None:
    """Tell of it once the caller's transaction is committed. `since`: when it began to fail, in Unix time."""
    began = "" if since is None else moment(since).isoformat(timespec="seconds")
    _publish(endpoint, notice, reason, began)
    noticed = EndpointNoticed(endpoint, notice.value, reason, began)
    transaction.on_commit(partial(emit, noticed), using=router.db_for_write(Endpoint), robust=True)


def _publish(endpoint: Endpoint, notice: Notice, reason: str, since: str) -> None:
    from hookline.outgoing.publish.dispatch import dispatch  # seldom needed, and a start is to be short

    key = conf.get().OPERATIONAL_TENANT
    # Not of its own: what cannot be sent to an endpoint would be told to that endpoint.
    if not key or Tenant.objects.filter(key=key, pk=endpoint.tenant_id).exists():
        return
    data: dict[str, Any] = {
        "endpoint": endpoint.public_id,
        "tenant": ids.to_text(Tenant.prefix, endpoint.tenant_id),
        "url": shown_url(endpoint.url),
        "reason": reason,
        "failing_since": since or None,
    }
    try:
        dispatch(notice.value, data, tenant=key)
    except HooklineError:  # what became of the delivery must be recorded all the same
        logger.exception("cannot publish %s", notice.value, extra=of_endpoint(endpoint))


def mail(noticed: EndpointNoticed) -> None:
    """Send the e-mail. For the courier, which logs what goes wrong."""
    if not conf.get().NOTIFY_BY_EMAIL:
        return
    endpoint: Endpoint = noticed.endpoint
    address = Tenant.objects.values_list("email", flat=True).get(pk=endpoint.tenant_id)
    if not address:
        return
    notice = Notice(noticed.notice)
    url = shown_url(endpoint.url)
    values = {
        "url": url,
        "host": url.partition("://")[2].partition("/")[0],
        "id": endpoint.public_id,
        "reason": noticed.reason or "-",
        "since": noticed.since or "now",
    }
    parts = [text[notice].format(**values) for text in (_BEGINNINGS, _ENDINGS)]
    send_mail(_SUBJECTS[notice].format(**values), "\n\n".join(filter(None, parts)) + "\n", None, [address])
