"""Edge 1: the Django view."""

from __future__ import annotations

import time

from django.core.exceptions import RequestDataTooBig
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.http.request import UnreadablePostError
from django.views.decorators.csrf import csrf_exempt

from hookline import conf
from hookline.core.request import WebhookRequest, read_headers
from hookline.exceptions import TooLarge, Unreadable, VerificationError
from hookline.incoming.receive import receive, refuse
from hookline.providers.base import Reply


# Non-atomic, because with ATOMIC_REQUESTS the acknowledgement would be made before the COMMIT it depends on, and a
# refused request would roll back the Rejection that explains it.
@transaction.non_atomic_requests
@csrf_exempt
def ingest(request: HttpRequest, token: str) -> HttpResponse:
    """`/in/<token>`: hand the request to the flow and write its reply."""
    try:
        webhook = read_request(request, read_body(request, conf.get().MAX_BODY_BYTES))
    except VerificationError as error:
        return respond(refuse(read_request(request, b""), token, error))
    return respond(receive(webhook, token, time.time()))


def read_body(request: HttpRequest, most: int) -> bytes:
    """The raw body, never more than `most` bytes. Raises TooLarge or Unreadable."""
    too_large = TooLarge("too_large", f"the body is longer than {most} bytes")
    try:
        if int(request.headers.get("content-length") or 0) > most:
            raise too_large
        body = request.read(most + 1)
    except (UnreadablePostError, RequestDataTooBig, ValueError, OSError) as error:
        raise Unreadable("unreadable_body", str(error)[:200]) from None
    if len(body) > most:
        raise too_large
    return body


def read_request(request: HttpRequest, body: bytes) -> WebhookRequest:
    query = request.META.get("QUERY_STRING", "")
    return WebhookRequest(
        method=request.method or "",
        url=f"{conf.get().PUBLIC_URL.rstrip('/')}{request.path}{'?' + query if query else ''}",
        headers=read_headers(request.headers.items()),
        body=body,
        remote_addr=request.META.get("REMOTE_ADDR", ""),
    )


def respond(reply: Reply) -> HttpResponse:
    response = HttpResponse(reply.body, status=reply.status, content_type=reply.content_type)
    response["Content-Length"] = str(len(reply.body))  # without CommonMiddleware nobody else would say it
    for name, value in reply.headers:
        response[name] = value
    return response
