"""Emulator: makes the requests that a sender would make, genuine and tampered with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from hookline.core.request import WebhookRequest
from hookline.exceptions import CannotVerify, ConfigurationError, HooklineError, NotVerified, VerificationError
from hookline.providers.base import Provider, SourceConfig
from hookline.providers.schemes.signed import SignedProvider
from hookline.simulator.acts import ACTS, GENUINE, Letter
from hookline.simulator.history import Sending
from hookline.simulator.retrying import Retrying, retried
from hookline.simulator.sequence import Instance

#: Of senders that sign a time and document no window, as configured in many receivers.
DEFAULT_TOLERANCE = 300.0


@dataclass(frozen=True)
class Emulator:
    """A sender that posts to one URL. `url` is what it signs, where it signs one."""

    provider: Provider
    url: str
    secrets: tuple[str, ...] = field(repr=False)
    options: Mapping[str, str] = field(default_factory=dict)
    retrying: Retrying = field(default_factory=Retrying)

    def __post_init__(self) -> None:
        """Raises ConfigurationError where this provider cannot be played with these secrets."""
        if not self.secrets:
            raise ConfigurationError(f"{self.provider.title} cannot sign without a secret")
        self.provider.check_options(self.options)
        for secret in self.secrets:
            self.provider.check_secret(secret)

    @property
    def tolerance(self) -> float | None:
        """Seconds that a signature is valid; None where the sender signs no time or names no window."""
        option = self.options.get("tolerance")
        if option:
            return float(option)
        stated = getattr(self.provider, "tolerance", None)
        if isinstance(self.provider, SignedProvider) and not self.provider.timed:
            return None
        return None if stated is None else float(stated)

    def request(self, instance: Instance, sending: Sending, now: float, attempt: int = 1) -> WebhookRequest | None:
        """The request of one sending at `now`, Unix time in seconds; None where this sender cannot be tampered with so.

        `attempt` 2 is the sender's first retry of this event.

        Raises ConfigurationError where the secret cannot sign.
        """
        try:
            request = ACTS[sending.act](self._letter(instance, sending.event, now, attempt))
        except VerificationError:  # it signs what it reads in the body, and cannot read this one
            return None
        # A few senders want a 5xx for what came unsigned, and then send it again signed.
        wants_5xx = request is not None and sending.act not in GENUINE and self._cannot_verify(request, now)
        return None if wants_5xx else request

    def tells_copies(self, request: WebhookRequest, now: float) -> bool:
        """Whether a receiver can tell a copy of this genuine request from another event."""
        events = self.provider.receive(request, SourceConfig(self.secrets, self.options), now).events
        return all(event.if_known != "repeat" or event.provider_id for event in events)

    def fails_its_signature(self, request: WebhookRequest, now: float) -> bool:
        """Whether this request can be read, and only its signature or time is wrong."""
        try:
            self.provider.receive(request, SourceConfig(self.secrets, self.options), now)
        except NotVerified:
            return True
        except HooklineError:
            pass
        return False

    def _cannot_verify(self, request: WebhookRequest, now: float) -> bool:
        try:
            self.provider.receive(request, SourceConfig(self.secrets, self.options), now)
        except CannotVerify:
            return True
        except HooklineError:
            pass
        return False

    def right_signature(self, request: WebhookRequest, now: float) -> str:
        """All header values that the sender would have signed this very request with, one a line."""
        try:
            signed = self.provider.sign(request, SourceConfig(self.secrets[:1], self.options), now)
        except (HooklineError, ValueError, LookupError, TypeError):
            return ""
        return "\n".join(value for values in signed.headers.values() for value in values)

    def _letter(self, instance: Instance, event: int, now: float, attempt: int) -> Letter:
        config = SourceConfig(self.secrets[:1], self.options)
        following = (event + 1) % len(instance.events)
        composed = self._composed(instance, event, instance.event_ids[event])
        return Letter(
            self.provider,
            composed,
            config,
            replace(config, secrets=self.secrets[1:2]) if len(self.secrets) > 1 else None,
            now,
            self._composed(instance, event, instance.event_ids[event] + "x"),
            self.tolerance,
            self._varied(instance, event),
            self._composed(instance, following, instance.event_ids[following]),
            retried(self.provider, self.retrying, composed, attempt),
        )

    def _varied(self, instance: Instance, event: int) -> WebhookRequest | None:
        found = instance.events[event]
        data = self.provider.samples.get(found.type) if found.data is None else found.data
        if not data:
            return None
        other = replace(found, data={**data, "note_of_the_sender": "says nothing"})
        events = (*instance.events[:event], other, *instance.events[event + 1 :])
        event_id = instance.event_ids[event] + "x"
        return self._composed(replace(instance, events=events), event, event_id)

    def _composed(self, instance: Instance, event: int, event_id: str) -> WebhookRequest:
        found = instance.events[event]
        happened = instance.happened + (0.001 if self.provider.time_is_checked else 1) * event
        composed = self.provider.configured(self.options).compose(found.type, event_id, happened, found.data)
        return replace(composed, url=self.url)
