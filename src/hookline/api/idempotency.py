"""Idempotency-Key: a repeated POST has its effect once, and is answered as the first time.

The key is stored in the transaction of the effect. A second request with it waits until the first has ended; if the
first failed, no key is stored, and the second one runs. The body is not compared, as in Svix.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import timedelta

from django.db import IntegrityError, router, transaction
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils import timezone

from hookline.access.authenticate import authenticate
from hookline.access.kept_answer import KeptAnswer
from hookline.core import ids

#: How long an answer is kept.
KEPT = timedelta(hours=12)
#: Of those that are older, so many are deleted with each new one.
AT_ONCE = 10


def once(request: HttpRequest, run: Callable[[], HttpResponseBase]) -> HttpResponseBase:
    """The answer to a POST with a key: that of `run`, or the one that is kept. Raises NotAuthenticated or CannotStore.

    An empty key is none: a client that has lost its own would get the answers of others.
    """
    key = request.headers.get("Idempotency-Key")
    if not key:
        return run()
    digest = _digest(request, key)
    database = router.db_for_write(KeptAnswer)
    with transaction.atomic(using=database):
        kept, is_new = _locked(digest, database)
        if not is_new:
            return _replayed(kept)
        response = run()
        if 200 <= response.status_code < 300 and isinstance(response, HttpResponse):
            kept.status, kept.body = response.status_code, response.content.decode()
            kept.save(update_fields=["status", "body"])
        else:
            transaction.set_rollback(True, using=database)
    return response


def _digest(request: HttpRequest, key: str) -> str:
    principal = authenticate(request.headers.get("Authorization"))
    path = f"{request.path.rstrip('/')}?{request.META.get('QUERY_STRING', '')}"
    parts = (str(principal.actor), key, path)
    return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogateescape")).hexdigest()


def _locked(digest: str, database: str) -> tuple[KeptAnswer, bool]:
    """The row of this key, and whether it was made just now. Waits for a transaction that is making it."""
    rows = KeptAnswer.objects.using(database)
    end = ids.first_at((timezone.now() - KEPT).timestamp())
    old = rows.select_for_update(skip_locked=True).filter(id__lt=end).order_by("id")
    rows.filter(pk__in=list(old.values_list("pk", flat=True)[:AT_ONCE])).delete()
    rows.filter(digest=digest, id__lt=end).delete()
    try:
        with transaction.atomic(using=database):
            return rows.create(digest=digest), True
    except IntegrityError:
        return rows.get(digest=digest), False


def _replayed(kept: KeptAnswer) -> HttpResponse:
    response = HttpResponse(kept.body, status=kept.status, content_type="application/json")
    if kept.status == 204:
        del response["content-type"]
    response["idempotency-replayed"] = "true"
    return response
