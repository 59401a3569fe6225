"""The flow of the signature doctor: a Case in, a Diagnosis out. Pure, but for documents that are remembered."""

from __future__ import annotations

from dataclasses import replace

from hookline.core import durations
from hookline.exceptions import OutOfTime, VerificationError
from hookline.incoming.diagnose.case import Case
from hookline.incoming.diagnose.diagnosis import Diagnosis
from hookline.incoming.diagnose.reasons import by_reason
from hookline.incoming.diagnose.trials import schemes_of, trials

_HOUR = 3600
#: Reasons that say what is wrong. Trials would repair the body until it passes, and miss it.
_CLEAR = frozenset({"duplicate_key", "wrong_content_type"})


def explain(case: Case) -> Diagnosis:
    """Which mistake explains that this request was refused."""
    error = case.attempt()
    if error is None:
        return Diagnosis(
            "passes_now",
            "It verifies now: the source was changed since it was refused.",
            "Store its events with `hookline rejections reverify`.",
            proven=True,
        )
    now, untimely = case.came_at, None
    if isinstance(error, OutOfTime):
        now, untimely = case.came_at - error.age, _clock(error)
        error = case.attempt(now=now)
        if error is None:
            return untimely
    for trial in () if error.reason in _CLEAR else trials(case):
        if case.attempt(provider=trial.provider, request=trial.request, config=trial.config, now=now) is None:
            return _both(trial.diagnosis, untimely)
    return _both(_unproven(case, error), untimely)


def _clock(error: OutOfTime) -> Diagnosis:
    age = error.age
    said = durations.text(abs(age))
    if age < 0:
        text = f"Its signature is right, but its time is {said} ahead of this machine's clock."
    else:
        text = f"Its signature is right, but it was signed {said} before it came."
    advice = "Compare this machine's clock with the sender's (`timedatectl`, NTP)."
    if abs(age) > _HOUR / 2 and abs(age) % _HOUR < 120:
        advice += " It is off by whole hours: a program may have written local time as UTC."
    if age > 0:
        advice += (
            " If the clocks agree, something kept the request back on its way, or somebody sent a captured one again."
        )
    return Diagnosis("clock", text, advice, proven=True)


def _both(diagnosis: Diagnosis, untimely: Diagnosis | None) -> Diagnosis:
    if untimely is None:
        return diagnosis
    late = "It was also signed too long ago or ahead of the clock, so that only a later delivery can pass."
    return replace(diagnosis, text=f"{diagnosis.text} {late}")


def _unproven(case: Case, error: VerificationError) -> Diagnosis:
    """What the refusal itself and the headers say, where no trial passed."""
    if error.reason in ("missing_header", "missing_part", "missing_signature"):
        readers = schemes_of(case)
        if readers:
            first = readers[0]
            its = sorted(name for name in case.request.headers if first in case.readers.get(name, ()))
            return Diagnosis(
                "other_scheme",
                f"It has the header {its[0]}, as {first.title} sends it; the source's provider is "
                f"`{case.provider.name}` ({case.provider.title}).",
                f"If {first.title} is the sender, make a source with `--provider {first.name}` and give it that URL.",
            )
    return by_reason(error, case)
