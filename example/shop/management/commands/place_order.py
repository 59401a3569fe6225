"""`python manage.py place_order 20.00 in_1`"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from shop.services import place_order


class Command(BaseCommand):
    help = "Place an order, and send order.created to the merchant's endpoints."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("total", type=Decimal)
        parser.add_argument("stripe_id", help="the id of the invoice at Stripe, such as in_1")
        parser.add_argument("--merchant", default="default", help="the key of a tenant")

    def handle(self, *args: Any, total: Decimal, stripe_id: str, merchant: str, **options: Any) -> None:
        order = place_order(total, stripe_id, merchant)
        self.stdout.write(f"{order} is placed; Stripe will collect {order.total} with the invoice {stripe_id}")
