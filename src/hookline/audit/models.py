"""The noun AuditEntry."""

from __future__ import annotations

from django.core.serializers.json import DjangoJSONEncoder
from django.db import models

from hookline.audit.actor import Actor, Kind
from hookline.db.row import Row


class AuditEntry(Row):
    """One change that somebody made. Never changed, and never pruned; it outlives what it is about."""

    prefix = "aud"

    actor_kind = models.CharField(max_length=16)
    actor_name = models.CharField(max_length=256, blank=True, default="")
    #: A noun and a verb, such as `source.rotate`.
    action = models.CharField(max_length=64)
    #: The public id of what was changed; empty for a change of many rows, which `details` describes.
    object = models.CharField(max_length=64, blank=True, default="")
    #: The tenant that the object belongs to, which may be deleted by now.
    tenant_id = models.UUIDField(null=True)
    #: Field -> [before, after], for the fields that changed. Secrets are counted, never shown.
    changes = models.JSONField(default=dict, encoder=DjangoJSONEncoder)
    #: What else tells what was done, such as how many rows it changed.
    details = models.JSONField(default=dict, encoder=DjangoJSONEncoder)

    class Meta:
        ordering = ["-id"]
        verbose_name = "audit entry"
        verbose_name_plural = "audit entries"
        indexes = [
            models.Index(fields=["object", "created_at"], name="hookline_audit_object"),
            models.Index(fields=["actor_name", "created_at"], name="hookline_audit_actor"),
            models.Index(fields=["tenant_id", "created_at"], name="hookline_audit_tenant"),
        ]

    @property
    def actor(self) -> Actor:
        return Actor(Kind(self.actor_kind), self.actor_name)
