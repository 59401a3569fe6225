"""Case: a refused request with everything that may explain it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from hookline.core.request import WebhookRequest
from hookline.exceptions import VerificationError
from hookline.incoming.receive.documents import Fetch
from hookline.incoming.receive.verification import receive_with
from hookline.providers.base import Provider, SourceConfig
from hookline.providers.schemes.documents import DocumentNeeded

#: Reasons of requests that were verified before they were refused.
_AFTER_VERIFYING = frozenset({"missing_type", "bad_type", "missing_id"})


@dataclass(frozen=True, slots=True)
class Retired:
    """A secret that was active until then (Unix time)."""

    value: str = field(repr=False)
    until: float


@dataclass(frozen=True, slots=True)
class Other:
    """Another source of the same tenant."""

    id: str
    name: str
    provider: Provider
    config: SourceConfig

    @property
    def title(self) -> str:
        return f"{self.id} ({self.name or self.provider.title})"


@dataclass(frozen=True, slots=True)
class Case:
    """A refused request, its source as it is now, and when the request came (Unix time)."""

    source: str
    provider: Provider
    request: WebhookRequest
    config: SourceConfig
    came_at: float
    fetch: Fetch
    retired: Sequence[Retired] = ()
    others: Sequence[Other] = ()
    #: The providers that read each header.
    readers: Mapping[str, Sequence[Provider]] = field(default_factory=dict)

    def attempt(
        self,
        *,
        provider: Provider | None = None,
        request: WebhookRequest | None = None,
        config: SourceConfig | None = None,
        now: float | None = None,
    ) -> VerificationError | None:
        """Why the request is refused with these things changed; None where it is genuine. Fetches nothing."""
        now = self.came_at if now is None else now
        provider = provider or self.provider
        try:
            received = receive_with(self.fetch, provider, request or self.request, config or self.config, now)
        except VerificationError as error:
            # What another sender's event is called is found where its signature was right.
            return None if provider is not self.provider and error.reason in _AFTER_VERIFYING else error
        except DocumentNeeded:
            return VerificationError("document_needed")
        # The reply to a handshake that nobody signed proves nothing.
        return None if received.events or provider is self.provider else VerificationError("no_events")
