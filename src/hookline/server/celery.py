"""The Celery app of the standalone server: `celery -A hookline.server.celery worker`.

The broker is in CELERY_BROKER_URL, as Celery itself has it. A Django project has its own app and needs none of this.
"""

from __future__ import annotations

import os

from celery import Celery

from hookline.runtime.broker import beat_schedule

BROKER_URL = os.environ.get("CELERY_BROKER_URL") or "amqp://guest:guest@127.0.0.1:5672//"

# Before the app is made: it looks for Django's settings then.
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "hookline.server.settings")

app = Celery("hookline", broker=BROKER_URL)
app.conf.update(
    task_default_queue="hookline",
    task_ignore_result=True,
    # A message that waits in a worker which is busy could wake another one.
    worker_prefetch_multiplier=1,
    broker_connection_retry_on_startup=True,
    beat_schedule=beat_schedule(),
)
if BROKER_URL.startswith(("amqp", "pyamqp")):
    app.conf.update(
        task_default_queue_type="quorum",
        broker_transport_options={"confirm_publish": True},
        # Celery declares these queues beside every quorum queue. Nothing of Hookline's ever waits in them.
        broker_native_delayed_delivery_queue_type="classic",
    )
elif BROKER_URL.startswith(("redis", "sentinel")):
    # A worker closes a lost connection twice. The first time fails where it deletes queues of remote control or gossip,
    # before it gives back unacknowledged messages, and the second time knows no address for that: it would end. It
    # deletes no durable ones.
    app.conf.update(
        control_queue_durable=True,
        control_queue_exclusive=False,
        event_queue_durable=True,
        event_queue_exclusive=False,
    )
app.autodiscover_tasks()
