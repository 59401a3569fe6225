"""Adoption and AdoptionDuplicate: how far a table was taken over, and which of its rows are duplicates."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from hookline.db.row import Row


class Adoption(Row):
    """An existing table that is taken over. Written with each batch of events, so that a killed run goes on from it."""

    prefix = "adp"
    noun, nouns = "adoption", "adoptions"

    #: What identifies the run: the table and how it is read, as a hash.
    key = models.CharField(_("key"), max_length=64, unique=True, editable=False)
    table = models.CharField(_("table"), max_length=256, editable=False)
    #: Which column is what, and which sources the rows belong to.
    mapping = models.JSONField(_("mapping"), default=dict, editable=False)
    #: The primary key of the last row that was taken over, as text.
    last_row = models.CharField(_("last row"), max_length=256, blank=True, default="", editable=False)
    #: How many rows there were to begin with, and how many were taken over, by what became of them.
    rows = models.PositiveBigIntegerField(_("rows"), default=0, editable=False)
    counts = models.JSONField(_("counts"), default=dict, editable=False)
    finished_at = models.DateTimeField(_("finished at"), null=True, editable=False)

    class Meta:
        verbose_name = _("adoption")
        verbose_name_plural = _("adoptions")

    @property
    def done(self) -> int:
        """How many rows were taken over."""
        return sum(self.counts.values())


class AdoptionDuplicate(models.Model):
    """A row of the table that is a duplicate, and the row that is kept instead. Only while it is being taken over."""

    id = models.BigAutoField(primary_key=True)
    adoption = models.ForeignKey(Adoption, models.CASCADE, related_name="duplicates", db_index=False)
    row = models.CharField(max_length=256)
    kept = models.CharField(max_length=256)

    class Meta:
        indexes = [models.Index(fields=["adoption", "row"], name="hookline_adoption_row")]

    def __str__(self) -> str:
        return f"{self.row} is a duplicate of {self.kept}"
