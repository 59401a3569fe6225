"""What is wrong with what came of a history: each judge is a pure function from a play to a text, or to nothing."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

from hookline.simulator.acts import GENUINE
from hookline.simulator.effect import NOTHING
from hookline.simulator.play import Exchange, Play

#: Takes the play and the expected effect (None: nobody looks). Returns what is wrong; empty: nothing.
Judge = Callable[[Play, Any], str]

#: What differs from answer to answer for good reasons: ids of requests and times.
_VARYING = re.compile(rb"[0-9a-fA-F-]{8,}|\d+")
_TOKEN = re.compile(r"[A-Za-z0-9+/_-]{24,}={0,2}")
#: Whoever gets no answer on these sendings cut the connection, or restarted the consumer.
_UNANSWERED = frozenset({"cut", "restart"})


def has_effect_once(play: Play, expected: Any) -> str:
    """Every genuine request is accepted, and the effect is that of each event once."""
    return _refused_genuine(play) or _other_effect(play, expected)


def is_refused(play: Play, expected: Any) -> str:
    """Every request that is not genuine is answered 4xx; only the genuine ones before it have an effect."""
    for exchange in play.exchanges:
        if exchange.sending.act not in GENUINE and not exchange.answer.refused:
            return f"{exchange.sending} is not genuine and was answered {exchange.answer}, not 4xx"
    return _refused_genuine(play) or _other_effect(play, expected)


def has_no_further_effect(play: Play, expected: Any) -> str:
    """Whatever is answered to what is not genuine: only the genuine requests have an effect."""
    for exchange in play.exchanges:
        if exchange.answer.status is not None and exchange.answer.status >= 500:
            return f"{exchange.sending} was answered {exchange.answer}"
    return _refused_genuine(play) or _other_effect(play, expected)


def does_not_crash(play: Play, expected: Any) -> str:
    """No 5xx and no connection that is dropped without an answer; and no effect of what nobody signed."""
    for exchange in play.exchanges:
        if exchange.answer.status is None and exchange.sending.act.endswith("too-large"):
            continue  # closing the connection is how many servers refuse a body that is too large
        if exchange.answer.status is None or exchange.answer.status >= 500:
            return f"{exchange.sending} was answered {exchange.answer}, not 4xx"
    signed = any(exchange.sending.act.startswith("signed-") for exchange in play.exchanges)
    return "" if signed else _other_effect(play, expected)


def is_whole(play: Play, expected: Any) -> str:
    """What is accepted has its effect once; what was refused each time may have none, but not a part."""
    for exchange in play.exchanges:
        if exchange.answer.status is None or exchange.answer.status >= 500:
            return f"{exchange.sending} was answered {exchange.answer}; the sender would send it again forever"
    if play.effect == NOTHING and all(exchange.answer.refused for exchange in play.exchanges):
        return ""
    return _other_effect(play, expected)


def says_nothing(play: Play, expected: Any) -> str:
    """The answers to forgeries are alike, and hold neither a secret nor a right signature."""
    told = {_VARYING.sub(b"#", exchange.answer.body): exchange for exchange in play.exchanges}
    if len(told) > 1:
        one, other, *_ = told.values()
        return f"answers tell forgeries apart: {_quoted(one)}; {_quoted(other)}"
    return ""


def leaks(exchange: Exchange, secrets: tuple[str, ...], right: str) -> str:
    """What an answer reveals of the secrets, or of the signature that would have been right."""
    body = exchange.answer.body.decode("latin-1") + "\n".join(exchange.answer.headers.values())
    if any(secret in body for secret in secrets):
        return f"the answer to {exchange.sending} contains the secret"
    sent = "\n".join(value for values in exchange.request.headers.values() for value in values)
    tokens = {token for token in _TOKEN.findall(right) if token not in sent and token not in exchange.request.url}
    if any(token in body for token in tokens):
        return f"the answer to {exchange.sending} contains the signature that would have been right"
    return ""


def _quoted(exchange: Exchange) -> str:
    body = exchange.answer.body[:200].decode("utf-8", "backslashreplace")
    return f"{exchange.sending} -> {exchange.answer.status} {body}"


def _refused_genuine(play: Play) -> str:
    for exchange in play.exchanges:
        sending, answer = exchange.sending, exchange.answer
        if (
            sending.act in GENUINE
            and not answer.accepted
            and not (answer.status is None and sending.act in _UNANSWERED)
        ):
            return f"{sending} is genuine and was answered {answer}, not 2xx"
    return ""


def _other_effect(play: Play, expected: Any) -> str:
    if expected is None or play.effect == expected:
        return ""
    return f"the effect is {_text(play.effect)}, and should be {_text(expected)}"


def _text(effect: Any) -> str:
    return "none" if effect == NOTHING else json.dumps(effect, sort_keys=True)
