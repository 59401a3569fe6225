"""What every TLS connection to a stranger is checked against."""

from __future__ import annotations

import os
import ssl
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager


def client_context() -> ssl.SSLContext:
    """The system's authorities, and the name in the URL."""
    return strict(ssl.create_default_context())


def strict(context: ssl.SSLContext) -> ssl.SSLContext:
    """The same context, which takes the names in `subjectAltName` only.

    Python would fall back to the subject's common name where a certificate has none, which is free text: RFC 9525
    section 2 forbids it.
    """
    context.hostname_checks_common_name = False
    return context


def with_certificate(pem: str, trusting: ssl.SSLContext | None) -> ssl.SSLContext:
    """A context that shows this client certificate. It takes some milliseconds, so not on an event loop.

    It trusts what `trusting` trusts, or the system's authorities. Raises OSError, of which SSLError is one.
    """
    if trusting is None:
        context = client_context()
    else:
        context = strict(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))
        context.load_verify_locations(cadata=b"".join(trusting.get_ca_certs(binary_form=True)))
    context.set_alpn_protocols(["http/1.1"])
    with _as_file(pem) as path:
        context.load_cert_chain(path)
    return context


@contextmanager
def _as_file(text: str) -> Iterator[str]:
    """The name of a file with this text, which Python's ssl wants. In memory where the system has such files."""
    if hasattr(os, "memfd_create"):
        number = os.memfd_create("hookline", os.MFD_CLOEXEC)
        try:
            with os.fdopen(os.dup(number), "w") as file:
                file.write(text)
            yield f"/proc/self/fd/{number}"
        finally:
            os.close(number)
        return
    with tempfile.NamedTemporaryFile("w") as file:  # readable by its owner alone
        file.write(text)
        file.flush()
        yield file.name
