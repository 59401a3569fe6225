"""Stages on which tests play a sender to a consumer that listens on this machine."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from hookline import providers
from hookline.simulator.emulator import Emulator
from hookline.simulator.play import Limit, Party, Stage
from hookline.simulator.probe import Probe
from hookline.simulator.retrying import Retrying
from hookline.simulator.sequences import find, retrying_of
from hookline.simulator.target import HttpTarget


def stage_for(
    name: str,
    urls: Sequence[str],
    signing: Sequence[str],
    probe: Probe,
    *,
    sequence: str | None = None,
    options: Mapping[str, str] | None = None,
    retrying: Retrying | None = None,
    timeout: float = 20,
    settle: float = 0.1,
    restart: Callable[[], Any] | None = None,
) -> Stage:
    """This sender, to a consumer with a source behind each URL; it retries as it is known to, unless told otherwise."""
    provider = providers.get(name)
    retrying = retrying_of(provider) if retrying is None else retrying
    return Stage(
        tuple(
            Party(
                Emulator(provider, url, tuple(signing), options or {}, retrying), HttpTarget(url, "127.0.0.1", timeout)
            )
            for url in urls
        ),
        find(provider, sequence),
        probe,
        secrets.token_hex(5),
        Limit(5000),
        settle=settle,
        restart=restart,
    )
