"""Edge 1: the Django view. It reads and writes HTTP; the flow is that of `flow`."""

from __future__ import annotations

import time
from collections.abc import Callable

from django.conf import settings as django_settings
from django.core.exceptions import RequestDataTooBig
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.http.request import UnreadablePostError
from django.views.decorators.csrf import csrf_exempt

from hookline import conf
from hookline.core.client_address import client_address
from hookline.core.header_section import WHITE_SPACE, check_header_section, first_headers
from hookline.core.request import WebhookRequest, read_headers
from hookline.exceptions import CannotVerify, HeadersTooLarge, TooLarge, Unreadable
from hookline.incoming.receive.documents import documents
from hookline.incoming.receive.flow import Receiver, run
from hookline.incoming.receive.source_cache import SourcesInDatabase
from hookline.providers.base import Reply

receiver = Receiver(conf.get, SourcesInDatabase(), documents, time.time)


def never_atomic(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """With ATOMIC_REQUESTS the acknowledgement would be made before the COMMIT it depends on, and a refused request
    would roll back the Rejection that explains it. A project's router may have put our tables into any database.
    """
    for alias in django_settings.DATABASES:
        view = transaction.non_atomic_requests(using=alias)(view)
    return view


@never_atomic
@csrf_exempt
def ingest(request: HttpRequest, token: str) -> HttpResponse:
    """`/in/<token>`: hand the request to the flow and write its reply."""
    body = Body(request)
    headers = list(request.headers.items())
    try:
        check_header_section(headers, len(request.path) + len(request.META.get("QUERY_STRING", "")))
    except HeadersTooLarge as error:
        reply = run(receiver.refuse(read_head(request, first_headers(headers)), token, error))
    else:
        reply = run(receiver.receive(read_head(request, headers), token, body.read))
    return respond(reply)


class Body:
    """The body of a request, as the WSGI server and the middleware before us left it."""

    def __init__(self, request: HttpRequest) -> None:
        self._request = request

    async def read(self, most: int) -> bytes:
        """All of it, never more than `most` bytes. Raises VerificationError."""
        if getattr(self._request, "_read_started", False) and not hasattr(self._request, "_body"):
            raise CannotVerify(
                "body_consumed",
                "a middleware or decorator of the project read the body before Hookline could (request.POST of a form "
                "with files, or request.read()); leave requests to Hookline's URLs alone there",
            )
        try:
            body = self._read(most + 1)
        except (UnreadablePostError, RequestDataTooBig, ValueError, OSError) as error:
            raise Unreadable("unreadable_body", str(error)[:200]) from None
        if len(body) > most:
            raise TooLarge("too_large", f"the body is longer than {most} bytes")
        return body

    def _read(self, most: int) -> bytes:
        announced = self._request.META.get("CONTENT_LENGTH") or ""
        if not announced and "chunked" in self._request.headers.get("transfer-encoding", "").lower():
            return self._read_chunked(most)
        if int(announced or 0) >= most:
            raise TooLarge("too_large", f"Content-Length is more than {most - 1} bytes")
        body: bytes = self._request.read(most)
        return body

    def _read_chunked(self, most: int) -> bytes:
        """Django takes a body without a length for an empty one. Some servers, as Gunicorn, say that theirs ends."""
        environ = self._request.META
        if not environ.get("wsgi.input_terminated"):
            raise Unreadable(
                "chunked_body",
                "the body came in chunks, which this WSGI server does not hand on; have the proxy before it buffer "
                "requests, or use an ASGI server or `hookline serve`",
            )
        body: bytes = environ["wsgi.input"].read(most)
        return body


def read_head(request: HttpRequest, headers: list[tuple[str, str]]) -> WebhookRequest:
    """All of a request but its body."""
    query = request.META.get("QUERY_STRING", "")
    settings = conf.get()
    read = read_headers((name, value.strip(WHITE_SPACE)) for name, value in headers)
    return WebhookRequest(
        method=request.method or "",
        url=f"{settings.PUBLIC_URL.rstrip('/')}{request.path}{'?' + query if query else ''}",
        headers=read,
        body=b"",
        remote_addr=client_address(request.META.get("REMOTE_ADDR", ""), read, settings.TRUSTED_PROXIES),
    )


def respond(reply: Reply) -> HttpResponse:
    response = HttpResponse(reply.body, status=reply.status, content_type=reply.content_type)
    response["Content-Length"] = str(len(reply.body))  # without CommonMiddleware nobody else would say it
    for name, value in reply.headers:
        response[name] = value
    return response
