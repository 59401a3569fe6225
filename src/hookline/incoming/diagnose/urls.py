"""URLs that may have been signed: those under which the sender may know the source, as the request itself tells."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from urllib.parse import urlsplit

from hookline.core.request import WebhookRequest

#: Where proxies write the host that they were asked for. Anybody can write it: good enough to explain a refusal.
_HOSTS = ("host", "x-forwarded-host", "x-original-host")
_PATHS = ("x-original-uri", "x-original-url", "x-rewrite-url", "x-forwarded-uri")
_MOST = 100


def urls(request: WebhookRequest) -> Iterator[str]:
    """Other URLs than the configured one, the likeliest first."""
    try:
        configured = urlsplit(request.url)
        port = configured.port
    except ValueError:
        return
    known = [configured.netloc, configured.hostname or ""]
    hosts = [*known, *(value.split(",")[0].strip() for name in _HOSTS for value in request.headers.get(name, ()))]
    hosts += [host.rpartition(":")[0] for host in hosts if host.rpartition(":")[2].isdigit()]
    hosts += [f"{host}:{number}" for host in hosts if ":" not in host for number in (443, 80, port or 443)]
    query = f"?{configured.query}" if configured.query else ""
    path = configured.path
    paths = [path + query, path.rstrip("/") + query, f"{path.rstrip('/')}/{query}", path]
    paths += [value for name in _PATHS for value in request.headers.get(name, ()) if value.startswith("/")]
    prefixes = ("", *(value.rstrip("/") for value in request.headers.get("x-forwarded-prefix", ())))
    found = (
        f"{scheme}://{host}{prefix}{path}"
        for prefix, path, host, scheme in product(prefixes, paths, hosts, ("https", "http"))
        if host
    )
    for number, url in enumerate(dict.fromkeys(found)):
        if number == _MOST:
            return
        if url != request.url:
            yield url
