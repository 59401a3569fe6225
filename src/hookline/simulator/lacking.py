"""Why a scenario cannot be played on a stage; empty: it can."""

from __future__ import annotations

from collections.abc import Callable

from hookline.simulator.play import Stage


def nothing(stage: Stage) -> str:
    return ""


def probe(stage: Stage) -> str:
    return "" if stage.probe or stage.watched else "needs --probe, to see the effect"


def offers(*acts: str) -> Callable[[Stage], str]:
    def lacks(stage: Stage) -> str:
        if any(stage.possible(act) for act in acts):
            return ""
        return f"{stage.provider_title} offers nothing to do it to: its signature has no such part"

    return lacks


def ids(stage: Stage) -> str:
    provider = stage.parties[0].emulator.provider
    if provider.id_at is None or not provider.id_is_signed:
        return f"{stage.provider_title} signs no id that would tell look-alikes apart"
    return probe(stage) or offers("varied")(stage)


def copies(stage: Stage) -> str:
    return probe(stage) or (
        "" if stage.tells_copies() else f"{stage.provider_title} gives nothing that tells a copy from another event"
    )


def schedule(stage: Stage) -> str:
    if not stage.parties[0].emulator.retrying.pauses:
        return f"{stage.provider_title} documents no schedule of retries"
    return copies(stage)


def parallel(stage: Stage) -> str:
    return copies(stage) or ("" if stage.parties[0].target.parallel else "needs a consumer behind a URL")


def restart(stage: Stage) -> str:
    return copies(stage) or ("" if stage.restart else "needs --restart, a command that restarts the consumer")


def other(stage: Stage) -> str:
    return probe(stage) or ("" if len(stage.parties) > 1 else "needs --other-url, of a second tenant")


def second(stage: Stage) -> str:
    if len(stage.parties[0].emulator.secrets) > 1:
        return ""
    return "needs --secret twice, as during a rotation"


def order(stage: Stage) -> str:
    if stage.ordered:
        return "the consumer relies on the order, as --ordered says"
    return probe(stage) or ("" if stage.size() > 1 else "the sequence has one event")
