"""What every TLS connection to a stranger is checked against."""

from __future__ import annotations

import ssl


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
