"""AuditEntry."""

from __future__ import annotations

from django.core.serializers.json import DjangoJSONEncoder
from django.db import models
from django.utils.translation import gettext_lazy as _

from hookline.audit.actor import Actor, Kind
from hookline.db.row import Row


class AuditEntry(Row):
    """One change that somebody made. Never changed, and kept for AUDIT_RETENTION; it outlives what it is about.

    Only the erasure of a tenant empties `changes` and `details` of the tenant's entries: they quote what was erased.
    """

    prefix = "aud"
    noun, nouns = "audit entry", "audit entries"

    actor_kind = models.CharField(_("actor kind"), max_length=16)
    actor_name = models.CharField(_("actor name"), max_length=256, blank=True, default="")
    #: A noun and a verb, such as `source.rotate`.
    action = models.CharField(_("action"), max_length=64)
    #: The public id of what was changed; empty for a change of many rows, which `details` describes.
    object = models.CharField(_("object"), max_length=64, blank=True, default="")
    #: The tenant that the object belongs to, which may be deleted by now.
    tenant_id = models.UUIDField(_("tenant id"), null=True)
    #: Field -> [before, after], for the fields that changed. Secrets are counted, never shown.
    changes = models.JSONField(_("changes"), default=dict, encoder=DjangoJSONEncoder)
    #: What else tells what was done, such as how many rows it changed.
    details = models.JSONField(_("details"), default=dict, encoder=DjangoJSONEncoder)

    class Meta:
        ordering = ["-id"]
        verbose_name = _("audit entry")
        verbose_name_plural = _("audit entries")
        indexes = [
            models.Index(fields=["object", "created_at"], name="hookline_audit_object"),
            models.Index(fields=["actor_name", "created_at"], name="hookline_audit_actor"),
            models.Index(fields=["tenant_id", "created_at"], name="hookline_audit_tenant"),
        ]

    @property
    def actor(self) -> Actor:
        return Actor(Kind(self.actor_kind), self.actor_name)
