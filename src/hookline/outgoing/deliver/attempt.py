"""The flow of a message out. `deliver` is all of it for one claimed Delivery."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

from hookline import conf
from hookline.core.outcome import Failure, Outcome, Verdict, classify
from hookline.core.retry import RetrySchedule
from hookline.engine.job import Settlement
from hookline.exceptions import ConfigurationError
from hookline.outgoing.deliver.signers import Signers
from hookline.outgoing.models import Delivery
from hookline.transport.transport import Response, Transport


@dataclass(frozen=True, slots=True)
class Result:
    """What came of one try: the answer, how it is judged, and what becomes of the delivery."""

    delivery: Delivery
    response: Response
    outcome: Outcome
    settlement: Settlement


async def deliver(delivery: Delivery, transport: Transport, signers: Signers, clock: Callable[[], float]) -> Result:
    """Sign the stored bytes, send them, and judge the answer. Writes nothing and raises nothing."""
    try:
        headers = sign(delivery, signers, clock())
    except (ValueError, ConfigurationError) as error:
        response = Response(error=Failure.INVALID_REQUEST, detail=f"cannot sign for this endpoint: {error}")
    else:
        response = await transport.send(delivery.endpoint.url, headers, bytes(delivery.message.body))
    outcome = classify(response.status, response.error, response.header("retry-after"), clock())
    return Result(delivery, response, outcome, decide(delivery, response, outcome))


def sign(delivery: Delivery, signers: Signers, now: float) -> dict[str, str]:
    """The headers of this attempt: the message's id never changes, the timestamp is this attempt's.

    Raises ValueError or ConfigurationError, quoting no secret, when the endpoint has none that can sign.
    """
    message = delivery.message
    signed = signers.of(delivery.endpoint, now).headers(message.public_id, int(now), bytes(message.body))
    return {"content-type": "application/json", **signed}


def decide(delivery: Delivery, response: Response, outcome: Outcome) -> Settlement:
    """What becomes of the delivery: done, again at max(schedule, Retry-After), or dead."""
    if outcome.verdict is Verdict.SUCCEEDED:
        return Settlement.succeed()
    note = describe(response)
    if outcome.verdict is Verdict.GONE:
        return Settlement.die(f"{note}; the endpoint says it is gone for good and was suspended")
    delay = schedule().next_delay(delivery.attempts, random.random(), at_least=outcome.retry_after or 0.0)  # noqa: S311  # jitter is no secret
    return Settlement.die(f"{note}; no tries left") if delay is None else Settlement.retry(delay, note)


def describe(response: Response) -> str:
    if response.error:
        return f"{response.error}: {response.detail}" if response.detail else response.error
    return f"the endpoint answered {response.status}"


def schedule() -> RetrySchedule:
    settings = conf.get()
    return RetrySchedule(settings.DELIVERY_RETRY_DELAYS, settings.RETRY_JITTER)
