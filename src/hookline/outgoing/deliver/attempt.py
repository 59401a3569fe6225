"""The flow of a message out. `deliver` is all of it for one delivery that may be sent now."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol
from uuid import UUID

from hookline.core import durations
from hookline.core.access import Access
from hookline.core.client_credentials import TokenRefused
from hookline.core.outcome import Failure, Outcome, Verdict, classify
from hookline.core.retry import RetrySchedule
from hookline.db.row import new_id
from hookline.engine.job import State
from hookline.engine.settlement import Settlement, after_failure
from hookline.exceptions import AddressRefused
from hookline.outgoing.deliver.outbound import Outbound
from hookline.outgoing.deliver.tokens import Tokens
from hookline.outgoing.log_fields import of_outbound
from hookline.telemetry import tracing
from hookline.transport.route import Route
from hookline.transport.transport import Response, Transport


@dataclass(slots=True)  # not frozen, which takes three times as long to make
class Result:
    """The result of one try: the answer, its outcome, and the settlement of the delivery."""

    outbound: Outbound
    response: Response
    outcome: Outcome
    settlement: Settlement
    #: The headers of the request, with secrets of the endpoint among them. Empty where nothing was sent.
    sent: Mapping[str, str] = field(default_factory=dict, repr=False)
    #: Of the Attempt, the same however often it is tried to record it.
    id: UUID = field(default_factory=new_id)


async def deliver(
    outbound: Outbound,
    transport: Transport,
    schedule: RetrySchedule,
    clock: Callable[[], float],
    tokens: Tokens | None = None,
) -> Result:
    """Sign the stored bytes, send them, and judge the answer. Writes nothing and raises nothing."""
    if tracing.tracer() is None:
        return await _deliver(outbound, transport, schedule, clock, tokens)
    attributes = {f"hookline.{name}": value for name, value in of_outbound(outbound).items()}
    sent = {"traceparent": outbound.traceparent} if outbound.traceparent else None
    with tracing.span("deliver", "CLIENT", sent, {**attributes, "hookline.attempt": outbound.attempts}) as span:
        result = await _deliver(outbound, transport, schedule, clock, tokens, carrier=tracing.carrier())
        if span is not None and result.response.status is not None:
            span.set_attribute("http.response.status_code", result.response.status)
        if not result.outcome.succeeded:
            tracing.failed(span, result.settlement.note)
        return result


async def _deliver(
    outbound: Outbound,
    transport: Transport,
    schedule: RetrySchedule,
    clock: Callable[[], float],
    tokens: Tokens | None,
    *,
    carrier: Mapping[str, str] | None = None,
) -> Result:
    headers: Mapping[str, str] = {}
    try:
        headers = sign(outbound, clock())
    except ValueError as error:
        response = Response(error=Failure.INVALID_REQUEST, detail=str(error))
    else:
        if carrier:
            headers = {**carrier, **headers}
        response = await send(outbound, headers, transport, tokens, clock)
    now = clock()
    outcome = classify(response.status, response.error, response.header("retry-after"), now)
    return Result(outbound, response, outcome, decide(outbound, response, outcome, schedule, now), headers)


def sign(outbound: Outbound, now: float) -> dict[str, str]:
    """The headers of this attempt: the message's id never changes, the timestamp is this attempt's.

    Raises ValueError, quoting no secret, when there is nothing to sign with.
    """
    signer = outbound.to.signer
    if signer is None or outbound.unsendable:
        raise ValueError(outbound.unsendable or outbound.to.unsignable)
    return signer.headers(outbound, int(now))


class Request(Protocol):
    """What is sent where."""

    @property
    def url(self) -> str: ...
    @property
    def body(self) -> bytes: ...
    @property
    def access(self) -> Access | None: ...


async def send(
    request: Request,
    headers: Mapping[str, str],
    transport: Transport,
    tokens: Tokens | None,
    clock: Callable[[], float],
) -> Response:
    """POST the body by its Access: through its proxy, with its certificate and its token. Raises nothing.

    Without `tokens` a token is kept for this request alone.
    """
    access = request.access
    if access is None:
        return await transport.send(request.url, headers, request.body)
    route = Route(access.proxy, access.client_certificate)
    if access.oauth2 is None:
        return await transport.send(request.url, headers, request.body, route)
    ask = partial((tokens or Tokens()).get, access.oauth2, transport, clock, route=route.without_certificate())
    try:
        return await _authorised(request, route, headers, transport, ask)
    except (TokenRefused, AddressRefused) as error:
        return Response(error=Failure.TOKEN_FAILED, detail=str(error))


async def _authorised(
    request: Request, route: Route, headers: Mapping[str, str], transport: Transport, ask: Callable[..., Awaitable[str]]
) -> Response:
    """A token that the endpoint answers 401 to is replaced, once."""
    token = ""
    for _ in range(2):
        token = await ask(instead_of=token)
        authorised = {**headers, "authorization": f"Bearer {token}"}
        response = await transport.send(request.url, authorised, request.body, route)
        if response.status != 401:
            break
    return response


def decide(outbound: Outbound, response: Response, outcome: Outcome, schedule: RetrySchedule, now: float) -> Settlement:
    """The settlement of a delivery after an attempt: done, again at max(schedule, Retry-After), or dead.

    `schedule` is for endpoints without one of their own.
    """
    if outcome.verdict is Verdict.SUCCEEDED:
        return Settlement.succeed()
    note = describe(response)
    if outcome.verdict is Verdict.GONE:
        return Settlement.die(f"{note}; the endpoint says it is gone for good and was suspended")
    schedule = outbound.to.schedule or schedule
    settlement = after_failure(schedule, outbound.attempts, note, at_least=outcome.retry_after or 0.0)
    since = now if outbound.tried_since is None else outbound.tried_since
    if settlement.state is State.PENDING and 0 < schedule.deadline < now + settlement.due_in - since:
        within = durations.text(schedule.deadline)
        return Settlement.die(f"{note}; the next try would be later than {within} after the first, its deadline")
    return settlement


def describe(response: Response) -> str:
    if response.error:
        return f"{response.error}: {response.detail}" if response.detail else response.error
    return f"the endpoint answered {response.status}"
