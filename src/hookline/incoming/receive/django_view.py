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
from hookline.exceptions import CannotStore, TooLarge, Unreadable, VerificationError
from hookline.incoming.receive.flow import find_source, longest_body, receive, refusal, refuse
from hookline.providers.base import Reply


# Non-atomic, because with ATOMIC_REQUESTS the acknowledgement would be made before the COMMIT it depends on, and a
# refused request would roll back the Rejection that explains it.
@transaction.non_atomic_requests
@csrf_exempt
def ingest(request: HttpRequest, token: str) -> HttpResponse:
    """`/in/<token>`: hand the request to the flow and write its reply."""
    try:
        webhook = read_request(request, read_body(request, token))
    except VerificationError as error:
        return respond(refuse(read_request(request, b""), token, error))
    except CannotStore as error:
        return respond(refusal(error))
    return respond(receive(webhook, token, time.time()))


def read_body(request: HttpRequest, token: str) -> bytes:
    """The raw body, never more than the source takes. Raises VerificationError or CannotStore.

    The source is only looked up for a body that is longer than MAX_BODY_BYTES.
    """
    most = conf.get().MAX_BODY_BYTES
    try:
        announced = int(request.headers.get("content-length") or 0)
        if announced > most:
            most = longest_body(find_source(token))
        if announced > most:
            raise TooLarge("too_large", f"the body is announced to be longer than {most} bytes")
        body: bytes = request.read(most + 1)
        if len(body) > most and (longest := longest_body(find_source(token))) > most:
            body, most = body + request.read(longest + 1 - len(body)), longest
    except (UnreadablePostError, RequestDataTooBig, ValueError, OSError) as error:
        raise Unreadable("unreadable_body", str(error)[:200]) from None
    if len(body) > most:
        raise TooLarge("too_large", f"the body is longer than {most} bytes")
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
