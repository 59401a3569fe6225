"""What is refused beyond the limits is counted, per source, reason and hour; and whether a rejection is kept whole."""

import django.db.models.deletion
import django.db.models.functions.datetime
from django.db import migrations, models

import hookline.db.row


class Migration(migrations.Migration):
    dependencies = [
        ("hookline", "0006_audit"),
    ]

    operations = [
        migrations.AddField(
            model_name="rejection",
            name="kept_whole",
            field=models.BooleanField(editable=False, null=True),
        ),
        migrations.CreateModel(
            name="RejectionCount",
            fields=[
                (
                    "id",
                    models.UUIDField(default=hookline.db.row.new_id, editable=False, primary_key=True, serialize=False),
                ),
                (
                    "created_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False),
                ),
                ("reason", models.CharField(max_length=64)),
                ("hour", models.DateTimeField()),
                ("key", models.CharField(max_length=160, unique=True)),
                ("stored", models.PositiveBigIntegerField(default=0)),
                ("stored_bytes", models.PositiveBigIntegerField(default=0)),
                ("only_counted", models.PositiveBigIntegerField(default=0)),
                (
                    "source",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="hookline.source",
                    ),
                ),
            ],
            options={
                "indexes": [models.Index(fields=["hour", "source"], name="hookline_rejectioncount_hour")],
            },
        ),
    ]
