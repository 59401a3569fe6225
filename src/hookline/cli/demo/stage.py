"""Stage: what the demo sets up before it begins."""

from __future__ import annotations

import os
import secrets
import time
from dataclasses import dataclass, replace

from hookline import providers
from hookline.audit.actor import SYSTEM
from hookline.cli.demo.consumer import Consumer
from hookline.core.request import WebhookRequest
from hookline.core.signatures.standard_webhooks import new_secret
from hookline.models import Endpoint, Source, Tenant
from hookline.operations import endpoints, sources, tenants

EVENT_TYPE = "invoice.paid"


@dataclass(frozen=True, slots=True)
class Stage:
    """A tenant with a Stripe source, and an endpoint that leads to the consumer."""

    #: Where Hookline listens.
    server: str
    tenant: Tenant
    source: Source
    endpoint: Endpoint
    consumer: Consumer

    @classmethod
    def build(cls, server: str) -> Stage:
        tenant = tenants.create(SYSTEM, "acme", name="Acme")
        source = sources.create(
            SYSTEM, "stripe", secrets=[f"whsec_{secrets.token_urlsafe(24)}"], tenant=tenant, name="Demo"
        )
        secret = new_secret(os.urandom(32))
        consumer = Consumer(secret)
        endpoint = endpoints.create(SYSTEM, consumer.url, event_types=["invoice.*"], tenant=tenant, secret=secret)
        consumer.start()
        return cls(server, tenant, source, endpoint, consumer)

    @property
    def url(self) -> str:
        """Where Stripe would post to."""
        return f"{self.server}{self.source.path}"

    def signed_webhook(self) -> WebhookRequest:
        """A new event, signed as Stripe signs it at this moment."""
        stripe, now = providers.get("stripe"), time.time()
        event_id = f"evt_{secrets.token_hex(12)}"
        return stripe.signed_request(EVENT_TYPE, self.source.config(now), now, url=self.url, event_id=event_id)

    def forged_webhook(self) -> WebhookRequest:
        """A genuine request in which somebody raised the amount."""
        genuine = self.signed_webhook()
        return replace(genuine, body=genuine.body.replace(b'"amount_paid":2000', b'"amount_paid":2000000'))
