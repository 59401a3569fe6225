"""ClaimPace: when a sender may claim again, so that what comes meanwhile is sent together, for less. Pure.

Times and durations are in seconds, of any one clock.
"""

from __future__ import annotations

#: A claim that took all that was due, and more than FEW, shows that much is published right now. The next one begins
#: BETWEEN times its duration after its end, and at most LONGEST_BETWEEN seconds: what comes meanwhile is claimed, read
#: and recorded together, which costs less for each. Where little is published nothing waits.
FEW, BETWEEN, LONGEST_BETWEEN = 8, 3, 0.05
#: Nor where deliveries were given to this sender in the last GIVEN_LATELY seconds: while some wait for a claim, others
#: of the same endpoint are not given.
GIVEN_LATELY = 1.0
#: While many requests come in, the processor is theirs first: the next claim begins STANDING_BACK seconds after such a
#: claim, or as soon as fewer come in. Only as long as nothing that is claimed was due BEHIND seconds ago, so that an
#: inflow which goes on takes no more than its share.
STANDING_BACK, BEHIND = 0.1, 1.0


class ClaimPace:
    def __init__(self, ask_again: float) -> None:
        """`ask_again`: how long a high inflow is believed to last."""
        self._ask_again = ask_again
        #: When deliveries were last given.
        self._given_at = float("-inf")
        #: Before this time more gathers; and before this one while many requests come in.
        self._next_claim = self._stands_back_until = 0.0

    def was_given(self, now: float) -> None:
        self._given_at = now

    def claimed(self, count: int, waited: float, now: float, took: float, *, drained: bool) -> None:
        """A claim took so long and got so many, of which the oldest had been due for `waited`; all that was due, if
        `drained`."""
        if count <= FEW:
            return
        if drained and now - self._given_at > GIVEN_LATELY:
            self._next_claim = now + min(BETWEEN * took, LONGEST_BETWEEN)
        if waited < BEHIND:
            self._stands_back_until = now + STANDING_BACK

    def pause(self, now: float, *, high_inflow: bool) -> float:
        """How long to wait before this is asked again; 0 or less: it is time to claim."""
        early = self._next_claim - now
        if early <= 0 and high_inflow and self._stands_back_until > now:
            return min(self._stands_back_until - now, self._ask_again)
        return early
