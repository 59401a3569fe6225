"""The standalone server's Celery app with a sweep each second, so that the tests need not wait for five."""

from __future__ import annotations

from hookline.runtime.broker import beat_schedule
from hookline.server.celery import app

app.conf.beat_schedule = beat_schedule(every=1)
