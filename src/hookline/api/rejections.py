"""Rejections: what was refused, why, and what to do."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from ninja import Query

from hookline.api.auth import Needs, Request
from hookline.api.errors import ApiError
from hookline.api.pages import ListResponse, id_keys, page
from hookline.api.query import Toggle
from hookline.api.routes import Routes
from hookline.api.schema import Out, Text
from hookline.api.sources import find as find_source
from hookline.api.visible import HistoryListing, app_of, between, body_fields, chosen, one
from hookline.exceptions import ConfigurationError, VerificationError
from hookline.models import Rejection
from hookline.operations import rejections

routes = Routes("Rejection")

READ = Needs("rejections:read")
WRITE = Needs("rejections:write")
IDS = id_keys("rej")


class RejectionListing(HistoryListing):
    source_id: Text | None = None
    reason: Text | None = None
    status: int | None = None
    #: Those that were verified again and passed, or those that were not.
    admitted: Toggle | None = None


class RejectionOut(Out):
    id: str
    app_id: str | None
    source_id: str | None
    provider: str
    #: What was answered, and the code for why.
    status: int
    reason: str
    detail: str
    method: str
    path: str
    remote_addr: str
    body_size: int
    complete: bool
    admitted_at: datetime | None
    event_id: str | None
    created_at: datetime

    @classmethod
    def values(cls, rejection: Rejection) -> dict[str, Any]:
        found = rejections.as_json(rejection)
        shown = {name: found[name] for name in RejectionOut.model_fields if name in found}
        tenant = rejection.source.tenant if rejection.source else None
        return {**shown, "app_id": app_of(tenant), "source_id": found["source"], "event_id": found["event"]}

    @classmethod
    def of(cls, rejection: Rejection) -> RejectionOut:
        return cls.model_construct(**cls.values(rejection))


class DiagnosisOut(Out):
    cause: str
    text: str
    advice: str
    #: With this one thing changed, the request verifies.
    proven: bool


class RejectedRequestOut(Out):
    """What was sent, without what may be the sender's credentials."""

    url: str
    headers: dict[str, str]
    body: str | None
    body_base64: str | None


class RejectionDetailOut(RejectionOut):
    diagnosis: DiagnosisOut
    #: None where the key that encrypted it is lost.
    request: RejectedRequestOut | None


class AdmittedOut(Out):
    id: str
    status: str


class ReverifiedOut(Out):
    events: list[AdmittedOut]


@routes.get("/rejection", "v1.rejection.list", READ, ListResponse[RejectionOut])
def list_rejections(request: Request, query: Query[RejectionListing]) -> ListResponse[RejectionOut]:
    """List what was refused, newest first, without the requests."""
    rows = Rejection.objects.select_related("source__tenant").defer("encrypted_request")
    rows = chosen(request, rows, "source__tenant", query.app_id)
    if query.source_id is not None:
        rows = rows.filter(source=find_source(request, query.source_id))
    given = {"reason": query.reason, "status": query.status}
    rows = rows.filter(**{name: value for name, value in given.items() if value is not None})
    if query.admitted is not None:
        rows = rows.filter(admitted_at__isnull=not query.admitted)
    return page(between(rows, query), query, IDS, RejectionOut.of, descending=True)


@routes.get("/rejection/{rejection}", "v1.rejection.get", READ, RejectionDetailOut)
def get_rejection(request: Request, rejection: str) -> RejectionDetailOut:
    """Get a rejection, with which mistake explains it and what to do, and the request without credentials."""
    found = find(request, rejection)
    try:
        sent = rejections.shown_request(found)
    except ConfigurationError:
        shown = None
    else:
        headers = {name: ", ".join(values) for name, values in sent.headers.items()}
        shown = RejectedRequestOut(url=sent.url, headers=headers, **body_fields(sent.body))
    diagnosis = DiagnosisOut(**rejections.explain(found).as_json())
    return RejectionDetailOut(**RejectionOut.values(found), diagnosis=diagnosis, request=shown)


@routes.post("/rejection/{rejection}/reverify", "v1.rejection.reverify", WRITE, ReverifiedOut, atomic=False)
def reverify(request: Request, rejection: str) -> ReverifiedOut:
    """Verify a request again, as the source is set up today, and store its events if it passes now."""
    found = find(request, rejection)
    try:
        stored = rejections.reverify(request.auth.actor, found)
    except VerificationError as error:
        raise ApiError(f"it is refused again: {error.code}", code="still_refused", status=409) from None
    return ReverifiedOut(events=[AdmittedOut(**one) for one in stored])


def find(request: Request, name: str) -> Rejection:
    """Raises Missing."""
    return one(request, rejections.find, name, lambda found: found.source.tenant if found.source else None)
