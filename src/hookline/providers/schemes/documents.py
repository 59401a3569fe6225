"""Document: something that verifying needs and a request only points to, such as a certificate or a key set.

A provider is pure, so it does not fetch. It asks `config.document(document)`; where that is not at hand,
`DocumentNeeded` is raised, the edge fetches the document through the guarded transport, and calls the provider again.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from hookline.exceptions import CannotVerify

HOUR = 3600


@dataclass(frozen=True, slots=True)
class Document:
    """What to fetch, and what may be taken for it.

    `url` may be chosen by whoever sent the request, so `allowed_hosts` is the provider's own list of where it may lead,
    in full: under `sns.*.amazonaws.com` anybody may have a bucket called `sns`. `max_age` is in seconds: an older copy
    does not count. `headers` and the `body` of a POST may hold credentials.
    """

    url: str
    allowed_hosts: tuple[str, ...]
    max_bytes: int = 64 * 1024
    max_age: float = 24 * HOUR
    method: Literal["GET", "POST"] = "GET"
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    body: bytes = field(default=b"", repr=False)

    @property
    def identity(self) -> tuple[object, ...]:
        """What two requests for the same document have in common, however fresh each wants it."""
        return (self.method, self.url, self.headers, self.body)


class DocumentNeeded(CannotVerify):
    """Verifying this request needs a document. Whoever cannot fetch it refuses the request with a 503."""

    def __init__(self, document: Document) -> None:
        super().__init__("document_unavailable", f"{document.url[:200]} is needed to verify this request")
        self.document = document
