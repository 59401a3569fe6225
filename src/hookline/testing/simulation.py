"""The simulator against the project's own handlers, in this process and on the test's database."""

from __future__ import annotations

import secrets
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from hookline import providers
from hookline.core.request import WebhookRequest
from hookline.models import Source
from hookline.simulator import run
from hookline.simulator.emulator import Emulator
from hookline.simulator.play import Limit, Party, Stage
from hookline.simulator.probe import Probe
from hookline.simulator.report import Report
from hookline.simulator.sequences import find, retrying_of
from hookline.simulator.target import Answer, Outgoing
from hookline.simulator.writing import story
from hookline.testing import make_source, post_request, run_events

if TYPE_CHECKING:
    from django.test import Client

#: Histories that are tried for each scenario: enough to find what is wrong, and done in about a second.
EXAMPLES = 6
MAX_REQUESTS = 2000


class ClientTarget:
    """The project behind Django's test client. What is received is processed before the next request."""

    #: In one transaction nothing happens at the same time.
    parallel = False

    def __init__(self, client: Client, source: Source) -> None:
        self._client, self._source = client, source

    def send(self, moment: Sequence[Outgoing]) -> list[Answer]:
        return [self._send(request) for request, _ in moment]

    def _send(self, request: WebhookRequest) -> Answer:
        began = time.monotonic()
        answer = post_request(self._client, self._source, request)
        seconds = time.monotonic() - began
        run_events(raise_errors=False)
        return Answer(answer.status_code, answer.content, dict(answer.headers), seconds)


def simulate(
    client: Client,
    source: Source | str,
    sequence: str | None = None,
    *,
    check: Probe,
    scenarios: Sequence[str] = (),
    ordered: bool = False,
    ignore: Sequence[str] = (),
    seed: int = 0,
    examples: int = EXAMPLES,
) -> Report:
    """Play a provider's sequence to the project, disturbed in every way that one process allows.

    `source`: a Source, or the provider of one that is made. `check` returns what the handlers did, as a JSON value: a
    count, rows, a dict. `ordered`: the handlers rely on the order of events. `ignore`: fields of `check` that differ
    each time.

    Raises AssertionError, with the smallest history, where a guarantee breaks; ConfigurationError for an unknown name.
    """
    if not isinstance(source, Source):
        source = make_source(source)
    provider = providers.get(source.provider)
    config = source.config(time.time())
    emulator = Emulator(provider, source.url, config.secrets, config.options, retrying_of(provider))
    stage = Stage(
        parties=(Party(emulator, ClientTarget(client, source)),),
        sequence=find(provider, sequence),
        probe=check,
        nonce=secrets.token_hex(5),
        limit=Limit(MAX_REQUESTS),
        settle=0,
        ignored=ignore,
        ordered=ordered,
    )
    report = run.simulate(
        stage, run.Plan(run.choose(scenarios), seed, deadline=emulator.retrying.deadline or 10, examples=examples)
    )
    if report.broken:
        raise AssertionError("\n\n".join("\n".join([found.problem, *story(found)]) for found in report.broken))
    return report
