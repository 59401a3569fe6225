"""Plan and Keys: how a run is made, and the made-up secrets of it."""

from __future__ import annotations

import base64
import secrets
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Plan:
    """How a run is made. Durations are seconds."""

    rate: float
    rounds: int
    #: Of the load before the first fault and after the last.
    window: float
    lease: float
    #: HOOKLINE_DELIVERY_TIMEOUT; shorter than the lease.
    timeout: float
    #: 0: the server starts those that it starts by default.
    workers: int = 2
    handler_timeout: float = 300.0
    #: HOOKLINE_EVENTS_PER_TRANSACTION of every second worker; of the others it is 1.
    together: int = 10
    #: Whether events and deliveries of one customer are ordered, and each event has a follow-up.
    ordered: bool = False
    #: Whether events are forwarded, instead of their handler dispatching a message.
    forwarded: bool = False
    #: HOOKLINE_DELIVERY_CONCURRENCY_PER_ENDPOINT: so many deliveries can be repeated when a process that sends dies.
    per_endpoint: int = 20
    #: Messages that are posted through the API a second, beside the webhooks.
    posts: float = 10.0
    #: How long the network or the broker is broken.
    outage: float = 6.0
    #: Throughput after against before, at the least; and before the first fault, against the rate of the load.
    ratio: float = 0.95
    #: After this a system that has not recovered counts as one that never will.
    patience: float = 120.0

    @property
    def environment(self) -> dict[str, str]:
        """Settings of Hookline. Short leases and retries, so that hundreds of faults fit into minutes."""
        return {
            "HOOKLINE_LEASE": str(self.lease),
            "HOOKLINE_DELIVERY_TIMEOUT": str(self.timeout),
            "HOOKLINE_DELIVERY_CONCURRENCY_PER_ENDPOINT": str(self.per_endpoint),
            "HOOKLINE_HANDLER_TIMEOUT": str(self.handler_timeout),
            "HOOKLINE_POLL": "0.05",
            "HOOKLINE_EVENT_RETRY_DELAYS": ",".join(["1"] * 200),
            "HOOKLINE_DELIVERY_RETRY_DELAYS": ",".join(["1"] * 200),
            "HOOKLINE_ALLOWED_SUBNETS": "127.0.0.0/8",
            "HOOKLINE_APPS": "faults.handlers",
            **({"FAULTS_ORDERED": "1"} if self.ordered else {}),
            **({"FAULTS_FORWARDED": "1"} if self.forwarded else {}),
        }


@dataclass(frozen=True)
class Keys:
    """Made once for a run, so that databases can be copied."""

    stripe: str = field(default_factory=lambda: f"whsec_{secrets.token_hex(16)}")
    endpoint: str = field(default_factory=lambda: "whsec_" + base64.b64encode(secrets.token_bytes(24)).decode())
    api: str = field(default_factory=lambda: f"hk_{secrets.token_hex(24)}")
    encryption: str = field(default_factory=lambda: "k1:" + base64.b64encode(secrets.token_bytes(32)).decode())
