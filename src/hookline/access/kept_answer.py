"""KeptAnswer: what a request with an Idempotency-Key was answered, for whoever sends it again."""

from __future__ import annotations

from django.db import models

from hookline.db.encrypted_field import EncryptedField
from hookline.db.row import Row


class KeptAnswer(Row):
    prefix = "answer"
    noun, nouns = "answer", "answers"

    #: Of whose key it is, the Idempotency-Key, and the path with its query; in hex.
    digest = models.CharField(max_length=64, unique=True)
    #: None while the request is under way, in its own transaction alone.
    status = models.PositiveSmallIntegerField(null=True)
    #: It may hold a key or a secret.
    body = EncryptedField(default="")
