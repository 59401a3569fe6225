"""The shop in the admin, beside Hookline's own pages."""

from __future__ import annotations

from django.contrib import admin

from shop.models import Invoice, LedgerEntry, Order

admin.site.register([Order, Invoice, LedgerEntry])
