"""Consumers with mistakes that people make: each is found by the scenario that is for it, with a short history."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from hookline.simulator.play import Party
from hookline.simulator.report import Outcome
from hookline.simulator.run import Plan, choose, simulate
from hookline.simulator.target import Answer, Outgoing, Target
from tests.simulator.other_shop import BUGS as OTHER_BUGS
from tests.simulator.shop import BUGS, LATER
from tests.simulator.shops import shop, stage_of, stage_of_other

#: Seconds that the sender waits; the slow shop takes longer.
DEADLINE = 0.4
#: The slow shop is found by any scenario: every answer is timed.
PLAYED = {"deadline": "rotation"}
#: Seconds to wait for the effect of a shop that answers LATER before it: on a busy machine, too.
SETTLE = {"acknowledges-before-commit": LATER + 1}


@pytest.mark.parametrize(("bug", "scenario"), BUGS.items())
def test_the_bug_is_found_by_its_scenario_with_at_most_three_requests(bug: str, scenario: str, tmp_path: Path) -> None:
    with shop(tmp_path, bug) as running:
        deadline, examples = (DEADLINE, 1) if bug == "slow" else (10, 8)
        plan = Plan(choose([PLAYED.get(scenario, scenario)]), seed=1, deadline=deadline, examples=examples)
        report = simulate(stage_of(running, settle=SETTLE.get(bug, 0.1)), plan)

    found = {finding.scenario: finding for finding in report.broken}
    assert scenario in found, report.findings
    play = found[scenario].play
    assert play is not None
    assert len(play.history.sendings) <= 3, play.history


def test_a_correct_shop_keeps_every_guarantee(tmp_path: Path) -> None:
    with shop(tmp_path) as running:
        report = simulate(stage_of(running), Plan(choose([]), seed=2, deadline=10, examples=3))

    assert [finding.problem for finding in report.broken] == []
    not_run = {guarantee.name for guarantee, outcome in report.guarantees if outcome is Outcome.NOT_RUN}
    assert not_run == {"whole-batch"}  # Stripe sends none


@pytest.mark.parametrize("bug", OTHER_BUGS)
def test_a_bug_of_other_senders_is_found_with_at_most_three_requests(bug: str, tmp_path: Path) -> None:
    name, scenario = OTHER_BUGS[bug]
    with shop(tmp_path, bug, "other_shop") as running:
        report = simulate(stage_of_other(running, name), Plan(choose([scenario]), seed=1, deadline=10, examples=8))

    [broken] = report.broken
    assert broken.scenario == scenario
    assert broken.play is not None
    assert len(broken.play.history.sendings) <= 3, broken.play.history


@pytest.mark.parametrize("name", ["razorpay", "hubspot"])
def test_a_correct_receiver_of_other_senders_keeps_every_guarantee(name: str, tmp_path: Path) -> None:
    with shop(tmp_path, "", "other_shop") as running:
        report = simulate(stage_of_other(running, name), Plan(choose([]), seed=2, deadline=10, examples=2))

    assert [(finding.scenario, finding.problem) for finding in report.broken] == []
    held = {finding.scenario for finding in report.findings if finding.outcome is Outcome.HELD}
    assert ("unsigned-id" if name == "razorpay" else "batch") in held


class Noting:
    """A target that notes what is sent."""

    parallel = True

    def __init__(self, target: Target) -> None:
        self._target = target
        self.noted: list[str] = []

    def send(self, moment: Sequence[Outgoing]) -> list[Answer]:
        self.noted += [f"{act} {json.loads(request.body)['type']}" for request, act in moment]
        return self._target.send(moment)


def test_the_same_seed_makes_the_same_choices(tmp_path: Path) -> None:
    played = []
    for round_ in ("one", "two"):
        folder = tmp_path / round_
        folder.mkdir()
        with shop(folder, "no-dedupe") as running:
            stage = stage_of(running)
            stage.parties = tuple(Party(party.emulator, Noting(party.target)) for party in stage.parties)
            simulate(stage, Plan(choose(["reordered"]), seed=3, deadline=10, examples=5))
            played.append([act_and_type for party in stage.parties for act_and_type in party.target.noted])  # type: ignore[attr-defined]

    assert played[0] == played[1]
    assert len(played[0]) > 3
