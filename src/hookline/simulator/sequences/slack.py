"""Slack: somebody asks an app in a channel, changes the question and thanks. https://docs.slack.dev/reference/events"""

from __future__ import annotations

from collections.abc import Sequence as Seq

from hookline.simulator.retrying import MINUTE, Retrying
from hookline.simulator.sequence import BusinessEvent, Ids, Sequence


def _conversation(new: Ids) -> Seq[BusinessEvent]:
    channel, user = new.new("C"), new.new("U")
    moment = f"1772442000.{new.number() % 10**6:06d}"
    about = {"channel": channel, "channel_type": "channel"}
    return (
        BusinessEvent("app_mention", {**about, "user": user, "ts": moment, "text": "<@U0LAN0Z89> deploy staging"}),
        BusinessEvent(
            "message.message_changed",
            {**about, "ts": moment, "message": {"type": "message", "user": user, "text": "<@U0LAN0Z89> deploy prod"}},
        ),
        BusinessEvent(
            "reaction_added",
            {"user": user, "reaction": "thumbsup", "item": {"type": "message", "channel": channel, "ts": moment}},
        ),
    )


SEQUENCES = (
    Sequence(
        "conversation",
        "a question to an app, its correction and a reaction",
        _conversation,
        "https://docs.slack.dev/reference/events",
    ),
)


def _headers(attempt: int) -> dict[str, str]:
    """The first try has none."""
    return {"x-slack-retry-num": str(attempt - 1), "x-slack-retry-reason": "http_timeout"} if attempt > 1 else {}


RETRYING = Retrying(3.0, (1.0, MINUTE, 5 * MINUTE), _headers, "https://docs.slack.dev/apis/events-api/#retries")
