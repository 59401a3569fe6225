"""The network between the workers and the consumer breaks."""

from __future__ import annotations

import time

from faults.proxy import Network
from faults.scenarios.base import Scenario, pause_at_random
from faults.stage import Stage


class _NetworkBroken(Scenario):
    bounded_by_attempts, rounds = True, 3
    network: Network

    def break_once(self, stage: Stage, number: int) -> float:
        pause_at_random(stage)
        stage.proxy.network = self.network
        time.sleep(stage.plan.outage)
        stage.proxy.network = Network.FINE
        return time.time()

    def caught(self, stage: Stage) -> int:
        return stage.proxy.met

    def heal(self, stage: Stage) -> None:
        stage.proxy.network = Network.FINE


class NetworkCut(_NetworkBroken):
    """Nothing passes between workers and consumer for a few seconds; the attempts run into their deadline."""

    name, network = "network to the consumer cut", Network.CUT


class NetworkDelayed(_NetworkBroken):
    """Everything passes a second late in each direction, for a few seconds."""

    name, network = "network to the consumer delayed", Network.DELAYED


class NetworkReset(_NetworkBroken):
    """Half of the connections are reset for a few seconds, some of them when the consumer has taken the message and its
    200 is on the way back."""

    name, network, short = "network to the consumer reset", Network.RESET, 1
