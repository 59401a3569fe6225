"""`Forward`: a rule by which events of a source are sent on to an endpoint."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.db import models
from django.utils.translation import gettext_lazy as _

from hookline.core.event_types import matches
from hookline.db.row import Row
from hookline.incoming.models import Source
from hookline.outgoing.models import Endpoint


class Forward(Row):
    """Which events of a source an endpoint gets, and with which of the sender's headers."""

    prefix = "fwd"
    noun, nouns = "forward", "forwards"

    source = models.ForeignKey(Source, models.CASCADE, verbose_name=_("source"), related_name="forwards")
    endpoint = models.ForeignKey(Endpoint, models.CASCADE, verbose_name=_("endpoint"), related_name="forwards")
    event_types = models.JSONField(
        _("event types"), default=list, blank=True, help_text=_("Patterns such as invoice.*; none means all.")
    )
    filter = models.TextField(  # noqa: DJ001  # null where there is none, as an endpoint's
        _("filter"),
        null=True,
        blank=True,
        help_text=_("Only events that fulfil it, such as @.data.total > 100."),
    )
    #: None: all that tell something of the event.
    headers = models.JSONField(
        _("headers"), null=True, blank=True, help_text=_("The sender's headers to pass on; empty: all of them.")
    )

    class Meta:
        verbose_name = _("forward")
        verbose_name_plural = _("forwards")
        ordering = ["-id"]
        constraints = [models.UniqueConstraint(fields=["source", "endpoint"], name="hookline_forward_unique")]

    @property
    def tenant_id(self) -> UUID:
        """The source's, which is the endpoint's, too."""
        return self.source.tenant_id

    def selects(self, event_type: str) -> bool:
        """Whether its patterns select an event of this type."""
        return not self.event_types or any(matches(pattern, event_type) for pattern in self.event_types)

    def passes(self, value: Any) -> bool:
        """Whether an event, as the JSON that the sender sent, fulfils the filter. Raises ConfigurationError."""
        if not self.filter:
            return True
        from hookline.core.payload_filter import payload_filter  # loading it takes a while; only for those who have one

        return payload_filter(self.filter).matches(value)
