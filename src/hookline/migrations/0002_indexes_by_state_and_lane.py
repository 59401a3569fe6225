"""Indexes that list any state and any lane at the same cost however many rows there are (see engine.job.job_indexes).

A claim and a settlement write fewer indexes than before: those of foreign keys whose column begins another index go.
"""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("hookline", "0001_initial"),
    ]

    operations = [
        migrations.RemoveIndex(
            model_name="delivery",
            name="hookline_delivery_running",
        ),
        migrations.RemoveIndex(
            model_name="delivery",
            name="hookline_delivery_dead",
        ),
        migrations.RemoveIndex(
            model_name="event",
            name="hookline_event_running",
        ),
        migrations.RemoveIndex(
            model_name="event",
            name="hookline_event_dead",
        ),
        migrations.RemoveIndex(
            model_name="rejection",
            name="hookline_rejection_source",
        ),
        migrations.AlterField(
            model_name="delivery",
            name="endpoint",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="deliveries",
                to="hookline.endpoint",
            ),
        ),
        migrations.AlterField(
            model_name="delivery",
            name="message",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="deliveries",
                to="hookline.message",
            ),
        ),
        migrations.AlterField(
            model_name="event",
            name="source",
            field=models.ForeignKey(
                db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name="events", to="hookline.source"
            ),
        ),
        migrations.AlterField(
            model_name="message",
            name="tenant",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="messages",
                to="hookline.tenant",
            ),
        ),
        migrations.AlterField(
            model_name="rejection",
            name="source",
            field=models.ForeignKey(
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="rejections",
                to="hookline.source",
            ),
        ),
        migrations.AddIndex(
            model_name="delivery",
            index=models.Index(fields=["state", "created_at"], name="hookline_delivery_state"),
        ),
        migrations.AddIndex(
            model_name="delivery",
            index=models.Index(fields=["endpoint", "created_at"], name="hookline_delivery_lane"),
        ),
        migrations.AddIndex(
            model_name="event",
            index=models.Index(fields=["state", "created_at"], name="hookline_event_state"),
        ),
        migrations.AddIndex(
            model_name="event",
            index=models.Index(fields=["source", "created_at"], name="hookline_event_lane"),
        ),
        migrations.AddIndex(
            model_name="message",
            index=models.Index(fields=["tenant", "created_at"], name="hookline_message_tenant"),
        ),
        migrations.AddIndex(
            model_name="rejection",
            index=models.Index(fields=["source", "created_at"], name="hookline_rejection_source"),
        ),
        migrations.AddIndex(
            model_name="rejection",
            index=models.Index(fields=["status", "created_at"], name="hookline_rejection_status"),
        ),
    ]
