"""Asking a server or database again that is away for a while, as one is that is restarted."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import TypeVar

from hookline.cli.output import say
from hookline.exceptions import HooklineError

T = TypeVar("T")

#: Seconds of the first pause, which doubles, and of the longest. Each is made longer by up to a fifth, so that many who
#: were cut off together do not come back together.
FIRST, LONGEST, JITTER = 0.5, 15.0, 0.2


class Away(HooklineError):
    """Who was asked cannot be reached now, and may be later."""


def patiently(ask: Callable[[], T]) -> T:
    """What was asked for. While nobody answers it asks again, and says so once; then it says that it goes on."""
    pause = FIRST
    while True:
        try:
            found = ask()
        except Away as away:
            if pause == FIRST:
                why = str(away).rstrip(".")
                say(f"{why}{'' if why.endswith('?') else '.'} Asking again until there is an answer; Ctrl-C ends it.")
            time.sleep(pause * (1 + random.random() * JITTER))  # noqa: S311  # no secret
            pause = min(2 * pause, LONGEST)
        else:
            if pause != FIRST:
                say("There is an answer again; going on.")
            return found
