"""Zoom: a meeting with one guest. https://developers.zoom.us/docs/api/meetings/events/"""

from __future__ import annotations

from collections.abc import Sequence as Seq

from hookline.simulator.retrying import MINUTE, Retrying
from hookline.simulator.sequence import BusinessEvent, Ids, Sequence


def _meeting(new: Ids) -> Seq[BusinessEvent]:
    meeting = {"id": str(new.number()), "uuid": new.new("4444AAA"), "topic": "Weekly", "type": 2, "timezone": "UTC"}
    guest = {"user_name": "Ada", "participant_uuid": new.new("P"), "email": "ada@example.com"}
    return (
        BusinessEvent("meeting.started", {**meeting, "start_time": "2026-03-02T09:00:00Z"}),
        BusinessEvent(
            "meeting.participant_joined",
            {**meeting, "participant": {**guest, "join_time": "2026-03-02T09:01:10Z"}},
        ),
        BusinessEvent(
            "meeting.participant_left", {**meeting, "participant": {**guest, "leave_time": "2026-03-02T09:29:00Z"}}
        ),
        BusinessEvent("meeting.ended", {**meeting, "end_time": "2026-03-02T09:30:00Z"}),
    )


SEQUENCES = (
    Sequence(
        "meeting",
        "a meeting that a guest joins and leaves",
        _meeting,
        "https://developers.zoom.us/docs/api/meetings/events/",
    ),
)

RETRYING = Retrying(
    3.0, (5 * MINUTE, 20 * MINUTE, 60 * MINUTE), source="https://developers.zoom.us/blog/webhook-delays/"
)
