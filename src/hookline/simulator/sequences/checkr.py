"""Checkr: a background report. https://docs.checkr.com/#section/Webhooks"""

from __future__ import annotations

from collections.abc import Sequence as Seq

from hookline.simulator.sequence import BusinessEvent, Ids, Sequence


def _report(new: Ids) -> Seq[BusinessEvent]:
    candidate, report = new.new("e44aa283"), new.new("4722c07d")
    about = {"id": report, "object": "report", "candidate_id": candidate, "package": "driver_pro"}
    return (
        BusinessEvent("candidate.created", {"id": candidate, "object": "candidate", "email": "ada@example.com"}),
        BusinessEvent("report.created", {**about, "status": "pending", "result": None}),
        BusinessEvent("report.completed", {**about, "status": "complete", "result": "clear"}),
    )


SEQUENCES = (
    Sequence(
        "report", "a report that is ordered and comes back clear", _report, "https://docs.checkr.com/#section/Webhooks"
    ),
)
