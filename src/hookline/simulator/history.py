"""Sending and History: which requests reach the consumer, in which order, and what is wrong with each.

Written as text, so that a report can name one and a command can play it again: `plain:0 again:0` sends the first event
of the sequence twice; `plain:0 +again:0` at the same moment; `old plain:0` an event that happened as long ago as the
sender keeps retrying.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from hookline.exceptions import ConfigurationError
from hookline.simulator.acts import ACTS

_SENDING = re.compile(r"(?P<together>\+?)(?P<act>[a-z0-9-]+):(?P<event>\d{1,3})(?P<other>@other)?\Z")


@dataclass(frozen=True, slots=True)
class Sending:
    """One request: an event of the sequence, by its place in it, and how it is sent."""

    event: int
    act: str = "plain"
    #: At the same moment as the one before.
    together: bool = False
    #: To the second tenant.
    other: bool = False

    def __str__(self) -> str:
        return f"{'+' * self.together}{self.act}:{self.event}{'@other' * self.other}"


@dataclass(frozen=True, slots=True)
class History:
    """Sendings in their order."""

    sendings: tuple[Sending, ...]
    #: Of events that happened when the sender's last retry began to be due: a day of retries without waiting for it.
    old: bool = False

    def __str__(self) -> str:
        return " ".join([*["old"] * self.old, *map(str, self.sendings)])

    @property
    def events(self) -> tuple[int, ...]:
        """The events that are sent, each once, in the order in which they happened."""
        return tuple(sorted({sending.event for sending in self.sendings}))

    def moments(self) -> Iterator[list[Sending]]:
        """The sendings, those of one moment together."""
        moment: list[Sending] = []
        for sending in self.sendings:
            if moment and not sending.together:
                yield moment
                moment = []
            moment.append(sending)
        if moment:
            yield moment


def parse_history(text: str) -> History:
    """A history as `str` writes it. Raises ConfigurationError."""
    sendings, words = [], text.split()
    old = words[:1] == ["old"]
    for word in words[old:]:
        found = _SENDING.match(word)
        if found is None or found["act"] not in ACTS:
            raise ConfigurationError(
                f"history {word!r:.80} is not ACT:EVENT, such as plain:0; the acts are: {', '.join(ACTS)}"
            )
        sendings.append(Sending(int(found["event"]), found["act"], bool(found["together"]), bool(found["other"])))
    if not sendings:
        raise ConfigurationError("history is empty; write for example: plain:0 again:0")
    return History(tuple(sendings), old)
