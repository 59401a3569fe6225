"""Sets the project up in an empty database, has webhooks arrive for two tenants, works on them, and prints what became
of them as JSON.
"""

from __future__ import annotations

import json
from typing import Any

import django
from django.core.management import call_command
from django.db import connection, transaction
from django.test import Client


def main() -> None:
    django.setup()
    call_command("migrate_schemas", shared=True, verbosity=0)

    from django_tenants.utils import schema_context

    import hookline
    from hookline import conf
    from hookline.audit.actor import SYSTEM
    from hookline.models import Event, FollowUp, Message
    from hookline.operations import sources, tenants
    from hookline.runtime.fleet import Fleet
    from hookline.testing import sign_webhook
    from tests.schemas.customers.models import Customer, Domain
    from tests.schemas.shop.models import Payment
    from tests.waiting import wait_until

    public = Customer.objects.create(schema_name="public", name="The shop")
    Domain.objects.create(domain="hooks.example.com", tenant=public, is_primary=True)
    customers = [Customer.objects.create(schema_name=name, name=name.title()) for name in ("acme", "globex")]

    statuses = []
    for customer in customers:
        tenants.create(SYSTEM, customer.schema_name, name=customer.name)
        source = sources.create(SYSTEM, "stripe", secrets=["whsec_made_up"], tenant=customer.schema_name)
        for event_type in ("invoice.paid", "invoice.voided"):
            request = sign_webhook(source, event_type, event_id=f"evt_{customer.schema_name}_{event_type[8:]}")
            headers = {name: values[0] for name, values in request.headers.items() if name != "content-type"}
            answer = Client().post(
                source.path, request.body, "application/json", headers={**headers, "host": "hooks.example.com"}
            )
            statuses.append(answer.status_code)

    fleet = Fleet(conf.get(), only="incoming")
    fleet.start()
    try:
        wait_until(lambda: not Event.objects.filter(state__in=["pending", "running"]).exists())
        wait_until(lambda: FollowUp.objects.filter(state="succeeded").count() == len(customers))
    finally:
        fleet.stop()

    found: dict[str, Any] = {"statuses": statuses, "payments": {}}
    for customer in customers:
        with schema_context(customer.schema_name):
            found["payments"][customer.schema_name] = list(Payment.objects.values_list("number", "mailed"))
            with transaction.atomic():
                hookline.dispatch("order.created", {}, tenant=customer.schema_name)
    found["events"] = sorted(Event.objects.values_list("provider_id", "state"))
    found["messages"] = sorted(Message.objects.values_list("tenant__key", "type"))
    with connection.cursor() as cursor:
        cursor.execute("SELECT DISTINCT schemaname FROM pg_tables WHERE tablename LIKE 'hookline_%'")
        found["schemas_with_our_tables"] = [row[0] for row in cursor.fetchall()]
    print(json.dumps(found))


if __name__ == "__main__":
    main()
