"""The driver: plays each scenario, and accounts for everything. Exit code 1 when anything is violated."""

from __future__ import annotations

import argparse
import random
import shlex
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

from faults import report
from faults.account import settle_up
from faults.database import Database, Postgres, Sqlite, mount_small, unmount
from faults.exceptions import NotPossibleHere, Unsettled
from faults.facts import DATABASE_ERRORS
from faults.fleet import Fleets
from faults.outcome import Outcome, worst_ratio
from faults.plan import Keys, Plan
from faults.proxy import Proxy
from faults.scenarios import SCENARIOS
from faults.scenarios.base import Scenario
from faults.stage import Stage

LONG = Plan(rate=60, rounds=4, window=8.0, lease=5.0, timeout=3.0)
SHORT = Plan(rate=40, rounds=2, window=3.0, lease=3.0, timeout=2.0, outage=3.0)

#: Where the results stand.
PAGE = Path(__file__).parents[1] / "docs" / "reliability.md"
#: How many windows are measured before the throughput counts as lower for good.
WINDOWS = 3
#: A fault that has met nothing is played for so many rounds more, at the most.
PATIENCE = 10
#: Size of the small disk: a cluster of PostgreSQL with what a scenario writes, and little more.
SMALL_DISK = "300m"


class Databases:
    """Makes each database when a scenario first asks for it, and ends all of them."""

    def __init__(self, directory: Path, stack: ExitStack) -> None:
        self._directory, self._stack = directory, stack
        self._made: dict[str, Database] = {}

    def get(self, name: str) -> Database:
        """Raises NotPossibleHere."""
        if name not in self._made:
            kind, _, small = name.partition(" on ")
            directory = self._directory / name.replace(" ", "-").lower()
            directory.mkdir()
            if small:
                if not mount_small(directory, SMALL_DISK):
                    raise NotPossibleHere("a small file system can be mounted by root only")
                self._stack.callback(unmount, directory)
            directory = directory / "data"
            directory.mkdir()
            made = self._made[name] = Postgres(directory) if kind == "PostgreSQL" else Sqlite(directory)
            self._stack.callback(made.stop)
        return self._made[name]


def play(scenario: Scenario, stage: Stage, rounds: int, outcome: Outcome) -> None:
    """Run one scenario and fill in its outcome. Whatever does not come to rest is a violation."""
    plan = stage.plan
    try:
        stage.open()
        scenario.opened(stage)
        time.sleep(1)  # for the pools and caches of all processes to fill
        stage.wait_calm()
        outcome.before = measure(stage)
        break_often(scenario, stage, rounds, outcome)
        stage.wait_calm()
        measure_after(stage, outcome)
        stage.stop_load()
        stage.wait_settled()
    except (Unsettled, RuntimeError, *DATABASE_ERRORS) as error:
        outcome.violations.append(f"{type(error).__name__}: {error}")
    finally:
        scenario.heal(stage)
    try:
        outcome.account, outcome.caught = settle_up(stage.facts.books()), scenario.caught(stage)
    except DATABASE_ERRORS as error:
        outcome.violations.append(f"nothing can be accounted for: {error}")
    outcome.violations += outcome.account.violations + stage.deserters + scenario.violations(stage)
    if not scenario.bounded_by_attempts:
        # A sender may have sent and not recorded twice what it sends at once.
        outcome.most_repeated = outcome.rounds * scenario.repeaters * stage.fleet.senders * plan.per_endpoint * 2
    outcome.judge(plan.ratio)


def break_often(scenario: Scenario, stage: Stage, rounds: int, outcome: Outcome) -> None:
    """Play the rounds, and some more while the fault has met nothing yet."""
    for number in range(rounds + PATIENCE):
        outcome.rounds += 1
        healed = scenario.break_once(stage, number)
        last = number >= rounds - 1
        if last:
            scenario.heal(stage)
        if last or not scenario.continuous:
            outcome.recoveries.append(stage.wait_recovered(healed))
        if last and scenario.caught(stage):
            return


def measure(stage: Stage) -> Mapping[str, float]:
    """Measure the throughput, again while it is less than the load."""
    for _ in range(WINDOWS):
        rates = stage.facts.rates(stage.plan.window)
        if worst_ratio(rates, dict.fromkeys(rates, stage.plan.rate)) >= stage.plan.ratio:
            break
    return rates


def measure_after(stage: Stage, outcome: Outcome) -> None:
    """Measure the throughput after the faults, and see that every worker has its part in it."""
    before = stage.facts.activity(stage.working)
    outcome.after = measure(stage)
    for number, (made, recorded) in stage.facts.activity(stage.working).items():
        if made == before[number][0]:
            outcome.violations.append(f"worker {number} processes no events any more")
        if recorded == before[number][1]:
            outcome.violations.append(f"worker {number} delivers no messages any more")


@contextmanager
def run_directory(keep: bool) -> Iterator[Path]:
    """A directory for logs, ledgers and databases; deleted at the end unless `keep` or the run fails."""
    directory = Path(tempfile.mkdtemp(prefix="hookline-faults-"))
    directory.chmod(0o755)  # PostgreSQL may run as another user
    kept = keep
    try:
        yield directory
    except BaseException:
        kept = True
        raise
    finally:
        if kept:
            print(f"logs and ledgers are in {directory}", file=sys.stderr)
        else:
            shutil.rmtree(directory)


def run(chosen: Sequence[tuple[type[Scenario], int]], plan: Plan, seed: int, directory: Path) -> list[Outcome]:
    """Play the scenarios, each with its number of rounds, one after the other."""
    outcomes = []
    with ExitStack() as stack:
        proxy = Proxy()
        stack.callback(proxy.stop)
        databases, fleets = Databases(directory, stack), Fleets(directory, stack)
        keys, chance = Keys(), random.Random(seed)
        for number, (kind, rounds) in enumerate(chosen, 1):
            scenario, outcome = kind(), Outcome(kind.name, plan.rate, kind.database)
            outcomes.append(outcome)
            try:
                database, fleet = databases.get(kind.database), fleets.get(kind.broker)
            except NotPossibleHere as error:
                outcome.on, outcome.skipped = ", ".join(filter(None, (kind.database, kind.broker))), str(error)
                print(f"{kind.__name__} is NOT RUN: {error}", file=sys.stderr)
                continue
            outcome.on = outcome.on.replace(database.name, f"{database.name} {database.version()}", 1)
            outcome.on = ", ".join(filter(None, (outcome.on, fleet.name)))
            place = directory / f"{number:02d}-{kind.__name__}"
            place.mkdir()
            began = time.monotonic()
            stage = Stage(
                place,
                database,
                fleet,
                proxy,
                keys=keys,
                plan=replace(
                    plan,
                    handler_timeout=kind.handler_timeout,
                    together=kind.together,
                    ordered=kind.ordered,
                    forwarded=kind.forwarded,
                    workers=0 if kind.one_command else plan.workers,
                ),
            )
            stage.random.seed(chance.random())
            try:
                play(scenario, stage, rounds, outcome)
            finally:
                stage.close()
            state = "VIOLATED" if outcome.violations else "fine"
            print(f"{kind.__name__} on {outcome.on}: {state} ({time.monotonic() - began:.0f} s)", file=sys.stderr)
            for violation in outcome.violations:
                print(f"  {violation}", file=sys.stderr)
    return outcomes


def main() -> int:
    parser = argparse.ArgumentParser("python -m faults", description="Break everything, and account for everything.")
    parser.add_argument("--short", action="store_true", help="the bounded run of CI: a few rounds of some scenarios")
    parser.add_argument("--only", action="append", default=[], metavar="CLASS", help="a scenario; may be repeated")
    parser.add_argument("--rounds", type=int, help="rounds of each scenario, instead of its own number")
    parser.add_argument("--rate", type=float, help="events per second")
    parser.add_argument("--seed", type=int, default=random.randrange(2**32), help="of the random moments")
    parser.add_argument("--markdown", type=Path, help="write the table to this file, too")
    parser.add_argument("--write", action="store_true", help="put the table into docs/reliability.md, too")
    parser.add_argument("--keep", action="store_true", help="keep logs and ledgers; they are kept after a violation")
    arguments = parser.parse_args()

    signal.signal(signal.SIGTERM, lambda number, _frame: sys.exit(128 + number))  # and end what was started
    known = {kind.__name__: kind for kind in SCENARIOS}
    if unknown := set(arguments.only) - set(known):
        parser.error(f"no scenario {', '.join(sorted(unknown))}; there are {', '.join(known)}")
    chosen = [known[name] for name in arguments.only] or [k for k in SCENARIOS if k.short or not arguments.short]
    plan = SHORT if arguments.short else LONG
    if arguments.rate:
        plan = replace(plan, rate=arguments.rate)
    rounds = [
        arguments.rounds or (kind.short if arguments.short else 0) or kind.rounds or plan.rounds for kind in chosen
    ]

    began = time.monotonic()
    with run_directory(arguments.keep) as directory:
        outcomes = run(list(zip(chosen, rounds, strict=True)), plan, arguments.seed, directory)
        conditions = (
            f"`{command_line()}` took {(time.monotonic() - began) / 60:.0f} minutes. {report.machine()}. "
            f"{plan.rate:g} events/s, {plan.workers} workers, LEASE {plan.lease:g} s, DELIVERY_TIMEOUT "
            f"{plan.timeout:g} s, at most {plan.per_endpoint} deliveries under way per sender, seed {arguments.seed}."
        )
        report.show(outcomes, conditions)
        if arguments.markdown:
            arguments.markdown.write_text(report.markdown(outcomes, conditions))
        if arguments.write:
            report.write_into(PAGE, report.markdown(outcomes, conditions))
        # A run in which nothing was possible has shown nothing.
        if any(outcome.violations for outcome in outcomes) or all(outcome.skipped for outcome in outcomes):
            raise SystemExit(1)
    return 0


def command_line() -> str:
    """How to make the same run."""
    options = [word for word in sys.argv[1:] if word != "--write"]
    return "make faults" + (f' ARGS="{shlex.join(options)}"' if options else "")
