"""`hookline simulate`: play a sender to a consumer, and say which guarantee breaks."""

from __future__ import annotations

import secrets
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hookline.cli.command import DocumentPrinted, PlainCommand, json_option, load_django
from hookline.cli.output import print_json, print_rows, say
from hookline.cli.secret_options import SecretFile, secrets_options

if TYPE_CHECKING:
    from hookline.simulator.play import Party, Stage
    from hookline.simulator.report import Finding, Report
    from hookline.simulator.run import Plan

#: Seconds that a sender waits for an answer which documents nothing.
DEADLINE = 10.0
#: Requests of a run: to a consumer on this machine; to an endpoint, and of these a second.
MOST, MOST_TO_ENDPOINT, RATE_TO_ENDPOINT = 5000, 200, 5.0
_FILE = click.Path(dir_okay=False, writable=True, path_type=Path)


@click.command(cls=PlainCommand)
@click.option("--url", help="Where the consumer receives the sender's webhooks. On this machine.")
@click.option(
    "--endpoint",
    "endpoint_name",
    metavar="ENDPOINT",
    help="Play Hookline to this endpoint, which has answered its challenge, at most 5 requests a second.",
)
@click.option("--provider", default="standard", show_default=True, help="Whose webhooks to send.")
@secrets_options("What the consumer verifies with. A second one is that of a rotation.")
@click.option("--option", "options", multiple=True, metavar="NAME=VALUE", help="An option of the provider.")
@click.option("--sequence", "sequence_name", metavar="NAME", help="What happens at the sender.  [default: the first]")
@click.option("--scenario", "names", multiple=True, metavar="NAME", help="What goes wrong; `all` for everything.")
@click.option("--history", "history_text", metavar="TEXT", help="Play this history alone, as a report names it.")
@click.option("--seed", type=int, help="Repeat the choices of an earlier run.  [default: a new one]")
@click.option(
    "--probe", metavar="PROBE", help="What shows its effects: a URL of JSON, sql:DATABASE:QUERY, cmd:COMMAND."
)
@click.option("--ignore", "ignored", multiple=True, metavar="FIELD", help="Leave this field of the probe's JSON out.")
@click.option(
    "--settle",
    type=click.FloatRange(0, 600),
    default=0.5,
    show_default=True,
    metavar="SECONDS",
    help="How long after its answer the probe may take to show the effect.",
)
@click.option("--restart", metavar="COMMAND", help="Restarts the consumer, and returns when it is up again.")
@click.option("--other-url", metavar="URL", help="The URL of a second tenant.")
@click.option(
    "--other-secret-file",
    "other_secret",
    type=SecretFile(),
    help="The second tenant's secret.  [default: the same]",
)
@click.option("--ordered", is_flag=True, help="The consumer relies on the order of events.")
@click.option(
    "--deadline",
    type=click.FloatRange(0, min_open=True),
    metavar="SECONDS",
    help="How long the sender waits for an answer.  [default: as long as it documents, or 10]",
)
@click.option(
    "--examples",
    type=click.IntRange(1, 1000),
    default=12,
    show_default=True,
    help="How many histories to try for each scenario.",
)
@click.option(
    "--max-requests", type=click.IntRange(1), help="At most this many requests.  [default: 5000, to an endpoint 200]"
)
@click.option("--rate", type=click.FloatRange(0, min_open=True), metavar="N", help="Send at most N requests a second.")
@click.option(
    "--allow", "allowed", multiple=True, metavar="NETWORK", help="A private test network that may receive requests."
)
@click.option(
    "--report", "report_file", type=_FILE, help="Write the report here: .json, .xml (JUnit) or .html.", multiple=True
)
@click.option("--dry-run", is_flag=True, help="Say what would be sent, and send nothing.")
@json_option
def simulate(
    *,
    url: str | None,
    endpoint_name: str | None,
    secrets: Sequence[str],
    as_json: bool,
    dry_run: bool,
    report_file: Sequence[Path],
    **given: Any,
) -> None:
    """Send webhooks as they really arrive, and find what a consumer gets wrong.

    Duplicates, copies at the same moment, other orders, lost answers, rotations, forgeries and unreadable bodies. Each
    broken guarantee is shown with the smallest history that breaks it. Exits with 1 when one is broken.
    """
    from hookline.simulator import run, writing

    if (url is None) == (endpoint_name is None):
        raise click.UsageError("give either --url, or --endpoint for one of your subscribers")
    given["max_requests"] = given["max_requests"] or (MOST_TO_ENDPOINT if url is None else MOST)
    stage = _stage(url, secrets, given) if url is not None else _stage_of_endpoint(str(endpoint_name), given)
    plan = _plan(given)
    _banner(stage, plan, given)
    if dry_run:
        _print_scenarios(stage, plan, as_json)
        return
    report = run.simulate(stage, plan, told=_progress)
    where = ["--url", url] if url is not None else ["--endpoint", str(endpoint_name)]
    commands = {finding.scenario: _command(where, plan, given, finding) for finding in report.broken}
    for path in report_file:
        _write(path, report, commands)
    if as_json:
        print_json({**writing.as_json(report), "commands": commands})
    else:
        _print(report, commands)
    if report.broken:
        raise DocumentPrinted(f"{len(report.broken)} of {len(report.findings)} scenarios broke a guarantee")


def _stage(url: str, given_secrets: Sequence[str], given: dict[str, Any]) -> Stage:
    from hookline import providers
    from hookline.simulator.play import Limit, Stage
    from hookline.simulator.probe import parse_probe
    from hookline.simulator.safety import allowed_networks
    from hookline.simulator.sequences import find, retrying_of

    if not given_secrets:
        raise click.UsageError("give the secret that the consumer verifies with: --secret-file FILE, or --secret")
    provider = providers.get(given["provider"])
    networks, retrying = allowed_networks(given["allowed"]), retrying_of(provider)
    if given["deadline"] is None:
        given["deadline"] = retrying.deadline or DEADLINE

    def party(to: str, its_secrets: Sequence[str]) -> Party:
        from hookline.simulator import play
        from hookline.simulator.emulator import Emulator
        from hookline.simulator.safety import safe_address
        from hookline.simulator.target import HttpTarget

        emulator = Emulator(provider, to, tuple(its_secrets), _options(given["options"]), retrying)
        # A little longer than the sender waits: a late answer is reported as late.
        return play.Party(emulator, HttpTarget(to, safe_address(to, networks), given["deadline"] + 5))

    parties = [party(url, given_secrets)]
    if other := given["other_url"]:
        secret: str | None = given["other_secret"]
        parties.append(party(other, given_secrets if secret is None else [secret]))
    return Stage(
        parties=tuple(parties),
        sequence=find(provider, given["sequence_name"]),
        probe=parse_probe(given["probe"]) if given["probe"] else None,
        nonce=secrets.token_hex(5),
        limit=Limit(given["max_requests"], given["rate"]),
        settle=given["settle"],
        ignored=given["ignored"],
        ordered=given["ordered"],
        restart=_restarting(given["restart"]) if given["restart"] else None,
    )


def _stage_of_endpoint(name: str, given: dict[str, Any]) -> Stage:
    load_django()
    from hookline.cli.actor import actor
    from hookline.operations import endpoints, simulation
    from hookline.simulator.play import Limit, Stage
    from hookline.simulator.probe import parse_probe

    given["deadline"] = given["deadline"] or DEADLINE
    given["names"] = given["names"] if set(given["names"]) - {"all"} else simulation.SCENARIOS
    if unknown := set(given["names"]) - set(simulation.SCENARIOS):
        raise click.UsageError(
            f"scenario {min(unknown)!r} is not for an endpoint; those are: {', '.join(simulation.SCENARIOS)}"
        )
    party, sequence = simulation.party(actor(), endpoints.find(name), given["deadline"] + 5)
    return Stage(
        parties=(party,),
        sequence=sequence,
        probe=parse_probe(given["probe"]) if given["probe"] else None,
        nonce=secrets.token_hex(5),
        limit=Limit(given["max_requests"], min(given["rate"] or RATE_TO_ENDPOINT, RATE_TO_ENDPOINT)),
        settle=given["settle"],
        ignored=given["ignored"],
        ordered=given["ordered"],
        watched=True,
    )


def _plan(given: dict[str, Any]) -> Plan:
    from hookline.simulator.history import parse_history
    from hookline.simulator.run import Plan, choose

    text = given["history_text"]
    if text and len(given["names"]) != 1:
        raise click.UsageError("--history needs one --scenario, which says how it is judged")
    seed = secrets.randbelow(10**6) if given["seed"] is None else given["seed"]
    return Plan(
        choose(given["names"]), seed, given["deadline"], given["examples"], parse_history(text) if text else None
    )


def _options(texts: Sequence[str]) -> dict[str, str]:
    pairs = [text.partition("=") for text in texts]
    if bad := [text for text, mark, _ in pairs if not mark]:
        raise click.UsageError(f"--option {bad[0]!r} is not NAME=VALUE")
    return {name: value for name, _, value in pairs}


def _restarting(command: str) -> Any:
    import subprocess

    from hookline.exceptions import HooklineError

    def restart() -> None:
        try:
            subprocess.run(shlex.split(command), check=True, timeout=120)  # noqa: S603 # the user's own command
        except (OSError, subprocess.SubprocessError) as error:
            raise HooklineError(f"--restart {command!r} failed: {error}") from error

    return restart


def _banner(stage: Stage, plan: Plan, given: dict[str, Any]) -> None:
    where = " and ".join(party.emulator.url for party in stage.parties)
    say(
        f"Sending webhooks of {stage.provider_title} ({stage.sequence.title}) to {where}: "
        f"{len(plan.scenarios)} scenarios, at most {given['max_requests']} requests, seed {plan.seed}. "
        + ("Each is signed as Hookline signs." if stage.watched else "They include forgeries and unreadable bodies.")
    )
    if stage.probe is None:
        say("Without --probe only the answers are judged, and no effect is seen.")


def _print_scenarios(stage: Stage, plan: Plan, as_json: bool) -> None:
    rows = [
        {
            "scenario": scenario.name,
            "guarantee": scenario.guarantee,
            "about": scenario.about,
            "not_run": scenario.lacks(stage),
        }
        for scenario in plan.scenarios
    ]
    print_rows(rows, ("scenario", "guarantee", "about", "not_run"), as_json, "No scenarios.")


def _progress(finding: Finding) -> None:
    say(f"{finding.scenario}: {finding.outcome}" + (f" ({finding.problem})" if finding.problem else ""))


def _print(report: Report, commands: dict[str, str]) -> None:
    from hookline.simulator.writing import story

    rows = [
        {"guarantee": guarantee.name, "outcome": str(outcome), "requirement": guarantee.requirement}
        for guarantee, outcome in report.guarantees
    ]
    print_rows(rows, ("guarantee", "outcome", "requirement"), False, "")
    for finding in report.broken:
        lines = [f"\n{finding.scenario}: {finding.problem}", *story(finding)]
        if finding.scenario in commands:
            lines += ["Send it again:", f"  {commands[finding.scenario]}"]
        say("\n".join(lines))


def _command(where: list[str], plan: Plan, given: dict[str, Any], finding: Finding) -> str:
    """The command that sends this history again. Secrets are left for the person to give."""
    words = ["hookline", "simulate", *where]
    if where[0] == "--url":
        words += ["--provider", given["provider"], "--secret-file", "SECRET"]
    for name in ("probe", "other_url", "restart"):
        if given[name]:
            words += [f"--{name.replace('_', '-')}", given[name]]
    if given["other_secret"] is not None:
        words += ["--other-secret-file", "OTHER_SECRET"]
    if given["sequence_name"]:
        words += ["--sequence", given["sequence_name"]]
    words += [word for option in given["options"] for word in ("--option", option)]
    words += [word for network in given["allowed"] for word in ("--allow", network)]
    if finding.scenario != "deadline":
        words += ["--scenario", finding.scenario]
        if finding.play is not None:
            words += ["--history", str(finding.play.history)]
    return shlex.join([*words, "--seed", str(plan.seed)])


def _write(path: Path, report: Report, commands: dict[str, str]) -> None:
    import json

    from hookline.simulator.page import as_html
    from hookline.simulator.writing import as_json, as_junit

    kind = path.suffix
    if kind == ".json":
        text = json.dumps({**as_json(report), "commands": commands}, indent=2) + "\n"
    elif kind == ".xml":
        text = as_junit(report)
    elif kind in (".html", ".htm"):
        text = as_html(report, commands)
    else:
        raise click.UsageError(f"--report {path.name!r} must end in .json, .xml or .html")
    path.write_text(text, encoding="utf-8")
