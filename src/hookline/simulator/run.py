"""The flow: plays scenario after scenario, and finds the smallest history that breaks each."""

from __future__ import annotations

import contextlib
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from hookline.exceptions import ConfigurationError, HooklineError
from hookline.simulator import judges
from hookline.simulator.effect import NOTHING
from hookline.simulator.history import History, Sending
from hookline.simulator.play import Play, Stage
from hookline.simulator.report import Finding, Outcome, Report
from hookline.simulator.scenarios import SCENARIOS, Scenario

#: Histories that are tried for each scenario before it counts as held.
EXAMPLES = 12


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be played."""

    scenarios: Sequence[Scenario]
    seed: int
    #: Seconds that the sender waits for an answer.
    deadline: float
    examples: int = EXAMPLES
    #: Play this history alone.
    history: History | None = None


@dataclass(frozen=True, slots=True)
class Broken:
    """A history that breaks the guarantee, and how."""

    play: Play
    problem: str
    expected: Any


def choose(names: Sequence[str]) -> Sequence[Scenario]:
    """The scenarios of these names; all for none, or for `all`. Raises ConfigurationError."""
    known = {scenario.name: scenario for scenario in SCENARIOS}
    if not names or "all" in names:
        return SCENARIOS
    if unknown := [name for name in names if name not in known]:
        raise ConfigurationError(f"scenario {unknown[0]!r:.80} is unknown; the scenarios are: all, {', '.join(known)}")
    return [known[name] for name in names]


def simulate(stage: Stage, plan: Plan, told: Callable[[Finding], object] = repr) -> Report:
    """Play every scenario of the plan. `told` gets each finding as soon as it is there.

    Raises HooklineError where the consumer cannot be reached or looked at, or takes no event of the sequence.
    """
    check_effect(stage)
    findings = []
    for scenario in plan.scenarios:
        began, sent = time.monotonic(), stage.limit.sent
        finding = play_scenario(stage, plan, scenario)
        finding = finding.counted(stage.limit.sent - sent, time.monotonic() - began)
        findings.append(finding)
        told(finding)
    findings.append(in_time(stage, plan.deadline))
    told(findings[-1])
    return Report(
        stage.parties[0].emulator.provider.name, stage.sequence.name, stage.parties[0].emulator.url, plan.seed, findings
    )


def check_effect(stage: Stage) -> None:
    """Raises HooklineError where the probe sees no effect of a genuine event: nothing could be judged then."""
    every = History(tuple(Sending(event) for event in range(stage.size())))
    played = stage.play(every)
    if refused := [exchange for exchange in played.exchanges if not exchange.answer.accepted]:
        answer = refused[0].answer
        raise HooklineError(
            f"the consumer answered {answer} to a genuine {refused[0].sending}: "
            f"{answer.body[:200].decode('utf-8', 'backslashreplace')!r}; is the secret the one that it verifies with?"
        )
    if stage.probe is not None and played.effect == NOTHING:
        raise HooklineError(
            "the probe sees no effect of genuine events: it must show what the consumer did with them; "
            "give a consumer that works in the background more time with --settle"
        )


def play_scenario(stage: Stage, plan: Plan, scenario: Scenario) -> Finding:
    """What one scenario found."""
    if why := scenario.lacks(stage):
        return Finding(scenario.name, scenario.guarantee, Outcome.NOT_RUN, why)
    broken = _break(stage, scenario, plan.history) if plan.history else _smallest(stage, scenario, plan)
    if broken is None:
        return Finding(scenario.name, scenario.guarantee, Outcome.HELD)
    return Finding(
        scenario.name, scenario.guarantee, Outcome.BROKEN, broken.problem, broken.play, expected=broken.expected
    )


def in_time(stage: Stage, deadline: float) -> Finding:
    """Whether every answer of the run came before the sender would have given up."""
    slowest = stage.slowest
    if slowest is None or slowest.answer.seconds <= deadline:
        return Finding("deadline", "in-time", Outcome.HELD)
    problem = f"the answer to {slowest.sending} took {slowest.answer.seconds:.2f} s; the sender waits {deadline:g} s"
    play = Play(History((slowest.sending,)), (slowest,), None)
    return Finding("deadline", "in-time", Outcome.BROKEN, problem, play)


def _smallest(stage: Stage, scenario: Scenario, plan: Plan) -> Broken | None:
    """The smallest history that breaks the scenario; None where none was found."""
    from hypothesis import HealthCheck, Phase, find, settings
    from hypothesis.errors import Flaky, NoSuchExample

    found: dict[str, Broken] = {}
    whole: set[str] = set()

    def breaks(history: History) -> bool:
        text = str(history)
        if text not in found and text not in whole:
            broken = _break(stage, scenario, history)
            if broken is None:
                whole.add(text)
            else:
                found[text] = broken
        return text in found

    for history in scenario.always(stage):
        if breaks(history):
            return found[str(history)]
    how = settings(
        max_examples=plan.examples,
        database=None,
        deadline=None,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
    )
    with contextlib.suppress(NoSuchExample, Flaky):
        find(scenario.histories(stage), breaks, settings=how, random=random.Random(plan.seed))  # noqa: S311 # no secret
    return min(found.values(), key=lambda broken: _size(broken.play.history), default=None)


def _break(stage: Stage, scenario: Scenario, history: History) -> Broken | None:
    expected = scenario.expected(stage, history) if stage.probe else None
    for _ in range(scenario.tries):
        play = stage.play(history, expected)
        if problem := scenario.judge(play, expected) or _leak(stage, scenario, play):
            return Broken(play, problem, expected)
    return None


def _leak(stage: Stage, scenario: Scenario, play: Play) -> str:
    if scenario.guarantee != "silent":
        return ""
    emulator = stage.parties[0].emulator
    for exchange in play.exchanges:
        right = emulator.right_signature(exchange.request, time.time())
        if problem := judges.leaks(exchange, emulator.secrets, right):
            return problem
    return ""


def _size(history: History) -> tuple[int, int, str]:
    return len(history.sendings), sum(sending.event for sending in history.sendings), str(history)
