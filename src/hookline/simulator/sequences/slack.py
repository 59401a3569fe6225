"""Slack: somebody asks an app in a channel, changes the question and thanks. https://docs.slack.dev/reference/events"""

from __future__ import annotations

from collections.abc import Sequence as Seq

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
